// SPDX-License-Identifier: Apache-2.0
#include "cache/layout.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "cache/backend.hpp"
#include "model/names.hpp"
#include "trust/fingerprint.hpp"

namespace sf::cache {

using base::Code;
using base::Digest;
using base::fail;
using base::Result;

namespace {

constexpr std::array<std::pair<FixedName, std::string_view>, 7> fixed{{
    {FixedName::layout, "v3/layout.json"},
    {FixedName::index_manifest, "v3/manifests/index/index.manifest.json"},
    {FixedName::keys_manifest, "v3/manifests/key/keys.manifest.json"},
    {FixedName::snapshot, "_sf/snapshot.json"},
    {FixedName::part, "_sf/part.json"},
    {FixedName::revocations, "_sf/revocations.json"},
    {FixedName::page, "index.html"},
}};

constexpr std::array<std::pair<BundlePart, std::string_view>, 5> endings{{
    {BundlePart::archive, ""},
    {BundlePart::signature, ".asc"},
    {BundlePart::sha256, ".sha256"},
    {BundlePart::sbom, ".spdx.json"},
    {BundlePart::provenance, ".intoto.jsonl"},
}};

constexpr std::string_view spec_ending = ".spec.manifest.json";
constexpr std::string_view key_ending = ".key.manifest.json";

std::string ending_of(BundlePart part) {
    for (const auto& [one, ending] : endings)
        if (one == part) return std::string(ending);
    return {};
}

std::string by_digest(std::string_view folder, const Digest& digest) {
    const std::string hex = digest.hex();
    return fmt::format("{}/sha256/{}/{}", folder, hex.substr(0, 2), hex);
}

// Fields as they are: key_of() parses what comes out, so that nothing odd gets through.
struct Maker {
    std::string operator()(FixedName name) const {
        for (const auto& [one, key] : fixed)
            if (one == name) return std::string(key);
        return {};
    }
    std::string operator()(const SpecManifestName& spec) const {
        return fmt::format("v3/manifests/spec/{0}/{0}-{1}-{2}{3}", spec.name, spec.version,
                           spec.hash, spec_ending);
    }
    std::string operator()(const KeyManifestName& key) const {
        return fmt::format("v3/manifests/key/{}{}", key.fingerprint, key_ending);
    }
    std::string operator()(const BlobName& blob) const { return by_digest("blobs", blob.sha256); }
    std::string operator()(const SourceName& source) const {
        return by_digest("sources", source.sha256);
    }
    std::string operator()(const IndexNodeName& node) const {
        return fmt::format("_sf/index/{}.json.gz", node.sha256.hex());
    }
    std::string operator()(const PublicKeyName& key) const {
        return fmt::format("keys/{}.asc", key.fingerprint);
    }
    std::string operator()(const BundleName& bundle) const {
        return fmt::format(
            "builds/{}/{}/{}/{}{}", bundle.version, bundle.toolchain, bundle.architecture,
            model::bundle_file(bundle.version, bundle.toolchain, bundle.architecture),
            ending_of(bundle.part));
    }
    std::string operator()(const BundleAliasName& alias) const {
        return fmt::format("builds/{}/{}/{}{}", alias.series, alias.toolchain,
                           model::bundle_alias(alias.series, alias.toolchain),
                           ending_of(alias.part));
    }
};

using Parts = std::vector<std::string>;

// `text` between the two, if it is.
std::optional<std::string> between(std::string_view text, std::string_view first,
                                   std::string_view last) {
    if (text.size() < first.size() + last.size() || !text.starts_with(first) ||
        !text.ends_with(last))
        return std::nullopt;
    return std::string(text.substr(first.size(), text.size() - first.size() - last.size()));
}

bool is_fingerprint(std::string_view text) { return trust::Fingerprint::parse(text).has_value(); }
bool is_name(std::string_view text) { return model::check_name(text, "name").has_value(); }
bool is_version(std::string_view text) { return model::check_version(text).has_value(); }

std::optional<ObjectName> spec_manifest(const Parts& parts) {
    constexpr std::size_t hash_size = 32;
    if (parts.size() != 5 || !is_name(parts[3])) return std::nullopt;
    const auto rest = between(parts[4], parts[3] + '-', spec_ending);
    if (!rest || rest->size() < hash_size + 2) return std::nullopt;
    const std::size_t dash = rest->size() - hash_size - 1;
    SpecManifestName spec{parts[3], rest->substr(0, dash), rest->substr(dash + 1)};
    if ((*rest)[dash] != '-' || !is_version(spec.version) || !is_dag_hash(spec.hash))
        return std::nullopt;
    return spec;
}

std::optional<ObjectName> key_manifest(const Parts& parts) {
    if (parts.size() != 4) return std::nullopt;
    const auto fingerprint = between(parts[3], "", key_ending);
    if (!fingerprint || !is_fingerprint(*fingerprint)) return std::nullopt;
    return KeyManifestName{*fingerprint};
}

template <class Name>
std::optional<ObjectName> digest_name(const Parts& parts) {
    if (parts.size() != 4 || parts[1] != "sha256" || parts[2] != parts[3].substr(0, 2))
        return std::nullopt;
    const Result<Digest> digest = Digest::parse(parts[3]);
    if (!digest) return std::nullopt;
    return Name{*digest};
}

std::optional<ObjectName> index_node(const Parts& parts) {
    if (parts.size() != 3) return std::nullopt;
    const auto hex = between(parts[2], "", ".json.gz");
    if (!hex) return std::nullopt;
    const Result<Digest> digest = Digest::parse(*hex);
    if (!digest) return std::nullopt;
    return IndexNodeName{*digest};
}

std::optional<ObjectName> public_key(const Parts& parts) {
    if (parts.size() != 2) return std::nullopt;
    const auto fingerprint = between(parts[1], "", ".asc");
    if (!fingerprint || !is_fingerprint(*fingerprint)) return std::nullopt;
    return PublicKeyName{*fingerprint};
}

std::optional<ObjectName> bundle(const Parts& parts) {
    const bool alias = parts.size() == 4;
    if (!alias && parts.size() != 5) return std::nullopt;
    if (!is_version(parts[1]) || !is_name(parts[2])) return std::nullopt;
    if (!alias && !is_name(parts[3])) return std::nullopt;
    const std::string file = alias ? model::bundle_alias(parts[1], parts[2])
                                   : model::bundle_file(parts[1], parts[2], parts[3]);
    const auto ending = between(parts.back(), file, "");
    if (!ending) return std::nullopt;
    for (const auto& [part, text] : endings) {
        if (*ending != text) continue;
        if (!alias) return BundleName{parts[1], parts[2], parts[3], part};
        if (part != BundlePart::archive && part != BundlePart::signature) return std::nullopt;
        if (model::series_of(parts[1]) != parts[1]) return std::nullopt;
        return BundleAliasName{parts[1], parts[2], part};
    }
    return std::nullopt;
}

std::optional<ObjectName> parse(std::string_view key) {
    for (const auto& [name, text] : fixed)
        if (text == key) return name;
    const Parts parts = base::split(key, '/');
    if (key.starts_with("v3/manifests/spec/")) return spec_manifest(parts);
    if (key.starts_with("v3/manifests/key/")) return key_manifest(parts);
    if (key.starts_with("blobs/")) return digest_name<BlobName>(parts);
    if (key.starts_with("sources/")) return digest_name<SourceName>(parts);
    if (key.starts_with("_sf/index/")) return index_node(parts);
    if (key.starts_with("keys/")) return public_key(parts);
    if (key.starts_with("builds/")) return bundle(parts);
    return std::nullopt;
}

}  // namespace

Result<std::string> key_of(const ObjectName& name) {
    std::string key = std::visit(Maker{}, name);
    SF_CHECK(check_key(key));
    if (const auto again = parse(key); !again || *again != name)
        return fail(Code::refused, "'{}' cannot be the name of an object in a cache",
                    base::escape_untrusted(key));
    return key;
}

Result<ObjectName> name_of(std::string_view key) {
    SF_CHECK(check_key(key));
    auto name = parse(key);
    if (!name)
        return fail(Code::refused, "'{}' is no name that an object of a cache has",
                    base::escape_untrusted(key));
    return *std::move(name);
}

std::string_view cache_control_of(std::string_view key) {
    const auto name = parse(key);
    // A public key's text changes with its expiry and its subkeys.
    const bool stays =
        name &&
        (std::holds_alternative<SpecManifestName>(*name) ||
         std::holds_alternative<BlobName>(*name) || std::holds_alternative<SourceName>(*name) ||
         std::holds_alternative<IndexNodeName>(*name) || std::holds_alternative<BundleName>(*name));
    return stays ? "public, max-age=31536000, immutable" : "no-cache";
}

Result<std::string> folder_of(const MirrorName& mirror) {
    std::string folder = fmt::format("{}/slurm/{}", mirror.toolchain,
                                     mirror.series.empty() ? "deps" : mirror.series);
    SF_TRY(const MirrorName again, mirror_of(folder));
    if (again != mirror)
        return fail(Code::refused, "'{}' cannot be the folder of a mirror",
                    base::escape_untrusted(folder));
    return folder;
}

Result<MirrorName> mirror_of(std::string_view folder) {
    constexpr std::array<std::string_view, 6> taken{"v3",     "blobs",   "_sf",
                                                    "builds", "sources", "keys"};
    const Parts parts = base::split(folder, '/');
    const bool fits =
        parts.size() == 3 && parts[1] == "slurm" && is_name(parts[0]) &&
        std::ranges::find(taken, parts[0]) == taken.end() &&
        (parts[2] == "deps" || (is_version(parts[2]) && model::series_of(parts[2]) == parts[2]));
    if (!fits)
        return fail(Code::refused,
                    "'{}' is no folder of a mirror: <toolchain>/slurm/deps or "
                    "<toolchain>/slurm/<series>",
                    base::escape_untrusted(folder));
    return MirrorName{parts[0], parts[2] == "deps" ? "" : parts[2]};
}

bool is_dag_hash(std::string_view text) {
    return text.size() == 32 && std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7');
           });
}

}  // namespace sf::cache
