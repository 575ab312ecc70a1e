// SPDX-License-Identifier: Apache-2.0
// key revoke: the owner takes a key back. key revocations: the list that an offline root signs, for
// caches to hand on: keys and builds that nobody should believe or install any more.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <ctime>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/revocations.hpp"
#include "cli/cache_choice.hpp"
#include "cli/cache_place.hpp"
#include "cli/commands.hpp"
#include "cli/signing_key.hpp"
#include "cli/trusted_keys.hpp"
#include "publish/conditions.hpp"
#include "trust/revocation_list.hpp"

namespace sf::cli {

namespace {

using base::Code;
using base::Result;
using base::Status;

struct RevokeOptions {
    std::string fingerprint;
    std::string reason = "superseded";
    std::string output;
    SigningRequest passphrase;
    bool yes = false;
};

struct ListOptions {
    std::string file;
    std::vector<std::string> keys;
    std::vector<std::string> builds;
    std::string reason;
    unsigned days = 365;
    bool renew = false;
    std::string to;
    SigningRequest signing;
};

trust::RevocationReason reason_of(const std::string& word) {
    if (word == "compromised") return trust::RevocationReason::compromised;
    if (word == "unused") return trust::RevocationReason::unused;
    return trust::RevocationReason::superseded;
}

Status run_revoke(Session& session, const RevokeOptions& options) {
    SF_TRY(const trust::Fingerprint fingerprint,
           trust::Fingerprint::from_person(options.fingerprint));
    if (!options.yes)
        return base::fail_hint(Code::usage,
                               fmt::format("revoking {} cannot be undone", fingerprint.text()),
                               "the same with --yes");
    const trust::Keyring keyring = keyring_of(session);
    name_terminal();
    SF_TRY(const std::string text, keyring.revoke(fingerprint, reason_of(options.reason),
                                                  passphrase_of(options.passphrase)));
    // Here it counts at once.
    SF_TRY(trust::TrustStore store, trust::TrustStore::open(trust_folder(session)));
    SF_TRY(const bool listed, store.refresh(fingerprint, text));
    if (!options.output.empty()) SF_CHECK(base::write_file(options.output, text));
    session.voice.line(fmt::format("{} is revoked ({}){}", fingerprint.text(), options.reason,
                                   listed ? ", also in the list of trusted keys" : ""));
    session.voice.event("key_revoked", {{"fingerprint", fingerprint.text()},
                                        {"reason", options.reason},
                                        {"file", options.output},
                                        {"armored", text}});
    session.voice.info(
        "others learn of it from the revoked key (slurm-factory key export {0} -o FILE; key import "
        "FILE there), or from a list: slurm-factory key revocations FILE --revoke-key {0}",
        fingerprint.text());
    return {};
}

// The roots trusted here, and those that are to sign now.
Result<trust::TrustedKeys> believed_roots(Session& session, const SigningRequest& signing) {
    SF_TRY(trust::TrustedKeys roots, trusted_roots(session, {}));
    std::vector<std::string> texts{roots.keyring};
    for (const std::string& named : signing.fingerprints) {
        SF_TRY(const trust::Fingerprint fingerprint,
               base::during(trust::Fingerprint::from_person(named), "--signing-key"));
        SF_TRY(const trust::Key key, keyring_of(session).find(fingerprint));
        SF_TRY(std::string text, keyring_of(session).export_public(fingerprint));
        texts.push_back(std::move(text));
        if (std::ranges::find(roots.entries, key.primary.fingerprint,
                              &trust::TrustEntry::fingerprint) == roots.entries.end())
            roots.entries.push_back({key.primary.fingerprint, "this root"});
    }
    if (roots.entries.empty())
        return base::fail_hint(Code::refused, "no root is trusted on this machine",
                               "slurm-factory key trust --root FINGERPRINT; or, where the root is: "
                               "--signing-key FINGERPRINT");
    return trust::trusted_from(roots.entries, texts);
}

// The signer knows the list before, and signs none that takes something off it.
Result<std::string> sign_list(Session& session, const SigningRequest& signing,
                              const trust::TrustedKeys& roots,
                              const std::optional<std::string>& before, const std::string& text) {
    SF_TRY(const auto signer, choose_signer(session, signing));
    publish::SigningPlan plan;
    plan.papers = {trust::Paper::revocations};
    plan.believed = roots;
    SF_CHECK(say_plan(*signer, plan));
    if (before) SF_CHECK(signer->admit(trust::Evidence::revocations, *before));
    return signer->sign(trust::Paper::revocations, text);
}

Status add_to(trust::RevocationList& list, const ListOptions& options, std::int64_t now) {
    for (const std::string& named : options.keys) {
        SF_TRY(trust::Fingerprint fingerprint,
               base::during(trust::Fingerprint::from_person(named), "--revoke-key"));
        for (const std::string& root : options.signing.fingerprints) {
            SF_TRY(const trust::Fingerprint own, trust::Fingerprint::from_person(root));
            if (own == fingerprint)
                return base::fail(Code::usage, "a root does not take itself back: {}",
                                  fingerprint.text());
        }
        if (std::ranges::find(list.keys, fingerprint, &trust::RevokedKey::fingerprint) ==
            list.keys.end())
            list.keys.push_back({std::move(fingerprint), options.reason, now});
    }
    for (const std::string& named : options.builds) {
        const Result<base::Digest> digest = base::Digest::parse(named);
        if (!digest)
            return base::fail_hint(
                Code::usage,
                fmt::format("--revoke-build: '{}' is no SHA-256", base::escape_untrusted(named)),
                "64 digits 0-9 a-f: a package's identity, or the digest of an "
                "archive");
        if (std::ranges::find(list.builds, *digest, &trust::RevokedBuild::sha256) ==
            list.builds.end())
            list.builds.push_back({*digest, options.reason, now});
    }
    std::ranges::sort(list.keys, {}, &trust::RevokedKey::fingerprint);
    std::ranges::sort(list.builds, {}, &trust::RevokedBuild::sha256);
    return {};
}

void show(Session& session, const trust::RevocationList& list) {
    session.voice.line(fmt::format("number {}, issued {}, expires {}: {} keys, {} builds",
                                   list.serial, base::utc_date(list.issued),
                                   base::utc_date(list.expires), list.keys.size(),
                                   list.builds.size()));
    base::Json keys = base::Json::array();
    for (const trust::RevokedKey& key : list.keys) {
        session.voice.line(fmt::format("  key {}  {}  {}", key.fingerprint.text(),
                                       base::utc_date(key.time), key.reason));
        keys.push_back({{"fingerprint", key.fingerprint.text()}, {"reason", key.reason}});
    }
    base::Json builds = base::Json::array();
    for (const trust::RevokedBuild& build : list.builds) {
        session.voice.line(fmt::format("  build {}  {}  {}", build.sha256.hex(),
                                       base::utc_date(build.time), build.reason));
        builds.push_back({{"sha256", build.sha256.hex()}, {"reason", build.reason}});
    }
    session.voice.event("revocations", {{"serial", list.serial},
                                        {"expires", list.expires},
                                        {"keys", std::move(keys)},
                                        {"builds", std::move(builds)}});
}

Status run_list(Session& session, const ListOptions& options) {
    const std::int64_t now = std::time(nullptr);
    const bool adds = !options.keys.empty() || !options.builds.empty();
    if (adds) {
        if (options.reason.empty())
            return base::fail_hint(Code::usage,
                                   "--reason is required with --revoke-key and --revoke-build",
                                   "for instance: --reason 'stolen on 2026-03-01'");
        if (const Status reason = trust::check_reason(options.reason); !reason)
            return base::fail_hint(Code::usage, "--reason: " + reason.error().message,
                                   "for instance: --reason 'stolen on 2026-03-01'");
    } else if (!options.reason.empty()) {
        return base::fail(Code::usage, "--reason goes with --revoke-key or --revoke-build");
    }
    std::unique_ptr<cache::Backend> place;
    if (!options.to.empty()) {
        SF_TRY(place, open_place(session, options.to));
        SF_CHECK(check_writable(*place));
    }
    SF_TRY(const auto there, base::read_file_if_exists(options.file, 3 * trust::max_revocations));
    const bool signs = adds || options.renew || !there;
    if (signs && options.signing.fingerprints.empty())
        return base::fail_hint(Code::usage, "a list of revocations is signed by a root: say which",
                               "--signing-key FINGERPRINT, of a key that signs nothing else");
    if (signs) SF_CHECK(check_signing_request(session, options.signing));
    SF_TRY(const trust::TrustedKeys believed, believed_roots(session, options.signing));
    SF_TRY(const trust::Verifier roots, trust::Verifier::create(believed));
    trust::RevocationList list;
    std::string signed_text;
    if (there) {
        signed_text = *there;
        SF_TRY(const trust::SignedText good, roots.verify_clearsigned(signed_text, options.file));
        SF_TRY(list, base::during(trust::revocations_from_text(good.text),
                                  "reading " + base::escape_untrusted(options.file)));
    }
    if (signs) {
        SF_CHECK(add_to(list, options, now));
        ++list.serial;
        // A clock that went back does not make a list look older than the one before it.
        list.issued = std::max(now, list.issued);
        list.expires = list.issued + std::int64_t{options.days} * 86'400;
        SF_TRY(const std::string text, trust::to_text(list));
        SF_TRY(signed_text, sign_list(session, options.signing, believed, there, text));
        SF_CHECK(base::write_file(options.file, signed_text));
    }
    show(session, list);
    if (!place) return {};
    SF_CHECK(publish::check_conditions(*place));
    SF_TRY(const bool written, cache::put_revocations(*place, signed_text, roots, now));
    session.voice.line(
        fmt::format("{} {}", place->place(), written ? "has it now" : "had it already"));
    return {};
}

}  // namespace

void add_key_revoke(CLI::App& group, Session& session) {
    const auto options = std::make_shared<RevokeOptions>();
    CLI::App* sub = group.add_subcommand("revoke", "Take a key of yours back, for ever");
    sub->add_option("FINGERPRINT", options->fingerprint, "All 40 digits; spaces are fine in quotes")
        ->required();
    sub->add_option("--reason", options->reason, "compromised, superseded or unused")
        ->check(CLI::IsMember({"compromised", "superseded", "unused"}))
        ->capture_default_str()
        ->type_name("WHY");
    sub->add_option("-o,--output", options->output, "Write the revoked key to this file")
        ->type_name("FILE");
    add_passphrase_options(*sub, options->passphrase);
    sub->add_flag("--yes", options->yes, "It cannot be undone, and you mean it");
    sub->fallthrough();
    sub->footer(
        "Whatever it has signed, and will sign, is refused where this is known. Whoever lost the\n"
        "secret key asks the holder of the root for a place on the list ('key revocations').\n"
        "Examples:\n"
        "  slurm-factory key revoke FINGERPRINT --reason compromised -o revoked.asc --yes");
    sub->callback([&session, options] {
        session.action = [&session, options] { return run_revoke(session, *options); };
    });
}

void add_key_revocations(CLI::App& group, Session& session) {
    const auto options = std::make_shared<ListOptions>();
    CLI::App* sub = group.add_subcommand(
        "revocations", "The list of keys and builds taken back, signed by an offline root");
    sub->add_option("FILE", options->file, "The signed list; made if it is not there")->required();
    sub->add_option("--revoke-key", options->keys,
                    "Full fingerprint of a key whose signatures count no more")
        ->allow_extra_args(false)
        ->type_name("FINGERPRINT");
    sub->add_option("--revoke-build", options->builds,
                    "A build that nobody should install: a package's identity, or the digest of "
                    "an archive")
        ->allow_extra_args(false)
        ->type_name("SHA256");
    sub->add_option("--reason", options->reason, "Why, for people")->type_name("TEXT");
    sub->add_option("--days", options->days, "How long the list is good for")
        ->capture_default_str()
        ->check(CLI::Range(1, 3650).description(""))
        ->type_name("N");
    sub->add_flag("--renew", options->renew, "Sign it afresh though nothing is added");
    sub->add_option("--publish-to", options->to,
                    "Put it into this cache: a name of 'cache list', a folder or s3://")
        ->type_name("PLACE");
    add_signing_options(*sub, options->signing);
    sub->fallthrough();
    sub->footer(
        "Without a change it is checked and shown. Clients that trust the root ('key trust "
        "--root')\n"
        "read it before anything else of a cache, and refuse an older one than they have seen.\n"
        "Examples:\n"
        "  slurm-factory key revocations revocations.json --signing-key ROOT\n"
        "  slurm-factory key revocations revocations.json --signing-key ROOT \\\n"
        "      --revoke-key FINGERPRINT --reason 'stolen on 2026-03-01'\n"
        "  slurm-factory key revocations revocations.json --publish-to /srv/slurm-cache");
    sub->callback([&session, options] {
        session.action = [&session, options] { return run_list(session, *options); };
    });
}

}  // namespace sf::cli
