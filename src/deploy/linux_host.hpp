// SPDX-License-Identifier: Apache-2.0
// The real machine. With `root` other than "/", paths lie below that folder: for tests, and for
// nothing else. No look-ups of users, hosts or locales: this is linked into a static program.
#pragma once

#include "base/fd.hpp"
#include "deploy/host.hpp"

namespace sf::deploy {

class LinuxHost : public Host {
public:
    explicit LinuxHost(fs::path root = "/") : x_root(std::move(root)) {}

    base::Result<PathInfo> look(const fs::path& path) override;
    base::Result<std::string> read(const fs::path& path) override;
    base::Result<std::vector<std::string>> list(const fs::path& folder) override;
    base::Result<std::string> read_link(const fs::path& path) override;
    base::Status make_folder(const fs::path& path, unsigned mode, Ids owner) override;
    base::Status write_file(const fs::path& path, std::string_view content, unsigned mode,
                            Ids owner) override;
    base::Status write_new(const fs::path& path, std::string_view content, unsigned mode,
                           Ids owner) override;
    base::Status set_mode(const fs::path& path, unsigned mode, Ids owner) override;
    base::Status switch_link(const fs::path& link, const fs::path& target) override;
    base::Status remove(const fs::path& path) override;
    base::Result<std::string> random(std::size_t size) override;
    base::Result<base::Finished> run(const base::Command& command, std::string_view input) override;
    std::string host_name() override;
    std::vector<std::string> interface_addresses() override;
    bool is_root() override;
    bool lzcnt_works() override;
    bool on_file_system(const fs::path& path, std::uint64_t magic) override;
    bool mounted_noexec(const fs::path& path) override;
    bool alive(pid_t pid) override;
    base::Status signal(pid_t pid, int number) override;
    std::chrono::steady_clock::time_point now() override;
    void sleep(std::chrono::milliseconds time) override;

private:
    struct Place {  // a name in a folder that is held open
        base::Fd folder;
        std::string name;
        std::string shown;
    };
    // Walks to the folder above `path`. A symlink on the way is followed only if root made it, in a
    // folder where nobody else could have.
    [[nodiscard]] base::Result<Place> place_of(const fs::path& path) const;
    base::Status write_in(const Place& place, const std::string& name, std::string_view content,
                          unsigned mode, Ids owner) const;
    fs::path x_root;
};

}  // namespace sf::deploy
