// SPDX-License-Identifier: Apache-2.0
#include "cli/app.hpp"

#include <CLI/CLI.hpp>
#include <sys/stat.h>

#include <unistd.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/config_file.hpp"
#include "cli/session.hpp"

namespace sf::cli {

namespace fs = std::filesystem;

namespace {

constexpr int exit_success = 0;
constexpr int exit_failure = 1;
constexpr int exit_usage = 2;

fs::path default_state_dir() {
    const char* home = ::getenv("HOME");
    return fs::path(home != nullptr && *home != '\0' ? home : "/root") / ".slurm-factory";
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

std::vector<std::string> names_at(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
        names.push_back(sub->get_name());
        for (const std::string& alias : sub->get_aliases()) names.push_back(alias);
    }
    for (const CLI::Option* option : app.get_options())
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    return names;
}

// The innermost subcommand that was recognised: where the error is, and whose help to show.
const CLI::App* deepest(const CLI::App& app) {
    const CLI::App* at = &app;
    while (!at->get_subcommands().empty()) at = at->get_subcommands().back();
    return at;
}

int usage_error(const CLI::App& app, const CLI::ParseError& error,
                const std::vector<std::string>& words) {
    std::string text = base::escape_untrusted(error.what());
    const CLI::App* at = deepest(app);
    std::vector<std::string> known = names_at(*at);
    for (const std::string& name : names_at(app))
        if (name.starts_with("--") || at == &app) known.push_back(name);
    std::string suggestion;
    for (const std::string& word : words) {
        const std::string name = word.substr(0, word.find('='));
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        const bool complained = text.find(base::escape_untrusted(word)) != std::string::npos ||
                                (at == &app && app.get_subcommands().empty());
        if (!complained) continue;
        if (const auto better = base::did_you_mean(name, known))
            suggestion = fmt::format("did you mean '{}'?", *better);
    }
    std::string command = "slurm-factory";
    for (const CLI::App* sub = &app; !sub->get_subcommands().empty();) {
        sub = sub->get_subcommands().back();
        command += " " + sub->get_name();
    }
    fmt::print(stderr, "slurm-factory: usage: {}\n", text);
    if (!suggestion.empty()) fmt::print(stderr, "  {}\n", suggestion);
    fmt::print(stderr, "  next: {} --help\n", command);
    return exit_usage;
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

}  // namespace

int run_command_line(int argc, char** argv) {
    base::install_stop_handlers();
    // What is written here is for others to read; what is not says so itself (keys, state of
    // GnuPG).
    ::umask(022);
    Session session;
    CLI::App app{
        "Builds Slurm and everything it needs from source, as relocatable, signed packages"};
    app.name("slurm-factory");
    app.require_subcommand(1);
    app.fallthrough();
    app.get_formatter()->column_width(34);
    add_globals(app, session);
    add_build_slurm(app, session);
    add_plan(app, session);
    add_toolchain(app, session);
    add_versions(app, session);
    add_key(app, session);
    add_bundle(app, session);
    add_recipe(app, session);
    add_doctor(app, session);
    add_clean(app, session);

    const std::vector<std::string> words(argv + 1, argv + argc);
    if (const auto flag = refused_flag(words)) {
        fmt::print(
            stderr,
            "slurm-factory: usage: {} is refused: command lines are readable by every user of "
            "this machine and end up in histories and logs\n"
            "  next: slurm-factory key import FILE, then --signing-key FINGERPRINT, with "
            "--passphrase-file FILE or --passphrase-fd N\n",
            *flag);
        return exit_usage;
    }
    try {
        if (const base::Status status = apply_config_file(app, words); !status) {
            session.voice.error(status.error());
            return exit_usage;
        }
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        fmt::print("{}", deepest(app)->help());
        return exit_success;
    } catch (const CLI::CallForVersion& version) {
        fmt::print("{}\n", version.what());
        return exit_success;
    } catch (const CLI::Success&) {
        return exit_success;
    } catch (const CLI::ParseError& error) {
        return usage_error(app, error, words);
    }
    session.options.state_dir = fs::absolute(session.options.state_dir).lexically_normal();
    session.options.data_dir = fs::absolute(session.options.data_dir).lexically_normal();

    const base::Status status = session.action();
    if (status) return exit_success;
    session.voice.error(status.error());
    return status.error().code == base::Code::usage ? exit_usage : exit_failure;
}

}  // namespace sf::cli
