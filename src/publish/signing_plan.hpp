// SPDX-License-Identifier: Apache-2.0
// What a run will sign, said to the signer before anything of upstream runs, and never again: so
// who takes this process over later, by what a build left behind, gets nothing else signed
// (docs/formats/signer.md). Values and their one text form; pure, any thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "trust/signer.hpp"
#include "trust/trust_store.hpp"

namespace sf::publish {

struct PlannedPackage {
    std::string store_name;
    base::Digest identity;
    // Of its manifest, where it is built already: then it is this one, or none.
    std::optional<base::Digest> manifest;
};

struct SigningPlan {
    std::set<trust::Paper> papers;
    std::vector<PlannedPackage> packages;  // sorted by store name, each once
    std::set<base::Digest> ours;           // files of ours that bundles bring, and their archive
    std::set<std::string> mirrors;         // whose snapshots: "bookworm/slurm/25.11"
    // Of those mirrors: Spack's hashes of what their snapshots may leave out from now on.
    std::map<std::string, std::set<std::string>> retired;
    trust::TrustedKeys believed;  // whose signatures count, beside those of who signs
};

[[nodiscard]] base::Result<std::string> to_json(const SigningPlan& plan);
[[nodiscard]] base::Result<SigningPlan> signing_plan_from_json(std::string_view text);

}  // namespace sf::publish
