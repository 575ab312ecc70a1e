// SPDX-License-Identifier: Apache-2.0
#include "deploy/options.hpp"

#include <array>
#include <charconv>
#include <functional>

#include "base/text.hpp"
#include "deploy/names.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

struct Word {
    const char* name;
    const char* value;  // what stands for its value in the help; null: a flag
    const char* help;
    std::function<Status(Options&, const std::string&)> take;
};

template <class Field>
auto text_into(Field field, Status (*check)(std::string_view)) {
    return [=](Options& options, const std::string& value) -> Status {
        SF_CHECK(check(value));
        options.answers.*field = value;
        return {};
    };
}

template <class Number>
Result<Number> parse_number(const std::string& text, Number least, std::string_view what) {
    Number number = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc() && at == end && number >= least) return number;
    return fail(Code::usage, "'{}' is no {}", base::escape_untrusted(text), what);
}

auto act(Action action) {
    return [=](Options& options, const std::string&) -> Status {
        if (options.action != Action::help && options.action != action) {
            return fail(Code::usage,
                        "say one of --full-init, --init-only, --start-services and "
                        "--uninstall");
        }
        options.action = action;
        return {};
    };
}

auto flag(bool Options::*field) {
    return [=](Options& options, const std::string&) -> Status {
        options.*field = true;
        return {};
    };
}

auto plain(std::string Options::*field) {
    return [=](Options& options, const std::string& value) -> Status {
        if (value.empty()) return fail(Code::usage, "an empty value");
        options.*field = value;
        return {};
    };
}

template <class Field>
auto answer(Field field, bool value) {
    return [=](Options& options, const std::string&) -> Status {
        options.answers.*field = value;
        return {};
    };
}

constexpr std::uint32_t no_user = 0xffffffff;

auto uid_into(std::optional<std::uint32_t> Answers::*field) {
    return [=](Options& options, const std::string& value) -> Status {
        SF_TRY(options.answers.*field,
               parse_number<std::uint32_t>(value, 1, "number of a user (1 or more)"));
        // uid_t's "nobody in particular" (chown's "leave it").
        if (options.answers.*field == no_user)
            return fail(Code::usage, "{} is no number of a user", no_user);
        return {};
    };
}

Status check_host(std::string_view name) { return check_host_name(name, "name of a host"); }

// As Slurm's --conf-server has it.
Status check_controller(std::string_view controller) {
    const std::size_t colon = controller.find(':');
    if (colon != std::string_view::npos) {
        const std::string port(controller.substr(colon + 1));
        SF_TRY([[maybe_unused]] const auto number, parse_number<std::uint16_t>(port, 1, "port"));
    }
    return check_host(controller.substr(0, colon));
}

