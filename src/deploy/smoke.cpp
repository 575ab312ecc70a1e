// SPDX-License-Identifier: Apache-2.0
#include "deploy/smoke.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "deploy/await.hpp"
#include "deploy/conf_file.hpp"
#include "deploy/facts.hpp"
#include "deploy/local_http.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr std::chrono::seconds whole_patience{90};
constexpr int array_tasks = 3;
constexpr std::string_view auth_prefix = "auth/";

class Smoke {
public:
    Smoke(const SmokeSubject& subject, Host& host, base::Reporter& reporter)
        : x_subject(subject), x_host(host), x_reporter(reporter) {}

    Result<std::vector<std::string>> run() {
        SF_CHECK(step("munge", "testing MUNGE", [&] { return munge(); }));
        if (x_subject.controller)
            SF_CHECK(step("slurmctld", "testing slurmctld", [&] { return controller(); }));
        if (x_subject.dbd && !x_subject.controller)
            SF_CHECK(step("slurmdbd", "testing slurmdbd", [&] { return dbd(); }));
        if (x_subject.controller && x_subject.accounting) {
            SF_CHECK(step("sacctmgr", "testing slurmctld's way to slurmdbd",
                          [&] { return registered(); }));
        }
        if (x_subject.sackd) SF_CHECK(step("sackd", "testing sackd", [&] { return sackd(); }));
        if (x_subject.compute) {
            SF_CHECK(step("node", "testing the node", [&] { return node(); }));
            if (x_full) {
                x_reporter.notice("jobs have all of {}: none was tried", x_subject.node);
            } else {
                SF_CHECK(jobs());
            }
        }
        if (!x_subject.rest_socket.empty())
            SF_CHECK(step("slurmrestd", "testing slurmrestd", [&] { return rest(); }));
        return std::move(x_proved);
    }

private:
    Status jobs() {
        SF_CHECK(step("srun", "testing srun", [&] { return interactive(); }));
        SF_CHECK(step("sbatch", "testing sbatch", [&] {
            Status batched = batch();
            if (!batched) cancel();
            clean_up();
            return batched;
        }));
        if (!x_subject.accounting || !x_subject.controller) return {};
        return step("sacct", "testing accounting", [&] { return accounting(); });
    }

    template <class Work>
    Status step(std::string_view name, const char* doing, Work work) {
        if (x_subject.begins) x_subject.begins(name);
        return base::during(Status(work()), doing);
    }

    Result<base::Finished> call(std::vector<std::string> argv, bool as_user,
                                std::string_view input = {},
                                std::chrono::milliseconds deadline = whole_patience) {
        base::Command command;
        const std::string& view = x_subject.view;
        argv[0] = view + "/bin/" + argv[0];
        command.argv = std::move(argv);
        command.environment = {
            {"PATH", view + "/bin:/usr/bin:/bin"}, {"LC_ALL", "C.UTF-8"}, {"HOME", "/"}};
        for (const auto& [name, value] : x_subject.environment) command.environment[name] = value;
        if (!x_conf.empty()) command.environment["SLURM_CONF"] = x_conf;
        command.directory = "/";
        command.deadline = deadline;
        command.limits.no_core = false;
        if (as_user && x_subject.become_user) command.identity = x_subject.user;
        return x_host.run(command, input);
    }
    Result<std::string> must(std::vector<std::string> argv, bool as_user,
                             std::string_view input = {}) {
        const std::string name = argv[0];
        SF_TRY(const base::Finished done, call(std::move(argv), as_user, input));
        if (done.exit.ok()) return std::string(base::trim(done.out));
        return base::fail_hint(
            done.timed_out ? Code::exhausted : Code::failed,
            fmt::format("{}: {}: {}", name,
                        done.timed_out ? fmt::format("no end within {} s", whole_patience.count())
                                       : done.exit.text(),
                        base::escape_untrusted(base::trim(done.err))),
            "see the logs in " + x_subject.logs);
    }
    // Until it prints one of `wanted`, and which.
    Result<std::string> await(int seconds, const std::vector<std::string>& argv,
                              const std::vector<std::string>& wanted) {
        std::string got;
        const auto is_it = [&](const std::string& said) {
            const auto found = std::ranges::find_if(wanted, [&](const std::string& each) {
                return said.find(each) != std::string::npos;
            });
            if (found != wanted.end()) got = *found;
            return found != wanted.end();
        };
        SF_CHECK(await_if(seconds, argv, is_it, '\'' + base::join(wanted, "' or '") + '\''));
        return got;
    }
    // Until what it prints is that; `wanted` says what, to people.
    template <class IsIt>
    Status await_if(int seconds, const std::vector<std::string>& argv, IsIt is_it,
                    const std::string& wanted) {
        std::string said;
        const auto ask = [&](std::chrono::milliseconds left) -> Result<bool> {
            SF_TRY(const base::Finished done, call(argv, false, {}, left));
            said = std::string(base::trim(done.exit.ok() ? done.out : done.err));
            return done.exit.ok() && is_it(said);
        };
        SF_TRY(const bool answered, deploy::await(x_host, std::chrono::seconds(seconds), ask));
        if (answered) return {};
        return base::fail_hint(
            Code::exhausted,
            fmt::format("after {} s '{}' still says '{}', not {}", seconds, base::shell_join(argv),
                        base::escape_untrusted(said), wanted),
            "see the logs in " + x_subject.logs);
    }

