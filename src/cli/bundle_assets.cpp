// SPDX-License-Identifier: Apache-2.0
#include "cli/bundle_assets.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/module_hierarchy.hpp"
#include "model/bundle_layout.hpp"

namespace sf::cli {

using base::Code;
using base::Result;
namespace fs = std::filesystem;

namespace {

// What is copied as it is: the installer fills it in where it runs.
constexpr std::array copied{"config/slurm.conf",
                            "config/cgroup.conf",
                            "config/slurmdbd.conf",
                            "logrotate.d/supervisor",
                            "logrotate.d/systemd",
                            "systemd/munge.service",
                            "systemd/sackd.service",
                            "systemd/slurm-factory-lease.service",
                            "systemd/slurm-factory-lease.timer",
                            "systemd/slurmctld.service",
                            "systemd/slurmd.service",
                            "systemd/slurmdbd.service",
                            "systemd/slurmrestd.service",
                            "sysusers.d/slurm-factory.conf",
                            "tmpfiles.d/slurm-factory.conf"};

std::string target_json(const model::Toolchain& toolchain) {
    return base::Json{{"title", toolchain.title},
                      {"family", toolchain.family},
                      {"os_id", toolchain.os_release.id},
                      {"os_version", toolchain.os_release.version_id},
                      {"codename", toolchain.name}}
               .dump(2) +
           '\n';
}

}  // namespace

Result<fs::path> helper_path() {
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    const fs::path helper = program.parent_path() / model::helper_name;
    if (!error && base::exists(helper)) return helper;
    return base::fail_hint(
        Code::absent,
        fmt::format("{} is not beside this program, where a bundle takes it from",
                    base::escape_untrusted(helper.native())),
        "build it as well: cmake --build build/release");
}

Result<std::vector<publish::BundleAsset>> bundle_assets(const Session& session,
                                                        const std::string& version,
                                                        const model::Toolchain& toolchain,
                                                        const std::string& hierarchy_compiler) {
    const fs::path templates = fs::path(session.options.data_dir) / "templates" / "slurm_assets";
    const std::string folder = model::bundle_assets_path(version) + '/';
    std::vector<publish::BundleAsset> assets;
    for (const char* name : copied) {
        SF_TRY(std::string text, base::read_file(templates / name));
        assets.push_back({folder + name, std::move(text)});
    }
    SF_TRY(std::string front, base::read_file(templates / model::installer_name));
    assets.push_back({folder + std::string(model::installer_name), std::move(front), true});
    SF_TRY(const fs::path helper, helper_path());
    SF_TRY(std::string program, base::read_file(helper));
    assets.push_back({folder + std::string(model::helper_name), std::move(program), true});
    assets.push_back({folder + "target.json", target_json(toolchain)});

    const ModuleNames names{version, toolchain};
    SF_TRY(std::vector<publish::BundleAsset> modules, module_files(templates, names));
    if (!hierarchy_compiler.empty()) {
        SF_TRY(std::vector<publish::BundleAsset> hierarchy,
               module_hierarchy(templates, names, hierarchy_compiler));
        std::ranges::move(hierarchy, std::back_inserter(modules));
    }
    std::ranges::move(modules, std::back_inserter(assets));
    return assets;
}

}  // namespace sf::cli
