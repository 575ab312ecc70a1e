// SPDX-License-Identifier: Apache-2.0
#include "deploy/setup.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "deploy/await.hpp"
#include "deploy/backup.hpp"
#include "deploy/database.hpp"
#include "deploy/engine.hpp"
#include "deploy/host_lease.hpp"
#include "deploy/leftovers.hpp"
#include "deploy/linux_host.hpp"
#include "deploy/node_parameters.hpp"
#include "deploy/options.hpp"
#include "deploy/own_tree.hpp"
#include "deploy/planner.hpp"
#include "deploy/rehearsal.hpp"
#include "deploy/release_step.hpp"
#include "deploy/remote_database.hpp"
#include "deploy/services.hpp"
#include "deploy/setup_log.hpp"
#include "deploy/smoke.hpp"
#include "deploy/supervisor.hpp"
#include "deploy/uninstall.hpp"
#include "deploy/version_skew.hpp"
#include "model/bundle_layout.hpp"
#include "tree/prefix.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr int names_fd = 3;
constexpr std::string_view lock_file = "/run/slurm-setup.lock";

// Whether it could be written; fmt::print would throw, and end an installation half way.
bool say(std::FILE* to, const std::string& text) {
    return std::fwrite(text.data(), 1, text.size(), to) == text.size() && std::fflush(to) == 0;
}

// Lines for people: what was done to stdout, what they must know to stderr.
class Voice : public base::Reporter {
public:
    explicit Voice(bool stamps = false) : x_stamps(stamps) {}
    void message(base::Level level, const std::string& text) override {
        if (level == base::Level::debug) return;
        std::FILE* to = level == base::Level::warning ? stderr : stdout;
        const char* mark = level == base::Level::warning  ? "warning: "
                           : level == base::Level::notice ? "note: "
                                                          : "";
        const std::string stamp = x_stamps ? base::utc_stamp(std::time(nullptr)) + ' ' : "";
        const std::string line = stamp + mark + text + '\n';
        if (!say(to, line)) return;  // nobody listens any more
    }

private:
    bool x_stamps;
};

void say_error(const base::Error& error) {
    const std::string line = "slurm_install.sh: " + error.text() + '\n' +
                             (error.hint.empty() ? "" : "  next: " + error.hint + '\n');
    if (!say(stderr, line)) return;
}

int exit_code(const Status& status) {
    if (status) return 0;
    say_error(status.error());
    return status.error().code == Code::usage ? 2 : 1;
}

// What the front looked up.
Result<std::string> read_names() {
    struct stat status {};
    if (::fstat(names_fd, &status) != 0) {
        return base::fail_hint(Code::usage, "this program is started by slurm_install.sh",
                               "run slurm_install.sh, which lies beside it");
    }
    base::FdSource source(names_fd, "what slurm_install.sh looked up");
    std::string text;
    std::vector<std::byte> room(65536);
    for (;;) {
        SF_TRY(const std::size_t got, source.read(room));
        if (got == 0) return text;
        text.append(reinterpret_cast<const char*>(room.data()), got);
    }
}

class Setup {
public:
    // `call`: as it was typed.
    Setup(Options options, std::string call, Host& host, SetupLog& reporter)
        : x_options(std::move(options)),
          x_call(std::move(call)),
          x_host(host),
          x_reporter(reporter) {}

    Status run() {
        if (!x_host.is_root()) {
            return base::fail_hint(Code::refused,
                                   "only root can set up users, daemons and /etc/slurm",
                                   "run it as root, or use the tree as it is: put its "
                                   "views/<version>/bin into PATH");
        }
        SF_TRY(const std::string names, read_names());
        SF_CHECK(begin());
        // Interrupted between the record and the link: what runs is what the link names.
        if (!x_record.prefix.empty()) {
            const auto link = x_host.read_link(x_record.prefix + "/current");
            if (link && link->starts_with("views/")) x_record.version = link->substr(6);
        }
        if (x_options.action == Action::uninstall) return undo(names);
        SF_CHECK(open());
        SF_TRY(x_facts, gather_facts(x_host, names, x_own.bundle));
        SF_TRY(const Planned planned, plan());
        SF_CHECK(versions_go_together(planned.answers));
        SF_CHECK(database_lets_us_in(planned.plan));
        if (x_options.dry_run) {
            if (!say(stdout, to_text(planned.plan)))
                return base::fail_errno(errno, "print the plan");
            return {};
        }
        return carry_out(planned);
    }

private:
    // Before anything is looked at: what another call is about to change is not to be planned with,
    // nor shown. A dry run waits only where it may ask a database or another host: whoever came
    // meanwhile would take what the question lies in for a leftover.
    Status begin() {
        if (x_options.dry_run) {
            SF_TRY(x_record, load_record(x_host));
            const Answers answers = x_record.answers.overridden_by(x_options.answers);
            // Before an upgrade those that are to follow are asked.
            const bool upgrades = !x_record.version.empty();
            const bool asks = x_options.action != Action::uninstall &&
                              (upgrades || may_be_asked(answers) || others_may_be_asked(answers));
            if (!asks) return {};
        }
        SF_CHECK(take_turn());
        if (!x_options.dry_run) remove_leftovers(x_host, x_reporter);
        SF_TRY(x_record, load_record(x_host));
        return {};
    }

