// SPDX-License-Identifier: Apache-2.0
// Publishing what this machine has published there already: what was asked for and what it comes to
// is remembered with the mirrors as they were left (publish/receipt.hpp), so that the same again is
// neither proven nor sent again. One thread.
#pragma once

#include <vector>

#include "cache/backend.hpp"
#include "cli/publishing.hpp"
#include "publish/mirror_push.hpp"
#include "publish/receipt.hpp"

namespace sf::cli {

// True: all of it is there, and that was said. Code::refused: a key that signs is withdrawn there,
// or what is there is not to be believed.
[[nodiscard]] base::Result<bool> is_published(Session& session, const PublishRequest& request,
                                              const Published& what, const trust::Signer& signer);

// After all of it was published to `place`, mirror by mirror; `keys`: of all that sign.
[[nodiscard]] base::Status remember_published(Session& session, cache::Backend& place,
                                              const PublishRequest& request, const Published& what,
                                              const std::vector<publish::PublishedKey>& keys,
                                              const std::vector<publish::PushReport>& pushes);

}  // namespace sf::cli
