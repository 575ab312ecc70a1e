// SPDX-License-Identifier: Apache-2.0
// From packages that are all there to what people get: the signed bundle, proven if it is asked for
// or published, and what goes into a cache. The one way there, for build-slurm, which has just
// brought the packages, and for cache push, which found them. One thread.
#pragma once

#include <string>

#include "cli/bundle_making.hpp"
#include "cli/publishing.hpp"
#include "sandbox/root_record.hpp"

namespace sf::cli {

// Borrowed.
struct Delivery {
    const build::Plan& plan;
    const build::BuildReport& report;
    const model::Toolchain& toolchain;
    const sandbox::PreparedRoot& root;
    const recipe::Catalog& catalog;
    const BundleWishes& wishes;
    const PublishRequest& publish;
    bool verify = false;
    std::string runtime;  // runtime_choice.hpp
    std::string run_id;
};

// Nothing is published that was not proven in this run; what was published from here already is
// neither proven nor sent again, but where a proof was asked for.
[[nodiscard]] base::Status deliver(Session& session, const Delivery& delivery,
                                   const trust::Signer& signer);

}  // namespace sf::cli