    Status take_turn() {
        SF_TRY(x_lock, base::FileLock::acquire(fs::path(lock_file), [&] {
                   x_reporter.notice("another slurm_install.sh is at work; waiting for it");
               }));
        return {};
    }

    Status undo(const std::string& names) {
        if (!x_options.dry_run) x_reporter.begin(x_call, setup_log_path);
        SF_TRY(Accounts accounts, parse_accounts(names));
        Context context{x_host, x_reporter, x_record, accounts};
        const std::string tree = x_record.prefix;
        SharedTree shared;
        if (!tree.empty()) {
            const auto why = why_tree_is_shared(tree);
            shared.why = why ? *why : "nobody can tell: " + why.error().text();
        }
        shared.end_lease = [&]() -> Status {
            const Status ended = end_lease(tree, x_reporter);
            if (ended) return {};
            // Not being able to is no reason to leave the rest.
            SF_TRY(const fs::path file, lease_path(tree));
            x_reporter.warning(
                "this host's lease stays: {}. Once it has ended 'gc' and 'uninstall' refuse there "
                "until {} is removed",
                ended.error().text(), file.native());
            return {};
        };
        return uninstall(context, x_options.dry_run, shared);
    }

    // Nothing of the tree is used before this has passed.
    Status open() {
        SF_TRY(const std::string helper, x_host.read_link("/proc/self/exe"));
        SF_TRY(const auto located, locate_tree(helper));
        SF_TRY(x_own,
               open_tree(located.first, located.second, {x_options.key, x_options.key_file}));
        SF_CHECK(choose_tree());
        const bool used_here = !x_copy && x_host.is_root();
        SF_CHECK(
            base::during(verify_tree(x_own, x_own.top, used_here),
                         "checking the files of " + base::escape_untrusted(x_own.top.native())));
        if (x_own.signer) {
            x_reporter.info("verified: {}; every file is what it says", x_own.notice);
        } else {
            x_reporter.notice("{}", x_own.notice);
        }
        return {};
    }

    // Where the software is to be: where it lies, or --prefix.
    Status choose_tree() {
        SF_TRY(const fs::path here, tree::check_prefix(x_own.top).or_else(
                                        [&](const base::Error& error) -> Result<fs::path> {
                                            if (!x_options.prefix.empty()) return x_own.top;
                                            base::Error told = error;
                                            if (told.hint.empty())
                                                told.hint =
                                                    "let it be copied to a safe place: "
                                                    "--prefix /opt/slurm";
                                            return tl::unexpected(told);
                                        }));
        x_tree = here;
        if (x_options.prefix.empty()) return {};
        SF_TRY(x_tree, tree::check_prefix(x_options.prefix));
        x_copy = x_tree != here;
        if (x_copy && x_options.action != Action::full_init) {
            const fs::path manifest = x_tree / model::bundle_manifest_path(x_own.bundle.version);
            if (!base::exists(manifest)) {
                return base::fail_hint(Code::absent,
                                       fmt::format("Slurm {} is not in {}", x_own.bundle.version,
                                                   base::escape_untrusted(x_tree.native())),
                                       "--full-init puts it there");
            }
            SF_CHECK(verify_tree(x_own, x_tree, true));
            x_copy = false;
        }
        return {};
    }

    Result<Templates> read_templates() const {
        const std::string folder = model::bundle_assets_path(x_own.bundle.version) + '/';
        Templates templates;
        for (const model::FileEntry& entry : x_own.bundle.assets) {
            if (!entry.path.starts_with(folder) || entry.mode != 0644) continue;
            SF_TRY(std::string text, base::read_file(x_own.top / entry.path));
            // Once more: what is used is what was verified.
            if (base::sha256(text) != entry.sha256)
                return fail(Code::refused, "{} was changed a moment ago", entry.path);
            templates[entry.path.substr(folder.size())] = std::move(text);
        }
        return templates;
    }

