// SPDX-License-Identifier: Apache-2.0
#include "cli/config_file.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "base/files.hpp"
#include "base/text.hpp"
#include "recipe/yaml_reader.hpp"

namespace sf::cli {

namespace fs = std::filesystem;

namespace {

// What a file may say, and, without options, what is only said with the call it is meant for.
using OptionsByName = std::map<std::string, std::vector<CLI::Option*>>;

std::string variable(const char* name) {
    const char* text = ::getenv(name);
    return text == nullptr ? std::string() : std::string(text);
}

// What --config says; read here because the file must be known before the command line is parsed.
std::optional<std::string> config_option(const std::vector<std::string>& words) {
    std::optional<std::string> file;
    for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
        if (words[i].starts_with("--config=")) file = words[i].substr(9);
        if (words[i] == "--config" && i + 1 < words.size()) file = words[i + 1];
    }
    return file;
}

void collect(CLI::App& app, OptionsByName& options) {
    static const std::set<std::string> no_keys{"config", "help", "version"};
    // Words that somebody has to say each time, or they say nothing: a file would say them always.
    static const std::set<std::string> said_each_time{
        "accept-unsigned", "all", "allow-unsigned", "force", "no-other-hosts", "yes"};
    for (CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) {
            if (no_keys.contains(name)) continue;
            std::vector<CLI::Option*>& known = options[name];
            if (option->get_configurable() && !said_each_time.contains(name))
                known.push_back(option);
        }
    }
    for (CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
        collect(*sub, options);
    }
}

std::string with_home(const std::string& value) {
    const std::string home = variable("HOME");
    return value.starts_with("~/") && !home.empty() ? home + value.substr(1) : value;
}

base::Result<std::vector<std::string>> values_of(const recipe::YamlMember& member,
                                                 const std::string& where) {
    std::vector<std::string> values;
    if (member.value.is_scalar()) values.push_back(with_home(member.value.scalar));
    for (const recipe::YamlNode& item : member.value.items) {
        if (item.is_scalar()) values.push_back(with_home(item.scalar));
    }
    if (values.empty() || (member.value.is_list() && values.size() != member.value.items.size())) {
        return base::fail(base::Code::usage, "{}: {} wants a value or a list of values, not {}",
                          where, base::escape_untrusted(member.key), member.value.kind_name());
    }
    return values;
}

// As CLI11's own default_val does it, but for lists too, and without leaving results behind: an
// option without results is then asked for in the environment, which is stronger than this file.
base::Status set_default(CLI::Option& option, const std::vector<std::string>& values,
                         const std::string& where) {
    const bool flag = option.get_items_expected_max() == 0;
    if (values.size() > 1 && (flag || option.get_items_expected_max() == 1)) {
        return base::fail(base::Code::usage, "{}: {} takes one value, not a list", where,
                          option.get_name());
    }
    try {
        option.clear();
        option.add_result(values);
        option.run_callback();
        option.clear();
    } catch (const CLI::Error& error) {
        return base::fail(base::Code::usage, "{}: {}", where, base::escape_untrusted(error.what()));
    }
    option.required(false);
    if (!flag) option.default_str(base::join(values, " "));
    return {};
}

// Nothing but blank lines and comments: a file somebody has just made.
bool says_nothing(std::string_view text) {
    for (const std::string& line : base::split(text, '\n')) {
        const std::string_view words = base::trim(line);
        if (!words.empty() && words.front() != '#') return false;
    }
    return true;
}

base::Status apply(const fs::path& file, std::string_view text, const OptionsByName& options) {
    const std::string name = base::escape_untrusted(file.string());
    if (says_nothing(text)) return {};
    const recipe::YamlDocument document = recipe::read_yaml(text);
    if (!document.problems.empty()) {
        const recipe::YamlProblem& problem = document.problems.front();
        return base::fail(base::Code::usage, "{}:{}: {}", name, problem.line, problem.message);
    }
    if (!document.root.is_map()) {
        return base::fail(base::Code::usage,
                          "{}:{}: a configuration file is a map of options ('state-dir: DIR'), not "
                          "{}",
                          name, document.root.line, document.root.kind_name());
    }
    for (const recipe::YamlMember& member : document.root.members) {
        const std::string where = fmt::format("{}:{}", name, member.line);
        const auto found = options.find(member.key);
        if (found == options.end()) {
            std::vector<std::string> known;
            for (const auto& [key, list] : options)
                if (!list.empty()) known.push_back(key);
            const auto better = base::did_you_mean(member.key, known);
            return base::fail_hint(
                base::Code::usage,
                fmt::format("{}: no command has an option '{}'{}", where,
                            base::escape_untrusted(member.key),
                            better ? fmt::format("; did you mean '{}'?", *better) : std::string()),
                "slurm-factory --help (keys are the long names of options, without dashes)");
        }
        if (found->second.empty())
            return base::fail_hint(
                base::Code::usage,
                fmt::format("{}: '{}' is not for files: it is meant for one call", where,
                            member.key),
                fmt::format("take the line out, and say --{} where you mean it", member.key));
        SF_TRY(const std::vector<std::string> values, values_of(member, where));
        for (CLI::Option* option : found->second) SF_CHECK(set_default(*option, values, where));
    }
    return {};
}

}  // namespace

base::Status apply_config_file(CLI::App& app, const std::vector<std::string>& words) {
    OptionsByName options;
    collect(app, options);
    std::string named = config_option(words).value_or("");
    if (named.empty()) named = variable("SLURM_FACTORY_CONFIG");
    if (!named.empty()) {
        SF_TRY(const std::string text,
               base::during(base::read_file(named), "reading the configuration file"));
        return apply(named, text, options);
    }
    std::vector<fs::path> files{"/etc/slurm-factory/config.yaml"};  // the weakest first
    fs::path home = variable("XDG_CONFIG_HOME");
    if (!home.is_absolute()) {
        home = variable("HOME").empty() ? fs::path() : fs::path(variable("HOME")) / ".config";
    }
    if (!home.empty()) files.push_back(home / "slurm-factory" / "config.yaml");
    for (const fs::path& file : files) {
        SF_TRY(const std::optional<std::string> text,
               base::during(base::read_file_if_exists(file), "reading the configuration file"));
        if (text) SF_CHECK(apply(file, *text, options));
    }
    return {};
}

}  // namespace sf::cli
