// SPDX-License-Identifier: Apache-2.0
#include "tree/uninstall.hpp"

#include <algorithm>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "tree/leases.hpp"
#include "tree/prefix.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Code;
using base::fail_hint;
using base::Result;
using base::Status;

namespace {

class Planner {
public:
    Planner(const fs::path& prefix, const Contents& contents, const UninstallRequest& request)
        : x_prefix(prefix), x_contents(contents), x_request(request) {
        x_plan.prefix = prefix;
        x_plan.removal.everything = request.all;
    }

    Result<UninstallPlan> run() {
        SF_CHECK(check_all_readable(x_contents));
        SF_CHECK(choose());
        SF_CHECK(check_not_current());
        SF_CHECK(check_leases());
        SF_TRY(const InUse used, processes_using(parts_of(x_prefix, x_plan.removal)));
        x_plan.unseen = used.unseen;
        const std::set<std::string> parts = used.parts();
        if (!parts.empty())
            return fail_hint(
                Code::refused,
                fmt::format("{} is used by {}", *parts.begin(), used.users_of(*parts.begin())),
                "end these first, or wait until they have ended");
        x_plan.bytes = bytes_of(x_prefix, x_plan.removal);
        return std::move(x_plan);
    }

private:
    [[nodiscard]] bool meant(const KeptGeneration& kept) const {
        return x_request.all || kept.generation.number == x_request.generation ||
               kept.generation.version == x_request.version;
    }

    Status choose() {
        Removal& removal = x_plan.removal;
        std::set<std::string> packages;
        for (const KeptGeneration& kept : x_contents.generations) {
            if (!meant(kept)) continue;
            removal.generations.insert(kept.generation.number);
            packages.merge(packages_of(kept.bundle));
        }
        for (const InPlace& each : x_contents.versions) {
            bool goes = x_request.all || each.version == x_request.version;
            // That of a generation alone goes with it, if it was the last that has it.
            bool by_it = false;
            bool by_others = false;
            for (const KeptGeneration& kept : x_contents.generations) {
                if (kept.generation.manifest != each.manifest) continue;
                (meant(kept) ? by_it : by_others) = true;
            }
            goes = goes || (by_it && !by_others);
            if (!goes) continue;
            removal.versions.insert(each.version);
            packages.merge(packages_of(each.bundle));
        }
        if (x_request.all) {
            packages.insert(x_contents.packages.begin(), x_contents.packages.end());
            removal.loose = {x_contents.loose.begin(), x_contents.loose.end()};
        }
        // After everything there may be folders left, and what a run that was killed has left.
        if (removal.empty() && packages.empty()) return x_request.all ? Status() : nothing_there();
        const std::set<std::string> needed = needed_packages(x_contents, removal);
        for (const std::string& name : packages) {
            if (needed.contains(name)) continue;
            SF_TRY(const bool there, base::is_there(x_prefix / model::bundle_store_path(name)));
            if (there) removal.packages.insert(name);
        }
        return {};
    }

    Status nothing_there() const {
        std::string what = "anything";
        if (!x_request.version.empty())
            what = "version " + base::escape_untrusted(x_request.version);
        if (x_request.generation != 0) what = fmt::format("generation {}", x_request.generation);
        return fail_hint(
            Code::absent,
            fmt::format("{} does not hold {}", base::escape_untrusted(x_prefix.native()), what),
            "slurm-factory list shows what it holds");
    }

    Status check_not_current() const {
        const Removal& removal = x_plan.removal;
        const std::string& service = x_contents.service_version;
        if (!service.empty() && removal.versions.contains(service))
            return fail_hint(
                Code::refused,
                fmt::format("the services of this machine run version {}: the link {} leads to it",
                            service, base::escape_untrusted((x_prefix / "current").native())),
                "slurm_install.sh --uninstall takes the services away, --full-init of another "
                "version switches them");
        if (removal.everything) return {};
        const bool current =
            (x_contents.current && removal.generations.contains(*x_contents.current)) ||
            removal.versions.contains(x_contents.view_version);
        if (!current) return {};
        return fail_hint(Code::refused, "it is current",
                         "make another one current first: slurm-factory rollback NUMBER, or "
                         "install another; --all removes everything");
    }

    Status check_leases() const {
        SF_TRY(const Leases leases, read_leases(x_prefix));
        for (const Lease& each : leases.list) {
            if (!each.fresh(x_request.now)) continue;
            for (const std::string& name : each.packages)
                if (x_plan.removal.packages.contains(name)) return leased(each, name);
            for (const std::uint64_t number : each.generations)
                if (x_plan.removal.generations.contains(number))
                    return leased(each, fmt::format("generation {}", number));
        }
        return x_request.no_other_hosts ? Status()
                                        : check_evidence(x_prefix, leases, x_request.now);
    }

    static Status leased(const Lease& lease, const std::string& what) {
        return fail_hint(Code::refused,
                         fmt::format("{} says that it runs {}, until {}", lease.host, what,
                                     base::utc_date(lease.expires)),
                         "'slurm-factory lease' there renews what it says, 'lease --release' takes "
                         "it back");
    }

    const fs::path& x_prefix;
    const Contents& x_contents;
    const UninstallRequest& x_request;
    UninstallPlan x_plan;
};

// Folders of ours that are empty now; what else lies in the prefix is somebody's.
void remove_empty_folders(const fs::path& prefix) {
    std::error_code error;
    std::vector<fs::path> lmod;
    for (fs::recursive_directory_iterator it(prefix / model::bundle_hierarchy_folder, error), end;
         !error && it != end; it.increment(error))
        if (base::is_dir(it->path())) lmod.push_back(it->path());
    std::ranges::reverse(lmod);
    for (const fs::path& each : lmod) ::rmdir(each.c_str());
    for (const std::string_view name :
         {model::bundle_hierarchy_folder, model::bundle_modules_folder, std::string_view("modules"),
          model::bundle_assets_folder, std::string_view("data"), model::bundle_views_folder,
          model::bundle_manifests_folder, model::bundle_store_folder, generations_folder,
          leases_folder})
        ::rmdir((prefix / name).c_str());
}

}  // namespace

Result<UninstallPlan> plan_uninstall(const fs::path& prefix, const UninstallRequest& request) {
    std::error_code error;
    fs::path resolved = fs::canonical(prefix, error);
    if (error) resolved = prefix;
    SF_TRY(const Contents contents, read_contents(resolved));
    return Planner(resolved, contents, request).run();
}

Result<UninstallPlan> uninstall(const fs::path& prefix, const UninstallRequest& request) {
    SF_TRY(const fs::path resolved, check_prefix(prefix));
    SF_TRY(const fs::file_type type, base::type_of(resolved));
    if (type != fs::file_type::directory)
        return read_contents(resolved).map([](const Contents&) { return UninstallPlan(); });
    SF_TRY(const Stages stages, Stages::hold(resolved, request.options.waiting));
    SF_TRY(const Contents contents, read_contents(resolved));
    SF_TRY(UninstallPlan chosen, Planner(resolved, contents, request).run());
    SF_CHECK(stages.remove_leftovers().map([](const auto&) {}));
    SF_CHECK(base::during(carry_out(stages, resolved, contents, chosen.removal, request.options),
                          "uninstalling from " + base::escape_untrusted(resolved.native())));
    if (request.all) remove_empty_folders(resolved);
    return chosen;
}

}  // namespace sf::tree