    Result<Planned> plan() {
        SF_TRY(Templates templates, read_templates());
        SF_TRY(const Target target,
               base::during(parse_target(templates["target.json"]), "reading target.json"));
        PlanInputs inputs{x_options,
                          x_facts,
                          x_record,
                          x_own.bundle,
                          target,
                          std::move(templates),
                          x_tree.native(),
                          x_copy,
                          {},
                          {}};
        SF_TRY(inputs.shared, why_tree_is_shared(x_tree));
        inputs.noexec = x_host.mounted_noexec(x_tree);
        const Answers answers = effective_answers(x_options, x_record, x_facts);
        std::vector<base::Error> problems = find_problems(inputs, answers);
        // The last one decides the exit code: wrong words are told at the end.
        std::stable_partition(problems.begin(), problems.end(), [](const base::Error& problem) {
            return problem.code != Code::usage;
        });
        for (std::size_t i = 0; i + 1 < problems.size(); ++i) say_error(problems[i]);
        if (!problems.empty()) return tl::unexpected(problems.back());
        if (answers.nodes == x_facts.host && !answers.node_parameters) {
            SF_TRY(inputs.node_parameters, ask_slurmd());
        }
        return make_plan(inputs, answers);
    }

    // Refused before anything is changed here: Slurm itself says little of it, and late. What is
    // only started was asked for when it was configured.
    Status versions_go_together(const Answers& answers) {
        const fs::path view = x_own.top / model::bundle_view_path(x_own.bundle.version);
        x_versions = version_question(answers, x_facts);
        x_versions.tools = (view / "bin").native();
        x_versions.version = x_own.bundle.version;
        if (x_options.action == Action::start_services) return {};
        Status fits = goes_with_others(x_versions, x_host);
        if (fits) fits = earlier_ones_follow(*answers.roles);
        fits = base::during(fits, "asking which Slurm the other hosts run");
        if (fits || !x_options.no_start) return fits;
        // The others may be upgraded before it is started.
        const std::string& hint = fits.error().hint;
        x_reporter.warning("{}{}{}", fits.error().text(), hint.empty() ? "" : "; next: ", hint);
        return {};
    }

    // What runs here knows what runs on the other hosts.
    Status earlier_ones_follow(const std::set<Role>& roles) {
        const std::string& from = x_record.version;
        if (from.empty() || step_between(from, x_own.bundle.version) != ReleaseStep::upgrade)
            return {};
        FollowersQuestion question;
        question.tools = {x_record.prefix + "/current/bin",
                          (x_tree / model::bundle_view_path(from) / "bin").native()};
        question.version = x_own.bundle.version;
        question.nodes = roles.contains(Role::controller) && x_facts.runs("slurmctld");
        if (roles.contains(Role::dbd) && x_facts.runs("slurmdbd"))
            question.dbd_port = x_facts.slurmdbd_port.value_or(0);
        Status follow = others_follow(question, x_host);
        if (follow || follow.error().code != Code::absent) return follow;
        // Nobody can be asked any more; staying would not change that.
        x_reporter.warning(
            "Slurm {} runs here, and is neither in {} nor in {}: its tools cannot be asked which "
            "Slurm the other hosts run",
            from, x_record.prefix, x_tree.native());
        return {};
    }

    // What has failed may have failed for what the other hosts run: they may have been down when
    // they were asked, or were changed since.
    base::Error explained(base::Error error) {
        if (base::stop_requested()) return error;
        const Status fits = goes_with_others(x_versions, x_host);
        if (fits || fits.error().code != Code::refused) return error;
        const std::string before = error.hint.empty() ? "" : "; " + error.hint;
        error.hint = fits.error().text() + ": " + fits.error().hint + before;
        return error;
    }

    // It was not reached; else it has answered, and will not answer otherwise.
    static bool may_come(const Status& answered) {
        return answered.error().code == Code::absent || answered.error().code == Code::exhausted;
    }

