// SPDX-License-Identifier: Apache-2.0
#include "deploy/backup.hpp"

#include "base/text.hpp"
#include "deploy/database.hpp"
#include "deploy/facts.hpp"
#include "deploy/services.hpp"
#include "deploy/tool.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr int most_folders = 1000;
constexpr const char* server_folder = "/run/mysqld";

// Copies may be large.
Status tool(std::vector<std::string> argv, Host& host) {
    return run_tool(host, std::move(argv), std::chrono::hours(24)).map([](const std::string&) {});
}

// Root works below it by path: nobody else may have a hand in it.
Status have_folder(const std::string& path, unsigned mode, Ids owner, Host& host) {
    SF_TRY(const PathInfo there, host.look(path));
    if (there.type == PathInfo::Type::absent) return host.make_folder(path, mode, owner);
    if (there.type == PathInfo::Type::folder && there.owner.uid == owner.uid &&
        (there.mode & 022U) == 0)
        return {};
    return fail(Code::refused, "{} is no folder that only its owner can write to", path);
}

class Backup {
public:
    Backup(const Plan& plan, Context& context) : x_plan(plan), x_what(*plan.backup), x(context) {
        x_root = x_what.folder.substr(0, x_what.folder.rfind('/'));
        x_part = x_root + "/.part";
    }

    Status run() {
        // What can be found out before anything is stopped.
        SF_CHECK(have_folder("/var/lib/slurm", 0755, {}, x.host));
        SF_CHECK(have_folder(x_root, 0700, {}, x.host));
        SF_CHECK(have_server_folder());
        SF_TRY(const std::string folder, free_name());
        if (!x_what.dump.empty()) SF_CHECK(can_dump(*x_plan.database, x_what.dump, x));
        Status saved = save(folder);
        if (saved) {
            x.changed("backup " + folder);
            return {};
        }
        if (!tool({"rm", "-rf", x_part}, x.host)) x.reporter.warning("{} is left there", x_part);
        saved.error().hint = fmt::format(
            "nothing was changed, but daemons are stopped: mend it and run this again, or start "
            "what ran: {}/data/slurm_assets/{}/slurm_install.sh --start-services",
            base::escape_untrusted(x.record.prefix), x_what.from);
        return saved;
    }

private:
    // Without systemd it is gone since the last boot, and a server of ours needs it.
    Status have_server_folder() {
        for (const PlannedFolder& folder : x_plan.folders) {
            if (folder.path != server_folder) continue;
            SF_TRY(const Ids owner, x.ids_of(folder.owner));
            SF_CHECK(have_folder(folder.path, folder.mode, owner, x.host));
        }
        return {};
    }

    // Each attempt has a folder of its own: none is overwritten.
    Result<std::string> free_name() {
        std::string name = x_what.folder;
        for (int number = 2; number < most_folders; ++number) {
            SF_TRY(const PathInfo info, x.host.look(name));
            if (info.type == PathInfo::Type::absent) return name;
            name = fmt::format("{}.{}", x_what.folder, number);
        }
        return fail(Code::exhausted, "{} and {} more are there already", x_what.folder,
                    most_folders);
    }

    Status save(const std::string& folder) {
        SF_CHECK(stop_writers(x));
        SF_CHECK(nobody_writes());
        // What an interruption left of an earlier attempt.
        SF_CHECK(tool({"rm", "-rf", x_part}, x.host));
        SF_CHECK(x.host.make_folder(x_part, 0700, {}));
        if (!x_what.state.empty()) {
            SF_TRY(const PathInfo state, x.host.look(x_what.state));
            if (state.type == PathInfo::Type::folder)
                SF_CHECK(tool({"cp", "-a", "--", x_what.state, x_part + "/slurmctld"}, x.host));
        }
        if (!x_what.dump.empty()) {
            SF_CHECK(
                dump_database(*x_plan.database, x_what.dump, x_part + "/slurm_acct_db.sql", x));
        }
        SF_CHECK(tool({"sync", "-f", x_part}, x.host));
        SF_CHECK(tool({"mv", "-T", "--", x_part, folder}, x.host));
        return tool({"sync", "-f", x_root}, x.host);
    }

    // One that was started by hand would go on writing beside the copy.
    Status nobody_writes() {
        SF_TRY(const std::vector<Process> daemons, find_daemons(x.host));
        for (const Process& daemon : daemons) {
            if (daemon.name != "slurmctld" && daemon.name != "slurmdbd") continue;
            return fail(Code::refused, "{} still runs, as process {}", daemon.name, daemon.pid);
        }
        return {};
    }

    const Plan& x_plan;
    const PlannedBackup& x_what;
    Context& x;
    std::string x_root;
    std::string x_part;
};

}  // namespace

Status back_up(const Plan& plan, Context& context) { return Backup(plan, context).run(); }

}  // namespace sf::deploy
