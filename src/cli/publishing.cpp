// SPDX-License-Identifier: Apache-2.0
#include "cli/publishing.hpp"

#include <CLI/CLI.hpp>

#include <ctime>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/blob_record.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/open_backend.hpp"
#include "cache/revocations.hpp"
#include "cli/signing_key.hpp"
#include "cli/trusted_keys.hpp"
#include "model/names.hpp"
#include "pack/archive_writer.hpp"
#include "publish/mirror_push.hpp"

namespace sf::cli {

using base::Code;
using base::Result;
using base::Status;

namespace {

class MemorySink : public base::Sink {
public:
    Status write(base::Bytes bytes) override {
        bytes_written.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
    }
    std::string bytes_written;
};

// The files of ours that a bundle brings, as one archive.
Result<std::string> assets_archive(const std::vector<publish::BundleAsset>& assets) {
    MemorySink sink;
    pack::WriterOptions options;
    options.mtime = build::source_date_epoch;
    SF_TRY(auto writer, pack::ArchiveWriter::create(sink, options));
    std::vector<const publish::BundleAsset*> sorted;
    for (const publish::BundleAsset& asset : assets) sorted.push_back(&asset);
    std::ranges::sort(sorted, {}, &publish::BundleAsset::path);
    for (const publish::BundleAsset* asset : sorted)
        SF_CHECK(writer.add_memory(asset->path, asset->content, asset->executable));
    SF_CHECK(writer.finish("assets.tar.zst").map([](const model::ArchiveRecord&) {}));
    return std::move(sink.bytes_written);
}

Status push_one(Session& session, cache::Backend& place, const cache::MirrorName& name,
                publish::PushRequest request) {
    SF_TRY(request.mirror, cache::folder_of(name));
    cache::SubBackend mirror(place, request.mirror);
    SF_TRY(const publish::PushReport report, publish::push(mirror, request, session.voice));
    session.voice.line(fmt::format("{}: {} published, {} there already, {} sent, snapshot {}",
                                   mirror.place(), report.added.size(), report.there.size(),
                                   base::human_bytes(report.bytes), report.serial));
    session.voice.event("published", {{"place", mirror.place()},
                                      {"added", report.added},
                                      {"there", report.there},
                                      {"bytes", report.bytes},
                                      {"serial", report.serial},
                                      {"changed", report.changed}});
    return {};
}

// Of all that sign together.
Result<std::vector<publish::PublishedKey>> published_keys(Session& session,
                                                          const trust::Signer& signer) {
    std::vector<publish::PublishedKey> keys;
    for (const trust::Fingerprint& primary : signer.primaries()) {
        SF_TRY(std::string text, keyring_of(session).export_public(primary));
        keys.push_back({primary.text(), std::move(text)});
    }
    return keys;
}

// The publisher's own keys, and those of others whom this user trusts, whose packages are added to;
// but none that a root has taken back.
Result<trust::TrustedKeys> believed_by_publisher(Session& session, cache::Backend& place,
                                                 const std::vector<publish::PublishedKey>& keys) {
    SF_TRY(trust::TrustedKeys believed, trusted_keys(session, {}));
    std::vector<std::string> texts{believed.keyring};
    for (const publish::PublishedKey& key : keys) {
        SF_TRY(const trust::Fingerprint primary, trust::Fingerprint::parse(key.primary));
        std::erase_if(believed.entries,
                      [&](const trust::TrustEntry& entry) { return entry.fingerprint == primary; });
        believed.entries.push_back({primary, "this publisher"});
        texts.push_back(key.armored);
    }
    SF_TRY(trust::TrustedKeys all, trust::trusted_from(believed.entries, texts));
    SF_TRY(const trust::TrustedKeys roots, trusted_roots(session, {}));
    if (roots.entries.empty()) return all;
    SF_TRY(const trust::Verifier verifier, trust::Verifier::create(roots));
    cache::RevocationOptions options;
    options.roots = &verifier;
    options.memory = session.state().caches();
    options.now = std::time(nullptr);
    SF_TRY(const trust::RevocationList list,
           cache::read_revocations(place, options, session.voice));
    all.withdrawn = list.withdrawn();
    for (const auto& [fingerprint, reason] : all.withdrawn)
        for (const publish::PublishedKey& key : keys)
            if (key.primary == fingerprint.text())
                return base::fail_hint(Code::refused,
                                       fmt::format("{} is withdrawn ({}): nobody would believe "
                                                   "what it signs",
                                                   key.primary, reason),
                                       "--signing-key FINGERPRINT, of another one");
    return all;
}

// Nobody could install a Slurm without them.
Status dependencies_are_there(cache::Backend& place, const std::string& toolchain,
                              const publish::PushRequest& push) {
    SF_TRY(const std::string folder, cache::folder_of({toolchain, ""}));
    cache::SubBackend mirror(place, folder);
    for (const publish::PushPackage& each : push.closure) {
        if (&each == &push.closure.back()) continue;
        SF_TRY(const std::string key, cache::key_of(cache::BlobName{each.package->run.sha256}));
        SF_TRY(const auto there, mirror.look(key));
        if (!there)
            return base::fail_hint(Code::absent,
                                   fmt::format("{} has no {}, which Slurm needs", mirror.place(),
                                               each.package->store_name()),
                                   "publish what it needs as well: --publish all");
    }
    return {};
}

}  // namespace

void add_publish_options(CLI::App& app, PublishRequest& request) {
    app.add_option("--publish", request.what,
                   "What of it goes into a cache, proven first as by --verify: Slurm, its "
                   "dependencies, or both")
        ->capture_default_str()
        ->check(CLI::IsMember({"none", "slurm", "deps", "spack", "all"}))
        ->type_name("WHAT");
    app.add_option("--publish-to", request.to, "The cache: a folder, file:// or s3://")
        ->envname("SLURM_FACTORY_PUBLISH_TO")
        ->type_name("PLACE");
    app.add_flag("--allow-older", request.older,
                 "Publish a release that is not the newest of its series");
    app.add_flag("--publish-vulnerable", request.vulnerable,
                 "Publish a release with a known advisory, too: for a cache of your own site");
}

Status check_publish_request(const PublishRequest& request) {
    if (!request.wanted()) return {};
    if (request.to.empty())
        return base::fail_hint(Code::usage, "--publish wants a place: --publish-to PLACE",
                               "a folder, for instance /srv/slurm-cache");
    SF_TRY(const auto place, cache::open_backend(request.to));
    if (place->writable()) return {};
    return base::fail_hint(Code::usage, place->place() + " can only be read",
                           "publish to the folder that the web server serves");
}

Status publish_build(Session& session, const PublishRequest& request, const build::Plan& plan,
                     const build::BuildReport& report, const model::RootRecord& root,
                     const MadeBundle& made, const trust::Signer& signer) {
    SF_TRY(const auto place, cache::open_backend(request.to));
    const build::PackageStore store(session.state());
    SF_CHECK(base::make_dirs(session.state().work()));
    SF_TRY(const base::TempDir work, base::TempDir::create(session.state().work(), "publish-"));
    publish::PushRequest push;
    const model::NodeId slurm = *plan.dag.find("slurm");
    for (const model::NodeId id : plan.dag.runtime_closure(slurm)) {
        const model::Package& package = report.nodes.at(model::index(id)).package;
        push.closure.push_back({&package, store.folder(package.store_name())});
    }
    push.libc = root.libc;
    push.work = work.path();
    push.signer = &signer;
    SF_TRY(const std::vector<publish::PublishedKey> keys, published_keys(session, signer));
    push.primary = keys.front().primary;
    push.public_key = keys.front().armored;
    push.more_keys.assign(keys.begin() + 1, keys.end());
    SF_TRY(const trust::TrustedKeys all, believed_by_publisher(session, *place, keys));
    SF_TRY(const trust::Verifier verifier, trust::Verifier::create(all));
    push.verifier = &verifier;
    push.memory = session.state().caches();
    push.now = std::time(nullptr);

    // What Slurm is published with is there before Slurm is.
    const std::string main = push.closure.back().package->store_name();
    if (request.what != "slurm") {
        for (const publish::PushPackage& each : push.closure) {
            if (each.package->store_name() != main)
                push.items.push_back({each.package->store_name(), {}});
        }
        SF_CHECK(push_one(session, *place, {plan.toolchain, ""}, push));
    }
    if (request.what == "deps") return {};
    if (request.what == "slurm") SF_CHECK(dependencies_are_there(*place, plan.toolchain, push));
    SF_TRY(const std::string assets, assets_archive(made.assets));
    SF_TRY(const std::string signature, signer.sign_bytes(made.manifest));
    push.items = {{main,
                   {{std::string(cache::media::bundle), "none", made.manifest},
                    {std::string(cache::media::signature), "none", signature},
                    {std::string(cache::media::assets), "zstd", assets}}}};
    return push_one(session, *place, {plan.toolchain, model::series_of(plan.dag.at(slurm).version)},
                    push);
}

}  // namespace sf::cli
