// SPDX-License-Identifier: Apache-2.0
#include "tree/generations.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <unistd.h>

#include "base/atomic_file.hpp"
#include "base/files.hpp"
#include "base/json_reader.hpp"
#include "base/sync_point.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "model/names.hpp"
#include "tree/public_folder.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr int schema = 1;
constexpr const char* manifest_file = "manifest.json";
constexpr const char* signature_file = "manifest.json.asc";
constexpr const char* assets_folder = "assets";
constexpr const char* current_link = "current";

std::string shown(const fs::path& path) { return base::escape_untrusted(path.native()); }

Status check(const Generation& generation) {
    if (generation.number == 0) return fail(Code::corrupt, "a generation has number 0");
    if (generation.came_from >= generation.number)
        return fail(Code::corrupt, "generation {} came from {}", generation.number,
                    generation.came_from);
    SF_CHECK(model::check_version(generation.version));
    return model::check_name(generation.toolchain, "toolchain name");
}

Result<Generation> read_record(const fs::path& folder, std::uint64_t number) {
    const fs::path file = folder / record_file;
    SF_TRY(const std::string text, base::read_file(file));
    SF_TRY(Generation generation,
           base::during(generation_from_json(text), "reading " + shown(file)));
    if (generation.number == number) return generation;
    return fail(Code::corrupt, "{} is of generation {}", shown(file), generation.number);
}

// Nothing where nothing was ever recorded; a folder that cannot be read is not that.
Result<std::vector<std::string>> folder_names(const fs::path& prefix) {
    return base::list_dir_if_exists(prefix / generations_folder);
}

// What is certainly none, today and tomorrow. A disk that does not answer says nothing about it.
bool is_no_record(const base::Error& error) {
    return error.code == Code::absent || error.code == Code::corrupt;
}

// A copy, not a second name: an editor that writes in place would change what is kept as well.
Status keep(const fs::path& from, const fs::path& to, const model::FileEntry& asset) {
    SF_TRY(const base::Fd source, base::open_file(from, O_RDONLY | O_NOFOLLOW));
    SF_TRY(auto target, base::AtomicFile::create(to, asset.mode));
    SF_CHECK(base::copy_bytes(source.get(), from, target.fd(), to, asset.size + 1));
    SF_TRY(const base::Digest digest,
           base::during(base::sha256_fd(target.fd()), "reading " + shown(to)));
    if (digest == asset.sha256) return target.commit_unsynced();
    return fail(Code::refused, "{} was changed meanwhile", shown(from));
}

}  // namespace

std::string generation_path(std::uint64_t number) {
    return fmt::format("{}/{}", generations_folder, number);
}

std::optional<std::uint64_t> generation_number(std::string_view name) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    const bool plain = error == std::errc() && end == name.data() + name.size() && number > 0;
    return plain && std::to_string(number) == name ? std::optional(number) : std::nullopt;
}

Result<std::optional<std::uint64_t>> said_generation(const fs::path& prefix) {
    SF_TRY(const auto target, base::read_link(prefix / generations_folder / current_link));
    return target ? generation_number(target->native()) : std::nullopt;
}

Result<std::string> to_json(const Generation& generation) {
    SF_CHECK(check(generation));
    Json origin = Json::object();
    for (const auto& [name, value] : generation.origin) origin[name] = value;
    Json json = {{"schema", schema},
                 {"number", generation.number},
                 {"made", generation.made},
                 {"version", generation.version},
                 {"toolchain", generation.toolchain},
                 {"manifest", generation.manifest.hex()},
                 {"origin", std::move(origin)}};
    if (generation.came_from != 0) json["came_from"] = generation.came_from;
    return base::canonical_json(json);
}

Result<Generation> generation_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    base::JsonReader reader(json, "the record of a generation");
    Generation generation;
    reader.schema(schema);
    reader.number("number", generation.number);
    reader.number("made", generation.made);
    reader.text("version", generation.version);
    reader.text("toolchain", generation.toolchain);
    reader.digest("manifest", generation.manifest);
    if (reader.has("came_from")) reader.number("came_from", generation.came_from);
    if (const Json* origin = reader.member("origin")) {
        for (const auto& [name, value] : origin->items()) {
            if (origin->is_object() && value.is_string())
                generation.origin.emplace(name, value.get<std::string>());
        }
    }
    SF_CHECK(reader.status());
    SF_CHECK(reader.one_form(text, to_json(generation)));
    return generation;
}

