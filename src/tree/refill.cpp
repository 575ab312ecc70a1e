// SPDX-License-Identifier: Apache-2.0
#include "tree/refill.hpp"

#include <cerrno>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "tree/public_folder.hpp"
#include "tree/tree_matcher.hpp"

namespace sf::tree {

base::Result<model::FileEntry> refill(const std::filesystem::path& stage,
                                      const model::FileEntry& entry, std::string_view text) {
    const std::filesystem::path to = stage / entry.path;
    SF_CHECK(make_public_folders(to.parent_path()));
    switch (entry.type) {
        case model::EntryType::directory: SF_CHECK(make_public_folder(to)); break;
        case model::EntryType::symlink: SF_CHECK(base::make_symlink(entry.target, to)); break;
        case model::EntryType::file: SF_CHECK(base::write_staged(to, text, entry.mode)); break;
    }
    return read_entry(stage, entry.path);
}

}  // namespace sf::tree
