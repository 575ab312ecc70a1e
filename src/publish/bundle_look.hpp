// SPDX-License-Identifier: Apache-2.0
// Is a bundle's tarball what the manifest in it says, file by file? For whoever is to sign it.
// Reads it once from one descriptor and writes nothing. What reads archives is large, and the
// signer has keys: so it lets a process of its own look, which has nothing but the descriptor. One
// thread.
#pragma once

#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace sf::publish {

// Of a tarball that is what its manifest says.
struct BundleSeen {
    std::string version;     // that the manifest's own name gives
    base::Digest manifest;   // of its text
    base::Digest signature;  // of what lies beside it
};

// Code::refused, or corrupt: it is no bundle, or not what its manifest says.
[[nodiscard]] base::Result<BundleSeen> look_into_bundle(int descriptor);

// The words after the program's name that make it look, and where the tarball is then.
inline constexpr std::string_view look_verb = "look-into-bundle";
inline constexpr int looked_into = 3;
// That process: tells what it saw on standard output. The exit status.
[[nodiscard]] int look_and_tell();
// Has this program look, executed anew. `descriptor` is borrowed, and read only.
[[nodiscard]] base::Result<BundleSeen> look_apart(int descriptor);

}  // namespace sf::publish
