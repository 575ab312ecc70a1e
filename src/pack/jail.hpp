// SPDX-License-Identifier: Apache-2.0
// Makes files, folders and links below one folder and nowhere else: paths are resolved by the
// kernel beneath that folder without following any link (openat2), or one component at a time with
// O_NOFOLLOW where the kernel has no openat2 (before 5.6). Nothing that exists is opened for
// writing or replaced. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace sf::pack {

class Jail {
public:
    // `directory` is borrowed. `by_component` forces the way of old kernels, for tests.
    explicit Jail(int directory, bool by_component = false)
        : x_directory(directory), x_by_component(by_component) {}

    // A new file, its mode exact whatever the umask.
    [[nodiscard]] base::Result<base::Fd> create_file(const std::string& path, unsigned mode);
    // 0755; one that is there already is an error, or is used if `or_existing`.
    [[nodiscard]] base::Status make_directory(const std::string& path, bool or_existing = false);
    [[nodiscard]] base::Status make_symlink(const std::string& path, const std::string& target);
    [[nodiscard]] base::Status make_hardlink(const std::string& existing, const std::string& path);
    // Of a symlink; seconds since 1970.
    [[nodiscard]] base::Status set_link_time(const std::string& path, std::int64_t mtime);

private:
    struct Place {
        base::Fd parent;
        std::string name;
    };
    base::Result<Place> place_of(const std::string& path);
    [[nodiscard]] static bool is_own_link(const Place& place, const std::string& target);
    base::Result<base::Fd> open_below(const std::string& path, int flags, unsigned mode);

    int x_directory;
    bool x_by_component;
};

}  // namespace sf::pack
