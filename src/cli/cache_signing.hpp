// SPDX-License-Identifier: Apache-2.0
// Who keeps a cache that was published to signs its snapshots: with a key of this machine that
// counts there, and only what is whole. One thread.
#pragma once

#include <memory>

#include "cli/cache_choice.hpp"
#include "cli/signing_key.hpp"
#include "publish/mirror_index.hpp"

namespace sf::cli {

// `authority` borrows the signer and the verifier of the cache; the mirror is the caller's to say.
struct CacheSigner {
    std::unique_ptr<trust::SignerProcess> signer;
    publish::IndexAuthority authority;
};

// Starts the signer, and says what will be signed: snapshots of the plan's mirrors. Code::absent:
// there is no key here. Code::refused: it does not count there.
[[nodiscard]] base::Result<CacheSigner> sign_cache(Session& session, const KeptCache& kept,
                                                   const SigningRequest& request,
                                                   publish::SigningPlan plan);

// Code::refused: it has a defect, or is a copy of a part; broken things are not made to look good
// for another month. `dependencies`: of the mirror of a series.
[[nodiscard]] base::Status check_whole(cache::Backend& mirror, cache::Backend* dependencies,
                                       const trust::Verifier& verifier,
                                       const publish::IndexAuthority& authority);

}  // namespace sf::cli