    Status await_end() {
        const auto ask = [&](std::chrono::milliseconds) -> Result<bool> {
            SF_TRY(const std::string waiting,
                   must({"squeue", "-h", "-j", x_job, "-o", "%T"}, false));
            const bool at_work = waiting.find("RUNNING") != std::string::npos ||
                                 waiting.find("PENDING") != std::string::npos ||
                                 waiting.find("COMPLETING") != std::string::npos ||
                                 waiting.find("CONFIGURING") != std::string::npos;
            return !at_work;
        };
        SF_TRY(const bool ended, deploy::await(x_host, std::chrono::minutes(1), ask));
        if (ended) return {};
        return base::fail_hint(Code::exhausted, "job " + x_job + " does not end",
                               "see the logs in " + x_subject.logs);
    }

    Status munge() {
        std::vector<std::string> encode{"munge", "-n"};
        std::vector<std::string> decode{"unmunge"};
        if (!x_subject.munge_socket.empty()) {
            for (std::vector<std::string>* words : {&encode, &decode})
                words->push_back("--socket=" + x_subject.munge_socket);
        }
        SF_TRY(const std::string credential, must(encode, true));
        SF_TRY(const std::string decoded, must(decode, true, credential + "\n"));
        if (decoded.find("Success") == std::string::npos)
            return fail(Code::failed, "unmunge says {}", base::escape_untrusted(decoded));
        x_proved.emplace_back("munge: a credential was made and read back");
        return {};
    }

    Status controller() {
        SF_CHECK(await(30, {"scontrol", "ping"}, {"is UP"}).map([](const std::string&) {}));
        x_proved.emplace_back("slurmctld answers");
        return {};
    }

    // How it is reached, in the words of slurm.conf. User slurm may have written them, and root's
    // sacctmgr reads them: none names a folder of plugins.
    static Result<std::string> conf_for_dbd(const ConfFile& theirs) {
        const auto or_else = [&](const char* name, const char* absent) {
            const std::string value = theirs.value(name);
            return value.empty() ? std::string(absent) : value;
        };
        const std::string auth = or_else("AuthType", "auth/munge");
        const std::string plugin = auth.substr(std::min(auth.size(), auth_prefix.size()));
        if (!auth.starts_with(auth_prefix) || plugin.empty() ||
            plugin.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos)
            return fail(Code::refused, "AuthType '{}' names no plugin of Slurm's",
                        base::escape_untrusted(auth));
        std::string text =
            "ClusterName=slurm-setup\nSlurmctldHost=localhost\n"
            "AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=localhost\n";
        // As documented, the two are changed together.
        if (plugin == "slurm") text += "CredType=cred/slurm\n";
        for (const auto& [name, value] : {std::pair{"AuthType", auth},
                                          {"AuthInfo", theirs.value("AuthInfo")},
                                          {"SlurmUser", or_else("SlurmUser", "slurm")},
                                          {"AccountingStoragePort", or_else("DbdPort", "6819")}}) {
            if (value.empty()) continue;
            SF_TRY(const std::string line, conf_line(name, value));
            text += line;
        }
        return text;
    }

    // A host of slurmdbd alone has no slurm.conf that leads the tools to it: it gets one for as
    // long as this takes. Its own account of the user root is read from its database.
    Status dbd() {
        SF_TRY(const std::string nonce, make_password(x_host));
        const std::string path = "/run/slurm-setup-" + nonce.substr(0, 16) + ".conf";
        SF_TRY(const std::string theirs, x_host.read(std::string(slurmdbd_conf_path)));
        SF_TRY(const std::string conf, base::during(conf_for_dbd(ConfFile::parse(theirs)),
                                                    "reading " + std::string(slurmdbd_conf_path)));
        SF_CHECK(x_host.write_new(path, conf, 0600, {}));
        x_conf = path;
        const auto said = await(
            30, {"sacctmgr", "-n", "-P", "show", "account", "root", "format=Account"}, {"root"});
        x_conf.clear();
        const Status removed = x_host.remove(path);
        if (!said) return tl::unexpected(said.error());
        SF_CHECK(removed);
        x_proved.emplace_back("sacctmgr: slurmdbd answers, and reads its database");
        return {};
    }

