// SPDX-License-Identifier: Apache-2.0
// A file system of its own for a test: ext4 in a file, whose power can be cut, or a tmpfs of a
// size. Mounted in this process's own mount namespace, so that nothing is left of it. Needs root.
// One thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace sf::test {

// Why this machine cannot; nullopt: it can. The first call makes the mount namespace.
[[nodiscard]] std::optional<std::string> no_small_disks();

class SmallDisk {
public:
    // `at`: the folder to mount it on; beside it lies the file.
    explicit SmallDisk(std::filesystem::path at) : x_at(std::move(at)) {}
    ~SmallDisk() { unmount(); }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    // A new ext4; journal commits each second, and nothing is written early for those who do not
    // ask (noauto_da_alloc).
    void make_ext4(unsigned mebibytes);
    void mount_tmpfs(const std::string& options);  // "size=1m,nr_inodes=100"
    void grow(const std::string& options);         // that tmpfs, with what is in it
    // The ext4's content, as it is on the disk; unmounted before and after.
    void keep(const std::string& name);
    void take(const std::string& name);
    void mount();
    void unmount();
    // The power is gone: what was not made durable is lost. Whoever writes gets an error.
    void cut();

    [[nodiscard]] const std::filesystem::path& at() const { return x_at; }

private:
    [[nodiscard]] std::filesystem::path image() const { return x_at.native() + ".ext4"; }
    std::filesystem::path x_at;
    bool x_mounted = false;
};

}  // namespace sf::test
