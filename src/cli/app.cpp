// SPDX-License-Identifier: Apache-2.0
#include "cli/app.hpp"

#include <CLI/CLI.hpp>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <pwd.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/config_file.hpp"
#include "cli/session.hpp"
#include "cli/signer_program.hpp"
#include "cli/standard_streams.hpp"
#include "cli/usage_error.hpp"

namespace sf::cli {

namespace fs = std::filesystem;

namespace {

constexpr int exit_success = 0;
constexpr int exit_failure = 1;
constexpr int exit_usage = 2;

// HOME, else what the machine's list of users says; services have no HOME.
fs::path home_folder() {
    const char* home = ::getenv("HOME");
    if (home != nullptr && *home == '/') return home;
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> room(16384);
    if (::getpwuid_r(::geteuid(), &entry, room.data(), room.size(), &found) != 0 ||
        found == nullptr || found->pw_dir == nullptr || *found->pw_dir != '/')
        return {};
    return found->pw_dir;
}

// Empty where there is no home: then --state-dir must say.
fs::path default_state_dir() {
    const fs::path home = home_folder();
    return home.empty() ? home : home / ".slurm-factory";
}

// Recipes and the like: beside an installed program, else in the source tree it was built from.
fs::path default_data_dir() {
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    fs::path installed = program.parent_path().parent_path() / "share" / "slurm-factory";
    if (!error && base::exists(installed / "recipes")) return installed;
    return SF_SOURCE_DATA_DIR;
}

void add_globals(CLI::App& app, Session& session) {
    GlobalOptions& options = session.options;
    options.state_dir = default_state_dir();
    options.data_dir = default_data_dir();
    app.add_flag("-v,--verbose", options.verbose, "Say more; twice: say everything");
    app.add_flag("-q,--quiet", options.quiet, "Only results, warnings and errors");
    app.add_flag("--json", options.json, "One JSON object a line on stdout instead of text");
    app.add_option("--color", options.color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}))
        ->envname("SLURM_FACTORY_COLOR")
        ->type_name("WHEN");
    app.add_option("--state-dir", options.state_dir,
                   "Builds, packages, sources, roots, keys and logs (default ~/.slurm-factory)")
        ->envname("SLURM_FACTORY_CACHE_DIR")
        ->type_name("DIR");
    app.add_option("--data-dir", options.data_dir,
                   "Recipes, stacks and toolchains, if not the program's own")
        ->envname("SLURM_FACTORY_DATA_DIR")
        ->type_name("DIR");
    app.add_option("--config", options.config, "Configuration file")
        ->envname("SLURM_FACTORY_CONFIG")
        ->type_name("FILE");
    app.set_version_flag("--version", std::string("slurm-factory ") + program_version());
}

// A secret is never a flag's value: the seed's flag is refused, with the reason and the safe way.
std::optional<std::string> refused_flag(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
        if (word == "--") break;
        const std::string name = word.substr(0, word.find('='));
        if (name == "--gpg-private-key" || name == "--passphrase" || name == "--signing-passphrase")
            return name;
    }
    return std::nullopt;
}

// Before the command line is parsed: also what is wrong with it is said as JSON then.
bool asks_for_json(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
        if (word == "--") break;
        if (word == "--json") return true;
    }
    return false;
}

int say_error(Session& session, const base::Error& error) {
    session.voice.error(error);
    return error.code == base::Code::usage ? exit_usage : exit_failure;
}

// An empty path would become the current folder.
base::Status make_absolute(fs::path& path, const char* option) {
    if (path.empty()) {
        return base::fail_hint(base::Code::usage,
                               fmt::format("{} has no folder (nor has this user a home)", option),
                               fmt::format("… {} DIR", option));
    }
    std::error_code error;
    const fs::path absolute = fs::absolute(path, error);
    if (error)
        return base::during(
            base::Status(base::fail_errno(error.value(), "find the current folder")),
            std::string(option));
    path = absolute.lexically_normal();
    if (!path.has_filename() && path.has_relative_path()) path = path.parent_path();  // "dir/"
    return {};
}

