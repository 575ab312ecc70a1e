// SPDX-License-Identifier: Apache-2.0
#include "build/planner.hpp"

#include <algorithm>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "build/target.hpp"
#include "model/names.hpp"

namespace sf::build {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using model::NodeId;

namespace {

Json json_of(const recipe::Build& build) {
    return {{"system", static_cast<int>(build.system)},
            {"subdir", build.subdir},
            {"out_of_tree", build.out_of_tree},
            {"bootstrap", build.bootstrap},
            {"configure", build.configure},
            {"compile", build.compile},
            {"install", build.install},
            {"env", build.env},
            {"after_install", build.after_install}};
}

Json json_of(const recipe::Packaging& package) {
    Json json{{"remove", package.remove}};
    Json& sonames = json["public_sonames"] = Json::array();
    for (const auto& each : package.public_sonames) sonames.push_back(each.soname);
    Json& dlopens = json["dlopens"] = Json::array();
    for (const auto& each : package.dlopens)
        dlopens.push_back({{"files", each.files}, {"sonames", each.sonames}});
    Json& exceptions = json["placeholder_exceptions"] = Json::array();
    for (const auto& each : package.placeholder_exceptions) exceptions.push_back(each.file);
    return json;
}

// What a root contributes: its packages, not the bytes of its archive, so that two machines that
// prepared the same packages agree.
std::string root_digest(const model::RootRecord& root) {
    return base::sha256(base::join(root.packages, "\n")).hex();
}

class Planner {
public:
    explicit Planner(const PlanInput& input) : x_input(input) {}

    Result<Plan> plan() {
        x_plan.target = x_input.target;
        SF_TRY(x_plan.target_flags, target_flags(x_input.target, x_input.root.compiler));
        x_plan.toolchain = x_input.root.toolchain;
        for (const auto& [name, version] : x_input.packages) SF_CHECK(add(name, version));
        return std::move(x_plan);
    }

private:
    base::Status add(const std::string& name, const std::string& version) {
        const auto found = x_input.catalog->recipes.find(name);
        if (found == x_input.catalog->recipes.end())
            return fail(Code::absent, "there is no recipe {}", name);
        const recipe::Recipe& recipe = found->second;
        const recipe::Version* chosen = recipe.find(version);
        if (chosen == nullptr)
            return fail(Code::absent, "{}: no version {}", recipe.path.string(), version);

        model::Spec spec;
        spec.name = name;
        spec.version = version;
        spec.toolchain = x_input.root.toolchain;
        spec.target = x_input.target;
        SF_TRY(spec.build_dependencies, nodes_of(recipe, recipe.build_dependencies));
        SF_TRY(spec.link_dependencies, nodes_of(recipe, recipe.link_dependencies));
        SF_TRY(spec.identity_text, base::canonical_json(identity_of(spec, *chosen)));
        spec.identity = base::sha256(spec.identity_text);
        x_nodes.emplace(name, x_plan.dag.add(std::move(spec)));
        x_plan.recipes.push_back(&recipe);
        x_plan.versions.push_back(chosen);
        return {};
    }

    Result<std::vector<NodeId>> nodes_of(const recipe::Recipe& recipe,
                                         const std::vector<std::string>& names) const {
        std::vector<NodeId> nodes;
        for (const std::string& name : names) {
            const auto node = x_nodes.find(name);
            if (node == x_nodes.end())
                return fail(Code::failed, "{} depends on {}, which is not planned before it",
                            recipe.name, name);
            nodes.push_back(node->second);
        }
        return nodes;
    }

    Json identity_of(const model::Spec& spec, const recipe::Version& version) const {
        Json patches = Json::array();
        for (const recipe::Patch& patch : version.patches) patches.push_back(patch.sha256.hex());
        const auto identities = [&](const std::vector<NodeId>& nodes) {
            Json json = Json::object();
            for (const NodeId id : nodes)
                json[x_plan.dag.at(id).name] = x_plan.dag.at(id).identity.hex();
            return json;
        };
        return {{"engine", engine_version},
                {"epoch", source_date_epoch},
                {"placeholder", model::placeholder_root},
                {"name", spec.name},
                {"version", spec.version},
                {"source", version.source.sha256.hex()},
                {"patches", patches},
                {"build", json_of(version.build)},
                {"package", json_of(version.package)},
                {"toolchain", {{"name", spec.toolchain}, {"packages", root_digest(x_input.root)}}},
                {"target", spec.target},
                {"target_flags", x_plan.target_flags},
                {"sandbox", x_input.sandbox_files.hex()},
                {"build_dependencies", identities(spec.build_dependencies)},
                {"link_dependencies", identities(spec.link_dependencies)}};
    }

    const PlanInput& x_input;
    Plan x_plan;
    std::map<std::string, NodeId> x_nodes;
};

// One value for a reader: a digest by its first eight digits, as in a store name; a long text by
// its beginning.
std::string shown(const Json& json) {
    if (json.is_null()) return "(none)";
    if (json.is_string()) {
        const auto& text = json.get_ref<const std::string&>();
        if (base::Digest::parse(text)) return text.substr(0, 8);
    }
    std::string text = json.dump();
    if (text.size() > 120) text = text.substr(0, 117) + "...";
    return base::escape_untrusted(text);
}

// What `there` has fewer of than `here`, each once: flags may well be said twice.
void surplus(const Json& here, const Json& there, const std::string& line,
             std::vector<std::string>& lines) {
    for (auto at = here.begin(); at != here.end(); ++at) {
        if (std::find(here.begin(), at, *at) != at) continue;  // seen
        const auto more =
            std::count(here.begin(), here.end(), *at) - std::count(there.begin(), there.end(), *at);
        if (more == 1) lines.push_back(line + shown(*at));
        if (more > 1) lines.push_back(fmt::format("{}{} ({} times)", line, shown(*at), more));
    }
}

void compare(const Json& before, const Json& now, const std::string& where,
             std::vector<std::string>& lines) {
    if (before == now) return;
    if (before.is_object() && now.is_object()) {
        const auto below = [&](const std::string& key) {
            return where.empty() ? key : fmt::format("{}.{}", where, key);
        };
        for (const auto& [key, value] : now.items())
            compare(before.contains(key) ? before[key] : Json(), value, below(key), lines);
        for (const auto& [key, value] : before.items())
            if (!now.contains(key)) compare(value, Json(), below(key), lines);
        return;
    }
    if (before.is_array() && now.is_array()) {
        const std::size_t lines_before = lines.size();
        surplus(now, before, where + ": + ", lines);
        surplus(before, now, where + ": - ", lines);
        if (lines.size() == lines_before)
            lines.push_back(fmt::format("{}: in another order", where));
        return;
    }
    lines.push_back(fmt::format("{}: {} -> {}", where, shown(before), shown(now)));
}

}  // namespace

Result<Plan> make_plan(const PlanInput& input) { return Planner(input).plan(); }

std::vector<std::string> explain_difference(const std::string& before, const std::string& now) {
    const Result<Json> old_json = base::parse_json(before);
    const Result<Json> new_json = base::parse_json(now);
    if (!old_json || !new_json) return {"the recorded identity cannot be read"};
    std::vector<std::string> lines;
    compare(*old_json, *new_json, "", lines);
    return lines;
}

}  // namespace sf::build
