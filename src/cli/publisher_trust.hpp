// SPDX-License-Identifier: Apache-2.0
// Whom a publisher believes in the place it publishes to, and with which keys it signs. One thread.
#pragma once

#include <vector>

#include "cache/backend.hpp"
#include "cli/session.hpp"
#include "publish/mirror_index.hpp"
#include "trust/revocation_list.hpp"
#include "trust/signer.hpp"
#include "trust/verdict.hpp"

namespace sf::cli {

// Of all that sign together, in their order.
[[nodiscard]] base::Result<std::vector<publish::PublishedKey>> published_keys(
    Session& session, const trust::Signer& signer);

// What roots that this user trusts have taken back there; nothing where no root is trusted.
// Code::refused: one of `own`, the keys that sign, is among it.
[[nodiscard]] base::Result<trust::RevocationList> revocations_for(
    Session& session, cache::Backend& place, const std::vector<trust::Fingerprint>& own);

// The publisher's own keys, and those of others whom this user trusts, whose packages are added to;
// but none that `list` takes back.
[[nodiscard]] base::Result<trust::TrustedKeys> believed_by_publisher(
    Session& session, const std::vector<publish::PublishedKey>& own,
    const trust::RevocationList& list);

}  // namespace sf::cli
