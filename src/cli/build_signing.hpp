// SPDX-License-Identifier: Apache-2.0
// What the signer is told by a build: before it, what it will sign; during it, each package as soon
// as it is there, so that what runs later cannot change it any more. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "build/engine.hpp"
#include "build/observer.hpp"
#include "cli/bundle_making.hpp"
#include "cli/publishing.hpp"
#include "cli/session.hpp"
#include "model/toolchain.hpp"
#include "publish/signing_plan.hpp"
#include "trust/signer.hpp"

namespace sf::cli {

// Borrowed.
struct SignedBuild {
    const build::Plan& plan;
    const model::Toolchain& toolchain;
    const model::RootRecord& root;
    const BundleWishes& wishes;
    const PublishRequest& publish;
    bool rebuild = false;  // whatever is in the store
    bool shared = false;   // its packages go to a local cache
};

[[nodiscard]] base::Result<publish::SigningPlan> signing_plan_of(Session& session,
                                                                 const SignedBuild& build);

// One package, as the store has it.
[[nodiscard]] base::Status hand_over_package(const trust::Signer& signer,
                                             const build::PackageStore& store,
                                             const model::Package& package);

// Hands each package over, and passes on what it is told.
class HandingOver : public build::BuildObserver {
public:
    // All are borrowed; `signer` null: nobody signs.
    HandingOver(build::BuildObserver& next, const build::PackageStore& store,
                const trust::Signer* signer)
        : x_next(next), x_store(store), x_signer(signer) {}

    // The first thing that the signer refused.
    [[nodiscard]] base::Status status();

    void package_reused(const model::Package& package) override;
    void package_built(const model::Package& package,
                       const std::map<std::string, build::StepTime>& steps) override;
    void package_started(const std::string& store_name, const std::string& reason) override {
        x_next.package_started(store_name, reason);
    }
    void step_started(const std::string& store_name, const std::string& step) override {
        x_next.step_started(store_name, step);
    }
    void package_failed(const std::string& store_name, const base::Error& error) override {
        x_next.package_failed(store_name, error);
    }
    void package_skipped(const std::string& store_name) override {
        x_next.package_skipped(store_name);
    }
    void waiting_for_lock(const std::string& store_name) override {
        x_next.waiting_for_lock(store_name);
    }

private:
    void hand_over(const model::Package& package);

    build::BuildObserver& x_next;
    const build::PackageStore& x_store;
    const trust::Signer* x_signer;
    std::mutex x_mutex;
    base::Status x_status;
};

}  // namespace sf::cli