const std::vector<Word>& words_known() {
    static const std::vector<Word> table{
        {"--full-init", nullptr, "install, configure and start", act(Action::full_init)},
        {"--init-only", nullptr, "configure and start; the software is in its place already",
         act(Action::init_only)},
        {"--start-services", nullptr, "only start what was configured before",
         act(Action::start_services)},
        {"--uninstall", nullptr,
         "stop what was started, remove units and unchanged files; never secrets, state, databases",
         act(Action::uninstall)},
        {"--dry-run", nullptr,
         "print what would be done, with every owner and mode; change nothing",
         flag(&Options::dry_run)},
        {"--no-start", nullptr, "do not start anything", flag(&Options::no_start)},
        {"--without-backup", nullptr,
         "an upgrade to another series saves state and database first; do not, I have",
         flag(&Options::without_backup)},
        {"--prefix", "DIR", "where the software shall be (default: where it was unpacked)",
         plain(&Options::prefix)},
        {"--key", "FINGERPRINT", "the manifest must be signed by this key (full fingerprint)",
         plain(&Options::key)},
        {"--key-file", "FILE",
         "its public part (default: /etc/slurm-factory/trust/<FINGERPRINT>.asc)",
         plain(&Options::key_file)},
        {"--role", "ROLES",
         "controller, dbd, compute, login, rest, several with commas, or all "
         "(default: all, which is without rest)",
         [](Options& options, const std::string& value) -> Status {
             SF_TRY(options.answers.roles, parse_roles(value));
             return {};
         }},
        {"--cluster-name", "NAME", "a-z, 0-9, '_', '-' (default: cluster)",
         text_into(&Answers::cluster, check_cluster_name)},
        {"--controller", "HOST[:PORT]",
         "where slurmctld runs (default with role controller: this machine), and its "
         "SlurmctldPort, "
         "if it is another than 6817",
         text_into(&Answers::controller, check_controller)},
        {"--address", "ADDRESS",
         "of this machine, for the others, if its name does not resolve to it",
         text_into(&Answers::address, check_address)},
        {"--nodes", "LIST",
         "compute nodes, as node[01-16] (default with role compute: this machine)",
         text_into(&Answers::nodes, check_node_list)},
        {"--node-parameters", "WORDS", "of these nodes in slurm.conf: 'CPUs=64 RealMemory=256000'",
         text_into(&Answers::node_parameters, check_node_parameters)},
        {"--dbd-host", "HOST", "where slurmdbd runs (default with role dbd: this machine)",
         text_into(&Answers::dbd_host, check_host)},
        {"--without-accounting", nullptr, "no slurmdbd and no database",
         answer(&Answers::accounting, false)},
        {"--db-host", "HOST",
         "of MariaDB or MySQL, asked before anything is changed (default: localhost, over its "
         "socket)",
         text_into(&Answers::db_host, check_host)},
        {"--db-port", "PORT", "(default: 3306)",
         [](Options& options, const std::string& value) -> Status {
             SF_TRY(options.answers.db_port, parse_number<std::uint16_t>(value, 1, "port"));
             return {};
         }},
        {"--db-user", "NAME", "(default: slurm)",
         text_into(&Answers::db_user, check_database_user)},
        {"--db-password-file", "FILE",
         "the first line is the password (default on localhost: one is generated)",
         plain(&Options::db_password_file)},
        {"--jwt", nullptr,
         "JSON Web Tokens besides MUNGE, with a generated key; role rest needs it",
         answer(&Answers::jwt, true)},
        {"--slurm-uid", "UID", "of user slurm, if it is made: the same on all hosts of a cluster",
         uid_into(&Answers::slurm_uid)},
        {"--munge-uid", "UID", "of user munge, likewise", uid_into(&Answers::munge_uid)},
        {"--help", nullptr, "", [](Options&, const std::string&) -> Status { return {}; }},
    };
    return table;
}

// A secret is never a word of a command line.
Status refuse_secret(std::string_view name) {
    if (name == "--db-password-file" || name.find("pass") == std::string_view::npos) return {};
    return base::fail_hint(
        Code::usage,
        fmt::format("{} is refused: command lines are readable by every user of "
                    "this machine",
                    base::escape_untrusted(name)),
        "put the password into a file of mode 0600 and say --db-password-file FILE");
}

Status check_together(const Options& options) {
    if (options.no_start && options.action == Action::start_services) {
        return fail(Code::usage, "--no-start and --start-services contradict each other");
    }
    if (!options.key_file.empty() && options.key.empty()) {
        return fail(Code::usage,
                    "--key-file needs --key FINGERPRINT: a key is known by its full "
                    "fingerprint only");
    }
    if (options.action == Action::help && (options.dry_run || options.no_start)) {
        return fail(Code::usage,
                    "say what to do: --full-init, --init-only, --start-services or "
                    "--uninstall");
    }
    return {};
}

}  // namespace

std::string_view role_name(Role role) {
    switch (role) {
        case Role::controller: return "controller";
        case Role::dbd: return "dbd";
        case Role::compute: return "compute";
        case Role::login: return "login";
        case Role::rest: return "rest";
    }
    return "";
}

