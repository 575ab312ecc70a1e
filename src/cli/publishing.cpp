// SPDX-License-Identifier: Apache-2.0
#include "cli/publishing.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/files.hpp"
#include "base/text.hpp"
#include "build/needs.hpp"
#include "cache/blob_record.hpp"
#include "cache/gzip_text.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cli/cache_choice.hpp"
#include "cli/cache_place.hpp"
#include "cli/publication_memory.hpp"
#include "cli/publisher_trust.hpp"
#include "cli/taken_trust.hpp"
#include "install/package_offer.hpp"
#include "model/names.hpp"
#include "pack/archive_writer.hpp"
#include "publish/bundle_push.hpp"
#include "publish/front_page.hpp"
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

Result<publish::PushReport> push_one(Session& session, cache::Backend& place,
                                     const cache::MirrorName& name, publish::PushRequest request) {
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
    return report;
}

// Nobody could install a Slurm without them.
Status dependencies_are_there(cache::Backend& place, const Published& what) {
    SF_TRY(const std::string folder, cache::folder_of({what.plan.toolchain, ""}));
    cache::SubBackend mirror(place, folder);
    const model::NodeId slurm = *what.plan.dag.find("slurm");
    for (const model::NodeId id : what.plan.dag.runtime_closure(slurm)) {
        if (id == slurm) continue;
        const model::Package& package = what.report.nodes.at(model::index(id)).package;
        SF_TRY(const std::string key, cache::key_of(cache::BlobName{package.run.sha256}));
        SF_TRY(const auto there, mirror.look(key));
        if (!there)
            return base::fail_hint(Code::absent,
                                   fmt::format("{} has no {}, which Slurm needs", mirror.place(),
                                               package.store_name()),
                                   "publish what it needs as well: --publish all");
    }
    return {};
}

class Publication {
public:
    Publication(Session& session, const PublishRequest& request, const Published& what,
                const trust::Signer& signer)
        : x_session(session), x_request(request), x_what(what), x_signer(signer) {}

    Status run() {
        SF_CHECK(prepare());
        SF_CHECK(taken_are_there());
        const bool with_bundle = x_request.what == "slurm" || x_request.what == "all";
        publish::BundlePush bundle(*x_place, x_papers);
        if (with_bundle) SF_CHECK(bundle.look());
        // What Slurm is published with is there before Slurm is.
        if (x_request.what == "slurm")
            SF_CHECK(dependencies_are_there(*x_place, x_what));
        else
            SF_CHECK(push_dependencies());
        if (x_request.what != "deps") SF_CHECK(push_slurm(with_bundle ? &bundle : nullptr));
        SF_CHECK(show());
        const Status kept =
            remember_published(x_session, *x_place, x_request, x_what, x_keys, x_pushes);
        if (!kept)  // the next one does more than it has to
            x_session.voice.warning("{}", kept.error().text());
        return {};
    }

private:
    [[nodiscard]] std::string main_package() const {
        return x_push.closure.back().package->store_name();
    }

