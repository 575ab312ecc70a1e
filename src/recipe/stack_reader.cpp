// SPDX-License-Identifier: Apache-2.0
#include "recipe/stack_reader.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <set>

#include "base/text.hpp"
#include "model/names.hpp"

namespace sf::recipe {

namespace {

using base::escape_untrusted;

// The root of a parsed file; nullopt if there is none to speak of.
std::optional<YamlNode> root_of(std::string_view text, Findings& findings) {
    YamlDocument document = read_yaml(text);
    for (YamlProblem& problem : document.problems) {
        findings.add(problem.line, std::move(problem.message));
    }
    if (document.root.kind == YamlNode::Kind::null && !findings.list().empty()) return std::nullopt;
    return std::move(document.root);
}

// Versions of `what`, valid and newest first.
std::vector<std::string> read_versions(const YamlNode& node, Findings& findings,
                                       const std::string& what,
                                       std::map<std::string, int>* lines = nullptr) {
    std::vector<std::string> versions;
    if (!node.is_list() || node.items.empty()) {
        findings.add(node.line, fmt::format("{} must be a list with at least one version", what));
        return versions;
    }
    for (const YamlNode& item : node.items) {
        std::string version = MapReader::text_of(item, findings, what + ": a version");
        if (version.empty()) continue;
        if (auto valid = model::check_version(version); !valid) {
            findings.add(item.line, fmt::format("{}: {}", what, valid.error().message));
            continue;
        }
        if (!versions.empty() && base::compare_versions(versions.back(), version) <= 0) {
            findings.add(item.line, fmt::format("{}: {} stands after {}: the newest comes first",
                                                what, version, versions.back()));
        }
        if (lines != nullptr) lines->emplace(version, item.line);
        versions.push_back(std::move(version));
    }
    return versions;
}

std::string read_date(MapReader& map, const char* key, Findings& findings) {
    std::string date = map.need_text(key);
    if (!date.empty() && !is_iso_date(date)) {
        findings.add(map.find(key)->line,
                     fmt::format("\"{}\" must be a day such as 2027-05-31", key));
    }
    return date;
}

bool is_series(std::string_view text) {
    return model::check_version(text).has_value() && model::series_of(text) == text &&
           std::count(text.begin(), text.end(), '.') == 1;
}

// A slip here would hide a vulnerability.
void check_since(const Advisory& advisory, int line, Findings& findings) {
    if (auto valid = model::check_version(advisory.since); !valid) {
        findings.add(line, valid.error().message);
        return;
    }
    for (const std::string& fix : advisory.fixed_in) {
        if (base::compare_versions(advisory.since, fix) < 0) continue;
        findings.add(line,
                     fmt::format("since {} is not before {}, which fixes it", advisory.since, fix));
    }
}

void read_advisory(const YamlNode& node, Findings& findings, std::vector<Advisory>& to,
                   std::set<std::string>& ids) {
    MapReader map(node, findings, "an advisory");
    if (!map.ok()) return;
    Advisory advisory;
    advisory.id = map.need_text("id");
    advisory.summary = map.need_text("summary");
    for (std::string& version : map.need_texts("fixed_in")) {
        if (auto valid = model::check_version(version); !valid) {
            findings.add(map.find("fixed_in")->line, valid.error().message);
            continue;
        }
        advisory.fixed_in.push_back(std::move(version));
    }
    advisory.since = map.text("since");
    if (!advisory.since.empty()) check_since(advisory, map.find("since")->line, findings);
    map.finish();
    if (!advisory.id.empty() && !ids.insert(advisory.id).second) {
        findings.add(node.line, fmt::format("{} stands here twice", escape_untrusted(advisory.id)));
    }
    to.push_back(std::move(advisory));
}

}  // namespace

bool is_iso_date(std::string_view text) {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
    std::array<int, 3> parts{};
    constexpr std::array<std::pair<std::size_t, std::size_t>, 3> places = {
        {{0, 4}, {5, 2}, {8, 2}}};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        for (const char c : text.substr(places.at(i).first, places.at(i).second)) {
            if (c < '0' || c > '9') return false;
            parts.at(i) = parts.at(i) * 10 + (c - '0');
        }
    }
    return std::chrono::year_month_day(std::chrono::year(parts[0]),
                                       std::chrono::month(static_cast<unsigned>(parts[1])),
                                       std::chrono::day(static_cast<unsigned>(parts[2])))
        .ok();
}

