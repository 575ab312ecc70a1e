// SPDX-License-Identifier: Apache-2.0
// --publish and --publish-to of build-slurm, and cache push: packages whose bundle was proven in
// this run go into a cache. What was taken from another cache is vouched for by nobody here: it is
// published only where it is already, unless a key of this publisher's signed it there. One thread.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "build/engine.hpp"
#include "cli/bundle_making.hpp"
#include "cli/session.hpp"
#include "model/toolchain.hpp"
#include "trust/signer.hpp"

namespace CLI {
class App;
}

namespace sf::cli {

struct PublishRequest {
    std::string what = "none";  // none | slurm | deps | spack | all
    std::string to;
    bool older = false;       // not the newest release of its series, all the same
    bool vulnerable = false;  // a release with a known advisory, all the same

    [[nodiscard]] bool wanted() const { return what != "none"; }
};

void add_publish_options(CLI::App& app, PublishRequest& request);
// --allow-older, --publish-vulnerable; those among them.
void add_publish_permissions(CLI::App& app, PublishRequest& request);

// Before anything is built: the words fit each other, and the place, or the listed cache of that
// name, can be written to.
[[nodiscard]] base::Status check_publish_request(Session& session, const PublishRequest& request);

// What there is to publish; borrowed.
struct Published {
    const build::Plan& plan;
    const build::BuildReport& report;
    const model::RootRecord& root;
    const recipe::Catalog& catalog;
    const MadeBundle& made;
};

// Is this fingerprint, of a primary key, one of those that sign?
[[nodiscard]] bool is_own(const trust::Signer& signer, std::string_view primary);

// The files of ours that a bundle brings, as the one archive that a cache has. The same files give
// the same bytes.
[[nodiscard]] base::Result<std::string> assets_archive(
    const std::vector<publish::BundleAsset>& assets);

// The mirrors that it goes to.
[[nodiscard]] base::Result<std::set<std::string>> mirrors_of(const PublishRequest& request,
                                                             const std::string& toolchain,
                                                             const std::string& version);

// The signer knows the packages already.
[[nodiscard]] base::Status publish_build(Session& session, const PublishRequest& request,
                                         const Published& what, const trust::Signer& signer);

}  // namespace sf::cli
