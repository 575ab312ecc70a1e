// SPDX-License-Identifier: Apache-2.0
#include "recipe/choose.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "base/task_pool.hpp"
#include "base/text.hpp"
#include "model/names.hpp"
#include "recipe/findings.hpp"

namespace sf::recipe {

namespace {

using base::Code;
using base::escape_untrusted;
using base::fail;
using base::fail_hint;

constexpr const char* mirror_hint =
    "put the file into a folder and name the folder with --source-mirror";

std::string ids_of(const std::vector<Advisory>& advisories) {
    std::vector<std::string> ids;
    ids.reserve(advisories.size());
    for (const Advisory& each : advisories) ids.push_back(each.id);
    return base::join(ids, ", ");
}

// The walk from the newest version down, for Slurm and for its dependencies alike.
class Walk {
public:
    Walk(const Catalog& catalog, const Recipe& recipe, const ChooseOptions& options)
        : x_catalog(catalog), x_recipe(recipe), x_options(options) {}

    base::Result<Choice> run(const std::vector<std::string>& versions,
                             const AvailabilityCheck& can_be_had) {
        std::string missing;  // those that could not be had, with every place tried
        for (const std::string& version : versions) {
            const Version* const known = x_recipe.find(version);
            if (known == nullptr) {
                return fail(Code::corrupt, "recipe {} has no version {}", x_recipe.name, version);
            }
            SF_CHECK(check_advisories(version, missing));
            SF_TRY(Availability answer, can_be_had(known->source));
            if (answer.available) return chosen(version, versions, missing);
            missing += fmt::format("\n{} {} cannot be had:{}", x_recipe.name, version,
                                   list_attempts(answer.tried));
            x_unreachable = x_unreachable || answer.code() == Code::unreachable;
            x_tried.insert(x_tried.end(), answer.tried.begin(), answer.tried.end());
        }
        return fail_hint(x_unreachable ? Code::unreachable : Code::absent,
                         fmt::format("no source of {} can be had{}", x_recipe.name, missing),
                         mirror_hint);
    }

private:
    base::Status check_advisories(const std::string& version, const std::string& missing) {
        x_advisories = x_catalog.affecting(x_recipe.name, version);
        if (x_advisories.empty()) return {};
        std::string text =
            fmt::format("{} {} is open to {}", x_recipe.name, version, ids_of(x_advisories));
        for (const Advisory& each : x_advisories) {
            text += fmt::format("\n  {}: {} (fixed in {})", each.id, each.summary,
                                base::join(each.fixed_in, ", "));
        }
        if (x_options.publishing && !x_options.publish_vulnerable) {
            return fail_hint(Code::refused,
                             fmt::format("{}\na release with a known advisory is not published{}",
                                         text, missing),
                             "for a cache of your own site: --publish-vulnerable; for build-slurm "
                             "--allow-vulnerable as well");
        }
        if (!x_options.allow_vulnerable) {
            return fail_hint(Code::refused, text + missing,
                             x_options.publishing
                                 ? "--allow-vulnerable as well: it builds what "
                                   "--publish-vulnerable publishes"
                                 : "--allow-vulnerable builds it all the same, for this machine "
                                   "only");
        }
        return {};
    }

    Choice chosen(const std::string& version, const std::vector<std::string>& versions,
                  const std::string& missing) {
        Choice choice;
        choice.name = x_recipe.name;
        choice.version = version;
        choice.tried = std::move(x_tried);
        choice.advisories = std::move(x_advisories);
        if (version != versions.front()) {
            choice.notices.push_back(fmt::format("taking {} {} instead of {}{}", x_recipe.name,
                                                 version, versions.front(), missing));
        }
        if (!choice.advisories.empty()) {
            choice.notices.push_back(fmt::format("{} {} is open to {}", x_recipe.name, version,
                                                 ids_of(choice.advisories)));
        }
        return choice;
    }

