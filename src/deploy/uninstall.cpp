// SPDX-License-Identifier: Apache-2.0
#include "deploy/uninstall.hpp"

#include "base/text.hpp"
#include "deploy/facts.hpp"
#include "deploy/services.hpp"
#include "deploy/setup_log.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
using Type = PathInfo::Type;

namespace {

class Uninstall {
public:
    Uninstall(Context& context, bool dry_run, const SharedTree& shared)
        : x(context), x_dry_run(dry_run), x_shared(shared) {}

    Status run() {
        // An installation that was interrupted early has no prefix yet.
        if (x.record.prefix.empty() && x.record.users.empty() && x.record.folders.empty() &&
            x.record.files.empty()) {
            return fail(Code::absent,
                        "nothing is installed here by slurm_install.sh: {} names nothing",
                        record_path);
        }
        if (x_dry_run) {
            for (const std::string& unit : own_units(x.record))
                x.reporter.info("would stop and disable {}", unit);
        } else {
            SF_TRY([[maybe_unused]] const bool any, bring_down(x));
        }
        SF_CHECK(end_lease());
        bool units = false;
        for (const auto& [path, digests] : x.record.files) {
            SF_CHECK(remove_file(path));
            units = units || path.starts_with("/etc/systemd/");
        }
        SF_CHECK(remove_link());
        if (!x_dry_run) {
            if (units) SF_CHECK(reload());
            SF_CHECK(forget());
            SF_CHECK(remove_folders());
        }
        say_what_stays();
        return {};
    }

private:
    Status remove(const std::string& path) {
        if (x_dry_run) {
            x.reporter.info("would remove {}", path);
            return {};
        }
        SF_CHECK(x.host.remove(path));
        ++x.changes;
        x.reporter.info("removed {}", path);
        return {};
    }

    // Before the record is gone: a call that was interrupted is repeated.
    Status end_lease() {
        if (!x_shared.end_lease || !x.record.leased) return {};
        if (x_dry_run) {
            x.reporter.info("would take back this host's lease on {}", x.record.prefix);
            return {};
        }
        return base::during(x_shared.end_lease(), "taking back this host's lease");
    }

    Status remove_file(const std::string& path) {
        SF_TRY(const PathInfo info, x.host.look(path));
        if (info.type == Type::absent) return {};
        if (info.type == Type::file) {
            SF_TRY(const std::string content, x.host.read(path));
            if (x.record.wrote(path, base::sha256(content))) return remove(path);
        }
        x.reporter.notice("{} was changed here: it stays", path);
        return {};
    }

    Status remove_link() {
        if (x.record.prefix.empty()) return {};
        const std::string link = x.record.prefix + "/current";
        SF_TRY(const PathInfo info, x.host.look(link));
        if (info.type != Type::symlink) return {};
        SF_TRY(const std::string target, x.host.read_link(link));
        if (target != "views/" + x.record.version) return {};
        if (x_shared.why.empty()) return remove(link);
        x.reporter.notice("stays: {}: daemons of other hosts may be started by it ({})", link,
                          x_shared.why);
        return {};
    }

    Status reload() {
        base::Command command;
        command.argv = {"systemctl", "daemon-reload"};
        command.environment = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};
        command.deadline = std::chrono::seconds(60);
        SF_TRY(const base::Finished done, x.host.run(command));
        if (done.exit.ok()) return {};
        return fail(Code::failed, "systemctl daemon-reload: {}",
                    base::escape_untrusted(base::trim(done.err)));
    }

    // Those we made, if nothing is in them; the deeper first.
    Status remove_folders() {
        for (auto at = x.record.folders.rbegin(); at != x.record.folders.rend(); ++at) {
            SF_TRY(const PathInfo info, x.host.look(*at));
            if (info.type != Type::folder) continue;
            SF_TRY(const std::vector<std::string> names, x.host.list(*at));
            if (names.empty()) SF_CHECK(remove(*at));
        }
        return {};
    }

    // Whoever comes next has to know which Slurm wrote the state and the database that stay, and
    // for which cluster.
    Status forget() {
        const std::set<Role> roles = x.record.answers.roles.value_or(std::set<Role>());
        x_state_stays = !x.record.version.empty() &&
                        (roles.contains(Role::controller) || roles.contains(Role::dbd));
        if (!x_state_stays) return remove(std::string(record_path));
        Record left;
        left.version = x.record.version;
        left.answers = x.record.answers;
        SF_TRY(const std::string text, to_json(left));
        return x.host.write_file(std::string(record_path), text, 0644, {0, 0});
    }

    void say_what_stays() {
        // Also those that were there before this installation, or come from an earlier one.
        for (const std::string_view secret : {munge_key_path, jwt_key_path, slurmdbd_conf_path}) {
            const auto info = x.host.look(std::string(secret));
            if (info && info->type != Type::absent) x.reporter.info("stays: {} (a secret)", secret);
        }
        for (const char* path : {"/var/lib/slurm", "/var/spool/slurmd", "/var/log/slurm",
                                 "/var/log/slurmd", "/var/lib/munge"}) {
            const auto info = x.host.look(path);
            if (info && info->type == Type::folder)
                x.reporter.info("stays: {} (state and logs)", path);
        }
        if (const auto info = x.host.look(std::string(setup_log_path));
            info && info->type == Type::file) {
            x.reporter.info("stays: {} (what installers did here)", setup_log_path);
        }
        if (x_state_stays) {
            x.reporter.info("stays: {} (which Slurm it was, and the answers it was given)",
                            record_path);
        }
        for (const std::string& user : x.record.users)
            x.reporter.info("stays: user {} (files belong to it)", user);
        if (x.record.secrets.contains(std::string(slurmdbd_conf_path)))
            x.reporter.info("stays: database slurm_acct_db");
        if (!x.record.prefix.empty())
            x.reporter.info("stays: {} (the software; rm -r removes it)", x.record.prefix);
    }

    Context& x;
    bool x_dry_run;
    const SharedTree& x_shared;
    bool x_state_stays = false;
};

}  // namespace

Status uninstall(Context& context, bool dry_run, const SharedTree& shared) {
    return Uninstall(context, dry_run, shared).run();
}

}  // namespace sf::deploy
