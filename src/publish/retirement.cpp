// SPDX-License-Identifier: Apache-2.0
#include "publish/retirement.hpp"

#include <map>
#include <utility>

#include "base/text.hpp"
#include "cache/bundle_files.hpp"
#include "cache/mirror_part.hpp"

namespace sf::publish {

namespace {

struct NewerFirst {
    bool operator()(const std::string& left, const std::string& right) const {
        const int order = base::compare_versions(left, right);
        return order != 0 ? order > 0 : left > right;
    }
};

}  // namespace

base::Result<cache::BuildsByVersion> plan_retirement(const cache::Snapshot& snapshot,
                                                     const cache::WalkedMirror& walked,
                                                     const RetirementWish& wish) {
    cache::BuildsByVersion retired;
    if (wish.keep == 0) return retired;
    // What the alias means stays, whatever was published beside it without a bundle.
    SF_TRY(const auto bundle, cache::newest_bundle(snapshot));
    std::map<std::pair<std::string, std::string>, std::set<std::string, NewerFirst>> versions;
    std::map<std::string, std::string> newest;
    for (const cache::MirrorPackage& package : walked.packages) {
        const cache::SpecManifest& its = package.manifest;
        versions[{its.name, its.target}].insert(its.version);
        std::string& best = newest[its.name];
        if (best.empty() || NewerFirst()(its.version, best)) best = its.version;
    }
    for (const cache::MirrorPackage& package : walked.packages) {
        const cache::SpecManifest& its = package.manifest;
        const auto& all = versions.at({its.name, its.target});
        unsigned newer = 0;
        for (const std::string& version : all) {
            if (version == its.version) break;
            ++newer;
        }
        const bool slurm = its.name == "slurm";
        const bool wanted =
            slurm && !wish.versions.empty() && cache::is_of_versions(wish.versions, its.version);
        const bool aliased = slurm && bundle && bundle->version == its.version;
        if (newer < wish.keep || wanted || aliased || its.version == newest.at(its.name) ||
            wish.needed.contains(its.identity))
            continue;
        retired[its.name][its.version].insert(its.hash);
    }
    return retired;
}

bool is_retired(const cache::BuildsByVersion& retired, const cache::MirrorPackage& package) {
    const auto name = retired.find(package.manifest.name);
    if (name == retired.end()) return false;
    const auto version = name->second.find(package.manifest.version);
    return version != name->second.end() && version->second.contains(package.manifest.hash);
}

std::set<base::Digest> needed_by_kept(const cache::WalkedMirror& walked,
                                      const cache::BuildsByVersion& retired) {
    std::set<base::Digest> needed;
    for (const cache::MirrorPackage& package : walked.packages) {
        if (!package.bundle || is_retired(retired, package)) continue;
        for (const model::Package& each : package.bundle->packages) needed.insert(each.identity);
    }
    return needed;
}

}  // namespace sf::publish