    // A database elsewhere is asked before anything is changed here. Of one on this machine the
    // rest is known, and it is made later.
    Status database_lets_us_in(const Plan& plan) {
        if (!plan.database) return {};
        const bool only_start = x_options.action == Action::start_services;
        if (!only_start) {
            SF_TRY(x_password, new_password(*plan.database, x_host));
        }
        const fs::path view = x_own.top / model::bundle_view_path(x_own.bundle.version);
        const DatabaseAsker asker{
            plan,       x_facts,          view, x_password, x_options.db_password_file,
            only_start, x_options.dry_run};
        SF_TRY(const auto asked, database_question(asker, x_host, x_reporter));
        if (!asked) return {};
        const DatabaseQuestion& question = *asked;
        Status answered = ask_database(question, x_host);
        if (!answered && only_start && may_come(answered)) {
            // After a boot: the other machine may have been started with this one.
            x_reporter.notice("{}; it is asked again for {} s", answered.error().text(),
                              default_boot_patience.count());
            SF_CHECK(await(x_host, default_boot_patience,
                           [&](std::chrono::milliseconds) -> Result<bool> {
                               answered = ask_database(question, x_host);
                               return answered || !may_come(answered);
                           })
                         .map([](bool) {}));
        }
        answered = base::during(answered, "asking the database for accounting");
        if (answered || !x_options.no_start) return answered;
        // It need not run yet; --start-services asks it again.
        x_reporter.warning("{}; next: {}", answered.error().text(), answered.error().hint);
        return {};
    }

    // What this node is, in Slurm's own eyes.
    Result<std::string> ask_slurmd() const {
        base::Command command;
        const std::string view = model::bundle_view_path(x_own.bundle.version);
        command.argv = {(x_own.top / view / "sbin/slurmd").native(), "-C"};
        command.environment = {{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C.UTF-8"}};
        command.deadline = std::chrono::seconds(60);
        SF_TRY(const base::Finished done, x_host.run(command));
        if (!done.exit.ok()) {
            return fail(Code::failed, "slurmd -C: {}: {}", done.exit.text(),
                        base::escape_untrusted(base::trim(done.err)));
        }
        return node_parameters_of(done.out);
    }

    Status carry_out(Planned planned) {
        x_reporter.begin(x_call, setup_log_path);
        Context context{x_host, x_reporter, x_record, x_facts.accounts};
        Plan& plan = planned.plan;
        if (plan.copy) {
            SF_TRY(const tree::InstallReport report, copy_tree(x_own, x_tree));
            SF_CHECK(verify_tree(x_own, x_tree, true));
            if (report.changed)
                context.changed(fmt::format("software in {}", report.prefix.native()));
        }
        const std::string before = x_record.leased ? x_record.prefix : "";
        const bool only_start = x_options.action == Action::start_services;
        if (only_start) {
            // Folders in /run are gone after a boot; the rest is as it was left.
            plan.users.clear();
            plan.secrets.clear();
            plan.files.clear();
            plan.leased = x_record.leased;  // as it was configured
            plan.after_boot = true;
            if (!plan.leased) std::erase(plan.units, lease_timer);
        } else {
            x_record.answers = planned.answers;
        }
        if (plan.database && !only_start && !plan.database->password_file.empty() &&
            x_facts.secrets.contains(std::string(slurmdbd_conf_path))) {
            x_reporter.notice(
                "{} is there already and keeps its password: --db-password-file "
                "is not used",
                slurmdbd_conf_path);
        }
        if (plan.backup) {
            SF_CHECK(base::during(back_up(plan, context),
                                  "saving what Slurm " + plan.backup->from + " left"));
        }
        SF_CHECK(base::during(set_up(plan, context, x_password), "setting up"));
        const std::string helper =
            (x_tree / model::bundle_assets_path(x_own.bundle.version) / model::helper_name)
                .native();
        const Status up = base::during(bring_up(plan, context, helper), "bringing it up");
        if (!up) return tl::unexpected(explained(up.error()));
        for (const std::string& note : plan.notes) x_reporter.notice("{}", note);
        if (!before.empty() && before != x_tree.native() && base::is_dir(before)) {
            SF_CHECK(base::during(end_lease(before, x_reporter), "leaving " + before));
        }
        if (plan.leased && plan.start) SF_CHECK(first_lease(helper));
        if (plan.start) {
            const auto proved = smoke_test(plan, context);
            if (!proved) return tl::unexpected(explained(proved.error()));
            SF_CHECK(sackd_listens(plan));
            for (const std::string& line : *proved) x_reporter.info("proved: {}", line);
        }
        x_reporter.info("Slurm {} in {}: {} changes{}", x_own.bundle.version, x_tree.native(),
                        context.changes, plan.start ? "" : "; not started (--start-services)");
        return {};
    }

    // It runs without its port as well, and never hears of a change. Which one it is, is known only
    // now; without systemd the supervisor has seen to it.
    Status sackd_listens(const Plan& plan) {
        if (!plan.systemd || !plan.runs_sackd || x_facts.runs("sackd")) return {};
        const auto port = configured_port(
            x_host, {std::string(fetched_conf_path), std::string(slurmd_port_name)}, slurmd_port);
        if (!port || !x_facts.listeners.ports.contains(*port)) return {};
        base::Error error = port_in_use(*port, "sackd");
        error.hint += "; once it is free: systemctl restart sackd.service";
        return tl::unexpected(std::move(error));
    }

    // The unit renews it; that it cannot be written is to be seen now, by whoever can mend it.
    Status first_lease(const std::string& helper) {
        LeaseOptions options;
        options.tree = x_tree;
        const Status held = hold_lease(options, x_reporter);
        if (held) return {};
        SF_TRY(const fs::path file, lease_path(x_tree));
        x_reporter.warning(
            "this host cannot say what it runs from {}: {}. Before something is removed from it, "
            "let root of this host write to {}; or have what '{} lease --print --hours=72 {}' says "
            "here written to {} by a host that can, before the hours are over and after each "
            "switch of `current`",
            x_tree.native(), held.error().text(), file.parent_path().native(), helper,
            x_tree.native(), file.native());
        return {};
    }

    Options x_options;
    std::string x_call;
    Host& x_host;
    SetupLog& x_reporter;
    std::optional<base::FileLock> x_lock;
    Record x_record;
    OwnTree x_own;
    fs::path x_tree;
    bool x_copy = false;
    Facts x_facts;
    VersionQuestion x_versions;
    std::string x_password;  // of a slurmdbd.conf that is made now
};

// slurm-setup supervise --ready-fd=N [--after-boot]: started by ourselves only.
int run_supervisor(const std::vector<std::string>& words) {
    SupervisorOptions options;
    for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i] == "--ready-fd=3") {
            options.ready_fd = 3;
        } else if (words[i] == "--after-boot") {
            options.after_boot = true;
        } else {
            return exit_code(
                fail(Code::usage, "supervise takes no '{}'", base::escape_untrusted(words[i])));
        }
    }
    // No descriptor of ours is for the daemons.
    if (options.ready_fd >= 0 && ::fcntl(options.ready_fd, F_SETFD, FD_CLOEXEC) != 0)
        return exit_code(base::fail_errno(errno, "use descriptor 3"));
    LinuxHost host;
    Voice voice(true);
    return exit_code(supervise(options, host, voice));
}

