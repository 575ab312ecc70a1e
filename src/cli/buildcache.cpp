// SPDX-License-Identifier: Apache-2.0
#include "cli/buildcache.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/task_pool.hpp"
#include "base/text.hpp"
#include "build/engine.hpp"
#include "build/needs.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/open_backend.hpp"
#include "model/names.hpp"

namespace sf::cli {

using base::Code;
using base::Result;
using base::Status;
using model::NodeId;
using Way = Decision::Way;

namespace {

constexpr unsigned connections = 4;  // packages at once
constexpr const char* cache_variable = "SLURM_FACTORY_CACHE";

}  // namespace

void add_buildcache_options(CLI::App& app, BuildcacheRequest& request) {
    app.add_option("--buildcache", request.what,
                   "What is taken from trusted caches instead of built, where they have it: "
                   "nothing, all that Slurm needs (deps), or Slurm as well (all)")
        ->capture_default_str()
        ->envname("SLURM_FACTORY_BUILDCACHE")
        ->check(CLI::IsMember({"none", "deps", "all"}))
        ->type_name("WHAT");
    request.cache_option =
        app.add_option(
               "--cache", request.caches,
               "For --buildcache, which: a name of 'cache list', a folder, file://, http://, "
               "https:// or s3://; may be repeated (default: all that are listed)")
            ->envname(cache_variable)
            ->allow_extra_args(false)
            ->type_name("CACHE");
    app.add_flag("--accept-expired", request.accept_expired,
                 "For --buildcache: take a snapshot whose time is over");
}

Status check_buildcache_request(const BuildcacheRequest& request, bool no_cache) {
    if (!request.wanted()) {
        // The environment's and the configuration's caches are there for other verbs as well.
        const bool said = request.cache_option != nullptr && request.cache_option->count() > 0 &&
                          ::getenv(cache_variable) == nullptr;
        if (!said) return {};
        return base::fail_hint(Code::usage, "--cache is about --buildcache",
                               "say what is taken: --buildcache deps, or all");
    }
    if (!no_cache) return {};
    return base::fail_hint(Code::usage,
                           fmt::format("--no-cache builds everything, --buildcache {} does not: "
                                       "which is meant?",
                                       request.what),
                           "leave one of them out");
}

std::set<NodeId> unneeded(const std::vector<Decision>& decisions) {
    std::set<NodeId> ids;
    for (std::size_t i = 0; i < decisions.size(); ++i)
        if (decisions[i].way == Way::unneeded) ids.insert(NodeId{static_cast<std::uint32_t>(i)});
    return ids;
}

std::string_view way_text(Way way) {
    switch (way) {
        case Way::have: return "have";
        case Way::take: return "take";
        case Way::build: return "build";
        case Way::unneeded: return "leave out";
    }
    return "";
}

Result<std::unique_ptr<Buildcache>> Buildcache::open(Session& session,
                                                     const BuildcacheRequest& request,
                                                     const build::Plan& plan,
                                                     std::vector<NodeId> goals, bool offline) {
    std::unique_ptr<Buildcache> opened(new Buildcache(session, request, plan, std::move(goals)));
    SF_CHECK(opened->open_all(offline));
    return opened;
}

namespace {

Status check_serves(const ChosenCache& chosen, bool offline) {
    SF_CHECK(check_origin(chosen));  // nothing unsigned gets into a build
    if (offline) SF_CHECK(check_offline(chosen.place));
    SF_TRY(const auto place, cache::open_backend(chosen.place));
    if (place->whole()) return {};
    return base::fail_hint(Code::usage,
                           place->place() + " has what one installation needs, and no more",
                           "install from it: slurm-factory install --cache FILE; to build, name a "
                           "cache that has all archives");
}

}  // namespace

Status Buildcache::open_all(bool offline) {
    std::vector<std::string> wanted = x_request.caches;
    if (wanted.empty()) wanted.emplace_back();
    std::vector<ChosenCache> chosen;
    for (const std::string& each : wanted) {
        SF_TRY(std::vector<ChosenCache> some, choose_caches(x_session, each));
        for (ChosenCache& one : some)
            if (std::ranges::find(chosen, one.place, &ChosenCache::place) == chosen.end())
                chosen.push_back(std::move(one));
    }
    SF_TRY(x_deps_name, cache::folder_of({x_plan.toolchain, ""}));
    if (const auto slurm = x_plan.dag.find("slurm")) {
        SF_TRY(x_main_name, cache::folder_of({x_plan.toolchain,
                                              model::series_of(x_plan.dag.at(*slurm).version)}));
    }
    // What is named must serve; of a list, what cannot is passed over.
    for (const ChosenCache& each : chosen) {
        Status serves = check_serves(each, offline);
        if (!serves && !x_request.caches.empty()) return serves;
        if (serves)
            SF_CHECK(open_one(each));
        else
            x_session.voice.warning("the cache {} is passed over: {}", each.text(),
                                    serves.error().text());
    }
    return {};
}

Status Buildcache::open_one(const ChosenCache& chosen) {
    x_caches.push_back(std::make_unique<Opened>());
    Opened& opened = *x_caches.back();
    opened.chosen = chosen;
    const auto open = [&]() -> Status {
        SF_TRY(opened.trust, open_cache(x_session, chosen, {}, x_request.accept_expired));
        SF_CHECK(
            taken_trust(x_session).heed(opened.trust.place->place(), opened.trust.revocations));
        opened.deps = std::make_unique<cache::SubBackend>(*opened.trust.place, x_deps_name);
        SF_TRY(opened.deps_reader, read_mirror(opened, *opened.deps, x_deps_name));
        if (x_request.what != "all" || x_main_name.empty()) return {};
        opened.main = std::make_unique<cache::SubBackend>(*opened.trust.place, x_main_name);
        SF_TRY(opened.main_reader, read_mirror(opened, *opened.main, x_main_name));
        return {};
    };
    Status status = open();
    return status ? status : judge(opened, std::move(status).error());
}

// nullopt: nothing was published there.
Result<std::optional<install::MirrorReader>> Buildcache::read_mirror(Opened& opened,
                                                                     cache::Backend& mirror,
                                                                     const std::string& name) {
    install::ReaderOptions reading;
    reading.mirror = name;
    reading.memory = x_session.state().caches();
    reading.now = std::time(nullptr);
    reading.accept_expired = x_request.accept_expired;
    reading.max_age = opened.trust.max_age;
    reading.revocations = opened.trust.revocations;
    auto reader =
        install::MirrorReader::open(mirror, *opened.trust.verifier, reading, x_session.voice);
    if (reader) return std::optional(std::move(*reader));
    if (reader.error().code != Code::absent) return tl::unexpected(std::move(reader).error());
    x_session.voice.warning("{}; what it could have had is built", reader.error().message);
    return std::optional<install::MirrorReader>();
}

Status Buildcache::judge(Opened& opened, base::Error error) {
    if (error.code == Code::unreachable && !base::stop_requested()) {
        if (opened.gone) return {};  // said already
        opened.gone = true;
        x_session.voice.warning(
            "the cache {} cannot be reached: what it could have had is built: {}",
            opened.chosen.text(), error.text());
        x_session.voice.event("cache_unreachable", {{"cache", opened.chosen.place}});
        return {};
    }
    // Whoever spoils a cache must not choose, by that, what is used instead of it.
    if (error.code == Code::refused || error.code == Code::corrupt) {
        error.message += fmt::format(" (cache {})", opened.chosen.text());
        if (error.hint.empty())
            error.hint =
                "nothing was built: ask who keeps this cache; --buildcache none builds "
                "without it";
    }
    return tl::unexpected(std::move(error));
}

Status Buildcache::look_for(NodeId id) {
    const model::Spec& spec = x_plan.dag.at(id);
    if (spec.name == "slurm" && x_request.what != "all") {
        x_why_not[id] = "--buildcache deps builds Slurm itself";
        return {};
    }
    // A cache may well have it from here, with this machine's own signature.
    SF_TRY(const bool doubtful, is_doubtful_build(x_store, spec.store_name()));
    if (doubtful) {
        x_why_not[id] = "what was built here does not count, and may have got there";
        return {};
    }
    std::vector<std::string> why;
    for (const std::unique_ptr<Opened>& each : x_caches) {
        Opened& opened = *each;
        const bool main = spec.name == "slurm";
        const auto& reader = main ? opened.main_reader : opened.deps_reader;
        const std::string name = opened.chosen.text();
        if (opened.gone) {
            why.push_back(name + " cannot be reached");
            continue;
        }
        if (!reader) {
            why.push_back(fmt::format("{}: nothing was published to {}", name, mirror_name(spec)));
            continue;
        }
        Result<install::OfferSearch> search = reader->offer(spec);
        if (!search) {
            SF_CHECK(judge(opened, std::move(search).error()));
            why.push_back(name + " cannot be reached");
            continue;
        }
        if (!search->offer) {
            why.push_back(fmt::format("{}: {}", name, search->why_not));
            continue;
        }
        x_offers.insert_or_assign(
            id, Offer{std::move(*search->offer), &opened,
                      main ? opened.main.get() : opened.deps.get(), mirror_name(spec)});
        return {};
    }
    x_why_not[id] = base::join(why, "; ");
    return {};
}

Result<std::vector<Decision>> Buildcache::decide() {
    std::vector<Decision> decisions(x_plan.dag.size());
    Status status;
    const auto ready = [&](NodeId id) {
        Decision& decision = decisions[model::index(id)];
        const auto find_out = [&]() -> Status {
            SF_TRY(decision.reason, build::reason_to_build(x_store, x_plan.dag.at(id), false));
            if (decision.reason.empty()) {
                decision.way = Way::have;
                return {};
            }
            if (!x_offers.contains(id) && !x_why_not.contains(id)) SF_CHECK(look_for(id));
            if (const auto offer = x_offers.find(id); offer != x_offers.end()) {
                decision.way = Way::take;
                decision.reason =
                    fmt::format("from {}, signed by {}", offer->second.from->chosen.text(),
                                offer->second.what.signer->primary.text());
                return {};
            }
            decision.way = Way::build;
            decision.reason += "; not taken: " + x_why_not.at(id);
            return {};
        };
        if (status) status = find_out();
        return decision.way != Way::build;
    };
    const std::vector<bool> needed = build::needed(x_plan.dag, x_goals, ready);
    SF_CHECK(status);
    for (const NodeId id : x_plan.dag.nodes()) {
        if (needed[model::index(id)]) continue;
        Decision& decision = decisions[model::index(id)];
        SF_TRY(const std::string reason, build::reason_to_build(x_store, x_plan.dag.at(id), false));
        decision = reason.empty() ? Decision{Way::have, ""}
                                  : Decision{Way::unneeded, "nothing that is built needs it"};
    }
    return decisions;
}

Status Buildcache::take_one(NodeId id) {
    const model::Spec& spec = x_plan.dag.at(id);
    const std::string name = spec.store_name();
    const Offer& offer = x_offers.at(id);
    SF_TRY(const base::FileLock lock, x_store.lock(name, [&] {
        x_session.voice.info("{}: another slurm-factory works on it; waiting", name);
    }));
    SF_TRY(const auto mine, x_store.find(name));
    if (mine && mine->identity == spec.identity) return {};  // meanwhile, by another process
    SF_TRY(const base::TempDir room, base::TempDir::create(x_session.state().work(), ".cached-"));
    SF_TRY(const cache::CachedPackage got,
           install::fetch_offer(*offer.mirror, offer.what, room.path()));
    build::Taken taken;
    taken.place = offer.from->trust.place->place();
    taken.mirror = offer.mirror_name;
    taken.repository = offer.what.repository;
    taken.serial = offer.what.serial;
    taken.signer = got.signer.primary.text();
    taken.key = got.signer.key.text();
    taken.time = std::time(nullptr);
    SF_CHECK(x_store.commit(got.package, got.tree, got.archives, taken));
    x_session.voice.event("package_taken", {{"package", name},
                                            {"signer", taken.signer},
                                            {"cache", taken.place},
                                            {"bytes", install::size_of(offer.what)}});
    return {};
}

Result<std::vector<Decision>> Buildcache::take() {
    SF_CHECK(base::make_dirs(x_session.state().work()));
    std::set<NodeId> taken;
    std::size_t count = 0;
    std::uint64_t bytes = 0;
    for (;;) {
        SF_TRY(const std::vector<Decision> decisions, decide());
        std::vector<NodeId> ids;
        for (const NodeId id : x_plan.dag.nodes())
            if (decisions[model::index(id)].way == Way::take) ids.push_back(id);
        // Or it would be taken for ever.
        for (const NodeId id : ids)
            if (taken.contains(id))
                return base::fail_hint(
                    Code::refused,
                    x_plan.dag.at(id).store_name() +
                        " was taken, and who vouches for it is believed no more since",
                    "the same command once more goes by who is trusted now");
        if (ids.empty()) {
            const auto built = std::ranges::count(decisions, Way::build, &Decision::way);
            x_session.voice.info(
                "buildcache: {} packages taken ({}), each signature and digest checked; {} to "
                "build",
                count, base::human_bytes(bytes), built);
            x_session.voice.event("buildcache",
                                  {{"taken", count}, {"bytes", bytes}, {"build", built}});
            return decisions;
        }
        std::vector<Status> outcomes(ids.size());
        std::vector<base::Task> tasks;
        for (std::size_t i = 0; i < ids.size(); ++i)
            tasks.emplace_back([this, &ids, &outcomes, i]() -> Status {
                outcomes[i] =
                    base::during(take_one(ids[i]), "taking " + x_plan.dag.at(ids[i]).store_name());
                // Not an error of the batch: it is built.
                if (!outcomes[i] && outcomes[i].error().code == Code::unreachable) return {};
                return outcomes[i];
            });
        if (Status batch = base::run_batch(tasks, connections); !batch) {
            // Which cache it was.
            for (std::size_t i = 0; i < ids.size(); ++i)
                if (!outcomes[i] && outcomes[i].error().code != Code::unreachable)
                    SF_CHECK(judge(*x_offers.at(ids[i]).from, outcomes[i].error()));
            return tl::unexpected(std::move(batch).error());
        }
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const auto offer = x_offers.find(ids[i]);
            if (outcomes[i]) {
                taken.insert(ids[i]);
                ++count;
                bytes += install::size_of(offer->second.what);
                continue;
            }
            SF_CHECK(judge(*offer->second.from, outcomes[i].error()));
            // The next cache may have it.
            x_offers.erase(offer);
        }
    }
}

}  // namespace sf::cli
