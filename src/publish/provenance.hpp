// SPDX-License-Identifier: Apache-2.0
// How a bundle was made: an in-toto statement with SLSA's provenance, in a signed envelope
// (docs/formats/bundle.md, ADR 0014). The statement holds no time and no machine, so that one
// bundle has one statement; the signature is OpenPGP's, of the release key. Pure but for the
// signature; one thread.
#pragma once

#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "publish/sbom.hpp"
#include "trust/signer.hpp"
#include "trust/verdict.hpp"

namespace sf::publish {

// `builder`: who signs. Canonical JSON, no line feed.
[[nodiscard]] base::Result<std::string> statement(const BundleFacts& facts,
                                                  const base::Digest& sbom,
                                                  const trust::Fingerprint& builder);

// One line: the statement in an envelope (DSSE), signed.
[[nodiscard]] base::Result<std::string> envelope(std::string_view statement,
                                                 const trust::Signer& signer);

// What a signed statement says of a bundle.
struct Attested {
    std::string file;
    base::Digest archive;
    base::Digest manifest;
    base::Digest sbom;
    std::string builder;  // "openpgp4fpr:<FINGERPRINT>"
};

// What an envelope is signed over, if it is a statement of ours; for whoever is to sign it.
[[nodiscard]] base::Result<Attested> read_signed_bytes(std::string_view bytes);

// Of one envelope with one signature by somebody who is trusted; anything else is an error. `file`
// is for messages.
[[nodiscard]] base::Result<Attested> read_provenance(std::string_view text,
                                                     const trust::Verifier& verifier,
                                                     std::string_view file);

}  // namespace sf::publish