    // slurmctld, which tells slurmdbd where it is, came through.
    Status registered() {
        SF_TRY(const std::string config, must({"scontrol", "show", "config"}, false));
        const std::string cluster = conf_value(config, "ClusterName");
        const std::string server = conf_value(config, "AccountingStorageHost");
        const std::vector<std::string> show{"sacctmgr",
                                            "-n",
                                            "-P",
                                            "show",
                                            "cluster",
                                            cluster,
                                            "format=Cluster,ControlHost,ControlPort"};
        // It has no address and no port there before, and none once it has gone.
        const auto is_known = [&](const std::string& said) {
            return std::ranges::any_of(base::split(said, '\n'), [&](const std::string& line) {
                const std::vector<std::string> fields = base::split(line, '|');
                return fields.size() == 3 && fields[0] == cluster && !fields[1].empty() &&
                       !fields[2].empty() && fields[2] != "0";
            });
        };
        SF_CHECK(await_if(30, show, is_known, "where slurmctld of " + cluster + " is"));
        x_proved.push_back("sacctmgr: slurmdbd on " + base::escape_untrusted(server) +
                           " knows slurmctld of cluster " + base::escape_untrusted(cluster));
        return {};
    }

    // As users have it: no slurm.conf is here but what sackd has fetched. Where an administrator
    // has put one it goes before, and that of sackd is named.
    Status sackd() {
        SF_TRY(const bool fetched,
               deploy::await(x_host, std::chrono::seconds(30),
                             [&](std::chrono::milliseconds) -> Result<bool> {
                                 SF_TRY(const PathInfo info,
                                        x_host.look(std::string(fetched_conf_path)));
                                 return info.type == PathInfo::Type::file;
                             }));
        if (!fetched) {
            return base::fail_hint(
                Code::exhausted,
                fmt::format("after 30 s sackd has fetched no {} from slurmctld", fetched_conf_path),
                "see that slurmctld runs and that its port, 6817 unless --controller HOST:PORT "
                "says "
                "another, is reached from here; what sackd "
                "says: " +
                    x_subject.logs + ", or journalctl -u sackd.service");
        }
        SF_TRY(const PathInfo own, x_host.look(std::string(slurm_conf_path)));
        if (own.type != PathInfo::Type::absent) x_conf = fetched_conf_path;
        const auto up = await(30, {"scontrol", "ping"}, {"is UP"});
        const auto nodes = up ? must({"sinfo", "-h", "-N", "-o", "%N"}, true) : up;
        x_conf.clear();
        if (!nodes) return tl::unexpected(nodes.error());
        std::vector<std::string> names = base::split(*nodes, '\n');
        std::erase(names, "");
        std::ranges::sort(names);
        names.erase(std::unique(names.begin(), names.end()), names.end());
        x_proved.push_back(
            fmt::format("scontrol ping, by {} that sackd has fetched: slurmctld "
                        "answers",
                        fetched_conf_path));
        x_proved.push_back(fmt::format("sinfo, as {}: {} node{}", x_subject.user_name, names.size(),
                                       names.size() == 1 ? "" : "s"));
        return {};
    }

    Status node() {
        const std::vector<std::string> sinfo{"sinfo", "-h", "-o", "%T", "-n", x_subject.node};
        // After an upgrade its jobs are there still.
        SF_TRY(const std::string state, await(60, sinfo, {"idle", "mixed", "allocated"}));
        x_full = state == "allocated";
        x_proved.push_back("sinfo: node " + x_subject.node + " is " + state);
        return {};
    }

    Status interactive() {
        SF_TRY(const std::string said, must({"srun", "-w", x_subject.node, "hostname"}, true));
        const std::string name = said.substr(0, said.find('.'));
        if (name != x_subject.node)
            return fail(Code::failed, "srun hostname prints '{}', not '{}'",
                        base::escape_untrusted(said), x_subject.node);
        x_proved.push_back("srun hostname, as " + x_subject.user_name + ": " + name);
        return {};
    }

