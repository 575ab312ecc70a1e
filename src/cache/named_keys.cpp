// SPDX-License-Identifier: Apache-2.0
#include "cache/named_keys.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"

namespace sf::cache {

using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr std::uint64_t max_unsigned_manifest = std::uint64_t{1} << 20;

// Each digest that stands anywhere in a text of Spack's, who writes such files in a form of its
// own.
void add_blobs(const Json& json, std::set<std::string>& named) {
    if (json.is_string()) {
        const auto digest = base::Digest::parse(json.get_ref<const std::string&>());
        if (!digest) return;
        if (const auto key = key_of(BlobName{*digest})) named.insert(*key);
        return;
    }
    if (!json.is_structured()) return;
    for (const Json& item : json) add_blobs(item, named);
}

Status add_unsigned(Backend& mirror, const std::string& key, std::set<std::string>& named) {
    named.insert(key);
    SF_TRY(const auto there, read_object(mirror, key, max_unsigned_manifest));
    if (!there) return {};
    auto json = base::parse_json(there->text);
    if (!json) {
        base::Error error = std::move(json).error();
        error.frames.push_back("reading " + mirror.place() + '/' + key);
        error.hint = "make what Spack reads anew: slurm-factory cache index";
        return tl::unexpected(std::move(error));
    }
    add_blobs(*json, named);
    return {};
}

}  // namespace

Result<std::set<std::string>> named_keys(Backend& mirror, const Snapshot& snapshot,
                                         const WalkedMirror& walked) {
    std::set<std::string> named;
    for (const FixedName fixed :
         {FixedName::layout, FixedName::snapshot, FixedName::part, FixedName::page})
        named.insert(key_of(fixed).value());
    for (const auto& [key, unused] : snapshot.files) named.insert(key);
    for (const auto& [key, unused] : walked.nodes) named.insert(key);
    for (const auto& [key, unused] : walked.blobs) named.insert(key);
    for (const MirrorPackage& package : walked.packages) named.insert(package.key);
    SF_CHECK(add_unsigned(mirror, key_of(FixedName::index_manifest).value(), named));
    SF_CHECK(add_unsigned(mirror, key_of(FixedName::keys_manifest).value(), named));
    // All that there are: a list that was made anew may leave one out that somebody still uses.
    std::vector<std::string> keys;
    SF_CHECK(mirror.list("v3/manifests/key/", [&](const ObjectInfo& object) -> Status {
        keys.push_back(object.key);
        return {};
    }));
    for (const std::string& key : keys) SF_CHECK(add_unsigned(mirror, key, named));
    return named;
}

bool is_litter(const std::string& key) {
    if (key.starts_with("_sf/probe/")) return true;
    const auto name = name_of(key);
    return name && (std::holds_alternative<BlobName>(*name) ||
                    std::holds_alternative<IndexNodeName>(*name) ||
                    std::holds_alternative<SpecManifestName>(*name));
}

}  // namespace sf::cache
