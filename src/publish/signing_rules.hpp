// SPDX-License-Identifier: Apache-2.0
// What a run may have signed (docs/formats/signer.md): papers that it planned, naming nothing but
// bytes that were handed over here, of packages that it planned, on top of what others have signed.
// Knows neither keys nor sockets; one object for each run, one thread.
#pragma once

#include <ctime>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/manifest.hpp"
#include "publish/bundle_look.hpp"
#include "publish/signing_plan.hpp"
#include "publish/snapshot_rules.hpp"
#include "trust/revocation_list.hpp"
#include "trust/signer_service.hpp"
#include "trust/verdict.hpp"

namespace sf::publish {

class RunRules : public trust::SigningRules {
public:
    using Clock = std::function<std::int64_t()>;
    using LookIntoBundle = std::function<base::Result<BundleSeen>(int descriptor)>;
    explicit RunRules(
        LookIntoBundle look = look_apart,
        Clock clock = [] { return std::int64_t{std::time(nullptr)}; })
        : x_look(std::move(look)), x_clock(std::move(clock)) {}

    void begin(const trust::Fingerprint& asked, std::vector<trust::SigningIdentity> who) override {
        x_builder = "openpgp4fpr:" + asked.text();
        x_who = std::move(who);
    }
    base::Status admit(trust::Evidence evidence, std::string_view text) override;
    base::Status admit_blob(const base::Digest& sha256, std::uint64_t size) override;
    base::Status check(trust::Paper paper, std::string_view text) override;
    base::Status check_bundle(int descriptor, const base::Digest& sha256,
                              std::uint64_t size) override;
    void signed_paper(trust::Paper paper, std::string_view text, std::string_view result) override;

private:
    [[nodiscard]] base::Status take_plan(std::string_view text);
    [[nodiscard]] base::Status take_package(std::string_view text);
    [[nodiscard]] base::Status take_node(std::string_view stored);
    [[nodiscard]] base::Status take_snapshot(std::string_view stored);
    [[nodiscard]] base::Status take_manifest(std::string_view stored);
    [[nodiscard]] base::Status take_provenance(std::string_view line);
    [[nodiscard]] base::Status take_revocations(std::string_view stored);
    [[nodiscard]] base::Status planned(trust::Paper paper) const;
    [[nodiscard]] base::Status holds(const base::Digest& sha256, std::uint64_t size,
                                     std::string_view what) const;
    [[nodiscard]] base::Status archives_are_here(const model::Package& package) const;
    [[nodiscard]] base::Status check_package(std::string_view text) const;
    [[nodiscard]] base::Status check_bundle_manifest(std::string_view text) const;
    [[nodiscard]] base::Status check_provenance(std::string_view text) const;
    [[nodiscard]] base::Status check_spec_manifest(std::string_view text) const;
    [[nodiscard]] base::Status check_other(const cache::BlobRecord& blob) const;
    [[nodiscard]] base::Status check_snapshot(std::string_view text) const;
    [[nodiscard]] base::Status check_revocations(std::string_view text) const;
    void learn(std::string_view text);  // that these bytes are here

    LookIntoBundle x_look;
    Clock x_clock;
    std::string x_builder;  // as statements name it
    std::vector<trust::SigningIdentity> x_who;
    std::optional<SigningPlan> x_plan;
    std::optional<trust::Verifier> x_verifier;
    KnownObjects x_known;
    std::map<base::Digest, model::Package> x_packages;         // by the digest of the manifest
    std::map<std::string, base::Digest> x_built;               // store name: that digest
    std::map<base::Digest, std::string> x_specs;               // by digest as stored: the text
    std::map<base::Digest, model::Bundle> x_bundle_manifests;  // signed here
    std::set<base::Digest> x_packed_manifests;                 // those, as a cache stores them
    std::set<base::Digest> x_signatures;                       // made here
    std::map<base::Digest, base::Digest> x_bundles;  // signed here: the archive's, its manifest's
    std::map<std::string, cache::Snapshot> x_snapshots;  // by mirror: the last that was there
    std::optional<trust::RevocationList> x_revocations;
};

}  // namespace sf::publish
