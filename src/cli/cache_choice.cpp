// SPDX-License-Identifier: Apache-2.0
#include "cli/cache_choice.hpp"

#include <algorithm>
#include <cctype>
#include <ctime>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/open_backend.hpp"
#include "cache/revocations.hpp"
#include "cache/snapshot_memory.hpp"
#include "cli/signing_key.hpp"
#include "model/names.hpp"

namespace sf::cli {

using base::Code;
using base::fail_hint;
using base::Result;
using base::Status;

namespace {

constexpr std::int64_t day = 86'400;

// The site's first; a name of the site's is not the user's to take.
Result<std::vector<ChosenCache>> listed_caches(Session& session) {
    SF_TRY(const cache::NamedCaches site,
           cache::NamedCaches::open(std::filesystem::path(cache::site_caches_file)));
    SF_TRY(const cache::NamedCaches user, cache::NamedCaches::open(user_caches_file(session)));
    std::vector<ChosenCache> all;
    for (const cache::NamedCache& each : site.all()) all.push_back({each.place, each, site.file()});
    for (const cache::NamedCache& each : user.all()) {
        if (site.find(each.name) != nullptr) {
            session.voice.warning(
                "the cache '{}' of {} is passed over: the site has one of this "
                "name",
                each.name, base::escape_untrusted(user.file().native()));
            continue;
        }
        all.push_back({each.place, each, user.file()});
    }
    return all;
}

// As two texts of one place are compared.
Result<std::string> shown_place(const std::string& place) {
    SF_TRY(const auto backend, cache::open_backend(place));
    return backend->place();
}

// A person vouches for a fingerprint, and its public part lies in the file that was carried here:
// whoever wrote the file cannot make another key have it. nullopt: it is not there.
Result<std::optional<trust::TrustedKeys>> vouched_in_file(cache::Backend& file,
                                                          const std::string& key) {
    constexpr std::uint64_t max_key = std::uint64_t{1} << 20U;
    SF_TRY(const trust::Fingerprint fingerprint, trust::Fingerprint::from_person(key));
    SF_TRY(const std::string name, cache::key_of(cache::PublicKeyName{fingerprint.text()}));
    SF_TRY(const auto there, cache::read_object(file, name, max_key));
    if (!there) return std::optional<trust::TrustedKeys>();
    SF_TRY(trust::TrustedKeys trusted, trust::trusted_from({{fingerprint, ""}}, {there->text}));
    if (trusted.keys.empty()) return std::optional<trust::TrustedKeys>();
    return std::optional(std::move(trusted));
}

Result<trust::TrustedKeys> trusted_for(Session& session, const TrustChoice& choice,
                                       cache::Backend& place) {
    auto trusted = trusted_keys(session, choice);
    if (trusted || trusted.error().code != Code::absent || place.whole() || choice.key.empty() ||
        !choice.trust_dir.empty())
        return trusted;
    SF_TRY(auto in_file, vouched_in_file(place, choice.key));
    if (!in_file) return trusted;
    return std::move(*in_file);
}

// Of those trusted, the keys listed for this cache.
Result<trust::TrustedKeys> narrowed(Session& session, const TrustChoice& choice,
                                    const ChosenCache& chosen, cache::Backend& place,
                                    bool may_be_nobody = false) {
    SF_TRY(trust::TrustedKeys trusted, trusted_for(session, choice, place));
    if (!chosen.named) return trusted;
    const std::vector<trust::Fingerprint>& keys = chosen.named->keys;
    const auto not_listed = [&](const trust::Fingerprint& fingerprint) {
        return std::ranges::find(keys, fingerprint) == keys.end();
    };
    std::erase_if(trusted.keys,
                  [&](const trust::Key& key) { return not_listed(key.primary.fingerprint); });
    std::erase_if(trusted.entries,
                  [&](const trust::TrustEntry& entry) { return not_listed(entry.fingerprint); });
    for (const trust::Fingerprint& key : keys)
        if (trusted.label_of(key).empty() &&
            std::ranges::find(trusted.entries, key, &trust::TrustEntry::fingerprint) ==
                trusted.entries.end())
            session.voice.notice("the key {} is listed for the cache {}, and is not trusted here",
                                 key.text(), chosen.named->name);
    if (!trusted.keys.empty() || may_be_nobody) return trusted;
    if (keys.empty())
        return fail_hint(Code::refused,
                         fmt::format("no key is listed for the cache {}, so nothing of it can be "
                                     "believed",
                                     chosen.named->name),
                         "slurm-factory cache add NAME PLACE --key FINGERPRINT");
    return fail_hint(
        Code::refused,
        fmt::format("no key that is listed for the cache {} is trusted on this "
                    "machine",
                    chosen.named->name),
        "slurm-factory key import FILE; slurm-factory key trust " + keys.front().text());
}

// The roots that count for this cache; none: no list of revocations is asked for.
Result<trust::TrustedKeys> roots_of(Session& session, const TrustChoice& choice,
                                    const ChosenCache& chosen) {
    SF_TRY(trust::TrustedKeys roots, trusted_roots(session, choice));
    if (!chosen.named || !chosen.named->root) return roots;
    const trust::Fingerprint& root = *chosen.named->root;
    std::erase_if(roots.keys,
                  [&](const trust::Key& key) { return key.primary.fingerprint != root; });
    std::erase_if(roots.entries,
                  [&](const trust::TrustEntry& entry) { return entry.fingerprint != root; });
    if (!roots.keys.empty()) return roots;
    return fail_hint(Code::refused,
                     fmt::format("the root {} of the cache {} is not trusted on this machine",
                                 root.text(), chosen.named->name),
                     fmt::format("slurm-factory key import FILE; slurm-factory key trust --root {}",
                                 root.text()));
}

// "./" tells a folder that is to be made from a slip of the keys.
base::Error unknown_name(const std::string& wanted, const std::vector<ChosenCache>& listed) {
    std::vector<std::string> names;
    names.reserve(listed.size());
    for (const ChosenCache& each : listed) names.push_back(each.named->name);
    return {
        Code::usage,
        fmt::format("no cache is called '{}' here, and there is no folder of this name", wanted),
        {},
        fmt::format("{}; a folder that is to be made: ./{}",
                    names.empty() ? "none has a name yet (slurm-factory cache add)"
                                  : "there is: " + base::join(names, ", "),
                    wanted)};
}

base::Error nobody_trusted(const cache::Backend& place) {
    base::Error error = sf::cli::nobody_trusted();
    if (!place.whole())
        error.hint =
            "get the fingerprint of who publishes from two places, then: --key FINGERPRINT (its "
            "public part is in the file); for good: slurm-factory key trust FINGERPRINT";
    return error;
}

}  // namespace

std::string ChosenCache::text() const {
    return named ? fmt::format("{} ({})", named->name, base::escape_untrusted(place))
                 : base::escape_untrusted(place);
}

Status check_offline(const std::string& place) {
    const std::size_t end = place.find("://");
    std::string scheme = end == std::string::npos ? "file" : place.substr(0, end);
    for (char& c : scheme) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (scheme == "file") return {};
    return fail_hint(Code::refused, "--offline: that cache is on the network",
                     "name a folder, a copy of it: --cache /path; or leave --offline out");
}

std::filesystem::path user_caches_file(const Session& session) {
    return trust_folder(session) / "caches.json";
}

Result<std::vector<ChosenCache>> choose_caches(Session& session, const std::string& wanted) {
    SF_TRY(std::vector<ChosenCache> listed, listed_caches(session));
    if (wanted.empty()) {
        if (!listed.empty()) return listed;
        return fail_hint(Code::usage, "no cache is listed on this machine: say which, by --cache",
                         "--cache PLACE, or once: slurm-factory cache add NAME PLACE --key "
                         "FINGERPRINT");
    }
    for (const ChosenCache& each : listed)
        if (each.named->name == wanted) return std::vector<ChosenCache>{each};
    if (model::check_name(wanted, "name") && !base::exists(wanted))
        return tl::unexpected(unknown_name(wanted, listed));
    SF_TRY(const std::string place, shown_place(wanted));
    for (const ChosenCache& each : listed) {
        const auto other = shown_place(each.place);  // a file that is damaged is nobody's
        if (other && *other == place) return std::vector<ChosenCache>{each};
    }
    return std::vector{ChosenCache{wanted, std::nullopt}};
}

Result<ChosenCache> choose_cache(Session& session, const std::string& wanted) {
    SF_TRY(std::vector<ChosenCache> chosen, choose_caches(session, wanted));
    return std::move(chosen.front());
}

namespace {

Result<std::unique_ptr<cache::Backend>> open_chosen(Session& session, const ChosenCache& chosen) {
    SF_TRY(auto place, cache::open_backend(chosen.place));
    cache::PlacePins pins{chosen.list.native(), {}};
    if (chosen.named) pins.mirrors = chosen.named->mirrors;
    SF_CHECK(cache::hold_to(session.state().caches(), place->place(), pins));
    return place;
}

std::int64_t max_age_of(const ChosenCache& chosen) {
    return chosen.named ? day * chosen.named->max_age_days : 0;
}

Result<trust::RevocationList> revocations_of(Session& session, const ChosenCache& chosen,
                                             cache::Backend& place, const trust::TrustedKeys& roots,
                                             bool accept_expired) {
    if (roots.entries.empty()) return trust::RevocationList{};
    SF_TRY(const trust::Verifier verifier, trust::Verifier::create(roots));
    cache::RevocationOptions options;
    options.roots = &verifier;
    for (const trust::TrustEntry& root : roots.entries)
        options.root_fingerprints.push_back(root.fingerprint.text());
    options.memory = session.state().caches();
    options.now = std::time(nullptr);
    options.required = chosen.named && chosen.named->root;
    options.accept_expired = accept_expired;
    options.max_age = max_age_of(chosen);
    return cache::read_revocations(place, options, session.voice);
}

}  // namespace

Result<std::unique_ptr<cache::Backend>> open_place(Session& session, const std::string& wanted) {
    SF_TRY(const ChosenCache chosen, choose_cache(session, wanted));
    return open_chosen(session, chosen);
}

Result<KeptCache> open_kept(Session& session, const std::string& wanted, const TrustChoice& trust) {
    KeptCache kept;
    SF_TRY(kept.chosen, choose_cache(session, wanted));
    SF_TRY(kept.place, open_chosen(session, kept.chosen));
    SF_TRY(kept.trusted, narrowed(session, trust, kept.chosen, *kept.place));
    if (kept.trusted.entries.empty()) return tl::unexpected(nobody_trusted(*kept.place));
    kept.max_age = max_age_of(kept.chosen);
    // Who keeps a cache may be the one to sign an expired list afresh: it is said, and counts.
    SF_TRY(const trust::TrustedKeys roots, roots_of(session, trust, kept.chosen));
    SF_TRY(kept.revocations, revocations_of(session, kept.chosen, *kept.place, roots, true));
    kept.trusted.withdrawn = kept.revocations.withdrawn();
    SF_TRY(trust::Verifier verifier, trust::Verifier::create(kept.trusted));
    kept.verifier.emplace(std::move(verifier));
    return kept;
}

Status check_origin(const ChosenCache& chosen) {
    if (!chosen.named || !chosen.named->allow_unsigned) return {};
    return fail_hint(
        Code::refused,
        fmt::format(
            "unsigned packages may be installed from the cache {}: so nothing of it is copied, "
            "signed or passed on",
            chosen.text()),
        fmt::format(
            "list it without that, if all in it is signed: slurm-factory cache add {} PLACE "
            "--key FINGERPRINT",
            chosen.named->name));
}

Result<KeptCache> open_origin(Session& session, const std::string& wanted,
                              const TrustChoice& trust) {
    SF_TRY(const ChosenCache chosen, choose_cache(session, wanted));
    SF_CHECK(check_origin(chosen));
    return open_kept(session, wanted, trust);
}

Result<CacheTrust> open_cache(Session& session, const ChosenCache& chosen, const TrustChoice& trust,
                              bool accept_expired, bool accept_unsigned, const Advice& nobody) {
    const auto advised = [&](base::Error error) {
        return nobody ? nobody(std::move(error)) : std::move(error);
    };
    CacheTrust opened;
    SF_TRY(opened.place, open_chosen(session, chosen));
    SF_TRY(trust::TrustedKeys trusted,
           narrowed(session, trust, chosen, *opened.place, accept_unsigned).map_error(advised));
    if (trusted.entries.empty() && !accept_unsigned)
        return tl::unexpected(advised(nobody_trusted(*opened.place)));
    SF_TRY(trust::TrustedKeys roots, roots_of(session, trust, chosen));
    opened.max_age = max_age_of(chosen);
    SF_TRY(opened.revocations,
           revocations_of(session, chosen, *opened.place, roots, accept_expired));
    trusted.withdrawn = opened.revocations.withdrawn();
    const bool of_nobody = accept_unsigned && trusted.keys.empty();
    SF_TRY(trust::Verifier verifier,
           (of_nobody ? trust::Verifier::of_nobody() : trust::Verifier::create(trusted))
               .map_error(advised));
    opened.verifier.emplace(std::move(verifier));
    opened.trusted = std::move(trusted);
    opened.roots = std::move(roots);
    return opened;
}

}  // namespace sf::cli