    const Catalog& x_catalog;
    const Recipe& x_recipe;
    const ChooseOptions& x_options;
    std::vector<Attempt> x_tried;
    std::vector<Advisory> x_advisories;
    bool x_unreachable = false;
};

std::vector<std::string> all_releases(const Catalog& catalog) {
    std::vector<std::string> releases;
    for (const auto& [series, stack] : catalog.stacks) {
        releases.insert(releases.end(), stack.slurm.begin(), stack.slurm.end());
    }
    return releases;
}

struct Wanted {
    const Stack* stack;
    bool exact;
};

base::Result<Wanted> parse_wanted(const Catalog& catalog, std::string_view text) {
    const std::string wanted(text);
    if (const auto stack = catalog.stacks.find(wanted); stack != catalog.stacks.end()) {
        return Wanted{&stack->second, false};
    }
    const auto stack = catalog.stacks.find(model::series_of(wanted));
    if (stack != catalog.stacks.end()) {
        const auto& pinned = stack->second.slurm;
        if (std::find(pinned.begin(), pinned.end(), wanted) != pinned.end()) {
            return Wanted{&stack->second, true};
        }
        return fail_hint(
            Code::usage,
            fmt::format("no Slurm release {}{}", escape_untrusted(wanted), meant(wanted, pinned)),
            fmt::format("releases of {}: {}", stack->first, base::join(pinned, ", ")));
    }
    std::vector<std::string> known;
    for (const auto& entry : catalog.stacks) known.push_back(entry.first);
    std::vector<std::string> words = known;
    const auto releases = all_releases(catalog);
    words.insert(words.end(), releases.begin(), releases.end());
    return fail_hint(
        Code::usage,
        fmt::format("there is no Slurm series or release '{}'{}", escape_untrusted(wanted),
                    meant(wanted, words)),
        fmt::format("slurm-factory versions (the series are {})", base::join(known, ", ")));
}

}  // namespace

base::Result<SlurmChoice> choose_slurm(const Catalog& catalog, std::string_view wanted,
                                       const AvailabilityCheck& can_be_had,
                                       const ChooseOptions& options) {
    SF_TRY(const Wanted parsed, parse_wanted(catalog, wanted));
    const Stack& stack = *parsed.stack;
    const auto recipe = catalog.recipes.find("slurm");
    if (recipe == catalog.recipes.end()) return fail(Code::corrupt, "there is no recipe of slurm");
    if (stack.slurm.empty()) return fail(Code::corrupt, "series {} pins no release", stack.series);

    const std::string& newest = stack.slurm.front();
    const bool newest_only = options.publishing && !options.allow_older;
    const std::string allow_hint = "--allow-older publishes an older release all the same";
    std::vector<std::string> candidates = stack.slurm;
    if (parsed.exact) {
        if (newest_only && wanted != newest) {
            return fail_hint(Code::refused,
                             fmt::format("slurm {} is not the newest release of {}, which is {}: "
                                         "publishing takes the newest only",
                                         wanted, stack.series, newest),
                             allow_hint);
        }
        candidates = {std::string(wanted)};
    } else if (newest_only) {
        candidates = {newest};
    }
    base::Result<Choice> choice = Choice{};
    if (options.without_slurm) {
        choice->name = "slurm";
        choice->version = candidates.front();
    } else {
        choice = Walk(catalog, recipe->second, options).run(candidates, can_be_had);
    }
    if (!choice && newest_only && !parsed.exact && stack.slurm.size() > 1 &&
        (choice.error().code == Code::absent || choice.error().code == Code::unreachable)) {
        choice.error().message += "\npublishing takes the newest release only";
        choice.error().hint += "; " + allow_hint;
    }
    if (!choice) return tl::unexpected(std::move(choice).error());
    SlurmChoice result;
    static_cast<Choice&>(result) = std::move(*choice);
    result.series = stack.series;
    result.end_of_life = stack.end_of_life;
    result.exact = parsed.exact;
    if (support_ended(stack, options.today)) {
        result.notices.push_back(fmt::format(
            "upstream's support of Slurm {} ended on {}: what is found now is not mended "
            "in it",
            stack.series, stack.end_of_life));
    }
    return result;
}

base::Result<std::map<std::string, Choice>> choose_packages(const Catalog& catalog,
                                                            const Stack& stack,
                                                            const std::vector<std::string>& names,
                                                            const AvailabilityCheck& can_be_had,
                                                            const ChooseOptions& options) {
    std::vector<std::optional<Choice>> slots(names.size());
    std::vector<base::Task> tasks;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string& name = names[i];
        if (name == "slurm") continue;  // chosen before, by its own rules
        const auto recipe = catalog.recipes.find(name);
        const auto pins = stack.packages.find(name);
        if (recipe == catalog.recipes.end() || pins == stack.packages.end()) {
            return fail(Code::usage, "stack {} has no package {}", stack.series,
                        escape_untrusted(name));
        }
        tasks.emplace_back([&, i, recipe, pins]() -> base::Status {
            SF_TRY(slots[i], Walk(catalog, recipe->second, options).run(pins->second, can_be_had));
            return {};
        });
    }
    SF_CHECK(base::run_batch(tasks, std::max(1U, options.jobs)));
    std::map<std::string, Choice> choices;
    for (auto& slot : slots) {
        if (!slot) continue;
        std::string name = slot->name;
        choices.emplace(std::move(name), std::move(*slot));
    }
    return choices;
}

namespace {

class ClosureSearch {
public:
    explicit ClosureSearch(const Catalog& catalog) : x_catalog(catalog) {}

    base::Status visit(const std::string& name, const std::string& wanted_by) {
        if (x_done.contains(name)) return {};
        if (!x_open.insert(name).second) {
            return fail(Code::corrupt, "dependency cycle through {}", name);
        }
        const auto recipe = x_catalog.recipes.find(name);
        if (recipe == x_catalog.recipes.end()) {
            std::vector<std::string> known;
            for (const auto& entry : x_catalog.recipes) known.push_back(entry.first);
            return fail(Code::usage, "there is no recipe \"{}\"{}{}", escape_untrusted(name),
                        wanted_by.empty() ? "" : ", which " + wanted_by + " depends on",
                        meant(name, known));
        }
        std::set<std::string> dependencies(recipe->second.build_dependencies.begin(),
                                           recipe->second.build_dependencies.end());
        dependencies.insert(recipe->second.link_dependencies.begin(),
                            recipe->second.link_dependencies.end());
        for (const std::string& dependency : dependencies) SF_CHECK(visit(dependency, name));
        x_open.erase(name);
        x_done.insert(name);
        x_order.push_back(name);
        return {};
    }

    std::vector<std::string> take() { return std::move(x_order); }

private:
    const Catalog& x_catalog;
    std::set<std::string> x_open;
    std::set<std::string> x_done;
    std::vector<std::string> x_order;
};

}  // namespace

base::Result<std::vector<std::string>> closure(const Catalog& catalog,
                                               const std::vector<std::string>& names) {
    ClosureSearch search(catalog);
    std::vector<std::string> sorted = names;
    std::sort(sorted.begin(), sorted.end());
    for (const std::string& name : sorted) SF_CHECK(search.visit(name, ""));
    return search.take();
}

bool support_ended(const Stack& stack, std::string_view today) {
    return !stack.end_of_life.empty() && stack.end_of_life < today;  // ISO dates sort as text
}

}  // namespace sf::recipe
