// SPDX-License-Identifier: Apache-2.0
#include "recipe/parts_reader.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "recipe/conditions.hpp"
#include "recipe/field_rules.hpp"
#include "recipe/words.hpp"

namespace sf::recipe {

namespace {

using base::escape_untrusted;

// Both parts without conditions.
class Reader {
public:
    Reader(const std::vector<std::string>& dependencies, Build& build, Packaging& package,
           Findings& findings)
        : x_dependencies(dependencies), x_build(build), x_package(package), x_findings(findings) {}

    void read_build(const YamlNode& node) {
        MapReader map(node, x_findings, "build");
        if (!map.ok()) return;
        Build& build = x_build;
        build.system = static_cast<BuildSystem>(
            map.choice("system", {"autotools", "cmake", "meson", "make", "script"}));
        build.subdir = map.text("subdir");
        if (!build.subdir.empty()) check_inner(build.subdir, node.line, "subdir", x_findings);
        build.out_of_tree = map.flag("out_of_tree", false);
        build.bootstrap = map.texts("bootstrap");
        build.configure = map.texts("configure");
        build.compile = map.texts("compile");
        build.install = map.texts("install");
        build.env = map.text_map("env");
        build.jobs = static_cast<Jobs>(map.choice("jobs", {"jobserver", "fixed", "serial"}, 0));
        build.ccache = map.flag("ccache", true);
        build.parallel_install = map.flag("parallel_install", false);
        build.after_install = map.texts("after_install");
        map.finish();
        if (build.system == BuildSystem::make && !build.configure.empty()) {
            x_findings.add(node.line, "system make has no configure step");
        }
        if (build.system == BuildSystem::script && build.install.empty()) {
            x_findings.add(node.line, "system script needs install lines");
        }
        for (const auto& [name, value] : build.env) check_variable(name, node.line);
        check_words(node);
    }

    void check_variable(const std::string& name, int line) {
        const bool good = !name.empty() && !(name.front() >= '0' && name.front() <= '9') &&
                          std::all_of(name.begin(), name.end(), [](char c) {
                              return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                     (c >= '0' && c <= '9') || c == '_';
                          });
        if (!good) {
            x_findings.add(line, fmt::format("env: \"{}\" is not the name of a variable",
                                             escape_untrusted(name)));
        }
    }

    // Every text below `build`, at its own line.
    void check_words(const YamlNode& node) {
        if (node.is_scalar()) {
            for (std::string& problem : check_replaced_words(node.scalar, x_dependencies)) {
                x_findings.add(node.line, std::move(problem));
            }
        }
        for (const YamlNode& item : node.items) check_words(item);
        for (const YamlMember& member : node.members) check_words(member.value);
    }

    void read_package(const YamlNode& node) {
        MapReader map(node, x_findings, "package");
        if (!map.ok()) return;
        Packaging& package = x_package;
        package.remove = map.texts("remove");
        for (const std::string& glob : package.remove)
            check_inner(glob, node.line, "remove", x_findings);
        if (const YamlNode* list = map.find("public_sonames")) {
            read_pairs(*list, "a public soname", "soname", x_findings,
                       [&](std::string name, std::string reason, int line) {
                           check_soname(name, line, x_findings);
                           package.public_sonames.push_back({std::move(name), std::move(reason)});
                       });
        }
        if (const YamlNode* list = map.find("dlopens")) read_dlopens(*list);
        if (const YamlNode* list = map.need("expect")) read_expect(*list);
        if (const YamlNode* list = map.find("placeholder_exceptions")) {
            read_pairs(
                *list, "a placeholder exception", "file", x_findings,
                [&](std::string file, std::string reason, int line) {
                    check_inner(file, line, "file", x_findings);
                    package.placeholder_exceptions.push_back({std::move(file), std::move(reason)});
                });
        }
        map.finish();
    }

    void read_dlopens(const YamlNode& node) {
        if (!node.is_list()) {
            x_findings.add(node.line,
                           fmt::format("dlopens must be a list, not {}", node.kind_name()));
            return;
        }
        for (const YamlNode& item : node.items) {
            MapReader map(item, x_findings, "an entry of dlopens");
            if (!map.ok()) continue;
            Dlopen entry;
            entry.files = map.need_text("files");
            entry.sonames = map.need_texts("sonames");
            map.finish();
            if (!entry.files.empty()) check_inner(entry.files, item.line, "files", x_findings);
            for (const std::string& soname : entry.sonames)
                check_soname(soname, item.line, x_findings);
            x_package.dlopens.push_back(std::move(entry));
        }
    }

    void read_expect(const YamlNode& node) {
        if (!node.is_list() || node.items.empty()) {
            x_findings.add(node.line, "expect must be a list with at least one entry");
            return;
        }
        for (const YamlNode& item : node.items) {
            MapReader map(item, x_findings, "an entry of expect");
            if (!map.ok()) continue;
            const std::vector<std::string> paths = map.need_texts("paths");
            map.finish();
            for (const std::string& path : paths) check_inner(path, item.line, "path", x_findings);
            x_package.expect.insert(x_package.expect.end(), paths.begin(), paths.end());
        }
    }

    const std::vector<std::string>& x_dependencies;
    Build& x_build;
    Packaging& x_package;
    Findings& x_findings;
};

}  // namespace

void read_parts(const YamlNode* build, const YamlNode* package,
                const std::vector<std::string>& dependencies, std::vector<Version>& versions,
                Findings& findings) {
    std::vector<std::string> names;
    names.reserve(versions.size());
    for (const Version& each : versions) names.push_back(each.version);

    // Once with all that any version has, so that each mistake is told once.
    const std::size_t before = findings.list().size();
    for (const YamlNode* part : {build, package})
        if (part != nullptr) check_conditions(*part, names, findings);
    Version all;
    Reader reader(dependencies, all.build, all.package, findings);
    if (build != nullptr) reader.read_build(node_for_all(*build));
    if (package != nullptr) reader.read_package(node_for_all(*package));
    const bool clean = findings.list().size() == before;

    for (Version& version : versions) {
        Findings own(findings.file());
        Reader each(dependencies, version.build, version.package, own);
        if (build != nullptr) each.read_build(node_for(*build, version.version));
        if (package != nullptr) each.read_package(node_for(*package, version.version));
        if (!clean) continue;
        // What is missing where a condition does not hold.
        for (const Finding& finding : own.list())
            findings.add(finding.line,
                         fmt::format("for version {}: {}", version.version, finding.message));
    }
}

}  // namespace sf::recipe
