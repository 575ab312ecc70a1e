// SPDX-License-Identifier: Apache-2.0
#include "tree/contents.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/files.hpp"
#include "base/regular_file.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "model/bundle_rules.hpp"
#include "model/names.hpp"
#include "tree/leases.hpp"
#include "tree/links.hpp"
#include "tree/stages.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Code;
using base::Result;

namespace {

constexpr std::string_view manifest_end = ".json";
constexpr std::string_view signature_end = ".json.asc";
constexpr std::string_view service_link = "current";
constexpr std::uint64_t max_manifest = std::uint64_t{256} << 20;

std::string shown(const fs::path& path) { return base::escape_untrusted(path.native()); }

// Names in a folder; none where it is not there.
Result<std::vector<std::string>> names_in(const fs::path& folder) {
    SF_TRY(const fs::file_type type, base::type_of(folder));
    if (type != fs::file_type::directory) return std::vector<std::string>();
    return base::list_dir_if_exists(folder);
}

Result<InPlace> read_version(const fs::path& prefix, const std::string& version) {
    InPlace found;
    found.version = version;
    const fs::path file = prefix / model::bundle_manifest_path(version);
    SF_TRY(auto text, base::read_regular_file(file, max_manifest));
    if (!text) return base::fail(Code::absent, "{} is there no more", shown(file));
    found.manifest_text = std::move(*text);
    found.manifest = base::sha256(found.manifest_text);
    SF_TRY(auto signature,
           base::read_regular_file(prefix / model::bundle_manifest_signature_path(version)));
    found.manifest_signature = signature.value_or("");
    SF_TRY(found.bundle, model::bundle_from_json(found.manifest_text));
    SF_CHECK(model::check_bundle(found.bundle));
    if (found.bundle.version != version)
        return base::fail(Code::corrupt, "it is the manifest of version {}", found.bundle.version);
    return found;
}

// "views/25.11.2" of a link's target.
Result<std::string> version_of_view(const fs::path& link) {
    SF_TRY(const auto read, base::read_link(link));
    const std::string target = read.value_or(fs::path()).native();
    const std::string front = std::string(model::bundle_views_folder) + '/';
    if (!target.starts_with(front)) return std::string();
    std::string version = target.substr(front.size());
    return model::check_version(version) ? version : std::string();
}

// "zlib-1.3.1-1a2b3c4d"
bool is_package(std::string_view name) {
    const std::size_t dash = name.rfind('-');
    if (dash == std::string_view::npos || dash == 0) return false;
    const std::string_view hash = name.substr(dash + 1);
    constexpr std::size_t digits = 8;
    return hash.size() == digits && hash.find_first_not_of("0123456789abcdef") == hash.npos &&
           name.substr(0, dash).find('-') != std::string_view::npos && name.front() != '.';
}

class Reader {
public:
    explicit Reader(const fs::path& prefix) : x_prefix(prefix) {}

    Result<Contents> run() {
        SF_TRY(const fs::file_type type, base::type_of(x_prefix));
        if (type != fs::file_type::directory)
            return base::fail_hint(Code::absent,
                                   fmt::format("there is no folder {}", shown(x_prefix)),
                                   "say where: --prefix DIR");
        SF_CHECK(read_generations());
        SF_CHECK(read_versions());
        SF_TRY(const auto current, current_generation(x_prefix));
        if (current) x_found.current = current->number;
        SF_TRY(x_found.said, said_generation(x_prefix));
        SF_TRY(x_found.view_version, version_of_view(x_prefix / model::bundle_view_link));
        SF_TRY(x_found.service_version, version_of_view(x_prefix / service_link));
        SF_TRY(const auto store, names_in(x_prefix / model::bundle_store_folder));
        for (const std::string& name : store)
            if (is_package(name)) x_found.packages.push_back(name);
        SF_CHECK(find_loose());
        return std::move(x_found);
    }

private:
    base::Status read_generations() {
        SF_TRY(const auto names, names_in(x_prefix / generations_folder));
        std::vector<std::uint64_t> numbers;
        for (const std::string& name : names)
            if (const auto number = generation_number(name)) numbers.push_back(*number);
        std::ranges::sort(numbers);
        for (const std::uint64_t number : numbers) {
            auto kept = read_generation(x_prefix, number);
            if (kept && model::check_bundle(kept->bundle)) {
                x_found.generations.push_back(std::move(*kept));
                continue;
            }
            base::Error error =
                kept ? model::check_bundle(kept->bundle).error() : std::move(kept).error();
            x_found.unreadable.push_back({generation_path(number), std::move(error)});
        }
        return {};
    }

