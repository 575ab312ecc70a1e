// SPDX-License-Identifier: Apache-2.0
// The packages of this machine: <state>/packages/<store name>/ holds manifest and archives, where
// they came from if they were not built here, and what they were built with if that was not
// (taken.hpp); <state>/store/<store name>/ the
// same unpacked (run and dev) for builds that depend on it. A package is there if and only if its
// manifest is: the tree goes in first, the package folder last, each by one rename. Several
// processes may share it; per-package locks save double work.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/files.hpp"
#include "build/state_dir.hpp"
#include "build/taken.hpp"
#include "model/manifest.hpp"

namespace sf::build {

class PackageStore {
public:
    // `doubt`: who is to be believed; none: everybody.
    explicit PackageStore(StateDir state, Doubt doubt = {})
        : x_state(std::move(state)), x_doubt(std::move(doubt)) {}

    // The package, its manifest read and its archives' sizes compared; nullopt if it is not there,
    // not whole, or in doubt (it is then built again, or taken, and replaced).
    [[nodiscard]] base::Result<std::optional<model::Package>> find(
        const std::string& store_name) const;

    // The manifest of another build of the same name and version, for --explain; the newest.
    [[nodiscard]] std::optional<model::Package> relative_of(const std::string& name,
                                                            const std::string& version) const;

    [[nodiscard]] std::filesystem::path folder(const std::string& store_name) const {
        return x_state.packages() / store_name;
    }
    [[nodiscard]] std::filesystem::path tree(const std::string& store_name) const {
        return x_state.store() / store_name;
    }

    // Takes over a finished tree and a folder with archives; writes the manifest; both become
    // visible whole and durable. What was there under the name is replaced. `taken`: it was not
    // built here. `made_of`: it was, with this.
    [[nodiscard]] base::Status commit(const model::Package& package,
                                      const std::filesystem::path& staged_tree,
                                      const std::filesystem::path& staged_folder,
                                      const std::optional<Taken>& taken = {},
                                      const MadeOf& made_of = {}) const;

    // nullopt: it was built here. Code::corrupt: nobody can tell.
    [[nodiscard]] base::Result<std::optional<Taken>> taken(const std::string& store_name) const;
    // Who vouches for it beside whoever built it: itself, if it was taken, or what was taken of
    // what it was built with. Empty if it is not there. Code::corrupt: nobody can tell.
    [[nodiscard]] base::Result<MadeOf> made_of(const std::string& store_name) const;
    // Why nobody vouches for it any more, for people; nullopt: it is not there, or counts.
    [[nodiscard]] base::Result<std::optional<std::string>> doubt_about(
        const std::string& store_name) const;

    [[nodiscard]] base::Result<base::FileLock> lock(const std::string& store_name,
                                                    const std::function<void()>& waiting) const;

private:
    [[nodiscard]] base::Result<std::optional<model::Package>> read(
        const std::string& store_name) const;
    StateDir x_state;
    Doubt x_doubt;
};

}  // namespace sf::build
