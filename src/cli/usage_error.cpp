// SPDX-License-Identifier: Apache-2.0
#include "cli/usage_error.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <unistd.h>

#include "base/text.hpp"

namespace sf::cli {

namespace {

constexpr std::string_view prefix_of_variables = "SLURM_FACTORY_";

using Names = std::vector<std::string>;

std::vector<const CLI::App*> subcommands(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

// "slurm-factory toolchain prepare"
std::string whole_name(const CLI::App& app) {
    const CLI::App* parent = app.get_parent();
    return parent == nullptr ? app.get_name() : whole_name(*parent) + " " + app.get_name();
}

Names command_names(const CLI::App& app) {
    Names names;
    for (const CLI::App* sub : subcommands(app)) {
        names.push_back(sub->get_name());
        for (const std::string& alias : sub->get_aliases()) names.push_back(alias);
    }
    return names;
}

// Of the command and of those around it: options of these may stand anywhere.
Names option_names(const CLI::App& app) {
    Names names;
    for (const CLI::App* at = &app; at != nullptr; at = at->get_parent())
        for (const CLI::Option* option : at->get_options())
            for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    return names;
}

std::string suggestion(const std::optional<std::string>& better) {
    return better ? fmt::format("; did you mean '{}'?", *better) : std::string();
}

// "verify" means "bundle verify", or "cache verify": what is to be verified, if it is said, tells.
std::optional<std::string> verb_of_a_group(const CLI::App& app, const std::string& word,
                                           const std::string& argument = {}) {
    std::optional<std::string> first;
    for (const CLI::App* group : subcommands(app))
        for (const std::string& verb : command_names(*group)) {
            if (verb != word) continue;
            const std::string whole = group->get_name() + " " + verb;
            if (argument.ends_with(".tar.gz") == (group->get_name() == "bundle")) return whole;
            if (!first) first = whole;
        }
    return first;
}

std::string about_leftover(const CLI::App& at, const std::string& word) {
    if (word.size() > 1 && word.starts_with('-')) {
        const std::string name = word.substr(0, word.find('='));  // the value may be a secret
        return fmt::format("{} has no option {}{}", whole_name(at), base::escape_untrusted(name),
                           suggestion(base::did_you_mean(name, option_names(at))));
    }
    const Names commands = command_names(at);
    const std::string name = base::escape_untrusted(word);
    if (commands.empty()) {
        // "verify x.tar.gz": a group has a verb of that name too.
        std::optional<std::string> other;
        if (at.get_parent() != nullptr)
            other = verb_of_a_group(*at.get_parent(), at.get_name(), word);
        return fmt::format("{}: the argument '{}' is one too many{}", whole_name(at), name,
                           suggestion(other));
    }
    std::optional<std::string> better = verb_of_a_group(at, word);
    if (!better) better = base::did_you_mean(word, commands);
    if (word == "help") better = "--help";
    return fmt::format("{} has no command '{}'{}", whole_name(at), name, suggestion(better));
}

void collect(const CLI::App& app, std::vector<const CLI::Option*>& options) {
    for (const CLI::Option* option : app.get_options()) options.push_back(option);
    for (const CLI::App* sub : subcommands(app)) collect(*sub, options);
}

// A value that came from the environment is not on the command line: say where it is.
std::string blamed_variable(const CLI::App& app, const std::string& text,
                            const std::vector<std::string>& words) {
    std::vector<const CLI::Option*> options;
    collect(app, options);
    for (const CLI::Option* option : options) {
        const std::string name = option->get_name();
        std::string variable = option->get_envname();
        if (variable.empty() || text.find(name) == std::string::npos) continue;
        const char* value = std::getenv(variable.c_str());
        if (value == nullptr || *value == '\0') continue;
        const bool given = std::any_of(words.begin(), words.end(), [&](const std::string& word) {
            return word == name || word.starts_with(name + "=");
        });
        if (!given) return variable;
    }
    return {};
}

}  // namespace

const CLI::App& innermost(const CLI::App& app) {
    const CLI::App* at = &app;
    while (!at->get_subcommands().empty()) at = at->get_subcommands().back();
    return *at;
}

base::Error usage_error(const CLI::App& app, const CLI::ParseError& error,
                        const std::vector<std::string>& words) {
    const CLI::App& at = innermost(app);
    base::Error said;
    said.code = base::Code::usage;
    said.hint = whole_name(at) + " --help";
    if (const Names left = app.remaining(true); !left.empty()) {
        // "toolchian list": what comes before the name of a command was meant to be one.
        const auto place = [&](const std::string& word) { return std::ranges::find(words, word); };
        const bool before = at.get_parent() == &app && !left.front().starts_with('-') &&
                            place(left.front()) < place(at.get_name());
        if (before) {
            said.hint = whole_name(app) + " --help";
            said.message = about_leftover(app, left.front());
            return said;
        }
        said.message = about_leftover(at, left.front());
        return said;
    }
    const Names commands = command_names(at);
    if (!commands.empty() && error.get_name() == "RequiredError") {
        said.message =
            fmt::format("{} wants a command: {}", whole_name(at), base::join(commands, ", "));
        return said;
    }
    said.message = base::escape_untrusted(error.what());
    const std::string variable = blamed_variable(app, said.message, words);
    if (!variable.empty()) {
        said.message = fmt::format("the environment's {}: {}", variable, said.message);
        said.hint = "unset " + variable;
    }
    return said;
}

std::vector<std::string> unknown_variables(const CLI::App& app) {
    std::vector<const CLI::Option*> options;
    collect(app, options);
    Names known{"SLURM_FACTORY_DEBIAN_MIRROR", "SLURM_FACTORY_DEBIAN_SECURITY_MIRROR",
                "SLURM_FACTORY_UBUNTU_MIRROR", "SLURM_FACTORY_UBUNTU_SECURITY_MIRROR"};
    for (const CLI::Option* option : options)
        if (!option->get_envname().empty()) known.push_back(option->get_envname());
    std::vector<std::string> sentences;
    for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const std::string name(text.substr(0, text.find('=')));
        if (!name.starts_with(prefix_of_variables)) continue;
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        sentences.push_back(fmt::format("the environment's {} means nothing here{}",
                                        base::escape_untrusted(name),
                                        suggestion(base::did_you_mean(name, known))));
    }
    std::sort(sentences.begin(), sentences.end());
    return sentences;
}

}  // namespace sf::cli
