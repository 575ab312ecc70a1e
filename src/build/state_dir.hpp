// SPDX-License-Identifier: Apache-2.0
// The folders of the state directory (~/.slurm-factory), by name; the one place that knows them.
// Plain value, any thread.
#pragma once

#include <filesystem>

namespace sf::build {

struct StateDir {
    std::filesystem::path path;

    [[nodiscard]] std::filesystem::path sources() const { return path / "sources"; }
    [[nodiscard]] std::filesystem::path roots() const { return path / "roots"; }
    [[nodiscard]] std::filesystem::path packages() const { return path / "packages"; }
    [[nodiscard]] std::filesystem::path store() const { return path / "store"; }
    [[nodiscard]] std::filesystem::path work() const { return path / "work"; }
    [[nodiscard]] std::filesystem::path builds() const { return path / "builds"; }
    [[nodiscard]] std::filesystem::path logs() const { return path / "logs"; }
    [[nodiscard]] std::filesystem::path ccache() const { return path / "ccache"; }
    [[nodiscard]] std::filesystem::path keys() const { return path / "keys"; }
    [[nodiscard]] std::filesystem::path locks() const { return path / "locks"; }
    // What is remembered of each cache (cache/snapshot_memory.hpp).
    [[nodiscard]] std::filesystem::path caches() const { return path / "caches"; }
};

}  // namespace sf::build
