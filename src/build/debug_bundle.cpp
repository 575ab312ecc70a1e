// SPDX-License-Identifier: Apache-2.0
#include "build/debug_bundle.hpp"

#include <fmt/format.h>

#include <ctime>

#include "base/atomic_file.hpp"
#include "base/files.hpp"
#include "pack/archive_writer.hpp"

namespace sf::build {

using base::Result;
namespace fs = std::filesystem;

Result<fs::path> write_debug_bundle(const StateDir& state, const std::string& run_id,
                                    const std::map<std::string, std::string>& texts) {
    const fs::path logs = state.logs() / run_id;
    const fs::path path = logs / "debug.tar.zst";
    SF_CHECK(base::make_dirs(logs));
    SF_TRY(base::AtomicFile file, base::AtomicFile::create(path));
    // Quick: a person waits, and logs shrink well at any level.
    const pack::WriterOptions options{pack::Compression::zstd, 3, std::time(nullptr), false};
    SF_TRY(pack::ArchiveWriter archive, pack::ArchiveWriter::create(file, options));
    for (const auto& [name, text] : texts)
        SF_CHECK(archive.add_memory(fmt::format("{}/{}", run_id, name), text));
    // The folders of packages and proofs, and not the file that is being written.
    SF_CHECK(archive.add_tree(logs, run_id + "/logs", [&](std::string_view name) {
        return name.find('/') != std::string_view::npos || base::is_dir(logs / name);
    }));
    SF_TRY([[maybe_unused]] const model::ArchiveRecord record,
           archive.finish(path.filename().string()));
    SF_CHECK(file.commit());
    return path;
}

}  // namespace sf::build
