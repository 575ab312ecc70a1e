// SPDX-License-Identifier: Apache-2.0
// What is to be taken out of a prefix, as data, and taking it out: what names things before the
// things, each by a rename out of sight, deleted when all of it is. So a kill at any step leaves a
// prefix that is whole, and the next removal goes on. Who decides what goes is collect.hpp and
// uninstall.hpp. One thread; called under the lock of stages.hpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "tree/contents.hpp"
#include "tree/in_use.hpp"
#include "tree/stages.hpp"

namespace sf::tree {

struct Removal {
    std::set<std::uint64_t> generations;
    std::set<std::string> versions;  // in place: their manifest, view, files of ours, module file
    std::set<std::string> loose;     // paths that belong to nothing
    std::set<std::string> packages;  // store names that nothing needs then
    bool everything = false;         // the links too

    [[nodiscard]] bool empty() const {
        return generations.empty() && versions.empty() && loose.empty() && packages.empty();
    }
};

// Something that stays, and why.
struct Kept {
    std::string what;
    std::string why;
};

struct RemovalOptions {
    std::function<base::Status(std::string_view step)> on_step;  // before each; an error stops
    std::function<void()> waiting;  // an installation is at work in this prefix
};

// What is left needs these.
[[nodiscard]] std::set<std::string> needed_packages(const Contents& contents,
                                                    const Removal& removal);
// Every part that the removal takes and a process might use, with where it lies.
[[nodiscard]] std::map<std::string, std::filesystem::path> parts_of(
    const std::filesystem::path& prefix, const Removal& removal);
// The part that a package, or a version's view, is called by there.
[[nodiscard]] std::string package_part(const std::string& store_name);
[[nodiscard]] std::string view_part(const std::string& version);

// Bytes on disk.
[[nodiscard]] std::uint64_t bytes_of(const std::filesystem::path& prefix, const Removal& removal);

// Takes it out and deletes it. Code::refused: somebody began to use some of it meanwhile; all is
// put back.
[[nodiscard]] base::Status carry_out(const Stages& stages, const std::filesystem::path& prefix,
                                     const Contents& contents, const Removal& removal,
                                     const RemovalOptions& options);

}  // namespace sf::tree