    Status prepare() {
        SF_TRY(x_place, open_place(x_session, x_request.to));
        const build::PackageStore store = store_of(x_session);
        SF_CHECK(base::make_dirs(x_session.state().work()));
        SF_TRY(x_work, base::TempDir::create(x_session.state().work(), "publish-"));
        const model::NodeId slurm = *x_what.plan.dag.find("slurm");
        for (const model::NodeId id : to_publish(slurm)) {
            const build::NodeOutcome& node = x_what.report.nodes.at(model::index(id));
            x_push.closure.push_back(
                {&node.package, store.folder(node.package.store_name()), is_foreign(node)});
            if (is_foreign(node)) x_taken.push_back(id);
        }
        x_push.libc = x_what.root.libc;
        x_push.work = x_work->path();
        x_push.signer = &x_signer;
        SF_TRY(x_keys, published_keys(x_session, x_signer));
        x_push.primary = x_keys.front().primary;
        x_push.public_key = x_keys.front().armored;
        x_push.more_keys.assign(x_keys.begin() + 1, x_keys.end());
        SF_TRY(x_revocations, revocations_for(x_session, *x_place, x_signer.primaries()));
        SF_CHECK(taken_trust(x_session).heed(x_place->place(), x_revocations));
        SF_CHECK(check_doubts(store));
        SF_TRY(const trust::TrustedKeys all,
               believed_by_publisher(x_session, x_keys, x_revocations));
        SF_TRY(x_verifier, trust::Verifier::create(all));
        x_push.verifier = &*x_verifier;
        x_push.memory = x_session.state().caches();
        x_push.now = std::time(nullptr);
        x_push.place = x_place.get();
        x_push.origins = &x_what.made.origins;

        x_papers.bundle = x_what.made.path;
        x_papers.version = x_what.plan.dag.at(slurm).version;
        x_papers.toolchain = x_what.plan.toolchain;
        x_papers.manifest = base::sha256(x_what.made.manifest);
        x_papers.older = x_request.older;
        x_papers.work = x_push.work;
        x_papers.verifier = x_push.verifier;
        x_papers.signer = &x_signer;
        x_papers.memory = x_push.memory;
        x_papers.now = x_push.now;
        return {};
    }

    // What Slurm runs with; and for who builds with it, what it was built with, as far as it was
    // built here, with all it runs with itself. Slurm is the last.
    [[nodiscard]] std::set<model::NodeId> to_publish(model::NodeId slurm) {
        const model::Dag& dag = x_what.plan.dag;
        const std::vector<model::NodeId> runs = dag.runtime_closure(slurm);
        std::set<model::NodeId> ids(runs.begin(), runs.end());
        const std::vector<bool> all =
            build::needed(dag, {slurm}, [](model::NodeId) { return false; });
        for (const model::NodeId id : dag.nodes()) {
            const build::NodeOutcome& node = x_what.report.nodes.at(model::index(id));
            if (!all[model::index(id)] || node.state == build::NodeState::unneeded ||
                is_foreign(node))
                continue;
            if (std::ranges::all_of(dag.at(id).link_dependencies,
                                    [&](model::NodeId each) { return ids.contains(each); }))
                ids.insert(id);
        }
        return ids;
    }

    // Taken from elsewhere, and signed there by others.
    [[nodiscard]] bool is_foreign(const build::NodeOutcome& node) const {
        return node.taken && !is_own(x_signer, node.taken->signer);
    }

    // By the list of the place itself, which nobody has asked until now.
    Status check_doubts(const build::PackageStore& store) const {
        for (const auto& each : x_push.closure) {
            const std::string name = each.package->store_name();
            SF_TRY(const auto doubt, store.doubt_about(name));
            if (doubt)
                return base::fail_hint(base::Code::refused,
                                       fmt::format("{} is not published: {}", name, *doubt),
                                       "build-slurm --no-cache builds all of it here");
        }
        return {};
    }

    // Before anything is sent. What this publisher has not built is in the place already, the same
    // bytes, and somebody it believes has signed it there: so nothing is vouched for twice.
    Status taken_are_there() {
        const model::Dag& dag = x_what.plan.dag;
        std::map<std::string, std::unique_ptr<cache::SubBackend>> mirrors;
        std::map<std::string, std::optional<install::MirrorReader>> readers;
        for (const model::NodeId id : x_taken) {
            const model::Spec& spec = dag.at(id);
            // It is sent with Slurm, or not at all.
            if (spec.name == "slurm" && x_request.what == "deps") continue;
            SF_TRY(const std::string folder,
                   cache::folder_of({x_what.plan.toolchain,
                                     spec.name == "slurm" ? model::series_of(spec.version) : ""}));
            if (!mirrors.contains(folder)) {
                mirrors[folder] = std::make_unique<cache::SubBackend>(*x_place, folder);
                install::ReaderOptions reading;
                reading.mirror = folder;
                reading.memory = x_push.memory;
                reading.now = x_push.now;
                reading.accept_expired = true;  // it is signed afresh by this
                reading.revocations = x_revocations;
                auto reader = install::MirrorReader::open(*mirrors[folder], *x_verifier, reading,
                                                          x_session.voice);
                if (!reader && reader.error().code != Code::absent)
                    return tl::unexpected(std::move(reader).error());
                readers[folder] = reader ? std::optional(std::move(*reader)) : std::nullopt;
            }
            const auto& reader = readers[folder];
            const std::string place = mirrors[folder]->place();
            if (!reader) return publish::not_vouched_for(place, spec.store_name());
            SF_TRY(const install::OfferSearch there, reader->offer(spec));
            const model::Package& mine = x_what.report.nodes.at(model::index(id)).package;
            if (!there.offer || there.offer->package.run.sha256 != mine.run.sha256)
                return publish::not_vouched_for(place, spec.store_name());
        }
        return {};
    }

