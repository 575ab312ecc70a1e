// SPDX-License-Identifier: Apache-2.0
#include "tree/public_folder.hpp"

#include <sys/stat.h>

#include <cerrno>

#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::tree {

namespace fs = std::filesystem;

base::Status check_folder(const fs::path& path) {
    const std::string shown = base::escape_untrusted(path.native());
    std::error_code error;
    const fs::file_status status = fs::symlink_status(path, error);
    if (error) return base::fail_errno(error.value(), "look at " + shown);
    if (status.type() == fs::file_type::directory) return {};
    return base::fail(base::Code::refused, "{} is in the way: it is not a folder", shown);
}

base::Status make_public_folder(const fs::path& path) {
    const std::string shown = base::escape_untrusted(path.native());
    // One that is there keeps its mode. One that was not is made by us, also if mkdir says that it
    // is there: an NFS server's answer was lost (base/files.cpp), or another of us was quicker.
    SF_TRY(const bool before, base::is_there(path));
    if (!before && ::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
        return base::fail_errno(errno, "make folder " + shown);
    SF_CHECK(check_folder(path));
    if (before || ::chmod(path.c_str(), 0755) == 0) return {};
    return base::fail_errno(errno, "set the mode of " + shown);
}

base::Status make_public_folders(const fs::path& path) {
    if (base::is_dir(path)) return {};
    SF_CHECK(make_public_folders(path.parent_path()));
    return make_public_folder(path);
}

}  // namespace sf::tree
