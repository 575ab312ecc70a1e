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
    if (::mkdir(path.c_str(), 0755) == 0) {
        if (::chmod(path.c_str(), 0755) == 0) return {};
        return base::fail_errno(errno, "set the mode of " + shown);
    }
    if (errno != EEXIST) return base::fail_errno(errno, "make folder " + shown);
    return check_folder(path);
}

base::Status make_public_folders(const fs::path& path) {
    if (base::is_dir(path)) return {};
    SF_CHECK(make_public_folders(path.parent_path()));
    return make_public_folder(path);
}

}  // namespace sf::tree
