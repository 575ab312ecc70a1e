// SPDX-License-Identifier: Apache-2.0
// build-slurm --verify: the bundle that was made is verified by its signature and digests, and then
// proven to run (proof/proof.hpp). Says what was proved, and no more.
#pragma once

#include <filesystem>
#include <string>

#include "cli/bundle_making.hpp"
#include "cli/session.hpp"
#include "sandbox/runner.hpp"

namespace sf::cli {

struct BundleProof {
    const MadeBundle& made;
    std::filesystem::path root;  // unpacked, of its toolchain
    std::string run_id;          // names the folder of its logs
    bool gpu = false;
};

[[nodiscard]] base::Status prove_bundle(Session& session, const BundleProof& proof,
                                        sandbox::Runner& runner);

}  // namespace sf::cli
