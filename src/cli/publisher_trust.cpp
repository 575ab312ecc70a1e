// SPDX-License-Identifier: Apache-2.0
#include "cli/publisher_trust.hpp"

#include <algorithm>
#include <ctime>

#include "cache/revocations.hpp"
#include "cli/signing_key.hpp"
#include "cli/trusted_keys.hpp"

namespace sf::cli {

using base::Code;
using base::Result;

Result<std::vector<publish::PublishedKey>> published_keys(Session& session,
                                                          const trust::Signer& signer) {
    std::vector<publish::PublishedKey> keys;
    for (const trust::Fingerprint& primary : signer.primaries()) {
        SF_TRY(std::string text, keyring_of(session).export_public(primary));
        keys.push_back({primary.text(), std::move(text)});
    }
    return keys;
}

Result<trust::RevocationList> revocations_for(Session& session, cache::Backend& place,
                                              const std::vector<trust::Fingerprint>& own) {
    SF_TRY(const trust::TrustedKeys roots, trusted_roots(session, {}));
    if (roots.entries.empty()) return trust::RevocationList();
    SF_TRY(const trust::Verifier verifier, trust::Verifier::create(roots));
    cache::RevocationOptions options;
    options.roots = &verifier;
    options.memory = session.state().caches();
    options.now = std::time(nullptr);
    SF_TRY(trust::RevocationList list, cache::read_revocations(place, options, session.voice));
    for (const auto& [fingerprint, reason] : list.withdrawn())
        if (std::ranges::find(own, fingerprint) != own.end())
            return base::fail_hint(Code::refused,
                                   fmt::format("{} is withdrawn ({}): nobody would believe "
                                               "what it signs",
                                               fingerprint.text(), reason),
                                   "--signing-key FINGERPRINT, of another one");
    return list;
}

Result<trust::TrustedKeys> believed_by_publisher(Session& session,
                                                 const std::vector<publish::PublishedKey>& own,
                                                 const trust::RevocationList& list) {
    SF_TRY(trust::TrustedKeys believed, trusted_keys(session, {}));
    std::vector<std::string> texts{believed.keyring};
    for (const publish::PublishedKey& key : own) {
        SF_TRY(const trust::Fingerprint primary, trust::Fingerprint::parse(key.primary));
        std::erase_if(believed.entries,
                      [&](const trust::TrustEntry& entry) { return entry.fingerprint == primary; });
        believed.entries.push_back({primary, "this publisher"});
        texts.push_back(key.armored);
    }
    SF_TRY(trust::TrustedKeys all, trust::trusted_from(believed.entries, texts));
    all.withdrawn = list.withdrawn();
    return all;
}

}  // namespace sf::cli