    Status push(const cache::MirrorName& mirror) {
        SF_TRY(publish::PushReport report, push_one(x_session, *x_place, mirror, x_push));
        x_pushes.push_back(std::move(report));
        return {};
    }

    Status push_dependencies() {
        const std::string main = main_package();
        x_push.items.clear();
        for (const publish::PushPackage& each : x_push.closure) {
            if (each.package->store_name() != main)
                x_push.items.push_back({each.package->store_name(), {}});
        }
        return push({x_what.plan.toolchain, ""});
    }

    Status push_slurm(publish::BundlePush* bundle) {
        SF_TRY(const std::string assets, assets_archive(x_what.made.assets));
        SF_TRY(const std::string signature,
               x_signer.sign(trust::Paper::bundle_manifest, x_what.made.manifest));
        SF_TRY(const std::string packed, cache::gzip(x_what.made.manifest));
        x_push.items = {{main_package(),
                         {{std::string(cache::media::bundle), "gzip", packed},
                          {std::string(cache::media::signature), "none", signature},
                          {std::string(cache::media::assets), "zstd", assets}}}};
        cache::NamedBundle named;
        if (bundle != nullptr) {
            SF_TRY(named, base::during(bundle->put(), "publishing the bundle"));
            x_push.bundle = &named;
        }
        SF_CHECK(push({x_what.plan.toolchain, model::series_of(x_papers.version)}));
        x_push.bundle = nullptr;
        if (bundle == nullptr) return {};
        SF_CHECK(base::during(bundle->put_alias(), "publishing the bundle's alias"));
        x_session.voice.line(fmt::format("{}: the bundle of Slurm {} for {} {}, {} sent",
                                         x_place->place(), x_papers.version, x_papers.toolchain,
                                         bundle->was_there() ? "there already" : "published",
                                         base::human_bytes(bundle->bytes())));
        x_session.voice.event("published_bundle", {{"place", x_place->place()},
                                                   {"version", x_papers.version},
                                                   {"toolchain", x_papers.toolchain},
                                                   {"there", bundle->was_there()},
                                                   {"bytes", bundle->bytes()}});
        return {};
    }

    // The keys and the page for people, last.
    Status show() {
        for (const publish::PublishedKey& key : x_keys) SF_CHECK(show(key));
        return {};
    }
    Status show(const publish::PublishedKey& key) {
        publish::FrontPageRequest page;
        page.public_key = key.armored;
        page.primary = key.primary;
        for (const auto& [toolchain, unused] : x_what.catalog.toolchains) {
            page.mirrors.push_back({toolchain, ""});
            for (const auto& [series, stack] : x_what.catalog.stacks)
                page.mirrors.push_back({toolchain, series});
        }
        const Result<std::uint64_t> bytes = publish::put_front_page(*x_place, page);
        if (!bytes && bytes.error().code == Code::refused) {
            // Who may write to a bucket may not always list it; all else is there.
            x_session.voice.warning("{}: there is no new index.html: {}", x_place->place(),
                                    bytes.error().text());
            return {};
        }
        if (!bytes)
            return base::during(Status(tl::unexpected(bytes.error())),
                                "publishing the page for people");
        x_session.voice.event("published_page", {{"place", x_place->place()}, {"bytes", *bytes}});
        return {};
    }

