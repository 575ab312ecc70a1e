// SPDX-License-Identifier: Apache-2.0
#include "publish/snapshot_rules.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "cache/bundle_files.hpp"
#include "cache/layout.hpp"
#include "model/names.hpp"

namespace sf::publish {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
using cache::Ref;

namespace {

constexpr std::int64_t clock_tolerance = 600;
constexpr std::int64_t longest_life = std::int64_t{366} * 86'400;

class Comparison {
public:
    Comparison(const cache::Snapshot& before, const cache::Snapshot& next,
               const KnownObjects& known, const std::set<std::string>& retired)
        : x_before(before), x_next(next), x_known(known), x_retired(retired) {}

    Status run() const {
        for (const auto& [name, unused] : x_before.names)
            if (!x_next.names.contains(name))
                return fail(Code::refused, "the snapshot names {} no more", name);
        for (const auto& [name, ref] : x_next.names) {
            const auto old = x_before.names.find(name);
            if (old == x_before.names.end())
                SF_CHECK(name_node(name, nullptr, ref));
            else if (old->second != ref)
                SF_CHECK(name_node(name, &old->second, ref));
        }
        return files();
    }

private:
    template <class Node>
    Result<const Node*> node(const std::map<base::Digest, Node>& nodes, const Ref& ref) const {
        const auto found = nodes.find(ref.sha256);
        if (found != nodes.end() && x_known.holds(ref)) return &found->second;
        return fail(Code::refused, "the snapshot names what was not handed over: {}",
                    ref.sha256.hex());
    }

    Status name_node(const std::string& name, const Ref* before, const Ref& next) const {
        SF_TRY(const cache::NameNode* const now, node(x_known.names, next));
        if (now->name != name)
            return fail(Code::refused, "the index of {} is that of {}", name, now->name);
        const cache::NameNode nothing{name, {}};
        const cache::NameNode* old = &nothing;
        if (before != nullptr) {
            SF_TRY(old, node(x_known.names, *before));
        }
        const std::string newest = newest_of(*old);
        for (const auto& [version, ref] : old->versions)
            if (!now->versions.contains(version))
                SF_CHECK(may_go(name, version, ref, version == newest));
        for (const auto& [version, ref] : now->versions) {
            const auto its = old->versions.find(version);
            if (its == old->versions.end())
                SF_CHECK(version_node(name, version, nullptr, ref, false));
            else if (its->second != ref)
                SF_CHECK(version_node(name, version, &its->second, ref, version == newest));
        }
        return {};
    }

    static std::string newest_of(const cache::NameNode& node) {
        std::string newest;
        for (const auto& [version, unused] : node.versions)
            if (newest.empty() || base::compare_versions(version, newest) > 0) newest = version;
        return newest;
    }

    // All builds of it are retired, and it is not the newest.
    [[nodiscard]] Status may_go(const std::string& name, const std::string& version,
                                const Ref& before, bool newest) const {
        const auto gone = [&] {
            return fail(Code::refused, "the index names {} {} no more", name, version);
        };
        if (x_retired.empty()) return gone();
        if (newest)
            return fail(Code::refused, "the newest {}, {}, cannot be retired", name, version);
        SF_TRY(const cache::VersionNode* const old, node(x_known.versions, before));
        const bool all = std::ranges::all_of(
            old->builds, [&](const cache::Build& build) { return x_retired.contains(build.hash); });
        if (!all || old->name != name || old->version != version) return gone();
        return {};
    }

    Status version_node(const std::string& name, const std::string& version, const Ref* before,
                        const Ref& next, bool newest) const {
        SF_TRY(const cache::VersionNode* const now, node(x_known.versions, next));
        if (now->name != name || now->version != version)
            return fail(Code::refused, "the index of {} {} is that of {} {}", name, version,
                        now->name, now->version);
        const cache::VersionNode nothing{name, version, {}};
        const cache::VersionNode* old = &nothing;
        if (before != nullptr) {
            SF_TRY(old, node(x_known.versions, *before));
        }
        for (const cache::Build& build : old->builds) {
            const auto still = std::ranges::find(now->builds, build.hash, &cache::Build::hash);
            if (still == now->builds.end() && !newest && x_retired.contains(build.hash)) continue;
            if (still == now->builds.end())
                return fail(Code::refused, "the index names {} {} ({}) no more", name, version,
                            build.hash);
            // A manifest that was lost may have been signed anew; the package stays what it was.
            if (still->identity != build.identity || still->added != build.added)
                return fail(Code::refused, "the index says something else of {} {} ({})", name,
                            version, build.hash);
        }
        for (const cache::Build& build : now->builds)
            if (std::ranges::find(old->builds, build) == old->builds.end())
                SF_CHECK(new_build(*now, build));
        return {};
    }

    [[nodiscard]] Status new_build(const cache::VersionNode& node,
                                   const cache::Build& build) const {
        const auto found = x_known.manifests.find(build.manifest.sha256);
        if (found == x_known.manifests.end() || !x_known.holds(build.manifest))
            return fail(Code::refused,
                        "the index names a manifest of {} {} that was neither signed nor verified "
                        "in this run: {}",
                        node.name, node.version, build.manifest.sha256.hex());
        const cache::SpecManifest& manifest = found->second;
        if (manifest.name == node.name && manifest.version == node.version &&
            manifest.hash == build.hash && manifest.toolchain == build.toolchain &&
            manifest.target == build.target && manifest.identity == build.identity &&
            build.added <= x_next.serial)
            return {};
        return fail(Code::refused, "the index says something else of {} {} than its manifest",
                    node.name, node.version);
    }

