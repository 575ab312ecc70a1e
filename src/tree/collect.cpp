// SPDX-License-Identifier: Apache-2.0
#include "tree/collect.hpp"

#include <algorithm>

#include "base/files.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "tree/leases.hpp"
#include "tree/prefix.hpp"
#include "tree/rollback.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Result;
using base::Status;

namespace {

class Planner {
public:
    Planner(const fs::path& prefix, const Contents& contents, const CollectOptions& options)
        : x_prefix(prefix), x_contents(contents), x_options(options) {
        x_plan.prefix = prefix;
    }

    Result<CollectPlan> run() {
        SF_CHECK(check_all_readable(x_contents));
        SF_TRY(x_leases, read_leases(x_prefix));
        choose_generations();
        // What a process uses brings its whole generation: it may load the rest any time.
        for (bool settled = false; !settled;) {
            fill_in();
            SF_TRY(settled, keep_what_is_used());
        }
        x_plan.bytes = bytes_of(x_prefix, x_plan.removal);
        return std::move(x_plan);
    }

private:
    void keep(std::uint64_t number, std::string why) {
        x_plan.removal.generations.erase(number);
        x_plan.kept.push_back({fmt::format("generation {}", number), std::move(why)});
    }

    void choose_generations() {
        std::vector<Generation> all;
        for (const KeptGeneration& each : x_contents.generations) all.push_back(each.generation);
        std::uint64_t before = 0;
        for (const Generation& each : all)
            if (x_contents.current == each.number) before = way_back(all, each);
        const std::int64_t limit = x_options.now - x_options.keep_days * seconds_a_day;
        for (const Generation& each : all) {
            if (each.made > limit) continue;
            x_plan.removal.generations.insert(each.number);
            if (each.number == x_contents.current || each.number == x_contents.said)
                keep(each.number, "it is current");
            else if (each.number == before)
                keep(each.number, "a rollback goes back to it");
            else if (const std::string host = leased_by(each.number); !host.empty())
                keep(each.number, "leased by " + host);
        }
    }

    [[nodiscard]] std::string leased_by(std::uint64_t number) const {
        for (const Lease& each : x_leases.list)
            if (each.fresh(x_options.now) && std::ranges::binary_search(each.generations, number))
                return each.host;
        return {};
    }

    // Versions in place that only generations to remove have brought; what a version was put there
    // by, if by no generation at all, is somebody's wish without an end.
    void fill_in() {
        Removal& removal = x_plan.removal;
        removal.versions.clear();
        for (const InPlace& each : x_contents.versions) {
            bool goes = false;
            bool stays = each.version == x_contents.view_version ||
                         each.version == x_contents.service_version;
            for (const KeptGeneration& kept : x_contents.generations) {
                if (kept.generation.manifest != each.manifest) continue;
                const bool removed = removal.generations.contains(kept.generation.number);
                goes = goes || removed;
                stays = stays || !removed;
            }
            if (goes && !stays) removal.versions.insert(each.version);
        }
        removal.loose = {x_contents.loose.begin(), x_contents.loose.end()};
        removal.packages.clear();
        const std::set<std::string> needed = needed_packages(x_contents, removal);
        for (const std::string& name : x_contents.packages)
            if (!needed.contains(name) && !x_spared.contains(package_part(name)))
                removal.packages.insert(name);
        for (const std::string& part : x_spared) removal.loose.erase(part);
    }

    // False: something is kept now that was to go.
    Result<bool> keep_what_is_used() {
        SF_TRY(InUse used, processes_using(parts_of(x_prefix, x_plan.removal)));
        x_plan.unseen = used.unseen;
        std::set<std::string> parts = used.parts();
        for (const Lease& each : x_leases.list)
            for (const std::string& name : each.packages)
                if (each.fresh(x_options.now) && x_plan.removal.packages.contains(name))
                    parts.insert(package_part(name));
        if (parts.empty()) return true;
        for (const std::string& part : parts) spare(part, used.users_of(part));
        return false;
    }

    void spare(const std::string& part, const std::string& users) {
        const std::string why = users.empty() ? "leased by another host" : "used by " + users;
        x_spared.insert(part);
        bool of_a_generation = false;
        for (const KeptGeneration& kept : x_contents.generations) {
            const std::uint64_t number = kept.generation.number;
            if (!x_plan.removal.generations.contains(number)) continue;
            bool has = part == view_part(kept.bundle.version) ||
                       part == model::bundle_assets_path(kept.bundle.version) ||
                       part == generation_path(number);
            for (const std::string& name : packages_of(kept.bundle))
                has = has || part == package_part(name);
            if (!has) continue;
            keep(number, why);
            of_a_generation = true;
        }
        if (!of_a_generation) x_plan.kept.push_back({part, why});
    }

    const fs::path& x_prefix;
    const Contents& x_contents;
    const CollectOptions& x_options;
    Leases x_leases;
    std::set<std::string> x_spared;
    CollectPlan x_plan;
};

Result<CollectPlan> plan(const fs::path& prefix, const Contents& contents,
                         const CollectOptions& options) {
    if (!options.no_other_hosts) {
        SF_TRY(const Leases leases, read_leases(prefix));
        SF_CHECK(check_evidence(prefix, leases, options.now));
    }
    return Planner(prefix, contents, options).run();
}

}  // namespace

Result<CollectPlan> plan_collection(const fs::path& prefix, const CollectOptions& options) {
    std::error_code error;
    fs::path resolved = fs::canonical(prefix, error);
    if (error) resolved = prefix;
    SF_TRY(const Contents contents, read_contents(resolved));
    return plan(resolved, contents, options);
}

Result<CollectPlan> collect(const fs::path& prefix, const CollectOptions& options) {
    SF_TRY(const fs::path resolved, check_prefix(prefix));
    SF_TRY(const fs::file_type type, base::type_of(resolved));
    if (type != fs::file_type::directory)
        return read_contents(resolved).map([](const Contents&) { return CollectPlan(); });
    SF_TRY(const Stages stages, Stages::hold(resolved, options.removal.waiting));
    SF_TRY(const Contents contents, read_contents(resolved));
    SF_TRY(CollectPlan chosen, plan(resolved, contents, options));
    SF_CHECK(stages.remove_leftovers().map([](const auto&) {}));
    if (chosen.removal.empty()) return chosen;
    SF_CHECK(base::during(carry_out(stages, resolved, contents, chosen.removal, options.removal),
                          "collecting in " + base::escape_untrusted(resolved.native())));
    return chosen;
}

}  // namespace sf::tree
