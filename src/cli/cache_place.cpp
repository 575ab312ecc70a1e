// SPDX-License-Identifier: Apache-2.0
#include "cli/cache_place.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "cache/objects.hpp"
#include "model/names.hpp"

namespace sf::cli {

using base::Code;
using base::Result;
using base::Status;

namespace {

// Toolchain and series; an empty series, the dependencies, comes first.
using Names = std::set<std::pair<std::string, std::string>>;

Result<Names> listed(cache::Backend& place, const std::vector<std::string>& toolchains) {
    const std::string end = "/" + cache::key_of(cache::FixedName::snapshot).value();
    std::vector<std::string> fronts(std::max<std::size_t>(toolchains.size(), 1));
    std::ranges::transform(toolchains, fronts.begin(),
                           [](const std::string& toolchain) { return toolchain + "/slurm/"; });
    Names names;
    for (const std::string& front : fronts)
        SF_CHECK(place.list(front, [&](const cache::ObjectInfo& object) -> Status {
            if (!object.key.ends_with(end)) return {};
            const auto mirror =
                cache::mirror_of(object.key.substr(0, object.key.size() - end.size()));
            if (mirror) names.emplace(mirror->toolchain, mirror->series);
            return {};
        }));
    return names;
}

// A web server is asked for each name that we know.
Result<Names> probed(Session& session, cache::Backend& place, const MirrorChoice& choice) {
    SF_TRY(const recipe::Catalog catalog, session.catalog());
    std::set<std::string> toolchains(choice.toolchains.begin(), choice.toolchains.end());
    std::set<std::string> series{""};
    series.insert(choice.series.begin(), choice.series.end());
    if (toolchains.empty())
        for (const auto& [name, unused] : catalog.toolchains) toolchains.insert(name);
    if (choice.series.empty())
        for (const auto& [name, unused] : catalog.stacks) series.insert(name);
    const std::string key = cache::key_of(cache::FixedName::snapshot).value();
    Names names;
    for (const std::string& toolchain : toolchains) {
        for (const std::string& one : series) {
            SF_TRY(const std::string folder, cache::folder_of({toolchain, one}));
            SF_TRY(const auto there, place.look(fmt::format("{}/{}", folder, key)));
            if (there) names.emplace(toolchain, one);
        }
    }
    return names;
}

}  // namespace

// Not configurable: what a site builds for by default does not say which part of a cache is to be
// looked at, signed afresh or copied.
void add_toolchain_option(CLI::App& app, MirrorChoice& choice) {
    app.add_option("--toolchain,--toolchains", choice.toolchains,
                   "Only what was built for it (default: all); may be repeated, or a list with "
                   "commas")
        ->configurable(false)
        ->allow_extra_args(false)
        ->delimiter(',')
        ->type_name("NAME");
}

void add_mirror_options(CLI::App& app, MirrorChoice& choice) {
    add_toolchain_option(app, choice);
    app.add_option("--series", choice.series,
                   "Only Slurm of this series, and what it needs (default: all); may be repeated")
        ->configurable(false)
        ->type_name("SERIES");
}

Result<std::vector<cache::MirrorName>> find_mirrors(Session& session, cache::Backend& place,
                                                    const MirrorChoice& choice) {
    if (!place.whole())
        return base::fail_hint(Code::usage, place.place() + " is a file with a part of a cache",
                               "slurm-factory bundle verify FILE looks at it, install SPEC --cache "
                               "FILE takes from it");
    for (const std::string& toolchain : choice.toolchains)
        SF_CHECK(cache::folder_of({toolchain, ""}).map([](const std::string&) {}));
    for (const std::string& series : choice.series) {
        if (model::check_version(series) && model::series_of(series) == series) continue;
        return base::fail_hint(Code::usage,
                               fmt::format("'{}' is no series", base::escape_untrusted(series)),
                               "for instance: --series 25.11");
    }
    auto names = listed(place, choice.toolchains);
    if (!names && names.error().code == Code::refused && !place.writable())
        names = probed(session, place, choice);
    if (!names) return tl::unexpected(std::move(names).error());
    std::vector<cache::MirrorName> found;
    std::vector<std::string> others;
    std::set<std::string> missing(choice.series.begin(), choice.series.end());
    std::set<std::string> without(choice.toolchains.begin(), choice.toolchains.end());
    for (const auto& [toolchain, series] : *names) {
        SF_TRY(std::string folder, cache::folder_of({toolchain, series}));
        others.push_back(std::move(folder));
        missing.erase(series);
        without.erase(toolchain);
        const bool wanted = choice.series.empty() || series.empty() ||
                            std::ranges::find(choice.series, series) != choice.series.end();
        if (wanted) found.push_back({toolchain, series});
    }
    if (!found.empty() && missing.empty() && without.empty()) return found;
    if (others.empty() && !place.is_there())
        return base::fail_hint(
            Code::absent,
            fmt::format("nothing was published to {}: there is no such folder", place.place()),
            "slurm-factory cache list shows the names there are");
    const std::string hint =
        others.empty()
            ? (place.writable()
                   ? "publish to it: slurm-factory build-slurm --publish all --publish-to " +
                         base::shell_quote(place.place())
                   : "a web server cannot be listed: say --toolchain and "
                     "--series as they were published")
            : "there is: " + base::join(others, ", ");
    return base::fail_hint(
        Code::absent,
        missing.empty() && found.empty() ? "nothing was published to " + place.place()
        : missing.empty()
            ? fmt::format(
                  "{} has nothing for {}", place.place(),
                  base::join(std::vector<std::string>(without.begin(), without.end()), ", "))
            : fmt::format(
                  "{} has no Slurm {}", place.place(),
                  base::join(std::vector<std::string>(missing.begin(), missing.end()), ", ")),
        hint);
}

Status check_writable(const cache::Backend& place) {
    if (place.writable()) return {};
    if (!place.whole())
        return base::fail_hint(Code::usage, place.place() + " is a file with a part of a cache",
                               "name a folder, or a bucket");
    return base::fail_hint(Code::usage, place.place() + " can only be read",
                           "name the folder that the web server serves, or the bucket");
}

}  // namespace sf::cli
