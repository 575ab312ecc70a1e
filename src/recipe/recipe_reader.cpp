// SPDX-License-Identifier: Apache-2.0
#include "recipe/recipe_reader.hpp"

#include <algorithm>
#include <array>

#include "base/files.hpp"
#include "base/text.hpp"
#include "model/names.hpp"
#include "net/url.hpp"
#include "recipe/field_rules.hpp"
#include "recipe/parts_reader.hpp"

namespace sf::recipe {

namespace {

using base::escape_untrusted;

constexpr std::array<std::string_view, 6> known_endings = {".tar.gz",  ".tgz",     ".tar.xz",
                                                           ".tar.bz2", ".tar.zst", ".tar"};

// The folder's name: narrower than model::check_name, so that names read the same everywhere.
bool is_recipe_name(std::string_view name) {
    return model::check_name(name, "recipe").has_value() &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
           });
}

class Reader {
public:
    Reader(ReadRecipe& out, Findings& findings)
        : x_out(out), x_recipe(out.recipe), x_findings(findings) {}

    void read(const YamlNode& root) {
        MapReader map(root, x_findings, "the recipe");
        if (!map.ok()) return;
        map.choice("recipe", {"1"});
        read_name(map);
        x_recipe.summary = map.need_text("summary");
        read_homepage(map);
        x_recipe.license = map.need_text("license");
        if (map.has("cpu_seconds")) x_recipe.cpu_seconds = map.need_number("cpu_seconds");
        if (const YamlNode* node = map.need("versions")) read_versions(*node);
        if (const YamlNode* node = map.find("depends")) read_depends(*node);
        const YamlNode* const build = map.need("build");
        const YamlNode* const package = map.need("package");
        std::vector<std::string> dependencies = x_recipe.build_dependencies;
        dependencies.insert(dependencies.end(), x_recipe.link_dependencies.begin(),
                            x_recipe.link_dependencies.end());
        read_parts(build, package, dependencies, x_recipe.versions, x_findings);
        map.finish();
    }

private:
    void read_name(MapReader& map) {
        x_recipe.name = map.need_text("name");
        if (x_recipe.name.empty()) return;
        const int line = map.find("name")->line;
        const std::string folder = x_findings.file().parent_path().filename().string();
        if (!is_recipe_name(x_recipe.name)) {
            x_findings.add(line,
                           fmt::format("name \"{}\" must be of a-z, 0-9 and -, at most 64 long",
                                       escape_untrusted(x_recipe.name)));
        } else if (x_recipe.name != folder) {
            x_findings.add(line, fmt::format("name \"{}\" is not the folder's name \"{}\"",
                                             x_recipe.name, escape_untrusted(folder)));
        }
    }

    void read_homepage(MapReader& map) {
        x_recipe.homepage = map.need_text("homepage");
        if (x_recipe.homepage.empty()) return;
        const auto url = net::Url::parse(x_recipe.homepage);
        if (!url || url->is_file()) {
            x_findings.add(map.find("homepage")->line, "homepage must be an http or https address");
        }
    }

    void read_versions(const YamlNode& node) {
        if (!node.is_map() || node.members.empty()) {
            x_findings.add(node.line, "versions must be a map with at least one version");
            return;
        }
        for (const YamlMember& member : node.members) {
            const std::string shown = escape_untrusted(member.key);
            if (auto valid = model::check_version(member.key); !valid) {
                x_findings.add(member.line, valid.error().message);
                continue;
            }
            if (!x_recipe.versions.empty() &&
                base::compare_versions(x_recipe.versions.back().version, member.key) <= 0) {
                x_findings.add(member.line,
                               fmt::format("version {} stands below {}: the newest comes first",
                                           shown, x_recipe.versions.back().version));
            }
            Version version;
            version.version = member.key;
            x_out.source_lines.emplace(member.key, member.line);
            MapReader map(member.value, x_findings, fmt::format("version {}", shown));
            if (const YamlNode* source = map.need("source")) read_source(*source, version);
            if (const YamlNode* patches = map.find("patches")) read_patches(*patches, version);
            map.finish();
            x_recipe.versions.push_back(std::move(version));
        }
    }

    void read_source(const YamlNode& node, Version& version) {
        MapReader map(node, x_findings, fmt::format("source of {}", version.version));
        if (!map.ok()) return;
        model::SourceFile& source = version.source;
        source.sha256 = map.need_digest("sha256");
        source.size = map.need_number("size");
        source.file = map.need_text("file");
        if (!source.file.empty()) {
            const int line = map.find("file")->line;
            const bool known =
                std::any_of(known_endings.begin(), known_endings.end(),
                            [&](std::string_view ending) { return source.file.ends_with(ending); });
            if (!is_plain_file_name(source.file)) {
                x_findings.add(line, fmt::format("file \"{}\" must be a plain file name",
                                                 escape_untrusted(source.file)));
            } else if (!known) {
                x_findings.add(line, fmt::format("file \"{}\" must end with one of {}", source.file,
                                                 fmt::join(known_endings, ", ")));
            }
        }
        const YamlNode* const places = map.need("places");
        if (places != nullptr && (!places->is_list() || places->items.empty())) {
            x_findings.add(places->line, "places must be a list with at least one place");
        } else if (places != nullptr) {
            for (const YamlNode& place : places->items) read_place(place, source);
        }
        map.finish();
    }