Result<std::set<Role>> parse_roles(std::string_view text) {
    constexpr std::array all{Role::controller, Role::dbd, Role::compute, Role::login, Role::rest};
    std::set<Role> roles;
    for (const std::string& word : base::split(text, ',')) {
        if (word == "all") {
            roles.insert({Role::controller, Role::dbd, Role::compute, Role::login});
            continue;
        }
        const auto found = std::find_if(all.begin(), all.end(),
                                        [&](Role role) { return role_name(role) == word; });
        if (found == all.end()) {
            return fail(Code::usage,
                        "'{}' is no role: controller, dbd, compute, login, rest or all",
                        base::escape_untrusted(word));
        }
        roles.insert(*found);
    }
    return roles;
}

Answers Answers::overridden_by(const Answers& later) const {
    Answers both = *this;
    const auto take = [&](auto field) {
        if (later.*field) both.*field = later.*field;
    };
    take(&Answers::roles);
    take(&Answers::cluster);
    take(&Answers::controller);
    take(&Answers::address);
    take(&Answers::nodes);
    take(&Answers::node_parameters);
    take(&Answers::dbd_host);
    take(&Answers::db_host);
    take(&Answers::db_port);
    take(&Answers::db_user);
    take(&Answers::accounting);
    take(&Answers::jwt);
    take(&Answers::slurm_uid);
    take(&Answers::munge_uid);
    return both;
}

Result<Options> parse_options(const std::vector<std::string>& words) {
    Options options;
    for (const std::string& word : words) {
        if (word == "--help" || word == "-h") return Options{};
    }
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::size_t equals = words[i].find('=');
        const std::string name = words[i].substr(0, equals);
        SF_CHECK(refuse_secret(name));
        const Word* known = nullptr;
        std::vector<std::string> names;
        for (const Word& candidate : words_known()) {
            names.emplace_back(candidate.name);
            if (name == candidate.name) known = &candidate;
        }
        if (known == nullptr) {
            const auto better = base::did_you_mean(name, names);
            return base::fail_hint(
                // Not what it was given: that may be a secret.
                Code::usage, fmt::format("'{}' is no option", base::escape_untrusted(name)),
                better ? "did you mean " + *better + "?" : "slurm_install.sh --help");
        }
        std::string value;
        if (known->value == nullptr) {
            if (equals != std::string::npos) return fail(Code::usage, "{} takes no value", name);
        } else if (equals != std::string::npos) {
            value = words[i].substr(equals + 1);
        } else if (++i < words.size()) {
            value = words[i];
        } else {
            return fail(Code::usage, "{} needs a value: {}", name, known->value);
        }
        SF_CHECK(base::during(known->take(options, value), "reading " + name));
    }
    SF_CHECK(check_together(options));
    return options;
}

std::string help_text() {
    std::string text =
        "Brings up Slurm on this machine from the tree that was unpacked.\n"
        "usage: slurm_install.sh --full-init | --init-only | --start-services | --uninstall "
        "[options]\n\n";
    for (const Word& word : words_known()) {
        if (*word.help == '\0') continue;
        std::string left = std::string("  ") + word.name;
        if (word.value != nullptr) left += std::string(" ") + word.value;
        text += fmt::format("{:<30} {}\n", left, word.help);
    }
    text +=
        "\nexamples:\n"
        "  slurm_install.sh --full-init                            one machine, everything on it\n"
        "  slurm_install.sh --full-init --dry-run                  only show what that would do\n"
        "  slurm_install.sh --full-init --role controller,dbd --nodes node[01-16] \\\n"
        "      --node-parameters 'CPUs=64 RealMemory=256000' --cluster-name alpha\n"
        "  slurm_install.sh --full-init --role compute --controller head1   on each node, with\n"
        "      /etc/munge/munge.key brought from head1 before\n"
        "What it would do is shown by --dry-run, and taken back by --uninstall. Everything it "
        "writes, with\n"
        "owners and modes: docs/install.md in the sources of slurm-factory\n";
    return text;
}

}  // namespace sf::deploy