    Status files() const {
        for (const auto& [key, unused] : x_before.files) {
            if (x_next.files.contains(key)) continue;
            SF_TRY(const bool retired, is_of_retired(key));
            if (!retired) return fail(Code::refused, "the snapshot names {} no more", key);
        }
        for (const auto& [key, ref] : x_next.files) {
            const auto old = x_before.files.find(key);
            if (old != x_before.files.end() && old->second == ref) continue;
            SF_TRY(const cache::ObjectName name, cache::name_of(key));
            const auto* bundle = std::get_if<cache::BundleName>(&name);
            const auto* alias = std::get_if<cache::BundleAliasName>(&name);
            if (bundle == nullptr && alias == nullptr)
                return fail(Code::refused, "{} is no file of a bundle", key);
            // Only aliases ever change, and only to what is named.
            if (bundle != nullptr && old != x_before.files.end())
                return fail(Code::refused, "{} was published with other bytes", key);
            if (alias != nullptr) {
                SF_TRY(const bool newest, is_newest(*alias, ref));
                if (!newest) return fail(Code::refused, "{} is not the newest bundle", key);
            }
            if (!x_known.holds(ref) && alias == nullptr)
                return fail(Code::refused, "the snapshot names what was not handed over: {} as {}",
                            ref.sha256.hex(), key);
            if (bundle != nullptr && bundle->part == cache::BundlePart::archive)
                SF_CHECK(vouched(*bundle, ref));
        }
        return {};
    }

    // A bundle of a version that is in the index no more, and may not be (may_go).
    [[nodiscard]] Result<bool> is_of_retired(const std::string& key) const {
        SF_TRY(const cache::ObjectName name, cache::name_of(key));
        const auto* bundle = std::get_if<cache::BundleName>(&name);
        const auto old = x_before.names.find("slurm");
        const auto next = x_next.names.find("slurm");
        if (bundle == nullptr || x_retired.empty() || old == x_before.names.end() ||
            next == x_next.names.end() || old->second == next->second)
            return false;
        SF_TRY(const cache::NameNode* const before, node(x_known.names, old->second));
        SF_TRY(const cache::NameNode* const now, node(x_known.names, next->second));
        return before->versions.contains(bundle->version) &&
               !now->versions.contains(bundle->version);
    }

    // What aliases mean is computed.
    [[nodiscard]] Result<bool> is_newest(const cache::BundleAliasName& alias,
                                         const Ref& ref) const {
        SF_TRY(const auto newest, cache::newest_bundle(x_next));
        if (!newest || alias.toolchain != newest->toolchain ||
            alias.series != model::series_of(newest->version))
            return false;
        const auto part = newest->parts.find(alias.part);
        return part != newest->parts.end() && part->second == ref;
    }

    // Somebody who is believed has signed how it was made, and with which parts.
    [[nodiscard]] Status vouched(cache::BundleName bundle, const Ref& archive) const {
        const auto said = x_known.bundles.find(archive.sha256);
        bundle.part = cache::BundlePart::archive;
        SF_TRY(const std::string own, cache::key_of(bundle));
        bundle.part = cache::BundlePart::sbom;
        SF_TRY(const std::string key, cache::key_of(bundle));
        const auto parts = x_next.files.find(key);
        if (said != x_known.bundles.end() && parts != x_next.files.end() &&
            parts->second.sha256 == said->second.sbom && own.ends_with('/' + said->second.file))
            return {};
        return fail(Code::refused, "nobody has signed how the bundle {} was made",
                    archive.sha256.hex());
    }

    const cache::Snapshot& x_before;
    const cache::Snapshot& x_next;
    const KnownObjects& x_known;
    const std::set<std::string>& x_retired;
};

}  // namespace

Status check_next_snapshot(const std::optional<cache::Snapshot>& before,
                           const cache::Snapshot& next, const KnownObjects& known, std::int64_t now,
                           const std::set<std::string>& retired) {
    if (next.issued > now + clock_tolerance)
        return fail(Code::refused, "the snapshot is issued in the future");
    if (next.expires - next.issued > longest_life)
        return fail(Code::refused, "the snapshot would be good for more than a year");
    if (!before) {
        if (next.serial != 1)
            return fail(Code::refused, "the first snapshot of a mirror has serial 1, not {}",
                        next.serial);
        return Comparison({}, next, known, retired).run();
    }
    if (next.repository != before->repository || next.mirror != before->mirror)
        return fail(Code::refused, "the snapshot is of another cache than the one before");
    if (next.serial != before->serial + 1)
        return fail(Code::refused, "snapshot {} cannot follow {}", next.serial, before->serial);
    if (next.issued < before->issued)
        return fail(Code::refused, "the snapshot is older than the one before");
    return Comparison(*before, next, known, retired).run();
}

}  // namespace sf::publish
