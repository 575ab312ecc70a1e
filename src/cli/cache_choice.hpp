// SPDX-License-Identifier: Apache-2.0
// Which cache a command uses, and whom it believes there: a place, or one of the caches that the
// site or this user has given a name (cache/named_caches.hpp), with that cache's keys, its root and
// its patience. One thread.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/backend.hpp"
#include "cache/named_caches.hpp"
#include "cli/session.hpp"
#include "cli/trusted_keys.hpp"
#include "trust/revocation_list.hpp"

namespace sf::cli {

struct ChosenCache {
    std::string place;
    std::optional<cache::NamedCache> named;  // with its keys; none: whoever is trusted here
    std::filesystem::path list{};            // the file that names it

    // "site (https://…)": for people.
    [[nodiscard]] std::string text() const;
};

// The user's list beside the user's list of trusted keys.
[[nodiscard]] std::filesystem::path user_caches_file(const Session& session);

// --offline: Code::refused for a place on the network. Before anything is opened: an address is not
// even looked up.
[[nodiscard]] base::Status check_offline(const std::string& place);

// `wanted`: a name or a place; empty: all that are listed, the site's first. A place that is listed
// is taken as listed. Code::usage: there is nothing to choose from, or a name that nobody has
// given.
[[nodiscard]] base::Result<std::vector<ChosenCache>> choose_caches(Session& session,
                                                                   const std::string& wanted);

// One: for verbs that are given it. `wanted` is not empty.
[[nodiscard]] base::Result<ChosenCache> choose_cache(Session& session, const std::string& wanted);
// From here on whoever reads a snapshot of it is held to what its list says (cache::hold_to).
[[nodiscard]] base::Result<std::unique_ptr<cache::Backend>> open_place(Session& session,
                                                                       const std::string& wanted);

// A cache that a verb keeps: by its name, or its place; and whose keys count there. Lists of
// revocations are not asked: a publisher whose key was taken back has to be able to mend it.
struct KeptCache {
    ChosenCache chosen;
    std::unique_ptr<cache::Backend> place;
    trust::TrustedKeys trusted;
    std::optional<trust::Verifier> verifier;
    trust::RevocationList revocations;
    std::int64_t max_age = 0;  // seconds
};

[[nodiscard]] base::Result<KeptCache> open_kept(Session& session, const std::string& wanted,
                                                const TrustChoice& trust);

// What is said besides where nobody, or nobody who can be believed, is trusted.
using Advice = std::function<base::Error(base::Error)>;

// What is believed of one cache; with `accept_unsigned` that may be nobody: its list of revocations
// was read, and counts.
struct CacheTrust {
    std::unique_ptr<cache::Backend> place;
    trust::TrustedKeys trusted;  // whom the verifier believes
    trust::TrustedKeys roots;
    std::optional<trust::Verifier> verifier;
    trust::RevocationList revocations;
    std::int64_t max_age = 0;  // seconds
};

[[nodiscard]] base::Result<CacheTrust> open_cache(Session& session, const ChosenCache& chosen,
                                                  const TrustChoice& trust, bool accept_expired,
                                                  bool accept_unsigned = false,
                                                  const Advice& nobody = {});

// A cache that unsigned packages may come from is no origin: what it holds is not copied, signed
// afresh or passed on, signed or not.
[[nodiscard]] base::Status check_origin(const ChosenCache& chosen);
// As open_kept(), of one that is an origin.
[[nodiscard]] base::Result<KeptCache> open_origin(Session& session, const std::string& wanted,
                                                  const TrustChoice& trust);

}  // namespace sf::cli