// "$VARIABLE" that is not set: --sha256 '' must not mean "any", nor --passphrase-file '' "none".
void refuse_empty_values(CLI::App& app) {
    const auto not_empty = [](const std::string& value) {
        return value.empty() ? std::string("its value is empty") : std::string();
    };
    for (CLI::Option* option : app.get_options()) {
        const bool flag = option->get_items_expected_max() == 0;
        const bool words = option->get_positional() && option->get_items_expected_max() > 1;
        if (!flag && !words) option->check(CLI::Validator(not_empty, ""));
    }
    for (CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
        refuse_empty_values(*sub);
}

// CLI11 would take the next word for the value.
base::Status check_equal_signs(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
        if (word == "--") break;
        if (!word.starts_with("--") || word.find('=') != word.size() - 1) continue;
        return base::fail(base::Code::usage, "{} its value is empty", base::escape_untrusted(word));
    }
    return {};
}

void add_commands(CLI::App& app, Session& session) {
    add_build_slurm(app, session);
    add_plan(app, session);
    add_toolchain(app, session);
    add_versions(app, session);
    add_key(app, session);
    add_cache(app, session);
    add_bundle(app, session);
    add_install(app, session);
    add_list(app, session);
    add_rollback(app, session);
    add_spack_env(app, session);
    add_spack_repo(app, session);
    add_uninstall(app, session);
    add_verify(app, session);
    add_fsck(app, session);
    add_gc(app, session);
    add_lease(app, session);
    add_recipe(app, session);
    add_doctor(app, session);
    add_clean(app, session);
}

int run_words(Session& session, CLI::App& app, int argc, char** argv) {
    const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    session.options.json = asks_for_json(words);
    if (const auto flag = refused_flag(words)) {
        return say_error(
            session,
            {base::Code::usage,
             *flag + " is refused: command lines are readable by every user of this machine and "
                     "end up in histories and logs",
             {},
             "slurm-factory key import FILE, then --signing-key FINGERPRINT, with "
             "--passphrase-file FILE or --passphrase-fd N"});
    }
    if (const base::Status status = check_equal_signs(words); !status)
        return say_error(session, status.error());
    try {
        if (const base::Status status = apply_config_file(app, words); !status) {
            session.voice.error(status.error());
            return exit_usage;  // also where the file is not there: it was named
        }
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        session.voice.text(app.help());
        return exit_success;
    } catch (const CLI::CallForVersion& version) {
        session.voice.text(std::string(version.what()) + "\n");
        return exit_success;
    } catch (const CLI::Success&) {
        return exit_success;
    } catch (const CLI::ParseError& error) {
        return say_error(session, usage_error(app, error, words));
    }
    for (const std::string& sentence : unknown_variables(app))
        session.voice.warning("{}", sentence);
    for (const auto& [path, option] : {std::pair{&session.options.state_dir, "--state-dir"},
                                       std::pair{&session.options.data_dir, "--data-dir"}})
        if (const base::Status status = make_absolute(*path, option); !status)
            return say_error(session, status.error());

    const base::Status status = session.action();
    return status ? exit_success : say_error(session, status.error());
}

}  // namespace

int run_command_line(int argc, char** argv) {
    open_standard_streams();
    if (is_signer(argc, argv)) return run_signer(argv[1]);
    base::install_stop_handlers();
    // What is written here is for others to read; what is not says so itself (keys, state of
    // GnuPG).
    ::umask(022);
    Session session;
    int code = exit_failure;
    try {
        CLI::App app{
            "Builds Slurm and everything it needs from source, as relocatable, signed packages"};
        app.name("slurm-factory");
        app.require_subcommand(1);
        app.fallthrough();
        app.get_formatter()->column_width(34);
        add_globals(app, session);
        add_commands(app, session);
        refuse_empty_values(app);
        code = run_words(session, app, argc, argv);
    } catch (const std::exception& error) {
        session.voice.error({base::Code::failed,
                             fmt::format("a fault of slurm-factory itself: {}",
                                         base::escape_untrusted(error.what())),
                             {},
                             "report it, with the command line and this message"});
        return exit_failure;
    }
    const int lost = session.voice.lost_output();
    if (lost == 0 || code != exit_success) return code;
    // A reader that has seen enough (head) needs no word; a full disk does.
    if (lost != EPIPE)
        session.voice.error(base::fail_errno(lost, "write the result to standard output").value());
    return exit_failure;
}

}  // namespace sf::cli
