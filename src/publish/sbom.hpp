// SPDX-License-Identifier: Apache-2.0
// The software bill of materials of a bundle: an SPDX 2.3 document in JSON, of its packages, what
// each was made from and what each needs of its host (docs/formats/bundle.md). The same bundle
// gives the same bytes. Pure, any thread.
#pragma once

#include <string>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "model/manifest.hpp"
#include "publish/origin.hpp"

namespace sf::publish {

// What the papers of a bundle are about.
struct BundleFacts {
    const model::Bundle* bundle = nullptr;  // borrowed
    const Origins* origins = nullptr;       // borrowed; what it does not know is left open
    std::string file;                       // the bundle's name
    base::Digest archive;                   // its digest
    base::Digest manifest;                  // of the manifest inside
};

[[nodiscard]] base::Result<std::string> sbom(const BundleFacts& facts);

}  // namespace sf::publish