    Status batch() {
        SF_TRY(const std::string nonce, make_password(x_host));
        x_folder = x_subject.scratch + "/slurm-setup-" + nonce.substr(0, 12);
        SF_CHECK(x_host.make_folder(x_folder, 0700, {x_subject.user.uid, x_subject.user.gid}));
        SF_TRY(const std::string said,
               must({"sbatch", "--parsable", "-w", x_subject.node,
                     fmt::format("--array=1-{}", array_tasks), "--chdir=/",
                     "--output=" + x_folder + "/%a.out"},
                    true, "#!/bin/sh\necho \"$SLURM_ARRAY_TASK_ID $(srun hostname)\"\n"));
        x_job = said.substr(0, said.find(';'));
        // sbatch --wait asks at growing intervals, up to half a minute.
        SF_CHECK(await_end());
        for (int task = 1; task <= array_tasks; ++task) {
            const std::string path = fmt::format("{}/{}.out", x_folder, task);
            SF_TRY(const std::string text, x_host.read(path));
            if (!text.starts_with(fmt::format("{} {}", task, x_subject.node)))
                return fail(Code::failed, "task {} of job {} wrote '{}'", task, x_job,
                            base::escape_untrusted(base::trim(text)));
        }
        x_proved.push_back(
            fmt::format("sbatch --array=1-{}, as {}: job {}, {} tasks, each with a step by srun",
                        array_tasks, x_subject.user_name, x_job, array_tasks));
        return {};
    }

    Status accounting() {
        const std::vector<std::string> sacct{"sacct", "-n",         "-P", "-X",
                                             "-j",    x_job + "_1", "-o", "State"};
        SF_CHECK(await(30, sacct, {"COMPLETED"}).map([](const std::string&) {}));
        x_proved.push_back("sacct, through slurmdbd and its database: job " + x_job + " COMPLETED");
        return {};
    }

    // Who brings a token is answered; who brings none is not.
    Status rest() {
        constexpr const char* path = "/openapi/v3";
        constexpr std::string_view before_token = "SLURM_JWT=";
        SF_TRY(const std::string said, must({"scontrol", "token", "lifespan=60"}, false));
        if (!said.starts_with(before_token)) return fail(Code::failed, "scontrol gives no token");
        const std::vector<std::string> headers{
            "X-SLURM-USER-NAME: root", "X-SLURM-USER-TOKEN: " + said.substr(before_token.size())};
        // It does not tell systemd when it is ready.
        Result<std::string> answer;
        SF_CHECK(deploy::await(x_host, std::chrono::seconds(10),
                               [&](std::chrono::milliseconds) -> Result<bool> {
                                   answer = local_http_get(x_subject.rest_socket, path, headers);
                                   return answer.has_value();
                               })
                     .map([](bool) {}));
        if (!answer) return tl::unexpected(answer.error());
        // JSON may write a slash as it is or behind a backslash.
        if (base::replace_all(*answer, "\\/", "/").find("/slurm/v0.0.") == std::string::npos)
            return fail(Code::failed, "{} names no version of Slurm's interface", path);
        const auto stranger = local_http_get(x_subject.rest_socket, path);
        if (stranger) return fail(Code::refused, "slurmrestd answers who brings no token");
        if (stranger.error().message.find("HTTP/1.1 401") == std::string::npos)
            return tl::unexpected(stranger.error());
        x_proved.emplace_back("slurmrestd answers a JSON Web Token, and nobody without one");
        return {};
    }

    // What failed is not to wait in the queue for ever.
    void cancel() {
        if (x_job.empty()) return;
        const auto done = call({"scancel", x_job}, true);
        if (!done || !done->exit.ok()) x_reporter.warning("job {} could not be cancelled", x_job);
    }

    void clean_up() {
        if (x_folder.empty()) return;
        const auto names = x_host.list(x_folder);
        bool gone = names.has_value();
        for (std::size_t i = 0; gone && i < names->size(); ++i)
            gone = x_host.remove(x_folder + '/' + (*names)[i]).has_value();
        gone = gone && x_host.remove(x_folder).has_value();
        if (!gone) x_reporter.warning("{} could not be removed", x_folder);
    }

    const SmokeSubject& x_subject;
    Host& x_host;
    base::Reporter& x_reporter;
    std::string x_conf;   // SLURM_CONF, where the tools need to be told
    bool x_full = false;  // no job fits on the node now
    std::string x_folder;
    std::string x_job;
    std::vector<std::string> x_proved;
};

}  // namespace

Result<std::vector<std::string>> smoke_test(const SmokeSubject& subject, Host& host,
                                            base::Reporter& reporter) {
    return Smoke(subject, host, reporter).run();
}

// Jobs of nobody: root's are refused (DisableRootJobs), and users are who it is for.
Result<std::vector<std::string>> smoke_test(const Plan& plan, Context& context) {
    SmokeSubject subject;
    subject.view = plan.tree + "/current";
    subject.node = plan.node;
    subject.controller = plan.runs_controller;
    subject.compute = plan.runs_compute;
    subject.dbd = plan.runs_dbd;
    subject.sackd = plan.runs_sackd;
    subject.accounting = plan.accounting;
    subject.rest_socket = plan.rest_socket;
    if (const User* nobody = context.accounts.user("nobody"))
        subject.user = base::Identity{nobody->uid, nobody->gid};
    return smoke_test(subject, context.host, context.reporter);
}

}  // namespace sf::deploy
