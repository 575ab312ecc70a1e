// SPDX-License-Identifier: Apache-2.0
// A folder as a host sees it over NFS: nfs_shim, running, mounted in this process's own mount
// namespace. Needs root and FUSE. One thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/process.hpp"

namespace sf::test {

// Why this machine cannot; nullopt: it can. The first call makes the mount namespace.
[[nodiscard]] std::optional<std::string> no_nfs_shim();

class NfsMount {
public:
    // `words`: those of nfs_faults.hpp. `cache`: seconds that what was seen once is believed.
    NfsMount(const std::filesystem::path& source, std::filesystem::path at, double cache,
             const std::string& words = {});
    ~NfsMount();
    NfsMount(const NfsMount&) = delete;
    NfsMount& operator=(const NfsMount&) = delete;

    [[nodiscard]] const std::filesystem::path& at() const { return x_at; }
    // Other faults from here on; the counts of the kinds that are named begin at 0.
    void set(const std::string& words) const;
    [[nodiscard]] std::string counts() const;
    [[nodiscard]] std::uint64_t count(const std::string& name) const;
    // Until the shim knows of every close, and what was deleted while it was open is gone.
    void settle() const;
    // The server answers nobody, until it does again.
    void hang() const;
    void answer() const;

private:
    std::filesystem::path x_source;
    std::filesystem::path x_at;
    std::optional<base::Child> x_shim;
};

}  // namespace sf::test
