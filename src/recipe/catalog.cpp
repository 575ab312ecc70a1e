// SPDX-License-Identifier: Apache-2.0
#include "recipe/catalog.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "model/names.hpp"

namespace sf::recipe {

const Version* Recipe::find(const std::string& version) const {
    const auto found = std::find_if(versions.begin(), versions.end(),
                                    [&](const Version& each) { return each.version == version; });
    return found == versions.end() ? nullptr : &*found;
}

namespace {

// A fix in the version's own series decides. A series without one is open if a newer series needed
// the fix: older code of the same kind, never mended. Series newer than every fix were born mended.
bool is_affected(const std::string& version, const Advisory& advisory) {
    if (!advisory.since.empty() && base::compare_versions(version, advisory.since) < 0)
        return false;
    const std::string series = model::series_of(version);
    bool fixed_in_newer_series = false;
    for (const std::string& fix : advisory.fixed_in) {
        if (model::series_of(fix) == series) return base::compare_versions(version, fix) < 0;
        if (base::compare_versions(fix, version) > 0) fixed_in_newer_series = true;
    }
    return fixed_in_newer_series;
}

}  // namespace

std::vector<Advisory> Catalog::affecting(const std::string& package,
                                         const std::string& version) const {
    std::vector<Advisory> open;
    const auto known = advisories.find(package);
    if (known == advisories.end()) return open;
    for (const Advisory& advisory : known->second) {
        if (is_affected(version, advisory)) open.push_back(advisory);
    }
    return open;
}

base::Result<bool> version_in_range(const std::string& version, const std::string& range) {
    if (base::trim(range).empty()) return true;
    bool inside = true;
    for (const std::string& part : base::split(range, ',')) {
        std::string_view limit = base::trim(part);
        std::string_view sign;
        for (const std::string_view candidate : {">=", "<=", ">", "<", "="}) {
            if (limit.starts_with(candidate)) {
                sign = candidate;
                break;
            }
        }
        limit = base::trim(limit.substr(sign.size()));
        if (sign.empty() || !model::check_version(limit)) {
            return base::fail(
                base::Code::usage,
                "\"{}\" is not a version range such as \">=25.05\" or \">=24.11,<26\"",
                base::escape_untrusted(range));
        }
        const int order = base::compare_versions(version, limit);
        inside = inside && ((sign == ">=" && order >= 0) || (sign == "<=" && order <= 0) ||
                            (sign == ">" && order > 0) || (sign == "<" && order < 0) ||
                            (sign == "=" && order == 0));
    }
    return inside;
}

}  // namespace sf::recipe
