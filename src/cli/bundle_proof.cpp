// SPDX-License-Identifier: Apache-2.0
#include "cli/bundle_proof.hpp"

#include "base/text.hpp"
#include "cli/bundle_assets.hpp"
#include "cli/signing_key.hpp"
#include "proof/proof.hpp"
#include "trust/trust_store.hpp"

namespace sf::cli {

using base::Result;
using base::Status;

namespace {

// By the key that signed it and no other, whoever else is trusted here.
Result<install::VerifiedBundle> verify(Session& session, const MadeBundle& made) {
    SF_TRY(const trust::Fingerprint fingerprint, trust::Fingerprint::parse(made.signer));
    const trust::Keyring keyring = keyring_of(session);
    SF_TRY(const trust::Key key, keyring.find(fingerprint));  // it may be a subkey
    const trust::Fingerprint primary = key.primary.fingerprint;
    SF_TRY(const std::string text, keyring.export_public(primary));
    SF_TRY(const trust::TrustedKeys trusted, trust::trusted_from({{primary, ""}}, {text}));
    SF_TRY(const trust::Verifier verifier, trust::Verifier::create(trusted));
    install::BundlePolicy policy;
    policy.verifier = &verifier;
    return install::verify_bundle(made.path, policy);
}

void say(Session& session, const proof::Proof& proof, const std::filesystem::path& logs) {
    const proof::PlaceProof& first = proof.places.front();
    const proof::PlaceProof& second = proof.places.back();
    session.voice.line(
        fmt::format("verified: signature, {} files by digest; from {}, moved to '{}': {}",
                    proof.files, first.path, second.path, base::join(second.proved, "; ")));
    base::Json places = base::Json::array();
    for (const proof::PlaceProof& place : proof.places)
        places.push_back(
            {{"path", place.path}, {"proved", place.proved}, {"seconds", place.seconds}});
    session.voice.event(
        "verified",
        {{"files", proof.files}, {"places", std::move(places)}, {"logs", logs.string()}});
}

}  // namespace

Status prove_bundle(Session& session, const BundleProof& wanted, sandbox::Runner& runner) {
    session.voice.info("verify: the signature and the digests of {}",
                       wanted.made.path.filename().string());
    const auto prove = [&]() -> Status {
        SF_TRY(const install::VerifiedBundle verified, verify(session, wanted.made));
        SF_TRY(const std::filesystem::path helper, helper_path());
        const std::filesystem::path logs = session.state().logs() / wanted.run_id;
        const proof::ProofRequest request{
            verified, wanted.root, helper, session.state().work(), session.state().locks(),
            logs,     wanted.gpu};
        SF_TRY(const proof::Proof proof, proof::prove(request, runner, session.voice));
        say(session, proof, logs);
        return {};
    };
    Status status = prove();
    if (!status) {
        const std::string keep =
            wanted.made.path.string() + " is signed, but not proven: do not publish it";
        session.voice.warning("{}", keep);
    }
    return status;
}

}  // namespace sf::cli
