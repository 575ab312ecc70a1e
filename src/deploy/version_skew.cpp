// SPDX-License-Identifier: Apache-2.0
#include "deploy/version_skew.hpp"

#include <charconv>
#include <chrono>
#include <map>
#include <optional>

#include "base/text.hpp"
#include "deploy/conf_file.hpp"
#include "deploy/engine.hpp"
#include "deploy/ports.hpp"
#include "deploy/release_step.hpp"

namespace sf::deploy {

using base::Code;
using base::fail_hint;
using base::Result;
using base::Status;

namespace {

// Where nobody listens the tools ask again, for as long as MessageTimeout says.
constexpr std::chrono::seconds patience{20};
constexpr std::size_t most_told = 5;

// Slurm's words, the same from 23.11 to 26.05. slurmctld answers a version that it does not know
// with an error of "authentication", in a message of its own version; before 24.11 it closes the
// connection. What the header of an answer says is told with DebugFlags=NetRaw, by the tools of
// 24.11 and later.
constexpr std::string_view header_mark = "header version=0x";
constexpr std::string_view unknown_mark = "protocol_version ";  // "... 11520 not supported"
constexpr std::string_view closed_mark = "Zero Bytes were transmitted or received";
constexpr std::string_view incompatible_mark = "Incompatible versions of client and server code";

constexpr const char* order =
    "a cluster is upgraded in this order: slurmdbd, slurmctld, all other hosts (word by word: "
    "docs/install.md in the sources of slurm-factory)";

bool has(const Answers& answers, Role role) {
    // As in effective_answers(): who says no role has all of them.
    return answers.roles ? answers.roles->contains(role) : role != Role::rest;
}

std::string controller_elsewhere(const Answers& answers) {
    if (has(answers, Role::controller)) return {};
    const bool used =
        has(answers, Role::compute) || has(answers, Role::login) || has(answers, Role::rest);
    return used ? answers.controller.value_or("") : "";
}

std::string dbd_elsewhere(const Answers& answers) {
    if (!has(answers, Role::controller) || has(answers, Role::dbd)) return {};
    return answers.accounting.value_or(true) ? answers.dbd_host.value_or("") : "";
}

// "24.11" or "24.11.5", as far as step_between() reads it.
bool is_version(std::string_view text) {
    const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
    return text.size() >= 5 && digit(0) && digit(1) && text[2] == '.' && digit(3) && digit(4);
}

// The number behind the first such mark.
std::optional<unsigned> number_after(std::string_view text, std::string_view mark, int radix) {
    const std::size_t at = text.find(mark);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view rest = text.substr(at + mark.size());
    unsigned number = 0;
    const auto [end, error] =
        std::from_chars(rest.data(), rest.data() + rest.size(), number, radix);
    if (error != std::errc() || end == rest.data()) return std::nullopt;
    return number;
}

base::Command command_of(std::vector<std::string> argv) {
    base::Command command;
    command.argv = std::move(argv);
    command.environment = {{"PATH", "/usr/bin:/bin"},
                           {"LC_ALL", "C.UTF-8"},
                           {"HOME", "/"},
                           {"SLURM_DEBUG_FLAGS", "NetRaw"}};
    command.directory = "/";
    command.deadline = patience;
    return command;
}

// With a configuration for as long as this takes: this host has none yet, or another one.
Result<base::Finished> ask(std::vector<std::string> argv, const std::string& conf, Host& host) {
    SF_TRY(const std::string nonce, make_password(host));
    const std::string path = "/run/slurm-setup-" + nonce.substr(0, 16) + ".conf";
    SF_CHECK(host.write_new(path, conf, 0600, {}));
    base::Command command = command_of(std::move(argv));
    command.environment["SLURM_CONF"] = path;
    auto done = host.run(command);
    const Status removed = host.remove(path);
    if (done) SF_CHECK(removed);
    return done;
}

// Names no folder of plugins, and nothing of this host. Versions are told before anybody asks who
// it is, so munged need not run.
std::string conf_of(bool munge) {
    return fmt::format(
        "ClusterName=slurm-setup\nSlurmUser=root\nMessageTimeout=5\nAuthType=auth/{}\n",
        munge ? "munge" : "none");
}
Result<std::string> conf_for_controller(const VersionQuestion& question) {
    const std::string& where = question.controller;
    const std::size_t colon = where.find(':');
    SF_TRY(const std::string name, conf_line("SlurmctldHost", where.substr(0, colon)));
    SF_TRY(const std::string port,
           conf_line("SlurmctldPort", colon == std::string::npos ? std::to_string(slurmctld_port)
                                                                 : where.substr(colon + 1)));
    return conf_of(question.munge) + name + port;
}
Result<std::string> conf_for_dbd(const std::string& where, std::uint16_t port, bool munge) {
    SF_TRY(const std::string name, conf_line("AccountingStorageHost", where));
    return conf_of(munge) +
           "SlurmctldHost=localhost\nAccountingStorageType=accounting_storage/slurmdbd\n" + name +
           fmt::format("AccountingStoragePort={}\n", port);
}

// Exact where it let itself be read, else the series; empty: nobody told.
std::string version_of_controller(const base::Finished& done) {
    std::string exact = conf_value(done.out, "SLURM_VERSION");
    if (is_version(exact)) return exact;
    if (const auto number = number_after(done.err, header_mark, 16))
        return series_of_protocol(*number);
    if (const auto number = number_after(done.err, unknown_mark, 10))
        return series_of_protocol(*number);
    return {};
}

Status controller_goes_with(const std::string& who, const std::string& theirs,
                            const std::string& ours) {
    const ReleaseStep step = step_between(theirs, ours);
    const std::string told = base::escape_untrusted(theirs);
    if (step == ReleaseStep::upgrade || step == ReleaseStep::too_far) {
        return fail_hint(
            Code::refused,
            fmt::format("{} is of Slurm {}, and {}, which is to be set up here, is of a later "
                        "series: slurmctld does not talk with one",
                        who, told, ours),
            fmt::format("{}; or take the bundle of Slurm {} for this host: it may lie in the same "
                        "tree",
                        order, told.substr(0, 5)));
    }
    if (step_between(ours, theirs) == ReleaseStep::too_far) {
        return fail_hint(Code::refused,
                         fmt::format("{} is of Slurm {}, and {}, which is to be set up here, is of "
                                     "too early a series for it",
                                     who, told, ours),
                         "take a bundle of a later series for this host, of slurmctld's at most; " +
                             std::string(order));
    }
    return {};
}

Status goes_with_controller(const VersionQuestion& question, Host& host) {
    SF_TRY(const std::string conf, conf_for_controller(question));
    SF_TRY(const base::Finished done,
           ask({question.tools + "/scontrol", "-v", "show", "config"}, conf, host));
    const std::string who = "slurmctld on " + base::escape_untrusted(question.controller);
    const std::string theirs = version_of_controller(done);
    if (!theirs.empty()) return controller_goes_with(who, theirs, question.version);
    if (done.err.find(closed_mark) == std::string::npos) return {};
    return fail_hint(
        Code::refused,
        fmt::format("{} takes the connection and closes it without an answer: before 24.11 it does "
                    "so to a Slurm of a later series, as {} may be, which is to be set up here",
                    who, question.version),
        fmt::format("see slurmctld's log there, which would say '{}'; {}; or take the bundle of "
                    "its series for this host: it may lie in the same tree",
                    incompatible_mark, order));
}

// It tells no number, but says in plain words that it is the versions.
Status goes_with_dbd(const VersionQuestion& question, Host& host) {
    SF_TRY(const std::string conf, conf_for_dbd(question.dbd, slurmdbd_port, question.munge));
    SF_TRY(const base::Finished done,
           ask({question.tools + "/sacctmgr", "-n", "-P", "show", "cluster", "format=Cluster"},
               conf, host));
    if (done.err.find(incompatible_mark) == std::string::npos) return {};
    return fail_hint(
        Code::refused,
        fmt::format("slurmdbd on {} does not talk with Slurm {}, which is to be set "
                    "up here: slurmdbd is of an earlier series, or of a much later "
                    "one ('{}')",
                    base::escape_untrusted(question.dbd), question.version, incompatible_mark),
        fmt::format("see what runs there: slurmdbd -V; {}", order));
}

// By name, with the version.
using Behind = std::map<std::string, std::string>;

std::string text_of(const Behind& behind) {
    std::vector<std::string> told;
    for (const auto& [name, version] : behind) {
        if (told.size() == most_told) break;
        told.push_back(
            fmt::format("{} ({})", base::escape_untrusted(name), base::escape_untrusted(version)));
    }
    std::string text = base::join(told, ", ");
    if (behind.size() > most_told) text += fmt::format(" and {} more", behind.size() - most_told);
    return text;
}

bool is_left_behind(const std::string& version, const FollowersQuestion& question) {
    return is_version(version) && step_between(version, question.version) == ReleaseStep::too_far;
}

// Those that answer; what is down for good is nobody's reason to stay.
Status nodes_follow(const FollowersQuestion& question, const std::string& tools, Host& host) {
    SF_TRY(const base::Finished done,
           host.run(command_of({tools + "/sinfo", "-h", "-r", "-N", "-o", "%N %v"})));
    Behind behind;
    for (const std::string& line : base::split(done.out, '\n')) {
        const std::vector<std::string> words = base::split(line, ' ');
        if (words.size() == 2 && is_left_behind(words[1], question)) behind[words[0]] = words[1];
    }
    if (behind.empty()) return {};
    return fail_hint(Code::refused,
                     fmt::format("slurmctld of Slurm {} talks no more with the slurmd of these "
                                 "nodes: {}",
                                 question.version, text_of(behind)),
                     "upgrade these nodes first, to the series of the slurmctld that runs now: "
                     "their jobs would be lost to the new one");
}

Status clusters_follow(const FollowersQuestion& question, const std::string& tools, Host& host) {
    SF_TRY(const std::string conf, conf_for_dbd("localhost", question.dbd_port, true));
    SF_TRY(const base::Finished done, ask({tools + "/sacctmgr", "-n", "-P", "show", "cluster",
                                           "format=Cluster,ControlPort,RPC"},
                                          conf, host));
    Behind behind;
    for (const std::string& line : base::split(done.out, '\n')) {
        const std::vector<std::string> fields = base::split(line, '|');
        // Without a port its slurmctld has gone.
        if (fields.size() != 3 || fields[1].empty() || fields[1] == "0") continue;
        const std::string series = series_of_protocol(number_after(fields[2], "", 10).value_or(0));
        if (is_left_behind(series, question)) behind[fields[0]] = series;
    }
    if (behind.empty()) return {};
    return fail_hint(Code::refused,
                     fmt::format("slurmdbd of Slurm {} talks no more with the slurmctld of these "
                                 "clusters: {}",
                                 question.version, text_of(behind)),
                     "upgrade their slurmctld first, to the series of the slurmdbd that runs now");
}

}  // namespace

VersionQuestion version_question(const Answers& answers, const Facts& facts) {
    VersionQuestion question;
    question.munge = facts.listeners.sockets.contains(std::string(munge_socket_path));
    question.controller = controller_elsewhere(answers);
    question.dbd = dbd_elsewhere(answers);
    return question;
}

bool others_may_be_asked(const Answers& answers) {
    return !controller_elsewhere(answers).empty() || !dbd_elsewhere(answers).empty();
}

Status goes_with_others(const VersionQuestion& question, Host& host) {
    if (!question.dbd.empty()) SF_CHECK(goes_with_dbd(question, host));
    if (!question.controller.empty()) SF_CHECK(goes_with_controller(question, host));
    return {};
}

Status others_follow(const FollowersQuestion& question, Host& host) {
    Status followed;
    for (const std::string& tools : question.tools) {
        followed = {};
        if (question.nodes) followed = nodes_follow(question, tools, host);
        if (followed && question.dbd_port != 0) followed = clusters_follow(question, tools, host);
        if (followed || followed.error().code != Code::absent) break;
    }
    return followed;
}

}  // namespace sf::deploy
