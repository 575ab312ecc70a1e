// SPDX-License-Identifier: Apache-2.0
#include "cli/build_signing.hpp"

#include <algorithm>
#include <fcntl.h>

#include "base/files.hpp"
#include "cli/bundle_assets.hpp"
#include "cli/signing_key.hpp"
#include "cli/taken_trust.hpp"

namespace sf::cli {

using base::Result;
using base::Status;
using trust::Paper;

Status hand_over_package(const trust::Signer& signer, const build::PackageStore& store,
                         const model::Package& package) {
    const std::filesystem::path folder = store.folder(package.store_name());
    const auto archive = [&](const model::ArchiveRecord& record) -> Status {
        SF_TRY(const base::Fd file, base::open_file(folder / record.file, O_RDONLY | O_NOFOLLOW));
        return signer.admit_file(file.get());
    };
    SF_CHECK(archive(package.run));
    if (package.dev) SF_CHECK(archive(*package.dev));
    if (package.dbg) SF_CHECK(archive(*package.dbg));
    SF_TRY(const std::string text, model::to_json(package));
    return signer.admit(trust::Evidence::package, text);
}

Result<publish::SigningPlan> signing_plan_of(Session& session, const SignedBuild& build) {
    publish::SigningPlan plan;
    const build::PackageStore store = store_of(session);
    for (const model::NodeId id : build.plan.dag.nodes()) {
        const model::Spec& spec = build.plan.dag.at(id);
        publish::PlannedPackage package{spec.store_name(), spec.identity, {}};
        SF_TRY(const std::string reason, build::reason_to_build(store, spec, build.rebuild));
        if (reason.empty()) {
            SF_TRY(const auto there, store.find(package.store_name));
            if (there) {
                SF_TRY(const std::string text, model::to_json(*there));
                package.manifest = base::sha256(text);
            }
        }
        plan.packages.push_back(std::move(package));
    }
    std::ranges::sort(plan.packages, {}, &publish::PlannedPackage::store_name);
    if (build.shared) plan.papers.insert(Paper::package);
    const auto slurm = build.plan.dag.find("slurm");
    if (!slurm) return plan;
    plan.papers.insert({Paper::bundle_manifest, Paper::bundle, Paper::provenance});
    const std::string& version = build.plan.dag.at(*slurm).version;
    SF_TRY(const std::vector<publish::BundleAsset> assets,
           bundle_assets(session, version, build.toolchain,
                         build.wishes.hierarchy ? build.root.compiler : ""));
    for (const publish::BundleAsset& asset : assets) plan.ours.insert(base::sha256(asset.content));
    if (!build.publish.wanted()) return plan;
    plan.papers.insert({Paper::spec_manifest, Paper::snapshot});
    SF_TRY(const std::string archive, assets_archive(assets));
    plan.ours.insert(base::sha256(archive));
    SF_TRY(plan.mirrors, mirrors_of(build.publish, build.plan.toolchain, version));
    SF_TRY(plan.believed, trust::load_trusted({trust_folder(session), trust::system_trust_folder}));
    return plan;
}

void HandingOver::package_reused(const model::Package& package) {
    x_next.package_reused(package);
    hand_over(package);
}

void HandingOver::package_built(const model::Package& package,
                                const std::map<std::string, build::StepTime>& steps) {
    hand_over(package);
    x_next.package_built(package, steps);
}

void HandingOver::hand_over(const model::Package& package) {
    if (x_signer == nullptr) return;
    const Status status = base::during(hand_over_package(*x_signer, x_store, package),
                                       "handing " + package.store_name() + " to the signer");
    const std::scoped_lock lock(x_mutex);
    if (!status && x_status) x_status = status;
}

Status HandingOver::status() {
    const std::scoped_lock lock(x_mutex);
    return x_status;
}

}  // namespace sf::cli
