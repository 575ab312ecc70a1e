// SPDX-License-Identifier: Apache-2.0
// The folder that holds a cache's objects, each a file below it. Opens, makes and lists what is
// there without following a symlink: a cache may lie on NFS and belong to another user, who can put
// anything there. Symlinks on the way to the folder itself are the administrator's and are
// followed. Does not know how objects are written (new_object.hpp). Thread-safe.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "cache/backend.hpp"

namespace sf::cache {

// Files of our own beside the objects: on their way, and the lock of conditional writers. Such
// names, and those that NFS and ext4 make by themselves, are no keys and are not listed.
inline constexpr std::string_view unfinished_prefix = ".sf-new-";
inline constexpr std::string_view lock_name = ".sf-lock";

struct OpenObject {
    base::Fd file;  // regular, for reading
    ObjectInfo info;
};

class ObjectFolder {
public:
    explicit ObjectFolder(std::filesystem::path root) : x_root(std::move(root)) {}
    [[nodiscard]] const std::filesystem::path& root() const { return x_root; }

    // Code::refused: no key, or one of the names above.
    [[nodiscard]] static base::Status check(std::string_view key);
    // For messages.
    [[nodiscard]] std::string shown(std::string_view key) const;

    // Code::absent if nothing is there; Code::refused if it is no regular file, at once.
    [[nodiscard]] base::Result<OpenObject> open(const std::string& key) const;
    // `folder` is a key of no object; "": the root. `flags`: O_RDONLY to list or to sync, or
    // O_PATH.
    [[nodiscard]] base::Result<base::Fd> open_folder(std::string_view folder, int flags) const;
    // Makes what is missing, the root included: 0755 whatever the umask, and durable.
    [[nodiscard]] base::Result<base::Fd> make_folder(std::string_view folder) const;

    struct Entry {
        std::string name;  // of a folder with "/" at its end: so names sort as keys do
        ObjectInfo info;   // of an object
        [[nodiscard]] bool is_folder() const { return name.ends_with('/'); }
    };
    // Objects and folders in the byte order of their keys. What vanishes meanwhile, or can be no
    // object, is left out; nothing if the folder is not there.
    [[nodiscard]] base::Result<std::vector<Entry>> entries(const std::string& folder) const;

private:
    [[nodiscard]] base::Result<base::Fd> open_root(int flags) const;
    std::filesystem::path x_root;
};

struct KeyParts {
    std::string folder;  // "": the root
    std::string name;
};
[[nodiscard]] KeyParts parts_of(std::string_view key);

// An object's etag is made of its inode, size and time: a digest would mean reading gigabytes to
// answer a HEAD. Inode numbers are used again at once and the kernel's clock ticks every 4 ms, so
// NewObject gives each file a time with random nanoseconds, and one that replaces another a later
// second: where the file system keeps no nanoseconds, only what was deleted and put again within a
// second, of the same size and by chance with the same inode, has the etag of what was there.
[[nodiscard]] ObjectInfo info_of(std::string key, const struct stat& status);

// As base::fail_errno, but a server that does not answer is Code::unreachable, and what may not be
// done Code::refused.
[[nodiscard]] tl::unexpected<base::Error> fail_place(int error, std::string_view what);

}  // namespace sf::cache
