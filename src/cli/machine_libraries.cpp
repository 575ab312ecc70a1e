// SPDX-License-Identifier: Apache-2.0
#include "cli/machine_libraries.hpp"

#include <algorithm>
#include <set>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "cli/prefix_choice.hpp"
#include "recipe/choose.hpp"
#include "tree/contents.hpp"

namespace sf::cli {

using base::Result;
namespace fs = std::filesystem;

namespace {

class Libraries {
public:
    Libraries(Session& session, const recipe::Catalog& catalog, tree::LibraryFiles& files,
              PackageManager manager, bool as_root)
        : x_session(session),
          x_catalog(catalog),
          x_files(files),
          x_manager(manager),
          x_as_root(as_root) {}

    std::vector<Check> examine(const std::string& said) {
        installed(said);
        built();
        return std::move(x_checks);
    }

private:
    void add(std::string name, Health health, std::string detail, std::string mend = "") {
        x_checks.push_back({std::move(name), health, std::move(detail), std::move(mend)});
    }

    // What is installed has to run.
    void installed(const std::string& said) {
        const Result<fs::path> prefix = installed_prefix(said);
        if (!prefix) {
            // Nothing is expected of the default one.
            const base::Code code = prefix.error().code;
            if (!said.empty() || (code != base::Code::absent && code != base::Code::usage))
                add("installed", Health::missing, prefix.error().text(), prefix.error().hint);
            return;
        }
        const Result<tree::Contents> contents = tree::read_contents(*prefix);
        const std::string where = base::escape_untrusted(prefix->native());
        if (!contents || !contents->unreadable.empty()) {
            const base::Error& error =
                contents ? contents->unreadable.front().error : contents.error();
            add("installed", Health::missing, error.text(),
                "slurm-factory verify --prefix " + base::shell_quote(prefix->native()));
            if (!contents) return;
        }
        std::vector<std::string> versions;
        tree::LibraryNeeds needs;
        bool scripts = false;
        for (const tree::InPlace& each : contents->versions) {
            versions.push_back(each.bundle.name + " " + each.version);
            for (const model::Package& package : each.bundle.packages) {
                tree::add_needs(needs, package);
                scripts = scripts || has_perl(package);
            }
        }
        if (versions.empty()) return;
        judge("installed", needs, Health::missing,
              fmt::format("{} in {}", base::join(versions, ", "), where));
        if (scripts) perl();
    }

    // Here it need not run, but whoever it is for has a machine like this one.
    void built() {
        const auto release = base::read_file_if_exists("/etc/os-release");
        const std::string text = release && *release ? **release : std::string();
        const std::string toolchain = recipe::default_toolchain(text, x_catalog).name;
        const fs::path folder = x_session.state().packages();
        tree::LibraryNeeds needs;
        std::size_t count = 0;
        for (const std::string& name :
             base::list_dir_if_exists(folder).value_or(std::vector<std::string>())) {
            // What is not whole is told by who uses it.
            const auto manifest = base::read_file_if_exists(folder / name / "manifest.json");
            if (!manifest || !*manifest) continue;
            const Result<model::Package> package = model::package_from_json(**manifest);
            if (!package || package->toolchain != toolchain) continue;
            tree::add_needs(needs, *package);
            ++count;
        }
        if (count == 0) return;
        judge("built packages", needs, Health::worth_knowing,
              fmt::format("the {} built here for {}", count, toolchain));
    }

    void judge(const char* name, const tree::LibraryNeeds& needs, Health otherwise,
               const std::string& who) {
        const std::vector<tree::MissingLibrary> missing = tree::missing_libraries(x_files, needs);
        if (missing.empty()) {
            add(name, Health::ok,
                fmt::format("{}: the {} libraries that it takes from the distribution are here",
                            who, needs.size()));
            return;
        }
        std::vector<std::string> said;
        std::set<std::string> packages;
        bool too_old = false;
        for (const tree::MissingLibrary& each : missing) {
            said.push_back(base::escape_untrusted(each.text()));
            if (each.why == tree::MissingLibrary::Why::version)
                too_old = true;
            else
                packages.insert(library_package(x_manager, each.soname));
        }
        std::vector<std::string> mend;
        if (!packages.empty())
            mend.push_back(install_command(
                x_manager, base::join({packages.begin(), packages.end()}, " "), x_as_root));
        // The same release with its updates has them, another one never will.
        if (too_old)
            mend.emplace_back(
                "all updates of the distribution, or what was built for this machine's: "
                "slurm-factory build-slurm");
        add(name, otherwise,
            fmt::format("{} does not run here: {} of the distribution's {} not here", who,
                        base::join(said, ", "), said.size() == 1 ? "is" : "are"),
            base::join(mend, "; "));
    }

    static bool has_perl(const model::Package& package) {
        return std::ranges::any_of(package.files, [](const model::FileEntry& file) {
            return file.path == "lib/perl/Slurm.pm";
        });
    }

    // Of the contributed scripts; no daemon needs it.
    void perl() {
        constexpr const char* who = "the contributed scripts (qsub, sjstat, seff, …)";
        const std::string mend = install_command(x_manager, "perl", x_as_root);
        // As their first lines name it.
        const std::string program = "/usr/bin/perl";
        if (!base::exists(program)) {
            add("perl", Health::worth_knowing, fmt::format("not installed: {} need it", who), mend);
            return;
        }
        base::Command command;
        command.argv = {program, "-MFindBin", "-MGetopt::Long", "-MPod::Usage", "-e1"};
        command.environment = {{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C"}};
        const Result<base::Finished> finished = base::run(command);
        if (finished && finished->exit.ok()) {
            add("perl", Health::ok, program);
        } else {
            add("perl", Health::worth_knowing,
                fmt::format("without the modules that {} use: FindBin, Getopt::Long, Pod::Usage",
                            who),
                mend);
        }
    }

    Session& x_session;
    const recipe::Catalog& x_catalog;
    tree::LibraryFiles& x_files;
    PackageManager x_manager;
    bool x_as_root;
    std::vector<Check> x_checks;
};

}  // namespace

std::vector<Check> check_libraries(Session& session, const recipe::Catalog& catalog,
                                   const std::string& prefix, tree::LibraryFiles& files,
                                   PackageManager manager, bool as_root) {
    return Libraries(session, catalog, files, manager, as_root).examine(prefix);
}

}  // namespace sf::cli
