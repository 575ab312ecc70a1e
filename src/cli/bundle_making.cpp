// SPDX-License-Identifier: Apache-2.0
#include "cli/bundle_making.hpp"

#include <CLI/CLI.hpp>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/bundle_assets.hpp"
#include "cli/origins.hpp"
#include "cli/taken_trust.hpp"
#include "model/bundle_layout.hpp"
#include "model/features.hpp"
#include "model/names.hpp"
#include "publish/bundle.hpp"

namespace sf::cli {

using base::Result;
using base::Status;
namespace fs = std::filesystem;

namespace {

publish::BundleRequest request_of(const build::Plan& plan, const build::BuildReport& report,
                                  const build::PackageStore& store) {
    publish::BundleRequest request;
    const model::NodeId slurm = *plan.dag.find("slurm");
    request.version = plan.dag.at(slurm).version;
    request.toolchain = plan.toolchain;
    request.target = plan.target;
    request.builder = std::string("slurm-factory ") + program_version();
    request.mtime = build::source_date_epoch;
    for (const model::NodeId id : plan.dag.runtime_closure(slurm)) {
        const model::Package& package = report.nodes.at(model::index(id)).package;
        request.packages.push_back({package, store.folder(package.store_name())});
    }
    return request;
}

// Beside the bundle: what it was made from and who signed it, so that a second build-slurm need not
// compress and sign the same again. A hint only: whatever does not fit makes the bundle anew.
class Receipt {
public:
    Receipt(const publish::BundleRequest& request, const fs::path& builds, std::string manifest,
            std::string signer)
        : x_manifest(std::move(manifest)), x_signer(std::move(signer)) {
        // The papers say what was not built here.
        for (const auto& [name, origin] : request.origins.packages)
            if (origin.taken) x_taken[name] = origin.taken->signer + ' ' + origin.taken->repository;
        const std::string series = model::series_of(request.version);
        const fs::path folder = builds / request.toolchain / series;
        x_bundle =
            folder / model::bundle_file(request.version, request.toolchain, request.architecture);
        x_alias = builds / model::bundle_alias(series, request.toolchain);
        x_file = x_bundle.native() + ".receipt";
    }

    [[nodiscard]] Result<bool> holds() const {
        SF_TRY(const auto text, base::read_file_if_exists(x_file));
        if (!text) return false;
        const Result<base::Json> json = base::parse_json(*text);
        std::error_code error;
        const auto size = fs::file_size(x_bundle, error);
        return json && !error && *json == receipt(size) && base::exists(x_alias) &&
               base::exists(x_bundle.native() + ".asc") &&
               base::exists(x_bundle.native() + ".sha256") &&
               base::exists(x_bundle.native() + ".spdx.json") &&
               base::exists(x_bundle.native() + ".intoto.jsonl");
    }
    [[nodiscard]] Status write() const {
        std::error_code error;
        const auto size = fs::file_size(x_bundle, error);
        if (error) return base::fail_errno(error.value(), "read " + x_bundle.string());
        return base::write_file(x_file, receipt(size).dump());
    }
    [[nodiscard]] const fs::path& bundle() const { return x_bundle; }
    [[nodiscard]] const fs::path& alias() const { return x_alias; }

private:
    [[nodiscard]] base::Json receipt(std::uintmax_t size) const {
        base::Json json{{"manifest_sha256", base::sha256(x_manifest).hex()},
                        {"signer", x_signer},
                        {"size", size}};
        if (!x_taken.empty()) json["taken"] = x_taken;
        return json;
    }
    fs::path x_bundle, x_alias, x_file;
    std::string x_manifest, x_signer;
    std::map<std::string, std::string> x_taken;
};

}  // namespace

void add_bundle_wishes(CLI::App& app, BundleWishes& wishes) {
    app.add_flag("--gpu", wishes.gpu,
                 "Require Slurm's GPU plugins: without them no bundle is signed");
    app.add_flag("--enable-hierarchy", wishes.hierarchy,
                 "Add module files as a hierarchy: gcc first, then what is for it");
}

Result<MadeBundle> make_signed_bundle(Session& session, const build::Plan& plan,
                                      const build::BuildReport& report,
                                      const model::Toolchain& toolchain,
                                      const model::RootRecord& root, const trust::Signer& signer,
                                      const BundleWishes& wishes) {
    const build::PackageStore store = store_of(session);
    publish::BundleRequest request = request_of(plan, report, store);
    if (wishes.gpu) request.features.emplace_back(model::gpu_feature);
    SF_TRY(request.assets, bundle_assets(session, request.version, toolchain,
                                         wishes.hierarchy ? root.compiler : ""));
    SF_TRY(request.origins, origins_of(session, plan, root));
    SF_TRY(const model::Bundle bundle, publish::plan_bundle(request));
    SF_TRY(const std::string manifest, model::to_json(bundle));
    const Receipt receipt(request, session.state().builds(), manifest, signer.fingerprint().text());
    SF_TRY(const bool there, receipt.holds());
    if (!there) {
        session.voice.info("bundle: {} packages", request.packages.size());
        SF_TRY([[maybe_unused]] const publish::BundleFiles files,
               publish::write_bundle(request, session.state().builds(), &signer));
        SF_CHECK(receipt.write());
    }
    return MadeBundle{
        receipt.bundle(), receipt.alias(),           signer.fingerprint().text(), !there,
        manifest,         std::move(request.assets), std::move(request.origins)};
}

void say_bundle(Session& session, const MadeBundle& made) {
    std::error_code error;
    const auto size = fs::file_size(made.path, error);
    session.voice.line(fmt::format("{}  {}, {}", made.path.string(),
                                   base::human_bytes(error ? 0 : size),
                                   made.written ? "written" : "up to date"));
    session.voice.line(fmt::format("{}  (the same)", made.alias.string()));
    session.voice.line("signed by " + made.signer);
    session.voice.event("bundle", {{"path", made.path.string()},
                                   {"alias", made.alias.string()},
                                   {"size", error ? 0 : size},
                                   {"signer", made.signer},
                                   {"written", made.written}});
    session.voice.line(
        fmt::format("next: slurm-factory bundle verify {0}\n"
                    "      slurm-factory bundle install {0} --prefix DIR\n"
                    "   or tar -xzf {0} -C DIR && DIR/{1}/{2} --full-init",
                    base::shell_quote(made.alias.string()), model::bundle_assets_folder,
                    model::installer_name));
}

}  // namespace sf::cli
