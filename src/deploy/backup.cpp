// SPDX-License-Identifier: Apache-2.0
#include "deploy/backup.hpp"

#include "base/text.hpp"
#include "deploy/database.hpp"
#include "deploy/services.hpp"
#include "deploy/tool.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr int most_folders = 1000;

// Copies may be large.
Status tool(std::vector<std::string> argv, Host& host) {
    return run_tool(host, std::move(argv), std::chrono::hours(24)).map([](const std::string&) {});
}

// Each attempt has a folder of its own: none is overwritten.
Result<std::string> free_name(const std::string& wanted, Host& host) {
    std::string name = wanted;
    for (int number = 2; number < most_folders; ++number) {
        SF_TRY(const PathInfo info, host.look(name));
        if (info.type == PathInfo::Type::absent) return name;
        name = fmt::format("{}.{}", wanted, number);
    }
    return fail(Code::exhausted, "{} and {} more are there already", wanted, most_folders);
}

Status have_folder(const std::string& path, unsigned mode, Host& host) {
    SF_TRY(const PathInfo there, host.look(path));
    return there.type == PathInfo::Type::absent ? host.make_folder(path, mode, {}) : Status();
}

Status save(const Plan& plan, const std::string& folder, Context& context) {
    const PlannedBackup& backup = *plan.backup;
    // What an interruption left of an earlier attempt.
    SF_CHECK(tool({"rm", "-rf", folder}, context.host));
    SF_CHECK(context.host.make_folder(folder, 0700, {}));
    if (!backup.state.empty()) {
        SF_TRY(const PathInfo state, context.host.look(backup.state));
        if (state.type == PathInfo::Type::folder)
            SF_CHECK(tool({"cp", "-a", "--", backup.state, folder + "/slurmctld"}, context.host));
    }
    if (!backup.dump.empty()) {
        SF_CHECK(
            dump_database(*plan.database, backup.dump, folder + "/slurm_acct_db.sql", context));
    }
    return tool({"sync", "-f", folder}, context.host);
}

}  // namespace

Status back_up(const Plan& plan, Context& context) {
    const PlannedBackup& backup = *plan.backup;
    SF_CHECK(stop_writers(context));
    SF_TRY(const std::string folder, free_name(backup.folder, context.host));
    const std::string root = backup.folder.substr(0, backup.folder.rfind('/'));
    SF_TRY(const PathInfo there, context.host.look(root));
    if (there.type == PathInfo::Type::absent) SF_CHECK(context.host.make_folder(root, 0700, {}));
    const std::string part = root + "/.part";
    Status saved = save(plan, part, context);
    if (saved) saved = tool({"mv", "-T", "--", part, folder}, context.host);
    if (!saved) {
        saved.error().hint = fmt::format(
            "nothing was changed, but the daemons are stopped: mend it and run this again, or "
            "start what ran: {}/data/slurm_assets/{}/slurm_install.sh --start-services",
            base::escape_untrusted(context.record.prefix), backup.from);
        return saved;
    }
    context.changed("backup " + folder);
    return {};
}

}  // namespace sf::deploy
