// SPDX-License-Identifier: Apache-2.0
#include "model/features.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sf::model {

using base::Code;
using base::fail;

namespace {

const Package* main_package(const Bundle& bundle) {
    const auto found = std::ranges::find(bundle.packages, bundle.name, &Package::name);
    return found == bundle.packages.end() ? nullptr : &*found;
}

}  // namespace

base::Result<std::vector<std::string>> feature_files(std::string_view feature,
                                                     std::string_view version) {
    if (feature != gpu_feature)
        return fail(Code::corrupt, "'{}' is no feature this program knows",
                    base::escape_untrusted(feature));
    std::vector<std::string> files{"lib/slurm/gpu_generic.so", "lib/slurm/gpu_nvml.so",
                                   "lib/slurm/gpu_oneapi.so", "lib/slurm/gpu_rsmi.so"};
    // New in 24.11: finds NVIDIA's devices without the driver's library.
    if (base::compare_versions(version, "24.11") >= 0)
        files.emplace_back("lib/slurm/gpu_nvidia.so");
    return files;
}

base::Status check_features(const Bundle& bundle) {
    const Package* package = main_package(bundle);
    for (const std::string& feature : bundle.features) {
        SF_TRY(const std::vector<std::string> wanted, feature_files(feature, bundle.version));
        std::vector<std::string> missing;
        for (const std::string& path : wanted) {
            const bool there = package != nullptr &&
                               std::ranges::any_of(package->files, [&](const FileEntry& entry) {
                                   return entry.path == path && entry.type == EntryType::file;
                               });
            if (!there) missing.push_back(path);
        }
        if (missing.empty()) continue;
        return base::fail_hint(
            Code::refused,
            fmt::format("{} {} has not what '{}' means: {} {} missing", bundle.name, bundle.version,
                        feature, base::join(missing, ", "), missing.size() == 1 ? "is" : "are"),
            "a stack whose recipe builds these plugins is needed (configure: --with-nvml, "
            "--with-oneapi, --with-rsmi)");
    }
    return {};
}

}  // namespace sf::model
