// SPDX-License-Identifier: Apache-2.0
// Reads all data below one folder, and checks what one file alone cannot show: names that must
// exist elsewhere, cycles, pins that are missing. lint() gives the findings, load_catalog() the
// catalog or the first of them.
#include <algorithm>
#include <functional>
#include <set>
#include <tuple>

#include "base/files.hpp"
#include "base/text.hpp"
#include "recipe/recipe_reader.hpp"
#include "recipe/stack_reader.hpp"

namespace sf::recipe {

namespace {

namespace fs = std::filesystem;
using base::Code;
using base::escape_untrusted;

struct Loaded {
    Catalog catalog;
    std::vector<Finding> findings;
    std::map<std::string, ReadRecipe> recipes;
    std::map<std::string, ReadStack> stacks;
    ReadAdvisories advisories;
    fs::path advisories_file;

    void add(const fs::path& file, int line, std::string message) {
        findings.push_back({file, line, std::move(message)});
    }
    void add(const Findings& from) {
        findings.insert(findings.end(), from.list().begin(), from.list().end());
    }
    [[nodiscard]] std::vector<std::string> recipe_names() const {
        std::vector<std::string> names;
        for (const auto& entry : recipes) names.push_back(entry.first);
        return names;
    }
};

// The text of one data file; nullopt with a finding if it cannot be read.
std::optional<std::string> text_of(Loaded& all, const fs::path& file) {
    auto text = base::read_file(file, std::uint64_t{1} << 20);
    if (text) return std::move(*text);
    all.add(file, 0, text.error().code == Code::absent ? "is missing" : text.error().text());
    return std::nullopt;
}

std::vector<std::string> names_in(Loaded& all, const fs::path& folder) {
    auto names = base::list_dir(folder);
    if (names) return std::move(*names);
    all.add(folder, 0, names.error().code == Code::absent ? "is missing" : names.error().text());
    return {};
}

void read_recipes(Loaded& all) {
    const fs::path folder = all.catalog.directory / "recipes";
    for (const std::string& name : names_in(all, folder)) {
        if (name.starts_with(".")) continue;
        if (!base::is_dir(folder / name)) {
            if (!name.ends_with(".md")) all.add(folder / name, 0, "is no folder of a recipe");
            continue;
        }
        const fs::path file = folder / name / "recipe.yaml";
        const auto text = text_of(all, file);
        if (!text) continue;
        Findings findings(file);
        all.recipes.emplace(name, read_recipe(*text, findings));
        all.add(findings);
    }
}

// Calls `take(text, findings)` for each *.yaml of a folder.
void each_yaml(Loaded& all, const char* folder_name,
               const std::function<void(const std::string&, Findings&)>& take) {
    const fs::path folder = all.catalog.directory / folder_name;
    for (const std::string& name : names_in(all, folder)) {
        if (name.starts_with(".") || name.ends_with(".md")) continue;
        if (!name.ends_with(".yaml")) {
            all.add(folder / name, 0, "is no .yaml file");
            continue;
        }
        const auto text = text_of(all, folder / name);
        if (!text) continue;
        Findings findings(folder / name);
        take(*text, findings);
        all.add(findings);
    }
}

void read_toolchains(Loaded& all) {
    each_yaml(all, "toolchains", [&](const std::string& text, Findings& findings) {
        model::Toolchain toolchain = read_toolchain(text, findings);
        all.catalog.toolchains.emplace(toolchain.name, std::move(toolchain));
    });
}

void read_rest(Loaded& all) {
    each_yaml(all, "stacks", [&](const std::string& text, Findings& findings) {
        ReadStack stack = read_stack(text, findings);
        all.stacks.emplace(stack.stack.series, std::move(stack));
    });
    read_toolchains(all);
    // Its absence must not pass for "no advisory is known".
    all.advisories_file = all.catalog.directory / "advisories.yaml";
    if (const auto text = text_of(all, all.advisories_file)) {
        Findings findings(all.advisories_file);
        all.advisories = read_advisories(*text, findings);
        all.add(findings);
    }
}

void check_dependencies(Loaded& all) {
    const auto names = all.recipe_names();
    for (const auto& [name, read] : all.recipes) {
        for (const auto& [dependency, line] : read.dependency_lines) {
            if (all.recipes.contains(dependency)) continue;
            all.add(read.recipe.path, line,
                    fmt::format("there is no recipe \"{}\"{}", escape_untrusted(dependency),
                                meant(dependency, names)));
        }
    }
}

// Depth first; each cycle is reported once, at the line of the dependency that closes it.
class CycleSearch {
public:
    explicit CycleSearch(Loaded& all) : x_all(all) {}
    void run() {
        for (const auto& entry : x_all.recipes) visit(entry.first);
    }

private:
    // Recursion is as deep as the longest chain of recipes.
    void visit(const std::string& name) {
        if (!x_seen.insert(name).second) return;
        x_path.push_back(name);
        const ReadRecipe& read = x_all.recipes.at(name);
        for (const auto& [dependency, line] : read.dependency_lines) {
            const auto start = std::find(x_path.begin(), x_path.end(), dependency);
            if (start != x_path.end()) {
                std::vector<std::string> cycle(start, x_path.end());
                cycle.push_back(dependency);
                x_all.add(read.recipe.path, line,
                          fmt::format("dependency cycle: {}", base::join(cycle, " -> ")));
            } else if (x_all.recipes.contains(dependency)) {
                visit(dependency);
            }
        }
        x_path.pop_back();
    }