    void read_place(const YamlNode& node, model::SourceFile& source) {
        MapReader map(node, x_findings, "a place");
        if (!map.ok()) return;
        model::Place place;
        place.url = map.text("url");
        const bool archive = map.has("archive");
        if (archive) {
            static constexpr std::array families = {"debian", "ubuntu"};
            place.archive = families.at(
                static_cast<std::size_t>(map.choice("archive", {families[0], families[1]})));
        }
        place.pool = map.text("pool");
        if (archive == !place.url.empty()) {
            x_findings.add(node.line, "a place has either \"url\" or \"archive\" and \"pool\"");
        } else if (archive && place.pool.empty()) {
            x_findings.add(node.line, "a place in an archive needs \"pool\"");
        } else if (!archive && !place.pool.empty()) {
            x_findings.add(node.line, "\"pool\" without \"archive\"");
        } else if (archive && (!is_inner_path(place.pool) || place.pool.starts_with("pool/"))) {
            x_findings.add(node.line,
                           fmt::format("pool \"{}\" must be a path below the archive's pool/",
                                       escape_untrusted(place.pool)));
        } else if (!archive) {
            const auto url = net::Url::parse(place.url);
            if (!url || url->is_file()) {
                x_findings.add(node.line, "url must be an http or https address");
            } else if (url->has_user()) {
                x_findings.add(node.line, "url must not hold a user or password");
            }
        }
        map.finish();
        source.places.push_back(std::move(place));
    }

    void read_patches(const YamlNode& node, Version& version) {
        if (!node.is_list()) {
            x_findings.add(node.line,
                           fmt::format("patches must be a list, not {}", node.kind_name()));
            return;
        }
        for (const YamlNode& item : node.items) {
            MapReader map(item, x_findings, "a patch");
            if (!map.ok()) continue;
            Patch patch;
            patch.file = map.need_text("file");
            patch.sha256 = map.need_digest("sha256");
            map.finish();
            if (patch.file.empty()) continue;
            if (!is_inner_path(patch.file)) {
                x_findings.add(item.line,
                               fmt::format("patch \"{}\" must be a path below the recipe's "
                                           "folder",
                                           escape_untrusted(patch.file)));
                continue;
            }
            patch.path = x_findings.file().parent_path() / patch.file;
            check_patch(patch, item.line);
            version.patches.push_back(std::move(patch));
        }
    }

    void check_patch(const Patch& patch, int line) {
        const auto digest = base::sha256_file(patch.path);
        if (!digest && digest.error().code == base::Code::absent) {
            x_findings.add(line, fmt::format("patch \"{}\" is missing", patch.file));
        } else if (!digest) {
            x_findings.add(line,
                           fmt::format("patch \"{}\": {}", patch.file, digest.error().text()));
        } else if (*digest != patch.sha256) {
            x_findings.add(line, fmt::format("patch \"{}\" has sha256 {}, not {}", patch.file,
                                             digest->hex(), patch.sha256.hex()));
        }
    }

    void read_depends(const YamlNode& node) {
        MapReader map(node, x_findings, "depends");
        if (!map.ok()) return;
        x_recipe.build_dependencies = read_dependencies(map, "build");
        x_recipe.link_dependencies = read_dependencies(map, "link");
        if (const YamlNode* host = map.find("host")) {
            read_pairs(*host, "a host library", "soname", x_findings,
                       [&](std::string name, std::string reason, int line) {
                           check_soname(name, line, x_findings);
                           x_out.host_lines.emplace(name, line);
                           x_recipe.host_libraries.push_back({std::move(name), std::move(reason)});
                       });
        }
        map.finish();
    }

    std::vector<std::string> read_dependencies(MapReader& map, const char* kind) {
        const YamlNode* const list = map.find(kind);
        if (list == nullptr) return {};
        auto names = MapReader::texts_of(*list, x_findings, fmt::format("depends: \"{}\"", kind));
        for (const YamlNode& item : list->items) {
            if (!item.is_scalar()) continue;
            if (!x_out.dependency_lines.emplace(item.scalar, item.line).second) {
                x_findings.add(item.line, fmt::format("\"{}\" stands in depends twice",
                                                      escape_untrusted(item.scalar)));
            }
        }
        return names;
    }

    ReadRecipe& x_out;
    Recipe& x_recipe;
    Findings& x_findings;
};

}  // namespace

ReadRecipe read_recipe(std::string_view text, Findings& findings) {
    ReadRecipe out;
    out.recipe.path = findings.file();
    YamlDocument document = read_yaml(text);
    for (YamlProblem& problem : document.problems) {
        findings.add(problem.line, std::move(problem.message));
    }
    // A file that could not be parsed has no fields to miss.
    if (document.root.kind == YamlNode::Kind::null && !findings.list().empty()) return out;
    Reader(out, findings).read(document.root);
    return out;
}

}  // namespace sf::recipe
