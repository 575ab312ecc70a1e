// SPDX-License-Identifier: Apache-2.0
#include "install/bundle_install.hpp"

#include <fcntl.h>

#include "base/files.hpp"
#include "pack/archive_reader.hpp"

namespace sf::install {

namespace fs = std::filesystem;
using base::Result;

Result<std::vector<model::FileEntry>> unpack_bundle(const VerifiedBundle& verified,
                                                    const fs::path& folder) {
    SF_TRY(const base::Fd opened, base::open_file(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    model::ArchiveRecord record;
    record.entries = verified.tree.size();
    record.unpacked_size = verified.unpacked_size;
    pack::ArchivePolicy policy;
    policy.record = &record;
    return base::during(
        pack::unpack_archive({verified.descriptor.get(), verified.file}, policy, opened.get()),
        "unpacking " + verified.file);
}

Result<InstallReport> install_bundle(const VerifiedBundle& verified, const fs::path& prefix,
                                     const InstallOptions& options) {
    const auto fill = [&](const fs::path& stage, const tree::Wanted&) {
        return unpack_bundle(verified, stage);
    };
    return tree::install_tree({verified.bundle, verified.manifest_text, verified.manifest_signature,
                               verified.tree, verified.file, fill},
                              prefix, options);
}

}  // namespace sf::install
