// SPDX-License-Identifier: Apache-2.0
#include "cli/cache_signing.hpp"

#include <algorithm>
#include <ctime>

#include "base/text.hpp"
#include "cli/trusted_keys.hpp"
#include "install/mirror_audit.hpp"

namespace sf::cli {

using base::Code;
using base::Result;
using base::Status;

namespace {

Result<std::unique_ptr<trust::SignerProcess>> signer_of(Session& session,
                                                        const SigningRequest& request) {
    SF_CHECK(check_signing_request(session, request));
    SF_TRY(const std::vector<trust::Key> keys, keyring_of(session).list());
    // One made now would be trusted by nobody.
    if (std::ranges::none_of(keys, [](const trust::Key& key) { return key.secret; }))
        return base::fail_hint(Code::absent, "there is no key here that can sign",
                               "run it where the publisher's key is, or: slurm-factory key import");
    return choose_signer(session, request);
}

}  // namespace

Result<CacheSigner> sign_cache(Session& session, const KeptCache& kept,
                               const SigningRequest& request, publish::SigningPlan plan) {
    CacheSigner made;
    SF_TRY(made.signer, signer_of(session, request));
    SF_TRY(const trust::Key key, keyring_of(session).find(made.signer->fingerprint()));
    const trust::Fingerprint& primary = key.primary.fingerprint;
    const trust::TrustedKeys& trusted = kept.trusted;
    if (std::ranges::find(trusted.entries, primary, &trust::TrustEntry::fingerprint) ==
        trusted.entries.end())
        return base::fail_hint(
            Code::refused,
            fmt::format("{} is not trusted here: clients would refuse what it signs",
                        primary.text()),
            "sign with the publisher's key (--signing-key), or: slurm-factory key trust " +
                primary.text());
    plan.papers = {trust::Paper::snapshot};
    plan.believed = trusted;
    SF_CHECK(say_plan(*made.signer, plan));
    publish::IndexAuthority& authority = made.authority;
    authority.signer = made.signer.get();
    authority.verifier = &*kept.verifier;
    authority.primary = primary.text();
    SF_TRY(authority.public_key, keyring_of(session).export_public(primary));
    authority.memory = session.state().caches();
    authority.now = std::time(nullptr);
    return made;
}

Status check_whole(cache::Backend& mirror, cache::Backend* dependencies,
                   const trust::Verifier& verifier, const publish::IndexAuthority& authority) {
    install::AuditOptions how;
    how.mirror = authority.mirror;
    how.memory = authority.memory;
    how.now = authority.now;
    how.accept_expired = true;
    how.dependencies = dependencies;
    SF_TRY(const install::AuditReport report, install::audit(mirror, verifier, how));
    if (report.part)
        return base::fail_hint(
            Code::refused,
            fmt::format("{} is a copy of a part of a cache: its snapshot is the whole one's, and "
                        "is not signed afresh here",
                        mirror.place()),
            "sign it where it is published, then copy again: slurm-factory cache mirror FROM TO");
    if (report.defects.empty()) return {};
    const install::Defect& first = report.defects.front();
    return base::fail_hint(
        Code::refused,
        fmt::format("{} has {} defects and is not signed afresh; the first: {}: {}", mirror.place(),
                    report.defects.size(), first.object, first.error.text()),
        "see them all: slurm-factory cache verify PLACE");
}

}  // namespace sf::cli