    Loaded& x_all;
    std::set<std::string> x_seen;
    std::vector<std::string> x_path;
};

// One name in the sources folder and on mirrors (<mirror>/<file>) means one content.
void check_source_files(Loaded& all) {
    std::map<std::string, std::pair<base::Digest, std::string>> known;
    for (const auto& [name, read] : all.recipes) {
        for (const Version& version : read.recipe.versions) {
            const std::string who = name + " " + version.version;
            const auto [entry, fresh] =
                known.try_emplace(version.source.file, version.source.sha256, who);
            if (fresh || version.source.file.empty() ||
                entry->second.first == version.source.sha256) {
                continue;
            }
            all.add(read.recipe.path, read.source_lines.at(version.version),
                    fmt::format("file {} has another sha256 than in {}", version.source.file,
                                entry->second.second));
        }
    }
}

void check_host_libraries(Loaded& all) {
    if (all.catalog.toolchains.empty()) return;
    for (const auto& [name, read] : all.recipes) {
        for (const auto& entry : read.host_lines) {
            const std::string& soname = entry.first;
            const bool provided =
                std::any_of(all.catalog.toolchains.begin(), all.catalog.toolchains.end(),
                            [&](const auto& each) {
                                const auto& list = each.second.host_libraries;
                                return std::find(list.begin(), list.end(), soname) != list.end();
                            });
            if (provided) continue;
            all.add(
                read.recipe.path, entry.second,
                fmt::format("no toolchain lists {} in host_libraries", escape_untrusted(soname)));
        }
    }
}

void check_pin(Loaded& all, const ReadStack& read, const std::string& name,
               const std::vector<std::string>& versions, int line) {
    const auto recipe = all.recipes.find(name);
    if (recipe == all.recipes.end()) {
        all.add(read.stack.path, line,
                fmt::format("there is no recipe \"{}\"{}", escape_untrusted(name),
                            meant(name, all.recipe_names())));
        return;
    }
    std::vector<std::string> known;
    for (const Version& each : recipe->second.recipe.versions) known.push_back(each.version);
    for (const std::string& version : versions) {
        if (recipe->second.recipe.find(version) != nullptr) continue;
        const auto own = name == "slurm" ? read.slurm_lines.find(version) : read.slurm_lines.end();
        all.add(read.stack.path, own == read.slurm_lines.end() ? line : own->second,
                fmt::format("recipe {} has no version {}{}", name, escape_untrusted(version),
                            meant(version, known)));
    }
}

void collect(const Loaded& all, const std::string& name, std::set<std::string>& into) {
    const auto recipe = all.recipes.find(name);
    if (recipe == all.recipes.end() || !into.insert(name).second) return;
    for (const auto& entry : recipe->second.dependency_lines) collect(all, entry.first, into);
}

void check_stacks(Loaded& all) {
    for (const auto& [series, read] : all.stacks) {
        if (!read.stack.slurm.empty()) {
            const int line = read.slurm_lines.empty() ? 0 : read.slurm_lines.begin()->second;
            check_pin(all, read, "slurm", read.stack.slurm, line);
        }
        std::set<std::string> needed;
        collect(all, "slurm", needed);
        for (const auto& [name, versions] : read.stack.packages) {
            const int line = read.package_lines.at(name);
            if (name == "slurm") {
                all.add(read.stack.path, line, "slurm has its own list, above packages");
                continue;
            }
            check_pin(all, read, name, versions, line);
            collect(all, name, needed);
        }
        needed.erase("slurm");
        for (const std::string& name : needed) {
            if (read.stack.packages.contains(name)) continue;
            all.add(read.stack.path, read.packages_line,
                    fmt::format("packages: \"{}\" is needed and has no version here", name));
        }
    }
}

// A package without a recipe may have advisories: they wait for the day it gets one. A slip of the
// keys must not look like that.
void check_advisories(Loaded& all) {
    for (const auto& [package, line] : all.advisories.package_lines) {
        if (all.recipes.contains(package)) continue;
        if (const std::string hint = meant(package, all.recipe_names()); !hint.empty()) {
            all.add(all.advisories_file, line,
                    fmt::format("there is no recipe \"{}\"{}", escape_untrusted(package), hint));
        }
    }
}

// Nothing is read yet.
base::Result<Loaded> empty_of(const fs::path& directory) {
    if (!base::is_dir(directory)) {
        return base::fail_hint(
            Code::absent, fmt::format("no data folder {}", escape_untrusted(directory.string())),
            "it holds recipes/, stacks/, toolchains/ and advisories.yaml");
    }
    Loaded all;
    all.catalog.directory = directory;
    return all;
}

base::Result<Loaded> load(const fs::path& directory) {
    SF_TRY(Loaded all, empty_of(directory));
    read_recipes(all);
    read_rest(all);
    check_dependencies(all);
    CycleSearch(all).run();
    check_source_files(all);
    check_host_libraries(all);
    check_stacks(all);
    check_advisories(all);
    std::stable_sort(all.findings.begin(), all.findings.end(),
                     [](const Finding& left, const Finding& right) {
                         return std::tie(left.file, left.line) < std::tie(right.file, right.line);
                     });
    return all;
}

// The first of what is wrong.
base::Status check_findings(const Loaded& all) {
    if (all.findings.empty()) return {};
    constexpr std::size_t shown = 10;
    std::string text;
    for (std::size_t i = 0; i < std::min(shown, all.findings.size()); ++i) {
        const Finding& each = all.findings[i];
        const std::string line = each.line > 0 ? fmt::format(":{}", each.line) : std::string();
        text +=
            fmt::format("\n  {}{}: {}", escape_untrusted(each.file.string()), line, each.message);
    }
    if (all.findings.size() > shown) {
        text += fmt::format("\n  and {} more", all.findings.size() - shown);
    }
    return base::fail_hint(Code::corrupt, "recipes and stacks have mistakes:" + text,
                           "see all: slurm-factory recipe lint " +
                               base::shell_quote(escape_untrusted(all.catalog.directory.string())));
}

}  // namespace

base::Result<std::vector<Finding>> lint(const fs::path& directory) {
    SF_TRY(Loaded all, load(directory));
    return std::move(all.findings);
}

base::Result<Catalog> load_catalog(const fs::path& directory) {
    SF_TRY(Loaded all, load(directory));
    SF_CHECK(check_findings(all));
    Catalog catalog = std::move(all.catalog);
    for (auto& [name, read] : all.recipes) catalog.recipes.emplace(name, std::move(read.recipe));
    for (auto& [series, read] : all.stacks) catalog.stacks.emplace(series, std::move(read.stack));
    catalog.advisories = std::move(all.advisories.advisories);
    return catalog;
}

base::Result<Catalog> load_toolchains(const fs::path& directory) {
    SF_TRY(Loaded all, empty_of(directory));
    read_toolchains(all);
    SF_CHECK(check_findings(all));
    return std::move(all.catalog);
}

}  // namespace sf::recipe
