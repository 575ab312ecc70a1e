// SPDX-License-Identifier: Apache-2.0
// The public keys of signers, taken from the keys that are trusted here and never from a cache: for
// the list that Spack's users fetch keys by. One thread.
#pragma once

#include <filesystem>

#include "publish/mirror_index.hpp"
#include "trust/trust_store.hpp"

namespace sf::cli {

// `work`: a private folder, there as long as the function is called; both are borrowed.
[[nodiscard]] publish::MirrorIndex::KeysOf keys_from(const trust::TrustedKeys& trusted,
                                                     const std::filesystem::path& work);

}  // namespace sf::cli
