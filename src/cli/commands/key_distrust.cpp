// SPDX-License-Identifier: Apache-2.0
// key distrust: a user's trust is taken back, without a word about the key itself.
#include <CLI/CLI.hpp>

#include <algorithm>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/signing_key.hpp"
#include "trust/trust_store.hpp"

namespace sf::cli {

namespace {

using base::Code;
using base::Result;
using base::Status;

// Of the site's list, which is not this command's to change: it may not be this user's.
Result<bool> site_lists(const trust::Fingerprint& fingerprint) {
    SF_TRY(const trust::TrustStore site,
           trust::TrustStore::open(std::filesystem::path(trust::system_trust_folder)));
    const auto has = [&](const std::vector<trust::TrustEntry>& list) {
        return std::ranges::find(list, fingerprint, &trust::TrustEntry::fingerprint) != list.end();
    };
    return has(site.entries()) || has(site.roots());
}

Status run_distrust(Session& session, const std::string& said) {
    SF_TRY(const trust::Fingerprint fingerprint, trust::Fingerprint::from_person(said));
    SF_TRY(const bool of_the_site, site_lists(fingerprint));
    SF_TRY(trust::TrustStore store, trust::TrustStore::open(trust_folder(session)));
    const bool root = std::ranges::find(store.roots(), fingerprint,
                                        &trust::TrustEntry::fingerprint) != store.roots().end();
    SF_TRY(const bool removed, store.remove(fingerprint));
    const std::string site = fmt::format("its entry in {}/trust.json", trust::system_trust_folder);
    if (!removed && of_the_site)
        return base::fail_hint(
            Code::refused, fmt::format("{} is trusted by the site, not by you", fingerprint.text()),
            "whoever administers this machine deletes " + site);
    if (!removed)
        return base::fail_hint(Code::absent,
                               fmt::format("{} is not trusted here", fingerprint.text()),
                               "slurm-factory key list");
    if (of_the_site)
        session.voice.warning(
            "{} is off your list, but the site trusts it still, and so this machine does: whoever "
            "administers it deletes {}",
            fingerprint.text(), site);
    else if (root)
        session.voice.info("{}: its lists of revocations count no more", fingerprint.text());
    else
        session.voice.info(
            "{}: its signatures count no more; what a build has taken from caches by them is "
            "brought again by the next one, what is installed stays",
            fingerprint.text());
    session.voice.event("key_distrusted",
                        {{"fingerprint", fingerprint.text()}, {"trusted_by_site", of_the_site}});
    return {};
}

}  // namespace

void add_key_distrust(CLI::App& group, Session& session) {
    const auto fingerprint = std::make_shared<std::string>();
    CLI::App* sub = group.add_subcommand("distrust", "This key's signatures count here no more");
    sub->add_option("FINGERPRINT", *fingerprint, "All 40 digits; spaces are fine in quotes")
        ->required();
    sub->fallthrough();
    sub->footer(
        "Takes it off your list, whether it stands there as a key or as a root; its public part\n"
        "stays. For all users of a machine: delete its entry in "
        "/etc/slurm-factory/trust/trust.json.\n"
        "Examples:\n"
        "  slurm-factory key distrust FINGERPRINT");
    sub->callback([&session, fingerprint] {
        session.action = [&session, fingerprint] { return run_distrust(session, *fingerprint); };
    });
}

}  // namespace sf::cli
