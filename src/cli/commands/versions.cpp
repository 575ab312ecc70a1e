// SPDX-License-Identifier: Apache-2.0
// versions: the Slurm releases there are, how long upstream supports them, and what is known
// against them.
#include <CLI/CLI.hpp>

#include <cstdlib>
#include <ctime>
#include <map>

#include "base/text.hpp"
#include "cli/build_inputs.hpp"
#include "cli/commands.hpp"

namespace sf::cli {

namespace {

struct VersionsOptions {
    std::string series;
    bool available = false;
    BuildRequest request;  // for the places of sources
    std::string idle;      // a word that says nothing without --available
};

std::string today() { return base::utc_date(std::time(nullptr)); }

struct Probed {
    bool asked = false;
    recipe::Availability answer;
};

base::Result<Probed> probe(const recipe::Catalog& catalog, const std::string& version,
                           Sources* sources) {
    if (sources == nullptr) return Probed{};
    const auto slurm = catalog.recipes.find("slurm");
    const recipe::Version* found =
        slurm == catalog.recipes.end() ? nullptr : slurm->second.find(version);
    if (found == nullptr) return Probed{};
    SF_TRY(recipe::Availability answer, sources->store().probe(found->source, sources->options()));
    return Probed{true, std::move(answer)};
}

std::vector<std::string> ids(const std::vector<recipe::Advisory>& advisories) {
    std::vector<std::string> list;
    list.reserve(advisories.size());
    for (const recipe::Advisory& advisory : advisories) list.push_back(advisory.id);
    return list;
}

base::Result<base::Json> show_version(Session& session, const recipe::Catalog& catalog,
                                      const std::string& version, bool newest, Sources* sources,
                                      std::map<std::string, recipe::Advisory>& known) {
    const std::vector<recipe::Advisory> advisories = catalog.affecting("slurm", version);
    SF_TRY(const Probed probed, probe(catalog, version, sources));
    std::string text = fmt::format("  {:<10} {:<7}", version, newest ? "newest" : "");
    if (probed.asked) {
        text += probed.answer.available
                    ? fmt::format(" can be had ({})", probed.answer.where)
                    : " cannot be had:" + recipe::list_attempts(probed.answer.tried);
    }
    while (text.ends_with(' ')) text.pop_back();
    session.voice.line(text);
    if (!advisories.empty())
        session.voice.line("             open to " + base::join(ids(advisories), ", "));
    for (const recipe::Advisory& advisory : advisories) known[advisory.id] = advisory;
    base::Json object{{"version", version}, {"newest", newest}, {"advisories", ids(advisories)}};
    if (probed.asked) {
        object["available"] = probed.answer.available;
        if (probed.answer.available) object["where"] = probed.answer.where;
        base::Json tried = base::Json::array();
        for (const recipe::Attempt& attempt : probed.answer.tried) {
            tried.push_back({{"place", attempt.place}, {"reason", attempt.reason}});
        }
        object["tried"] = std::move(tried);
    }
    return object;
}

base::Status show_series(Session& session, const recipe::Catalog& catalog,
                         const recipe::Stack& stack, Sources* sources) {
    const bool ended = recipe::support_ended(stack, today());
    session.voice.line(fmt::format("{}  released {}, upstream's support {} {}", stack.series,
                                   stack.released, ended ? "ENDED on" : "ends on",
                                   stack.end_of_life));
    base::Json versions = base::Json::array();
    std::map<std::string, recipe::Advisory> known;  // of all versions shown, each once
    for (std::size_t i = 0; i < stack.slurm.size(); ++i) {
        SF_TRY(base::Json object,
               show_version(session, catalog, stack.slurm[i], i == 0, sources, known));
        versions.push_back(std::move(object));
    }
    base::Json advisories = base::Json::array();
    for (const auto& [id, advisory] : known) {
        session.voice.line(fmt::format("  {}: {}; fixed in {}", id, advisory.summary,
                                       base::join(advisory.fixed_in, ", ")));
        advisories.push_back(
            {{"id", id}, {"summary", advisory.summary}, {"fixed_in", advisory.fixed_in}});
    }
    session.voice.event("series", {{"series", stack.series},
                                   {"released", stack.released},
                                   {"end_of_life", stack.end_of_life},
                                   {"support_ended", ended},
                                   {"versions", std::move(versions)},
                                   {"advisories", std::move(advisories)}});
    return {};
}

base::Status run_versions(Session& session, const VersionsOptions& options) {
    if (!options.available && !options.idle.empty())
        return base::fail_hint(base::Code::usage, options.idle + " goes with --available",
                               "slurm-factory versions --available " + options.idle);
    SF_TRY(const recipe::Catalog catalog, session.catalog());
    std::vector<std::string> names;
    for (const auto& [series, stack] : catalog.stacks) names.push_back(series);
    if (!options.series.empty() && !catalog.stacks.contains(options.series)) {
        return base::fail_hint(
            base::Code::usage,
            fmt::format("there is no series '{}'; there are: {}",
                        base::escape_untrusted(options.series), base::join(names, ", ")),
            "slurm-factory versions");
    }
    std::unique_ptr<Sources> sources;
    if (options.available) sources = std::make_unique<Sources>(session, catalog, options.request);
    for (auto stack = catalog.stacks.rbegin(); stack != catalog.stacks.rend(); ++stack) {
        if (!options.series.empty() && stack->first != options.series) continue;
        SF_CHECK(show_series(session, catalog, stack->second, sources.get()));
    }
    return {};
}

}  // namespace

void add_versions(CLI::App& app, Session& session) {
    const auto options = std::make_shared<VersionsOptions>();
    CLI::App* sub = app.add_subcommand(
        "versions", "The Slurm releases there are, their support and known vulnerabilities");
    sub->add_option("SERIES", options->series, "Only this series, for instance 25.11");
    sub->add_flag("--available", options->available, "Ask whether each one's source can be had");
    const char* const variable = "SLURM_FACTORY_SOURCE_MIRROR";
    const CLI::Option* const mirror =
        sub->add_option("--source-mirror", options->request.mirrors,
                        "With --available: a folder or URL to look in first (repeatable)")
            ->envname(variable)
            ->type_name("URL");
    const CLI::Option* const offline = sub->add_flag("--offline", options->request.offline,
                                                     "With --available: look on this machine only");
    sub->fallthrough();
    sub->footer(
        "Examples:\n"
        "  slurm-factory versions\n"
        "  slurm-factory versions 25.11 --available");
    sub->callback([&session, options, mirror, offline, variable] {
        // What the environment or a file says is for other commands, too.
        if (mirror->count() > 0 && ::getenv(variable) == nullptr) options->idle = "--source-mirror";
        if (offline->count() > 0) options->idle = "--offline";
        session.action = [&session, options] { return run_versions(session, *options); };
    });
}

}  // namespace sf::cli
