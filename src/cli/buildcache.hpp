// SPDX-License-Identifier: Apache-2.0
// --buildcache none|deps|all: what trusted caches have of a plan is taken from there instead of
// built. Decides for each package: is it there, is it taken, is it built, does nobody need it; then
// takes. A cache that cannot be reached is said and done without; one that is not to be believed is
// an error, and nothing is built instead. Used by build-slurm and plan. One thread; it starts
// others to fetch, and joins them.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "build/package_store.hpp"
#include "build/planner.hpp"
#include "cli/cache_choice.hpp"
#include "cli/session.hpp"
#include "cli/taken_trust.hpp"
#include "install/package_offer.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace sf::cli {

struct BuildcacheRequest {
    std::string what = "none";        // none | deps | all
    std::vector<std::string> caches;  // --cache: names or places; none: all that are listed
    bool accept_expired = false;
    const CLI::Option* cache_option = nullptr;  // was --cache given on the command line?

    [[nodiscard]] bool wanted() const { return what != "none"; }
};

// --buildcache, --cache, --accept-expired
void add_buildcache_options(CLI::App& app, BuildcacheRequest& request);

// Before anything is asked: do the words fit each other?
[[nodiscard]] base::Status check_buildcache_request(const BuildcacheRequest& request,
                                                    bool no_cache);

// What becomes of one package of the plan.
struct Decision {
    enum class Way { have, take, build, unneeded };
    Way way = Way::build;
    std::string reason;  // from where it is taken; why it is built
};

class Buildcache {
public:
    // Opens the caches. `goals`: what is asked for. All borrowed but `goals`. Code::refused,
    // corrupt: one of them is not to be believed.
    [[nodiscard]] static base::Result<std::unique_ptr<Buildcache>> open(
        Session& session, const BuildcacheRequest& request, const build::Plan& plan,
        std::vector<model::NodeId> goals, bool offline);

    // By node, as things stand now.
    [[nodiscard]] base::Result<std::vector<Decision>> decide();
    // Takes everything that is to be taken: then it is there. The decisions after it.
    [[nodiscard]] base::Result<std::vector<Decision>> take();

private:
    struct Opened {
        ChosenCache chosen;
        CacheTrust trust;
        std::unique_ptr<cache::Backend> deps, main;
        std::optional<install::MirrorReader> deps_reader, main_reader;
        bool gone = false;  // could not be reached
    };
    struct Offer {
        install::PackageOffer what;
        Opened* from = nullptr;
        cache::Backend* mirror = nullptr;
        std::string mirror_name;
    };
    Buildcache(Session& session, const BuildcacheRequest& request, const build::Plan& plan,
               std::vector<model::NodeId> goals)
        : x_session(session),
          x_request(request),
          x_plan(plan),
          x_goals(std::move(goals)),
          x_store(store_of(session)) {}

    base::Status open_all(bool offline);
    base::Status open_one(const ChosenCache& chosen);
    base::Result<std::optional<install::MirrorReader>> read_mirror(Opened& opened,
                                                                   cache::Backend& mirror,
                                                                   const std::string& name);
    base::Status look_for(model::NodeId id);
    // Success: it is done without; else the error, with the cache's name.
    base::Status judge(Opened& opened, base::Error error);
    [[nodiscard]] base::Status take_one(model::NodeId id);
    [[nodiscard]] const std::string& mirror_name(const model::Spec& spec) const {
        return spec.name == "slurm" ? x_main_name : x_deps_name;
    }

    Session& x_session;
    const BuildcacheRequest& x_request;
    const build::Plan& x_plan;
    std::vector<model::NodeId> x_goals;
    build::PackageStore x_store;
    std::string x_deps_name, x_main_name;
    std::vector<std::unique_ptr<Opened>> x_caches;
    std::map<model::NodeId, Offer> x_offers;
    std::map<model::NodeId, std::string> x_why_not;  // of those that were looked for
};

// Of those decisions: what the engine may leave out.
[[nodiscard]] std::set<model::NodeId> unneeded(const std::vector<Decision>& decisions);

// "have", "take", "build", "leave out": for people.
[[nodiscard]] std::string_view way_text(Decision::Way way);

}  // namespace sf::cli