// slurm-setup lease: started by a unit of ours, or by the supervisor.
int run_lease(const std::vector<std::string>& words) {
    const auto options = parse_lease({words.begin() + 1, words.end()});
    if (!options) return exit_code(tl::unexpected(options.error()));
    Voice voice(options->keep);
    return exit_code(hold_lease(*options, voice));
}

// slurm-setup rehearse: started by build-slurm --verify, in its sandbox.
int run_rehearsal(const std::vector<std::string>& words) {
    const auto options = parse_rehearsal({words.begin() + 1, words.end()});
    if (!options) return exit_code(tl::unexpected(options.error()));
    LinuxHost host;
    Voice voice;
    const Status status = rehearse(*options, host, voice);
    if (!status) voice.info("failed: {}", base::escape_untrusted(status.error().text()));
    return status ? 0 : 1;
}

}  // namespace

int run_setup(const std::vector<std::string>& words) {
    base::install_stop_handlers();
    ::umask(022);
    if (!words.empty() && words[0] == "supervise") return run_supervisor(words);
    if (!words.empty() && words[0] == "lease") return run_lease(words);
    if (!words.empty() && words[0] == "rehearse") return run_rehearsal(words);
    const Result<Options> options = parse_options(words);
    if (!options) return exit_code(tl::unexpected(options.error()));
    if (options->action == Action::help) {
        if (!say(stdout, help_text())) return 1;
        return words.empty() ? 2 : 0;
    }
    LinuxHost host;
    Voice voice;
    SetupLog log(voice);
    const std::string call = "slurm_install.sh " + base::shell_join(words);
    const Status status = Setup(*options, call, host, log).run();
    if (!status) log.failed(status.error());
    return exit_code(status);
}

}  // namespace sf::deploy
