// SPDX-License-Identifier: Apache-2.0
#include "cache/bundle_files.hpp"

#include <array>

#include "base/text.hpp"
#include "model/names.hpp"

namespace sf::cache {

using base::Code;
using base::Result;

namespace {

constexpr std::array<BundlePart, 5> parts{BundlePart::archive, BundlePart::signature,
                                          BundlePart::sha256, BundlePart::sbom,
                                          BundlePart::provenance};
constexpr std::string_view aliased_architecture = "amd64";

}  // namespace

Result<std::optional<NamedBundle>> find_bundle(const Snapshot& snapshot, const std::string& version,
                                               const std::string& toolchain,
                                               const std::string& architecture) {
    NamedBundle bundle{version, toolchain, architecture, {}};
    for (const BundlePart part : parts) {
        SF_TRY(const std::string key, key_of(BundleName{version, toolchain, architecture, part}));
        const auto found = snapshot.files.find(key);
        if (found != snapshot.files.end()) bundle.parts[part] = found->second;
    }
    if (bundle.parts.empty()) return std::optional<NamedBundle>();
    if (bundle.parts.size() == parts.size()) return std::optional(std::move(bundle));
    return base::fail(Code::corrupt, "the snapshot names only some files of the bundle {} for {}",
                      version, toolchain);
}

Result<std::optional<NamedBundle>> newest_bundle(const Snapshot& snapshot) {
    std::optional<BundleName> newest;
    for (const auto& [key, unused] : snapshot.files) {
        const Result<ObjectName> name = name_of(key);
        const auto* bundle = name ? std::get_if<BundleName>(&*name) : nullptr;
        if (bundle == nullptr || bundle->part != BundlePart::archive ||
            bundle->architecture != aliased_architecture)
            continue;
        if (!newest || base::compare_versions(newest->version, bundle->version) < 0)
            newest = *bundle;
    }
    if (!newest) return std::optional<NamedBundle>();
    return find_bundle(snapshot, newest->version, newest->toolchain, newest->architecture);
}

Result<bool> add_bundle(Snapshot& snapshot, const NamedBundle& bundle) {
    bool changed = false;
    const auto put = [&](const std::string& key, const Ref& ref) {
        Ref& there = snapshot.files[key];
        changed = changed || there != ref;
        there = ref;
    };
    for (const BundlePart part : parts) {
        SF_TRY(const std::string key,
               key_of(BundleName{bundle.version, bundle.toolchain, bundle.architecture, part}));
        const auto found = snapshot.files.find(key);
        if (found != snapshot.files.end() && found->second != bundle.parts.at(part))
            return base::fail_hint(Code::refused, key + " is published already, with other bytes",
                                   "what was published never changes");
        put(key, bundle.parts.at(part));
    }
    SF_TRY(const auto newest, newest_bundle(snapshot));
    if (!newest) return changed;
    for (const BundlePart part : {BundlePart::archive, BundlePart::signature}) {
        SF_TRY(const std::string key,
               key_of(BundleAliasName{model::series_of(newest->version), newest->toolchain, part}));
        put(key, newest->parts.at(part));
    }
    return changed;
}

}  // namespace sf::cache
