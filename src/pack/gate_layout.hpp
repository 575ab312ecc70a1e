// SPDX-License-Identifier: Apache-2.0
// The first half of the gate: an installed tree walked without following anything, made normal
// (modes, links into its own prefix), and each of its paths assigned to run, dev or dbg. Knows
// nothing of ELF but the soname of a link's target. One thread for each tree.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/manifest.hpp"
#include "pack/elf.hpp"

namespace sf::pack {

enum class Part { run, dev, dbg };

struct TreeEntry {
    model::EntryType type = model::EntryType::file;
    bool executable = false;
    std::uint64_t size = 0;
    std::string target;      // symlinks
    Part part = Part::run;   // folders: see parts_of_folders
    std::optional<Elf> elf;  // files outside dbg that are ELF
};

// Everything below a prefix, by path; sorted, so a folder stands before what is in it.
using Tree = std::map<std::string, TreeEntry, std::less<>>;

// Findings are gathered, so that one run of the gate names all of them.
class Findings {
public:
    void add(std::string_view path, std::string_view what);
    void add(std::string text) { x_texts.push_back(std::move(text)); }
    [[nodiscard]] bool empty() const { return x_texts.empty(); }
    // An error that lists them, or success.
    [[nodiscard]] base::Status status(std::string_view store_name) const;

private:
    std::vector<std::string> x_texts;
};

// Reads the tree and changes it: modes become 0644 and 0755, hardlinked files separate files,
// absolute links into `installed_at` relative ones. Refused paths become findings.
[[nodiscard]] base::Result<Tree> read_tree(const std::filesystem::path& prefix,
                                           const std::string& store_name,
                                           const std::string& installed_at,
                                           const std::vector<std::string>& dependencies,
                                           Findings& findings);

// Where a symlink of the tree ends, through other links of the tree: a path in it, "../…" into a
// dependency, or nullopt if it ends nowhere.
[[nodiscard]] std::optional<std::string> resolve_link(const Tree& tree, std::string_view path);

// Sets each part; names in `kept` (opened by name at run time) stay in the run part.
void divide(Tree& tree, const std::set<std::string>& kept);

}  // namespace sf::pack
