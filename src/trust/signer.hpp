// SPDX-License-Identifier: Apache-2.0
// Whoever signs, as those see it who want something signed: they hand over what papers may name,
// then the papers. A program that builds has the signer in a process of its own
// (signer_process.hpp), which looks at both (docs/formats/signer.md); tests may take the keys
// themselves (gpg_signer.hpp). An interface; implementations say what threads may do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "trust/fingerprint.hpp"

namespace sf::trust {

// What is signed, each in one way.
enum class Paper {
    package,          // a package's manifest, detached
    bundle_manifest,  // detached
    bundle,           // the tarball, detached
    provenance,       // what a DSSE envelope is signed over, detached
    spec_manifest,    // of a package in a cache, clearsigned
    snapshot,         // clearsigned
    revocations,      // clearsigned
};

// What papers rest on.
enum class Evidence {
    plan,         // before anything is built: what this run will sign (publish/signing_plan.hpp)
    blob,         // bytes that papers may name
    package,      // a package's manifest; its archives were handed over before
    spec,         // Spack's spec of one, as it is stored
    manifest,     // the signed manifest of one in a cache, as it lies there
    node,         // of a cache's index
    snapshot,     // the signed one that lies there
    provenance,   // the signed one beside a bundle
    revocations,  // the signed list before the one to be signed
};

class Signer {
public:
    Signer() = default;
    Signer(const Signer&) = delete;
    Signer& operator=(const Signer&) = delete;
    Signer(Signer&&) = default;
    Signer& operator=(Signer&&) = default;
    virtual ~Signer() = default;

    // The key that was asked for first: a primary one, or a subkey.
    [[nodiscard]] virtual const Fingerprint& fingerprint() const = 0;
    // Of all that sign, the first one first; each once.
    [[nodiscard]] virtual std::vector<Fingerprint> primaries() const = 0;

    // An armoured detached signature, or the text with its signature around it, as the paper is
    // signed. Not for bundles.
    [[nodiscard]] virtual base::Result<std::string> sign(Paper paper,
                                                         std::string_view text) const = 0;
    // The armoured signature of a bundle's tarball, of a regular file.
    [[nodiscard]] virtual base::Result<std::string> sign_bundle(int descriptor) const = 0;

    // Code::refused: not of a kind, or not of this run.
    [[nodiscard]] virtual base::Status admit(Evidence evidence, std::string_view text) const = 0;
    // Evidence::blob: the whole of a regular file.
    [[nodiscard]] virtual base::Status admit_file(int descriptor) const = 0;
};

// Are its signatures around the text, or apart?
[[nodiscard]] constexpr bool is_clearsigned(Paper paper) {
    return paper == Paper::spec_manifest || paper == Paper::snapshot || paper == Paper::revocations;
}

}  // namespace sf::trust