    base::Status read_versions() {
        SF_TRY(const auto names, names_in(x_prefix / model::bundle_manifests_folder));
        for (const std::string& name : names) {
            if (!name.ends_with(manifest_end)) continue;
            const std::string version = name.substr(0, name.size() - manifest_end.size());
            if (!model::check_version(version)) continue;
            auto found = read_version(x_prefix, version);
            if (found)
                x_found.versions.push_back(std::move(*found));
            else
                x_found.unreadable.push_back(
                    {model::bundle_manifest_path(version), std::move(found).error()});
        }
        return {};
    }

    base::Status find_loose() {
        const auto add = [&](const std::string& version, std::string path) -> base::Status {
            if (!model::check_version(version)) return {};
            SF_TRY(const bool has_manifest,
                   base::is_there(x_prefix / model::bundle_manifest_path(version)));
            if (!has_manifest) x_found.loose.push_back(std::move(path));
            return {};
        };
        SF_TRY(const auto views, names_in(x_prefix / model::bundle_views_folder));
        for (const std::string& name : views) SF_CHECK(add(name, model::bundle_view_path(name)));
        SF_TRY(const auto assets, names_in(x_prefix / model::bundle_assets_folder));
        for (const std::string& name : assets)
            if (base::is_dir(x_prefix / model::bundle_assets_path(name)))
                SF_CHECK(add(name, model::bundle_assets_path(name)));
        SF_TRY(const auto manifests, names_in(x_prefix / model::bundle_manifests_folder));
        for (const std::string& name : manifests)
            if (name.ends_with(signature_end))
                SF_CHECK(add(name.substr(0, name.size() - signature_end.size()),
                             fmt::format("{}/{}", model::bundle_manifests_folder, name)));
        SF_TRY(const auto modules, names_in(x_prefix / model::bundle_modules_folder));
        for (const std::string& name : modules) {
            // <version>-<toolchain>.lua; a site's own are called otherwise.
            const std::size_t dash = name.find('-');
            if (dash == std::string::npos || dash == 0 || name[0] < '0' || name[0] > '9') continue;
            const std::string version = name.substr(0, dash);
            const fs::path whole = fs::path(model::bundle_modules_folder) / name;
            if (!name.ends_with(".lua")) continue;
            SF_TRY(const fs::file_type type, base::type_of(x_prefix / whole));
            if (type != fs::file_type::symlink) SF_CHECK(add(version, whole.native()));
        }
        return {};
    }

    const fs::path& x_prefix;
    Contents x_found;
};

}  // namespace

base::Status check_is_prefix(const fs::path& folder) {
    // The first thing an installation makes is its stage. A bundle that was unpacked by hand has
    // no generations. A store is no sign: builds have one, and gc would find none of it needed.
    constexpr std::array signs{generations_folder, model::bundle_manifests_folder, stage_folder,
                               leases_folder, shared_mark};
    for (const std::string_view sign : signs) {
        SF_TRY(const bool there, base::is_there(folder / sign));
        if (there) return {};
    }
    SF_TRY(const bool there, base::is_there(folder));
    return base::fail_hint(Code::absent,
                           there ? "nothing was installed to " + shown(folder)
                                 : fmt::format("there is no folder {}", shown(folder)),
                           "say where: --prefix DIR");
}

Result<Contents> read_contents(const fs::path& prefix) {
    return base::during(Reader(prefix).run(), "looking at " + shown(prefix));
}

base::Status check_all_readable(const Contents& contents) {
    if (contents.unreadable.empty()) return {};
    const Unreadable& first = contents.unreadable.front();
    return base::fail_hint(
        Code::refused,
        fmt::format("{} cannot be read, so nobody knows what it needs: {}", first.path,
                    first.error.text()),
        "slurm-factory fsck shows what is damaged, and with --set-aside moves it away");
}

std::set<std::string> packages_of(const model::Bundle& bundle) {
    std::set<std::string> names;
    for (const model::Package& package : bundle.packages) names.insert(package.store_name());
    return names;
}

}  // namespace sf::tree
