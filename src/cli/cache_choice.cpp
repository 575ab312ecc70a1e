// SPDX-License-Identifier: Apache-2.0
#include "cli/cache_choice.hpp"

#include <algorithm>
#include <cctype>
#include <ctime>

#include "base/text.hpp"
#include "cache/open_backend.hpp"
#include "cache/revocations.hpp"
#include "cli/signing_key.hpp"

namespace sf::cli {

using base::Code;
using base::fail_hint;
using base::Result;
using base::Status;

namespace {

constexpr std::int64_t day = 86'400;

// The site's first; a name of the site's is not the user's to take.
Result<std::vector<cache::NamedCache>> listed_caches(Session& session) {
    SF_TRY(const cache::NamedCaches site,
           cache::NamedCaches::open(std::filesystem::path(cache::site_caches_file)));
    SF_TRY(const cache::NamedCaches user, cache::NamedCaches::open(user_caches_file(session)));
    std::vector<cache::NamedCache> all = site.all();
    for (const cache::NamedCache& each : user.all()) {
        if (site.find(each.name) != nullptr) {
            session.voice.warning(
                "the cache '{}' of {} is passed over: the site has one of this "
                "name",
                each.name, base::escape_untrusted(user.file().native()));
            continue;
        }
        all.push_back(each);
    }
    return all;
}

// As two texts of one place are compared.
Result<std::string> shown_place(const std::string& place) {
    SF_TRY(const auto backend, cache::open_backend(place));
    return backend->place();
}

// Of those trusted, the keys listed for this cache.
Result<trust::TrustedKeys> narrowed(Session& session, const TrustChoice& choice,
                                    const ChosenCache& chosen) {
    SF_TRY(trust::TrustedKeys trusted, trusted_keys(session, choice));
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
    if (!trusted.keys.empty()) return trusted;
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
    SF_TRY(const std::vector<cache::NamedCache> listed, listed_caches(session));
    std::vector<ChosenCache> chosen;
    if (wanted.empty()) {
        for (const cache::NamedCache& each : listed) chosen.push_back({each.place, each});
        if (!chosen.empty()) return chosen;
        return fail_hint(Code::usage, "no cache is listed on this machine: say which, by --cache",
                         "--cache PLACE, or once: slurm-factory cache add NAME PLACE --key "
                         "FINGERPRINT");
    }
    const auto by_name = std::ranges::find(listed, wanted, &cache::NamedCache::name);
    if (by_name != listed.end()) return std::vector{ChosenCache{by_name->place, *by_name}};
    SF_TRY(const std::string place, shown_place(wanted));
    for (const cache::NamedCache& each : listed) {
        SF_TRY(const std::string other, shown_place(each.place));
        if (other == place) return std::vector{ChosenCache{each.place, each}};
    }
    return std::vector{ChosenCache{wanted, std::nullopt}};
}

Result<CacheTrust> open_cache(Session& session, const ChosenCache& chosen, const TrustChoice& trust,
                              bool accept_expired) {
    CacheTrust opened;
    SF_TRY(trust::TrustedKeys trusted, narrowed(session, trust, chosen));
    if (trusted.entries.empty()) return tl::unexpected(nobody_trusted());
    SF_TRY(const trust::TrustedKeys roots, roots_of(session, trust, chosen));
    SF_TRY(opened.place, cache::open_backend(chosen.place));
    if (chosen.named) opened.max_age = day * chosen.named->max_age_days;
    if (!roots.entries.empty()) {
        SF_TRY(const trust::Verifier verifier, trust::Verifier::create(roots));
        cache::RevocationOptions options;
        options.roots = &verifier;
        options.memory = session.state().caches();
        options.now = std::time(nullptr);
        options.required = chosen.named && chosen.named->root;
        options.accept_expired = accept_expired;
        options.max_age = opened.max_age;
        SF_TRY(opened.revocations, cache::read_revocations(*opened.place, options, session.voice));
        trusted.withdrawn = opened.revocations.withdrawn();
    }
    SF_TRY(trust::Verifier verifier, trust::Verifier::create(trusted));
    opened.verifier.emplace(std::move(verifier));
    return opened;
}

}  // namespace sf::cli
