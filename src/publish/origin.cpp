// SPDX-License-Identifier: Apache-2.0
#include "publish/origin.hpp"

#include <set>

namespace sf::publish {

std::vector<OriginFile> files_of(const Origins& origins, const std::string& store_name) {
    if (!origins.packages.contains(store_name)) return {};
    std::map<std::string, OriginFile> files;
    const auto add = [&](const OriginFile& file) { files.emplace(file.path, file); };
    std::set<std::string> seen;
    std::vector<std::string> open{store_name};
    while (!open.empty()) {
        const std::string name = open.back();
        open.pop_back();
        const auto found = origins.packages.find(name);
        if (found == origins.packages.end() || !seen.insert(name).second) continue;
        const Origin& origin = found->second;
        add(origin.archive);
        for (const OriginFile& file : origin.patches) add(file);
        for (const OriginFile& file : origin.recipe) add(file);
        open.insert(open.end(), origin.built_by.begin(), origin.built_by.end());
    }
    for (const OriginFile& file : origins.common) add(file);
    std::vector<OriginFile> sorted;
    sorted.reserve(files.size());
    for (auto& [path, file] : files) sorted.push_back(std::move(file));
    return sorted;
}

}  // namespace sf::publish
