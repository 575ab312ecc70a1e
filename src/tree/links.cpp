// SPDX-License-Identifier: Apache-2.0
#include "tree/links.hpp"

#include <fcntl.h>

#include "base/files.hpp"
#include "model/bundle_layout.hpp"
#include "tree/contents.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Result;
using base::Status;

Result<bool> leads_somewhere(const fs::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return false;
    return base::fail_errno(errno, "look at " + base::escape_untrusted(path.native()));
}

Status point(const fs::path& link, const fs::path& target, const fs::path& fresh,
             const std::optional<timespec>& time) {
    SF_CHECK(base::make_symlink(target, fresh));
    if (time) {
        const timespec times[2] = {*time, *time};
        if (::utimensat(AT_FDCWD, fresh.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
            return base::fail_errno(errno,
                                    "set the time of " + base::escape_untrusted(fresh.native()));
    }
    SF_CHECK(base::rename(fresh, link));
    return base::fsync_dir(link.parent_path());
}

Status fit_current_links(const fs::path& prefix, const fs::path& fresh) {
    const auto contents = read_contents(prefix);
    if (!contents && contents.error().code == base::Code::absent) return {};
    SF_CHECK(contents);
    for (const InPlace& each : contents->versions) {
        if (each.version != contents->view_version) continue;
        for (const model::FileEntry& link : model::bundle_links(each.bundle)) {
            const fs::path path = prefix / link.path;
            SF_TRY(const bool leads, leads_somewhere(path));
            SF_TRY(const bool would, leads_somewhere(path.parent_path() / link.target));
            if (!leads && would) SF_CHECK(point(path, link.target, fresh));
        }
    }
    return {};
}

}  // namespace sf::tree
