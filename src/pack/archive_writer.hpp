// SPDX-License-Identifier: Apache-2.0
// Writes tar archives (ustar, with pax records where ustar's fields are too small) whose bytes
// depend on names, contents and x bits alone: owner root, one fixed time, modes 0644 and 0755, one
// compressor thread. Entries appear in the order they are added, add_tree() sorts; folders above an
// entry are added by themselves. Knows nothing of packages. One thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/stream.hpp"
#include "model/manifest.hpp"
#include "pack/archive_reader.hpp"

namespace sf::pack {

struct WriterOptions {
    Compression compression = Compression::zstd;
    int level = 0;            // 0: 19 for zstd, 6 for gzip
    std::int64_t mtime = 0;   // of every entry, for instance SOURCE_DATE_EPOCH
    bool hash_files = false;  // entries() then carries each file's SHA-256
    // For archives that another program unpacks, by rules of its own (Spack): symlinks may be
    // absolute if they point below this folder, and a folder may have this name, which ours may
    // not. Our readers refuse both.
    std::string link_root = {};  // "/__sf__"
    std::string reserved = {};   // ".spack"
};

// Called with the path below the folder given to add_tree(); false leaves the entry out, and for a
// folder everything below it.
using TreeFilter = std::function<bool(std::string_view path)>;

class ArchiveWriter {
public:
    // `sink` takes the compressed bytes and must outlive the writer.
    [[nodiscard]] static base::Result<ArchiveWriter> create(base::Sink& sink,
                                                            const WriterOptions& options = {});
    ArchiveWriter(ArchiveWriter&&) noexcept;
    ArchiveWriter& operator=(ArchiveWriter&&) noexcept;
    ~ArchiveWriter();

    // Paths are those of the strict policy (archive_reader.hpp); a path given twice is an error,
    // but a folder may be given again.
    base::Status add_directory(std::string_view path);
    base::Status add_symlink(std::string_view path, std::string_view target);
    base::Status add_memory(std::string_view path, std::string_view content,
                            bool executable = false);
    // A regular file, never through a symlink; executable if its owner may execute it.
    base::Status add_file(std::string_view path, const std::filesystem::path& file);
    // Exactly `size` bytes of `content`.
    base::Status add_stream(std::string_view path, bool executable, std::uint64_t size,
                            base::Source& content);
    // Everything below `folder` as `prefix`/…, sorted; symlinks stay symlinks. `prefix` itself
    // becomes an entry; "" puts the tree at the top.
    base::Status add_tree(const std::filesystem::path& folder, std::string_view prefix,
                          const TreeFilter& filter = {});
    // The entries of another archive, checked by its policy, below `prefix` ("": as they are).
    // Streams: nothing is unpacked to disk.
    base::Status add_archive(const ArchiveInput& archive, const ArchivePolicy& policy,
                             std::string_view prefix = {});

    // Ends the archive; nothing can be added any more. `file` is only recorded.
    [[nodiscard]] base::Result<model::ArchiveRecord> finish(std::string file);
    // What was written so far, in order.
    [[nodiscard]] const std::vector<model::FileEntry>& entries() const;

private:
    struct State;
    explicit ArchiveWriter(std::unique_ptr<State> state);
    std::unique_ptr<State> x_state;
};

}  // namespace sf::pack
