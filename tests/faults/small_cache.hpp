// SPDX-License-Identifier: Apache-2.0
// A signed cache of three small packages, a publisher and a client, all below one folder: what the
// tests with faults do things to, each thing in a process of its own. Real GnuPG. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cache/backend.hpp"

namespace sf::test {

class SmallCache {
public:
    explicit SmallCache(std::filesystem::path folder)
        : x_folder(std::move(folder)), x_publisher(x_folder) {}
    // `publisher`: another machine of the same publisher, with copies of its keys (copy_keys), and
    // a memory of its own.
    SmallCache(std::filesystem::path folder, std::filesystem::path publisher)
        : x_folder(std::move(folder)), x_publisher(std::move(publisher)) {}
    [[nodiscard]] const std::filesystem::path& folder() const { return x_folder; }
    [[nodiscard]] std::filesystem::path prefix() const { return x_folder / "prefix"; }
    [[nodiscard]] std::filesystem::path cache() const { return x_folder / "cache"; }

    // Makes the publisher's key.
    [[nodiscard]] base::Status make() const;
    [[nodiscard]] base::Status copy_keys(const std::filesystem::path& publisher) const;
    // `ready` is called when the packages to be published are there.
    [[nodiscard]] base::Status publish(
        const std::string& version, const std::function<void()>& ready = [] {}) const;
    // The same into another place than cache().
    [[nodiscard]] base::Status publish_to(
        cache::Backend& place, const std::string& version,
        const std::function<void()>& ready = [] {}) const;
    // `memory`: the folder of what the client remembers, by name below this one.
    [[nodiscard]] base::Status install(const std::string& version,
                                       const std::filesystem::path& prefix,
                                       const std::string& memory = "client") const;
    [[nodiscard]] base::Status rollback() const;
    // What is gone already is gone.
    [[nodiscard]] base::Status uninstall(const std::string& version) const;
    // Of all that is not current.
    [[nodiscard]] base::Status collect() const;
    // The publisher, a root of its own, puts its list of revocations of that number there.
    [[nodiscard]] base::Status take_back(std::uint64_t serial) const;
    // The client reads the list.
    [[nodiscard]] base::Status heed(const std::string& memory = "client") const;

private:
    std::filesystem::path x_folder;
    std::filesystem::path x_publisher;
};

}  // namespace sf::test
