// SPDX-License-Identifier: Apache-2.0
#include "cli/publication_memory.hpp"

#include <ctime>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/cache_choice.hpp"
#include "cli/publisher_trust.hpp"

namespace sf::cli {

using base::Json;
using base::Result;
using base::Status;

namespace {

// All that decides what a place looks like after it: what was asked for, the packages, the bundle,
// who signs, with which public keys as they are now, and what the page for people names.
Result<base::Digest> digest_of(const PublishRequest& request, const Published& what,
                               const std::vector<publish::PublishedKey>& keys) {
    Json packages = Json::array();
    for (const build::NodeOutcome& node : what.report.nodes)
        if (node.state != build::NodeState::unneeded)
            packages.push_back({node.package.store_name(), node.package.identity.hex(),
                                node.package.run.sha256.hex(),
                                node.taken ? node.taken->signer : std::string()});
    Json signers = Json::array();
    for (const publish::PublishedKey& key : keys)
        signers.push_back({key.primary, base::sha256(key.armored).hex()});
    Json page = Json::array();
    for (const auto& [toolchain, unused] : what.catalog.toolchains) page.push_back(toolchain);
    for (const auto& [series, stack] : what.catalog.stacks) page.push_back(series);
    SF_TRY(const std::string text,
           base::canonical_json({{"what", request.what},
                                 {"bundle", base::sha256(what.made.manifest).hex()},
                                 {"packages", packages},
                                 {"signers", signers},
                                 {"page", page}}));
    return base::sha256(text);
}

Result<publish::Receipts> receipts_of(Session& session, cache::Backend& place,
                                      const PublishRequest& request, const Published& what) {
    const model::NodeId slurm = *what.plan.dag.find("slurm");
    SF_TRY(std::set<std::string> mirrors,
           mirrors_of(request, what.plan.toolchain, what.plan.dag.at(slurm).version));
    return publish::Receipts(session.state().caches(), place, std::move(mirrors));
}

}  // namespace

Result<bool> is_published(Session& session, const PublishRequest& request, const Published& what,
                          const trust::Signer& signer) {
    SF_TRY(const auto place, open_place(session, request.to));
    SF_TRY(const std::vector<publish::PublishedKey> keys, published_keys(session, signer));
    SF_TRY(const base::Digest digest, digest_of(request, what, keys));
    SF_TRY(const publish::Receipts receipts, receipts_of(session, *place, request, what));
    const std::int64_t now = std::time(nullptr);
    const auto left = receipts.find(digest, now);
    if (!left) return false;
    SF_TRY(const trust::RevocationList list, revocations_for(session, *place, signer.primaries()));
    SF_TRY(const trust::TrustedKeys believed, believed_by_publisher(session, keys, list));
    SF_TRY(const trust::Verifier verifier, trust::Verifier::create(believed));
    SF_TRY(const bool there, receipts.holds(*left, verifier, now));
    if (!there) return false;
    session.voice.line(
        fmt::format("{}: all of it was published from here already, and nobody has changed it "
                    "since: nothing is proven or sent again",
                    place->place()));
    session.voice.event("published_already", {{"place", place->place()}, {"bytes", 0}});
    return true;
}

Status remember_published(Session& session, cache::Backend& place, const PublishRequest& request,
                          const Published& what, const std::vector<publish::PublishedKey>& keys,
                          const std::vector<publish::PushReport>& pushes) {
    publish::Receipt left;
    SF_TRY(left.request, digest_of(request, what, keys));
    for (const publish::PushReport& push : pushes) {
        left.snapshots[push.mirror] = push.snapshot;
        if (left.snapshots.size() == 1 || push.renew < left.renew) left.renew = push.renew;
    }
    SF_TRY(const publish::Receipts receipts, receipts_of(session, place, request, what));
    return receipts.keep(left);
}

}  // namespace sf::cli