Result<std::vector<Generation>> list_generations(const fs::path& prefix) {
    std::vector<Generation> list;
    SF_TRY(const std::vector<std::string> names, folder_names(prefix));
    for (const std::string& name : names) {
        const auto number = generation_number(name);
        if (!number) continue;
        auto generation = read_record(prefix / generations_folder / name, *number);
        if (generation)
            list.push_back(std::move(*generation));
        else if (!is_no_record(generation.error()))
            return tl::unexpected(std::move(generation.error()));
    }
    std::ranges::sort(list, {}, &Generation::number);
    return list;
}

Result<std::uint64_t> next_generation(const fs::path& prefix) {
    std::uint64_t last = 0;
    SF_TRY(const std::vector<std::string> names, folder_names(prefix));
    for (const std::string& name : names)
        last = std::max(last, generation_number(name).value_or(0));
    return last + 1;
}

// The link says which of several that are the same is meant; what is in place decides. So an end
// between the two switches leaves an answer, and what was put in place by other means is none.
Result<std::optional<Generation>> current_generation(const fs::path& prefix) {
    SF_TRY(std::vector<Generation> all, list_generations(prefix));
    SF_TRY(const auto view, base::read_link(prefix / model::bundle_view_link));
    std::erase_if(all, [&](const Generation& each) {
        return view != fs::path(model::bundle_view_path(each.version));
    });
    if (all.empty()) return std::optional<Generation>();
    SF_TRY(const auto manifest,
           base::read_file_if_exists(prefix / model::bundle_manifest_path(all.front().version)));
    if (!manifest) return std::optional<Generation>();
    const base::Digest digest = base::sha256(*manifest);
    std::erase_if(all, [&](const Generation& each) { return each.manifest != digest; });
    if (all.empty()) return std::optional<Generation>();
    SF_TRY(const auto said, said_generation(prefix));
    for (Generation& each : all) {
        if (said == each.number) return std::optional(std::move(each));
    }
    return std::optional(std::move(all.back()));
}

Result<KeptGeneration> read_generation(const fs::path& prefix, std::uint64_t number) {
    KeptGeneration kept;
    kept.folder = prefix / generation_path(number);
    SF_TRY(const fs::file_type type, base::type_of(kept.folder));
    if (type != fs::file_type::directory)
        return base::fail_hint(Code::absent,
                               fmt::format("{} has no generation {}", shown(prefix), number),
                               "slurm-factory list shows those there are");
    SF_TRY(kept.generation, read_record(kept.folder, number));
    SF_TRY(kept.manifest_text, base::read_file(kept.folder / manifest_file));
    if (base::sha256(kept.manifest_text) != kept.generation.manifest)
        return fail(Code::corrupt, "{} is not the manifest that was installed",
                    shown(kept.folder / manifest_file));
    SF_TRY(auto signature, base::read_file_if_exists(kept.folder / signature_file));
    kept.manifest_signature = signature.value_or("");
    SF_TRY(kept.bundle, base::during(model::bundle_from_json(kept.manifest_text),
                                     "reading " + shown(kept.folder / manifest_file)));
    if (kept.bundle.version != kept.generation.version)
        return fail(Code::corrupt, "{} is of version {}", shown(kept.folder / manifest_file),
                    kept.bundle.version);
    kept.folder /= assets_folder;
    return kept;
}

Status fill_generation(const fs::path& stage, const fs::path& prefix, const Generation& generation,
                       const model::Bundle& bundle, const std::string& manifest_text,
                       const std::string& manifest_signature) {
    SF_TRY(const base::SyncPoint synced, base::SyncPoint::open(stage));
    SF_TRY(const std::string record, to_json(generation));
    SF_CHECK(base::write_staged(stage / record_file, record));
    SF_CHECK(base::write_staged(stage / manifest_file, manifest_text));
    if (!manifest_signature.empty())
        SF_CHECK(base::write_staged(stage / signature_file, manifest_signature));
    SF_CHECK(make_public_folder(stage / assets_folder));
    for (const model::FileEntry& asset : bundle.assets) {
        const fs::path to = stage / assets_folder / asset.path;
        SF_CHECK(make_public_folders(to.parent_path()));
        SF_CHECK(keep(prefix / asset.path, to, asset));
    }
    if (::chmod(stage.c_str(), 0755) != 0)
        return base::fail_errno(errno, "set the mode of " + shown(stage));
    return synced.sync(stage);
}

}  // namespace sf::tree