    Session& x_session;
    const PublishRequest& x_request;
    const Published& x_what;
    const trust::Signer& x_signer;
    std::unique_ptr<cache::Backend> x_place;
    std::optional<base::TempDir> x_work;
    std::vector<model::NodeId> x_taken;  // from elsewhere, signed by others
    std::vector<publish::PublishedKey> x_keys;
    std::optional<trust::Verifier> x_verifier;
    trust::RevocationList x_revocations;
    std::vector<publish::PushReport> x_pushes;
    publish::PushRequest x_push;
    publish::BundlePushRequest x_papers;
};

}  // namespace

bool is_own(const trust::Signer& signer, std::string_view primary) {
    const std::vector<trust::Fingerprint> own = signer.primaries();
    return std::ranges::any_of(
        own, [&](const trust::Fingerprint& each) { return each.text() == primary; });
}

void add_publish_options(CLI::App& app, PublishRequest& request) {
    app.add_option("--publish", request.what,
                   "What of it goes into a cache, once proven: Slurm and its bundle, its "
                   "dependencies, all, or all but the bundle (spack)")
        ->capture_default_str()
        ->check(CLI::IsMember({"none", "slurm", "deps", "spack", "all"}))
        ->type_name("WHAT");
    app.add_option("--publish-to", request.to, std::string("The cache: ") + writable_kinds)
        ->envname("SLURM_FACTORY_PUBLISH_TO")
        ->type_name("PLACE");
    add_publish_permissions(app, request);
}

void add_publish_permissions(CLI::App& app, PublishRequest& request) {
    app.add_flag("--allow-older", request.older,
                 "Publish a release that is not the newest of its series");
    app.add_flag("--publish-vulnerable", request.vulnerable,
                 "Publish a release with a known advisory, too: for a cache of your own site");
}

Status check_publish_request(Session& session, const PublishRequest& request) {
    if (!request.wanted()) return {};
    if (request.to.empty())
        return base::fail_hint(Code::usage, "--publish wants a place: --publish-to PLACE",
                               "a folder, for instance /srv/slurm-cache");
    SF_TRY(const auto place, open_place(session, request.to));
    if (place->writable()) return {};
    return base::fail_hint(Code::usage, place->place() + " can only be read",
                           "publish to the folder that the web server serves");
}

Result<std::string> assets_archive(const std::vector<publish::BundleAsset>& assets) {
    MemorySink sink;
    pack::WriterOptions options;
    options.mtime = build::source_date_epoch;
    SF_TRY(auto writer, pack::ArchiveWriter::create(sink, options));
    std::vector<const publish::BundleAsset*> sorted;
    sorted.reserve(assets.size());
    for (const publish::BundleAsset& asset : assets) sorted.push_back(&asset);
    std::ranges::sort(sorted, {}, &publish::BundleAsset::path);
    for (const publish::BundleAsset* asset : sorted)
        SF_CHECK(writer.add_memory(asset->path, asset->content, asset->executable));
    SF_CHECK(writer.finish("assets.tar.zst").map([](const model::ArchiveRecord&) {}));
    return std::move(sink.bytes_written);
}

Result<std::set<std::string>> mirrors_of(const PublishRequest& request,
                                         const std::string& toolchain, const std::string& version) {
    std::set<std::string> mirrors;
    if (request.wanted() && request.what != "slurm") {
        SF_TRY(std::string folder, cache::folder_of({toolchain, ""}));
        mirrors.insert(std::move(folder));
    }
    if (request.wanted() && request.what != "deps") {
        SF_TRY(std::string folder, cache::folder_of({toolchain, model::series_of(version)}));
        mirrors.insert(std::move(folder));
    }
    return mirrors;
}

Status publish_build(Session& session, const PublishRequest& request, const Published& what,
                     const trust::Signer& signer) {
    return Publication(session, request, what, signer).run();
}

}  // namespace sf::cli
