// SPDX-License-Identifier: Apache-2.0
// What a place shows to people: index.html, and the public keys below keys/. The page is made from
// the names that the place holds, so that whoever publishes makes the same one; it is signed by
// nobody, and says so. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cache/backend.hpp"
#include "cache/layout.hpp"

namespace sf::publish {

struct ShownBundle {
    cache::BundleName name;
    std::uint64_t size = 0;
};

struct PlaceContents {
    std::vector<cache::MirrorName> mirrors;
    std::vector<ShownBundle> bundles;
    std::vector<cache::BundleAliasName> aliases;
    std::vector<std::string> keys;  // fingerprints
};

// Static HTML: no script, nothing from elsewhere. Pure.
[[nodiscard]] base::Result<std::string> front_page(const PlaceContents& contents);

struct FrontPageRequest {
    std::string public_key;  // of the signer's primary key, armoured
    std::string primary;     // its fingerprint
    // Mirrors that may be there: a place cannot be asked for its folders.
    std::vector<cache::MirrorName> mirrors;
    std::function<base::Status(std::string_view step)> on_step;  // before each; an error stops
};

// Bytes sent: 0 if all is there as it should be.
[[nodiscard]] base::Result<std::uint64_t> put_front_page(cache::Backend& place,
                                                         const FrontPageRequest& request);

}  // namespace sf::publish
