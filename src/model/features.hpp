// SPDX-License-Identifier: Apache-2.0
// What a bundle is asserted to hold beyond the usual: a feature has a name, and files of the main
// package that make it up. A manifest that names a feature holds its files, or it is refused
// (docs/formats/manifest.md). Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/manifest.hpp"

namespace sf::model {

// NVIDIA's, AMD's and the generic GPU plugins. They are not linked with a driver: they open its
// library where they run.
inline constexpr std::string_view gpu_feature = "gpu";

// Paths in the package of Slurm `version`; Code::corrupt for a feature nobody knows.
[[nodiscard]] base::Result<std::vector<std::string>> feature_files(std::string_view feature,
                                                                   std::string_view version);

// Are all features of the bundle there? Code::refused names every file that is not.
[[nodiscard]] base::Status check_features(const Bundle& bundle);

}  // namespace sf::model
