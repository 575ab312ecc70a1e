// SPDX-License-Identifier: Apache-2.0
#include "cli/local_cache.hpp"

#include <ctime>
#include <optional>
#include <vector>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/package_folder.hpp"
#include "cli/publishing.hpp"
#include "cli/signing_key.hpp"
#include "cli/taken_trust.hpp"
#include "trust/trust_store.hpp"

namespace sf::cli {

using base::Code;
using base::Result;
using base::Status;
namespace fs = std::filesystem;

namespace {

// Whether it was taken into the store.
Result<bool> take_one(Session& session, const model::Spec& spec, const cache::PackageFolder& folder,
                      const trust::Verifier& verifier) {
    const std::string name = spec.store_name();
    const build::PackageStore store = store_of(session);
    SF_TRY(const base::FileLock lock, store.lock(name, [&] {
        session.voice.info("{}: another slurm-factory works on it; waiting", name);
    }));
    SF_TRY(const auto mine, store.find(name));
    if (mine) return false;  // built meanwhile by another process
    SF_CHECK(base::make_dirs(session.state().work()));
    SF_TRY(const base::TempDir room, base::TempDir::create(session.state().work(), ".cached-"));
    const Result<std::optional<cache::CachedPackage>> cached =
        folder.take(spec, verifier, room.path());
    // A full disk and a stop are this machine's affair; all else speaks against the cache.
    if (!cached && (cached.error().code == Code::exhausted || base::stop_requested()))
        return tl::unexpected(cached.error());
    if (!cached) {
        session.voice.warning(
            "{}: not taken from the local cache, so it is built: {} (to have it put there anew, "
            "delete {})",
            name, cached.error().text(),
            base::escape_untrusted(folder.package_folder(name).native()));
        return false;
    }
    if (!*cached) return false;
    build::Taken taken;
    taken.place = folder.folder().native();
    taken.signer = (*cached)->signer.primary.text();
    taken.key = (*cached)->signer.key.text();
    taken.time = std::time(nullptr);
    SF_CHECK(store.commit((*cached)->package, (*cached)->tree, (*cached)->archives, taken));
    session.voice.event("package_taken",
                        {{"package", name}, {"signer", (*cached)->signer.primary.text()}});
    return true;
}

}  // namespace

Status open_local_cache(Session& session, const build::Plan& plan, const fs::path& folder,
                        bool take) {
    const cache::PackageFolder cache(folder);
    SF_CHECK(base::during(cache.prepare(), "opening the local cache"));
    if (!take) return {};
    const build::PackageStore store = store_of(session);
    std::vector<model::NodeId> wanted;
    for (const model::NodeId id : plan.dag.nodes()) {
        const std::string name = plan.dag.at(id).store_name();
        SF_TRY(const auto mine, store.find(name));
        if (mine || !base::exists(cache.package_folder(name))) continue;
        // This machine may have put it there itself.
        SF_TRY(const bool doubtful, is_doubtful_build(store, name));
        if (!doubtful) wanted.push_back(id);
    }
    if (wanted.empty()) return {};

    SF_TRY(const trust::TrustedKeys trusted,
           trust::load_trusted({trust_folder(session), trust::system_trust_folder}));
    for (const std::string& warning : trusted.warnings) session.voice.warning("{}", warning);
    Result<trust::Verifier> verifier = trust::Verifier::create(trusted);
    if (!verifier) {
        session.voice.warning("the local cache {} is not used: {}",
                              base::escape_untrusted(folder.native()), verifier.error().text());
        return {};
    }
    std::size_t taken = 0;
    for (const model::NodeId id : wanted) {
        if (base::stop_requested()) return base::fail(Code::interrupted, "stopped");
        SF_TRY(const bool took, take_one(session, plan.dag.at(id), cache, *verifier));
        if (took) ++taken;
    }
    session.voice.info("local cache: {} packages taken, each signature and digest checked", taken);
    return {};
}

Status put_into_local_cache(Session& session, const build::BuildReport& report,
                            const fs::path& folder, const trust::Signer& signer) {
    const cache::PackageFolder cache(folder);
    const build::PackageStore store = store_of(session);
    std::size_t added = 0;
    std::size_t passed_over = 0;
    for (const build::NodeOutcome& node : report.nodes) {
        if (base::stop_requested()) return base::fail(Code::interrupted, "stopped");
        if (node.state == build::NodeState::unneeded) continue;
        const std::string name = node.package.store_name();
        // Who signs it here vouches for it; who has not built it does not. It is where it came
        // from.
        if (node.taken && !is_own(signer, node.taken->signer)) {
            if (!base::exists(cache.package_folder(name))) ++passed_over;
            continue;
        }
        SF_TRY(const cache::PackagePut outcome,
               base::during(cache.put(node.package, store.folder(name), signer),
                            "putting " + name + " into the local cache"));
        if (outcome == cache::PackagePut::added) ++added;
        if (outcome == cache::PackagePut::different) {
            session.voice.warning(
                "{}: the local cache holds other bytes for the same inputs; left as they are. If "
                "they are not to be trusted, delete {}, and the next build puts its own there",
                name, base::escape_untrusted(cache.package_folder(name).native()));
        }
    }
    session.voice.info("local cache: {} packages added to {}", added,
                       base::escape_untrusted(folder.native()));
    if (passed_over > 0)
        session.voice.info(
            "local cache: {} packages that were taken from a cache, not built here, are not put "
            "there",
            passed_over);
    session.voice.event("local_cache", {{"folder", folder.native()}, {"added", added}});
    return {};
}

}  // namespace sf::cli
