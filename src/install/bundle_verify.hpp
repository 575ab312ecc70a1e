// SPDX-License-Identifier: Apache-2.0
// Is this bundle whole, and signed by somebody trusted? Reads it once from one descriptor, writes
// nothing, and hands back that descriptor with the manifest, so that whoever unpacks it compares
// every file with what was verified here and not with what lies under the name by then. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/fd.hpp"
#include "model/bundle_rules.hpp"
#include "model/manifest.hpp"
#include "trust/verdict.hpp"

namespace sf::install {

struct BundlePolicy {
    const trust::Verifier* verifier = nullptr;  // null: nobody is trusted here
    // A bundle without any signature passes. One with a signature must still be good, unless nobody
    // is trusted here at all. Callers warn, each time.
    bool accept_unsigned = false;
    std::optional<base::Digest> sha256;  // as known from elsewhere
    std::filesystem::path signature;     // empty: "<file>.asc"
};

struct VerifiedBundle {
    base::Fd descriptor;
    std::string file;  // its name, for messages
    base::Digest sha256;
    std::uint64_t size = 0;
    model::Bundle bundle;
    std::string manifest_text;
    std::string manifest_signature;              // armoured; empty in an unsigned bundle
    std::optional<trust::GoodSignature> signer;  // of the bundle and of its manifest
    std::vector<model::FileEntry> tree;          // everything inside, manifests/ included
    std::uint64_t unpacked_size = 0;
    std::vector<std::string> notices;  // "not signed", for people
};

[[nodiscard]] base::Result<VerifiedBundle> verify_bundle(const std::filesystem::path& file,
                                                         const BundlePolicy& policy);

using model::check_bundle;

}  // namespace sf::install
