// SPDX-License-Identifier: Apache-2.0
#include "build/build_step.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "model/names.hpp"

namespace sf::build {

using base::Code;
using base::fail;
using base::join;
using base::Result;
using base::shell_join;
using base::shell_quote;
using model::NodeId;
using recipe::BuildSystem;

std::string placeholder_prefix(const model::Spec& spec) {
    return std::string(model::placeholder_root) + "/" + spec.store_name();
}

namespace {

using Words = std::vector<std::string>;

Words operator+(Words left, const Words& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

// Replaces @prefix@, @dep:NAME@ and their like; an unknown word between @ is an error, because a
// silent "@prefx@" would end up in a path.
class Substitution {
public:
    Substitution(const Plan& plan, NodeId id, const StepOptions& options)
        : x_plan(plan), x_id(id), x_options(options) {
        const recipe::Build& build = plan.version(id).build;
        x_source = inside::source;
        if (!build.subdir.empty()) x_source += "/" + build.subdir;
        const bool apart = build.out_of_tree || build.system == BuildSystem::cmake ||
                           build.system == BuildSystem::meson;
        x_build = apart ? inside::objects : x_source;
    }

    [[nodiscard]] const std::string& source() const { return x_source; }
    [[nodiscard]] const std::string& build() const { return x_build; }
    [[nodiscard]] std::string prefix() const { return placeholder_prefix(x_plan.dag.at(x_id)); }

    [[nodiscard]] Result<std::string> fill(const std::string& text) const {
        std::string result;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t open = text.find('@', at);
            const std::size_t close = open == std::string::npos ? open : text.find('@', open + 1);
            if (close == std::string::npos) return result + text.substr(at);
            const std::string word = text.substr(open + 1, close - open - 1);
            const bool name_like =
                !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
                    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ':' || c == '-';
                });
            if (!name_like) {  // an e-mail address or make's own @…@: keep the first '@' as it is
                result += text.substr(at, open + 1 - at);
                at = open + 1;
                continue;
            }
            SF_TRY(const std::string value, value_of(word));
            result += text.substr(at, open - at) + value;
            at = close + 1;
        }
        return result;
    }

    [[nodiscard]] Result<Words> fill(const Words& texts) const {
        Words filled;
        for (const std::string& text : texts) {
            SF_TRY(std::string word, fill(text));
            filled.push_back(std::move(word));
        }
        return filled;
    }

private:
    [[nodiscard]] Result<std::string> value_of(const std::string& word) const {
        const model::Spec& spec = x_plan.dag.at(x_id);
        if (word == "prefix") return prefix();
        if (word == "version") return spec.version;
        if (word == "name") return spec.name;
        if (word == "source") return x_source;
        if (word == "build") return x_build;
        if (word == "jobs") return std::to_string(x_options.fixed_jobs);
        if (word.starts_with("dep:")) {
            for (const NodeId dependency : x_plan.dag.dependencies(x_id))
                if (x_plan.dag.at(dependency).name == word.substr(4))
                    return placeholder_prefix(x_plan.dag.at(dependency));
            return fail(Code::failed, "{}: @{}@ names no dependency of {}",
                        x_plan.recipe(x_id).path.string(), word, spec.name);
        }
        return fail(Code::failed, "{}: @{}@ means nothing; see docs/formats/recipe.md",
                    x_plan.recipe(x_id).path.string(), word);
    }

    const Plan& x_plan;
    NodeId x_id;
    const StepOptions& x_options;
    std::string x_source;
    std::string x_build;
};

// What to do where the recipe's "remove" globs match; a glob that matches nothing is a recipe that
// has outlived its upstream, so it fails.
Result<std::string> removal_script(const recipe::Recipe& recipe, const recipe::Version& version,
                                   const std::string& prefix) {
    std::string script = "cd " + shell_quote(prefix) + "\n";
    for (std::string pattern : version.package.remove) {
        if (pattern.ends_with("/**")) pattern.resize(pattern.size() - 3);
        if (pattern.find("**") != std::string::npos ||
            pattern.find_first_of(" \t\n'\"$`\\;&|<>()") != std::string::npos)
            return fail(Code::failed, "{}: package.remove: '{}' is not a plain glob",
                        recipe.path.string(), base::escape_untrusted(pattern));
        script += fmt::format(
            "for path in {0}; do\n"
            "  if [ ! -e \"$path\" ] && [ ! -L \"$path\" ]; then\n"
            "    echo 'package.remove: {0} matches nothing' >&2; exit 1\n"
            "  fi\n"
            "  rm -rf -- \"$path\"\n"
            "done\n",
            pattern);
    }
    return script;
}

// The parts a build system adds by itself; the recipe's own arguments follow them.
struct SystemCommands {
    Words configure, compile, install;
};

SystemCommands commands_of(BuildSystem system, const Substitution& words, unsigned jobs) {
    const std::string prefix = words.prefix();
    const std::string j = fmt::format("-j{}", jobs);
    switch (system) {
        case BuildSystem::autotools:
            return {{words.source() + "/configure", "--prefix=" + prefix,
                     "--libdir=" + prefix + "/lib", "--disable-dependency-tracking"},
                    {"make"},
                    {"make"}};
        case BuildSystem::cmake:
            return {{"cmake", "-G", "Ninja", "-S", words.source(), "-B", words.build(),
                     "-DCMAKE_INSTALL_PREFIX=" + prefix, "-DCMAKE_INSTALL_LIBDIR=lib",
                     "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_SKIP_RPATH=ON"},
                    {"ninja", j},
                    {"ninja"}};
        case BuildSystem::meson:
            return {{"meson", "setup", words.build(), words.source(), "--prefix=" + prefix,
                     "--libdir=lib", "--buildtype=plain", "--wrap-mode=nodownload"},
                    {"ninja", j},
                    {"ninja"}};
        case BuildSystem::make: return {{}, {"make"}, {"make"}};
        case BuildSystem::script: return {};
    }
    return {};
}

}  // namespace

