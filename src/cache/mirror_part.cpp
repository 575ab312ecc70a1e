// SPDX-License-Identifier: Apache-2.0
#include "cache/mirror_part.hpp"

#include <algorithm>

#include "base/json_reader.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/place_files.hpp"
#include "model/names.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr int schema = 1;
constexpr std::uint64_t max_part = std::uint64_t{4} << 20;

Status check(const MirrorPart& part) {
    for (const std::string& version : part.versions) SF_CHECK(model::check_version(version));
    if (std::ranges::adjacent_find(part.versions, std::ranges::greater_equal()) !=
        part.versions.end())
        return fail(Code::corrupt, "versions of a part are not in order, or one is there twice");
    for (const std::string& build : part.builds)
        if (!is_dag_hash(build)) return fail(Code::corrupt, "a part names a build without a hash");
    return {};
}

}  // namespace

std::string MirrorPart::text() const {
    return fmt::format("{}{}", versions.empty() ? "all" : "slurm " + base::join(versions, ", "),
                       sources ? "" : ", without sources");
}

bool is_of_versions(const std::vector<std::string>& versions, std::string_view version) {
    return versions.empty() || std::ranges::any_of(versions, [&](const std::string& wanted) {
               return version == wanted || version.starts_with(wanted + '.');
           });
}

Result<std::string> to_json(const MirrorPart& part) {
    SF_CHECK(check(part));
    SF_TRY(std::string text, base::canonical_json({{"schema", schema},
                                                   {"versions", part.versions},
                                                   {"builds", part.builds},
                                                   {"sources", part.sources}}));
    return text + '\n';
}

Result<MirrorPart> mirror_part_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    base::JsonReader reader(json, "what a copy says that it holds");
    MirrorPart part;
    std::vector<std::string> builds;
    reader.schema(schema);
    reader.texts("versions", part.versions);
    reader.texts("builds", builds);
    reader.flag("sources", part.sources);
    SF_CHECK(reader.status());
    part.builds.insert(builds.begin(), builds.end());
    SF_CHECK(reader.one_form(text, to_json(part)));
    return part;
}

Result<std::optional<MirrorPart>> read_part(Backend& mirror) {
    if (!mirror.whole()) return std::optional<MirrorPart>();
    const std::string key = key_of(FixedName::part).value();
    SF_TRY(const auto there, read_object(mirror, key, max_part));
    if (!there) return std::optional<MirrorPart>();
    SF_TRY(MirrorPart part, base::during(mirror_part_from_json(there->text),
                                         "reading " + mirror.place() + '/' + key));
    return std::optional(std::move(part));
}

base::Error explain_hole(Backend& mirror, base::Error error) {
    const auto part = read_part(mirror);
    if (!part || !*part) return error;
    error.code = Code::absent;
    error.message += fmt::format(" ({} is a copy of a part: it says that it holds {})",
                                 mirror.place(), (*part)->text());
    error.hint =
        "name a version that it holds, or bring this one: slurm-factory cache mirror FROM TO "
        "--versions VERSION";
    return error;
}

WalkChoice held_by(const MirrorPart& part) {
    WalkChoice choice;
    choice.build = [&part](const std::string&, const Build& build) {
        return part.builds.contains(build.hash);
    };
    return choice;
}

std::map<std::string, Ref> held_files(const MirrorPart& part,
                                      const std::map<std::string, Ref>& files) {
    std::map<std::string, Ref> held;
    std::set<base::Digest> bundles;
    for (const auto& [key, ref] : files) {
        const auto name = name_of(key);
        if (!name) continue;
        const auto* bundle = std::get_if<BundleName>(&*name);
        if (bundle != nullptr && is_of_versions(part.versions, bundle->version)) {
            bundles.insert(ref.sha256);
            held.emplace(key, ref);
        }
        if (part.sources && std::holds_alternative<SourceName>(*name)) held.emplace(key, ref);
    }
    // An alias is another name of a bundle.
    for (const auto& [key, ref] : files)
        if (is_alias(key) && bundles.contains(ref.sha256)) held.emplace(key, ref);
    return held;
}

}  // namespace sf::cache
