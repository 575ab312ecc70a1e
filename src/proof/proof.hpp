// SPDX-License-Identifier: Apache-2.0
// Does a verified bundle run, wherever it is put? Unpacks it at a random path, compares every file
// with the manifest, rehearses a cluster from there in a sandbox, moves the tree and does it again.
// Leaves nothing but logs. Code of upstream runs in the toolchain's root alone, as nobody of
// importance, without a network: on this machine nothing is started or touched. Knows nothing of
// how a bundle came to be. One thread; several proofs of one state folder wait for each other.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "install/bundle_verify.hpp"
#include "proof/proof_plan.hpp"
#include "sandbox/runner.hpp"

namespace sf::proof {

struct ProofRequest {
    const install::VerifiedBundle& bundle;
    fs::path root;    // the unpacked root of the bundle's toolchain
    fs::path helper;  // slurm-setup, static
    fs::path work;    // where the tree may be unpacked
    fs::path locks;   // a lock file is put there
    fs::path logs;    // of this run; kept
    bool gpu = false;
};

struct PlaceProof {
    std::string path;                 // as the daemons saw it
    std::vector<std::string> proved;  // escaped
    double seconds = 0;
};

struct Proof {
    std::size_t files = 0;  // compared, in each place
    std::vector<PlaceProof> places;
};

// An error says which step failed at which path, with the last lines of the log that tells most;
// its hint where all logs are.
[[nodiscard]] base::Result<Proof> prove(const ProofRequest& request, sandbox::Runner& runner,
                                        base::Reporter& reporter);

}  // namespace sf::proof
