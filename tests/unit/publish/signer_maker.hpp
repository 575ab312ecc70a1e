// SPDX-License-Identifier: Apache-2.0
// A signer in a process of its own, told what a small run will sign; and one who says other things
// than he should.
#pragma once

#include <algorithm>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "place_maker.hpp"
#include "publish/signing_plan.hpp"
#include "trust/signer_process.hpp"

namespace sf::publish {

// Passes everything on, but for one kind of thing, which he changes.
class Liar : public trust::Signer {
public:
    using Edit = std::function<std::string(std::string)>;
    Liar(const trust::Signer& next, trust::Paper paper, Edit edit)
        : x_next(next), x_paper(paper), x_edit(std::move(edit)) {}
    Liar(const trust::Signer& next, trust::Evidence evidence, Edit edit)
        : x_next(next), x_evidence(evidence), x_edit(std::move(edit)) {}

    [[nodiscard]] const trust::Fingerprint& fingerprint() const override {
        return x_next.fingerprint();
    }
    [[nodiscard]] std::vector<trust::Fingerprint> primaries() const override {
        return x_next.primaries();
    }
    [[nodiscard]] base::Result<std::string> sign(trust::Paper paper,
                                                 std::string_view text) const override {
        return x_next.sign(paper, x_paper == paper ? x_edit(std::string(text)) : std::string(text));
    }
    [[nodiscard]] base::Result<std::string> sign_bundle(int descriptor) const override {
        return x_next.sign_bundle(descriptor);
    }
    // An empty text is not passed on at all.
    [[nodiscard]] base::Status admit(trust::Evidence evidence,
                                     std::string_view text) const override {
        if (x_evidence != evidence) return x_next.admit(evidence, text);
        const std::string other = x_edit(std::string(text));
        return other.empty() ? base::Status() : x_next.admit(evidence, other);
    }
    [[nodiscard]] base::Status admit_file(int descriptor) const override {
        return x_next.admit_file(descriptor);
    }

private:
    const trust::Signer& x_next;
    std::optional<trust::Paper> x_paper;
    std::optional<trust::Evidence> x_evidence;
    Edit x_edit;
};

class SignerApart : public PlaceMaker {
protected:
    [[nodiscard]] std::unique_ptr<trust::SignerProcess> start() const {
        trust::SignerStart start;
        start.home = x_gpg.home();
        start.keys = {{x_key->text(), trust::Passphrase::From::nothing, {}}};
        auto signer = trust::SignerProcess::start(start);
        EXPECT_TRUE(signer) << signer.error().text();
        return std::move(*signer);
    }
    // What PlaceMaker builds and publishes.
    [[nodiscard]] SigningPlan plan_of(const std::vector<test::BuiltPackage>& built) const {
        SigningPlan plan;
        plan.papers = {trust::Paper::package,       trust::Paper::bundle_manifest,
                       trust::Paper::bundle,        trust::Paper::provenance,
                       trust::Paper::spec_manifest, trust::Paper::snapshot};
        for (const auto& each : built)
            plan.packages.push_back({each.package.store_name(), each.package.identity, {}});
        std::ranges::sort(plan.packages, {}, &PlannedPackage::store_name);
        plan.mirrors = {"bookworm/slurm/deps", "bookworm/slurm/25.11"};
        plan.believed = trust::trusted_from({{*x_key, "release"}}, {x_public}).value();
        return plan;
    }
    static base::Status say(const trust::Signer& signer, const SigningPlan& plan) {
        return signer.admit(trust::Evidence::plan, to_json(plan).value());
    }
    static base::Status hand_over(const trust::Signer& signer, const test::BuiltPackage& built) {
        SF_TRY(const base::Fd run, base::open_file(built.folder / "run.tar.zst", O_RDONLY));
        SF_CHECK(signer.admit_file(run.get()));
        return signer.admit(trust::Evidence::package, model::to_json(built.package).value());
    }
    // As PlaceMaker will build them: the same bytes each time.
    [[nodiscard]] std::vector<test::BuiltPackage> packages(const std::string& version,
                                                           const std::string& folder = "one") {
        auto built = test::make_slurm(at(folder) / "packages", version);
        for (auto& each : built)
            each.package.host_requirements = {{"libc.so.6", {"GLIBC_2.34"}},
                                              {"libstdc++.so.6", {}}};
        return built;
    }
    // A run that has begun: planned, and its packages handed over.
    [[nodiscard]] std::unique_ptr<trust::SignerProcess> begun(const std::string& version,
                                                              const std::string& folder = "one") {
        auto signer = start();
        const auto built = packages(version, folder);
        EXPECT_TRUE(say(*signer, plan_of(built)));
        for (const auto& each : built) {
            const base::Status handed = hand_over(*signer, each);
            EXPECT_TRUE(handed) << handed.error().text();
        }
        return signer;
    }
};

}  // namespace sf::publish