ReadStack read_stack(std::string_view text, Findings& findings) {
    ReadStack out;
    out.stack.path = findings.file();
    const auto root = root_of(text, findings);
    if (!root) return out;
    MapReader map(*root, findings, "the stack");
    if (!map.ok()) return out;
    map.choice("stack", {"1"});
    out.stack.series = map.need_text("series");
    if (!out.stack.series.empty()) {
        const int line = map.find("series")->line;
        const std::string name = findings.file().filename().string();
        if (!is_series(out.stack.series)) {
            findings.add(line, fmt::format("series \"{}\" must be like 25.11",
                                           escape_untrusted(out.stack.series)));
        } else if (name != fmt::format("slurm-{}.yaml", out.stack.series)) {
            findings.add(line, fmt::format("series {} does not belong into a file named {}",
                                           out.stack.series, escape_untrusted(name)));
        }
    }
    out.stack.released = read_date(map, "released", findings);
    out.stack.end_of_life = read_date(map, "end_of_life", findings);
    if (const YamlNode* node = map.need("slurm")) {
        out.stack.slurm = read_versions(*node, findings, "slurm", &out.slurm_lines);
        for (const std::string& version : out.stack.slurm) {
            if (model::series_of(version) == out.stack.series) continue;
            findings.add(out.slurm_lines.at(version),
                         fmt::format("slurm {} is not of series {}", version,
                                     escape_untrusted(out.stack.series)));
        }
    }
    if (const YamlNode* node = map.need("packages")) {
        out.packages_line = node->line;
        if (!node->is_map()) {
            findings.add(node->line,
                         fmt::format("packages must be a map, not {}", node->kind_name()));
        }
        for (const YamlMember& member : node->members) {
            out.package_lines.emplace(member.key, member.line);
            out.stack.packages.emplace(
                member.key, read_versions(member.value, findings, escape_untrusted(member.key)));
        }
    }
    map.finish();
    return out;
}

model::Toolchain read_toolchain(std::string_view text, Findings& findings) {
    model::Toolchain toolchain;
    const auto root = root_of(text, findings);
    if (!root) return toolchain;
    MapReader map(*root, findings, "the toolchain");
    if (!map.ok()) return toolchain;
    map.choice("toolchain", {"1"});
    toolchain.name = map.need_text("name");
    if (!toolchain.name.empty()) {
        const int line = map.find("name")->line;
        if (auto valid = model::check_name(toolchain.name, "toolchain"); !valid) {
            findings.add(line, valid.error().message);
        } else if (findings.file().filename().string() != toolchain.name + ".yaml") {
            findings.add(line, fmt::format("name \"{}\" is not the file's name", toolchain.name));
        }
    }
    toolchain.title = map.need_text("title");
    static constexpr std::array states = {"proven", "data"};
    toolchain.state =
        states.at(static_cast<std::size_t>(map.choice("state", {states[0], states[1]})));
    static constexpr std::array families = {"debian", "ubuntu", "el"};
    const auto family =
        static_cast<std::size_t>(map.choice("family", {families[0], families[1], families[2]}));
    toolchain.family = families.at(family);
    if (const YamlNode* node = map.need("os_release")) {
        MapReader release(*node, findings, "os_release");
        toolchain.os_release.id = release.need_text("id");
        toolchain.os_release.version_id = release.need_text("version_id");
        release.finish();
    }
    // Suites, components and a keyring are how apt describes an archive; dnf has other words.
    const bool apt = toolchain.family != "el";
    toolchain.suites = apt ? map.need_texts("suites") : map.texts("suites");
    toolchain.components = apt ? map.need_texts("components") : map.texts("components");
    const YamlNode* const keyring = apt ? map.need("keyring") : map.find("keyring");
    if (keyring != nullptr) {
        MapReader reader(*keyring, findings, "keyring");
        toolchain.keyring.package = reader.need_text("package");
        toolchain.keyring.file = reader.need_text("file");
        if (!toolchain.keyring.file.empty() && toolchain.keyring.file.front() != '/') {
            findings.add(keyring->line, "keyring: \"file\" must be an absolute path");
        }
        reader.finish();
    }
    toolchain.packages = map.need_texts("packages");
    toolchain.host_libraries = map.need_texts("host_libraries");
    for (const auto& [list, what] : {std::pair{&toolchain.packages, "packages"},
                                     std::pair{&toolchain.host_libraries, "host_libraries"}}) {
        std::set<std::string> seen;
        for (const std::string& entry : *list) {
            if (seen.insert(entry).second) continue;
            findings.add(map.find(what)->line,
                         fmt::format("\"{}\" stands in {} twice", escape_untrusted(entry), what));
        }
    }
    map.finish();
    return toolchain;
}

ReadAdvisories read_advisories(std::string_view text, Findings& findings) {
    ReadAdvisories out;
    const auto root = root_of(text, findings);
    if (!root) return out;
    MapReader map(*root, findings, "the advisories");
    if (!map.ok()) return out;
    map.choice("advisories", {"1"});
    for (const YamlMember& member : root->members) {
        if (member.key == "advisories") continue;
        out.package_lines.emplace(member.key, member.line);
        const YamlNode* const list = map.find(member.key);
        if (list == nullptr) continue;
        if (!list->is_list()) {
            findings.add(member.line, fmt::format("the advisories of {} must be a list",
                                                  escape_untrusted(member.key)));
            continue;
        }
        std::set<std::string> ids;
        for (const YamlNode& item : list->items) {
            read_advisory(item, findings, out.advisories[member.key], ids);
        }
    }
    return out;
}

}  // namespace sf::recipe