Result<std::vector<Step>> steps_of(const Plan& plan, NodeId id, const StepOptions& options) {
    const recipe::Recipe& recipe = plan.recipe(id);
    const recipe::Version& version = plan.version(id);
    const recipe::Build& build = version.build;
    const Substitution words(plan, id, options);
    std::vector<Step> steps;
    const auto add = [&](std::string name, std::string script, std::string directory,
                         bool compiles = false) {
        steps.push_back({std::move(name), std::move(script), std::move(directory), compiles});
    };

    std::string patching;
    for (const recipe::Patch& patch : version.patches)
        patching += fmt::format(
            "patch -p1 --no-backup-if-mismatch -i {}\n",
            shell_quote(std::string(inside::patches) + "/" + patch.path.filename().native()));
    if (!patching.empty()) add("patch", patching, inside::source);
    if (!build.bootstrap.empty()) {
        SF_TRY(const Words lines, words.fill(build.bootstrap));
        add("bootstrap", join(lines, "\n"), words.source());
    }

    SF_TRY(const Words configure, words.fill(build.configure));
    SF_TRY(const Words compile, words.fill(build.compile));
    SF_TRY(Words install, words.fill(build.install));
    if (build.system == BuildSystem::script) {
        if (!configure.empty()) add("configure", join(configure, "\n"), words.build());
        if (!compile.empty()) add("compile", join(compile, "\n"), words.build(), true);
        if (!install.empty())
            add("install", join(install, "\n"), words.build(), build.parallel_install);
    } else {
        const SystemCommands own = commands_of(build.system, words, options.fixed_jobs);
        if (install.empty()) install = {"install"};
        if (!own.configure.empty())
            add("configure", shell_join(own.configure + configure), words.build());
        add("compile", shell_join(own.compile + compile), words.build(), true);
        add("install", shell_join(own.install + install), words.build(), build.parallel_install);
    }
    if (!build.after_install.empty()) {
        SF_TRY(const Words lines, words.fill(build.after_install));
        add("after-install", join(lines, "\n"), words.build(), build.parallel_install);
    }
    if (!version.package.remove.empty()) {
        SF_TRY(std::string script, removal_script(recipe, version, words.prefix()));
        add("remove", std::move(script), "/");
    }
    add("finish", std::string(inside::wrappers) + "/finish", words.prefix());
    return steps;
}

Result<base::Environment> environment_of(const Plan& plan, NodeId id, const StepOptions& options) {
    const recipe::Version& version = plan.version(id);
    const Substitution words(plan, id, options);
    const std::vector<NodeId> direct = plan.dag.dependencies(id);

    Words include, library, pkg_config, cmake, rpath{words.prefix() + "/lib"};
    for (const NodeId dependency : direct) {
        const std::string prefix = placeholder_prefix(plan.dag.at(dependency));
        include.push_back("-I" + prefix + "/include");
        library.push_back("-L" + prefix + "/lib");
        pkg_config.push_back(prefix + "/lib/pkgconfig");
        cmake.push_back(prefix);
    }
    for (const NodeId dependency : plan.dag.at(id).link_dependencies)
        rpath.push_back(placeholder_prefix(plan.dag.at(dependency)) + "/lib");
    // Libraries that our dependencies need in turn: the linker looks for them here.
    for (const NodeId dependency : plan.dag.build_closure(id))
        if (std::find(direct.begin(), direct.end(), dependency) == direct.end())
            library.push_back(
                fmt::format("-Wl,-rpath-link,{}/lib", placeholder_prefix(plan.dag.at(dependency))));
    Words sonames;
    for (const recipe::PublicSoname& each : version.package.public_sonames)
        sonames.push_back(each.soname);

    base::Environment environment{
        {"PATH", std::string(inside::wrappers) + "/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        {"HOME", inside::build},
        {"LC_ALL", "C.UTF-8"},
        {"TZ", "UTC"},
        {"SOURCE_DATE_EPOCH", std::to_string(source_date_epoch)},
        {"CFLAGS", "-O2 -g"},
        {"CXXFLAGS", "-O2 -g"},
        {"CPPFLAGS", join(include, " ")},
        {"LDFLAGS", join(library, " ")},
        {"PKG_CONFIG_PATH", join(pkg_config, ":")},
        {"CMAKE_PREFIX_PATH", join(cmake, ":")},
        {"SF_PREFIX", words.prefix()},
        {"SF_TARGET_FLAGS", plan.target_flags},
        {"SF_RPATHS", join(rpath, ":")},
        {"SF_PUBLIC_SONAMES", join(sonames, " ")},
        {"SF_JOBS", std::to_string(options.fixed_jobs)}};
    if (options.ccache && version.build.ccache) {
        environment["SF_CCACHE"] = "1";
        environment["CCACHE_DIR"] = inside::ccache;
    }
    for (const auto& [name, value] : version.build.env) {
        SF_TRY(const std::string filled, words.fill(value));
        std::string& entry = environment[name];
        entry = name.ends_with("FLAGS") && !entry.empty() ? fmt::format("{} {}", entry, filled)
                                                          : filled;
    }
    return environment;
}

}  // namespace sf::build
