// SPDX-License-Identifier: Apache-2.0
#include "cli/archive_places.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/files.hpp"
#include "base/text.hpp"
#include "sandbox/rootfs.hpp"

namespace sf::cli {

namespace {

void append_variable(std::vector<std::string>& to, const std::string& name) {
    const char* text = ::getenv(name.c_str());
    if (text == nullptr) return;
    for (const std::string& word : base::split(text, ' ')) {
        if (!word.empty()) to.push_back(word);
    }
}

std::vector<std::filesystem::path> unpacked_roots(Session& session) {
    std::vector<std::filesystem::path> trees;
    const auto roots = sandbox::RootStore(session.state().roots(), session.voice).list();
    if (!roots) return trees;  // looking around: nothing is known from there then
    for (const sandbox::PreparedRoot& root : *roots) {
        if (root.current && base::is_dir(root.tree)) trees.push_back(root.tree);
    }
    return trees;
}

}  // namespace

net::ArchiveOptions archive_options(Session& session, const recipe::Catalog& catalog,
                                    const GivenMirrors& given) {
    net::ArchiveOptions options;
    if (!given.family.empty()) {
        options.given[given.family] = given.archive;
        options.given_security[given.family] = given.security;
    }
    for (const auto& [family, name] :
         {std::pair{"debian", "DEBIAN"}, std::pair{"ubuntu", "UBUNTU"}}) {
        const std::string prefix = std::string("SLURM_FACTORY_") + name;
        append_variable(options.given[family], prefix + "_MIRROR");
        append_variable(options.given_security[family], prefix + "_SECURITY_MIRROR");
    }
    options.roots = unpacked_roots(session);
    for (const auto& [name, toolchain] : catalog.toolchains) {
        if (toolchain.family == "el") continue;
        std::vector<std::string>& releases = options.releases[toolchain.family];
        for (const std::string& suite : toolchain.suites) {
            const std::string release = net::release_of(suite);
            if (std::find(releases.begin(), releases.end(), release) == releases.end()) {
                releases.push_back(release);
            }
        }
    }
    return options;
}

}  // namespace sf::cli
