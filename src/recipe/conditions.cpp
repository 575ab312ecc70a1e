// SPDX-License-Identifier: Apache-2.0
#include "recipe/conditions.hpp"

#include <algorithm>
#include <functional>

#include "base/text.hpp"

namespace sf::recipe {

namespace {

using base::escape_untrusted;

const YamlMember* member_of(const YamlNode& node, std::string_view key) {
    const auto found = std::find_if(node.members.begin(), node.members.end(),
                                    [&](const YamlMember& each) { return each.key == key; });
    return found == node.members.end() ? nullptr : &*found;
}

using Holds = std::function<bool(const std::string& range)>;

// As deep as the YAML is, which the reader of YAML limits.
YamlNode resolve(const YamlNode& node, const Holds& holds) {
    YamlNode result = node;
    result.items.clear();
    for (YamlMember& member : result.members) member.value = resolve(member.value, holds);
    for (const YamlNode& item : node.items) {
        const YamlMember* const when = member_of(item, "when");
        if (when == nullptr) {
            result.items.push_back(resolve(item, holds));
            continue;
        }
        if (!holds(when->value.scalar)) continue;
        YamlNode rest = resolve(item, holds);
        const YamlMember* const then = member_of(rest, "then");
        if (then != nullptr) {
            result.items.insert(result.items.end(), then->value.items.begin(),
                                then->value.items.end());
            continue;
        }
        std::erase_if(rest.members, [](const YamlMember& each) { return each.key == "when"; });
        result.items.push_back(std::move(rest));
    }
    return result;
}

void check_one(const YamlNode& item, const YamlMember& when,
               const std::vector<std::string>& versions, Findings& findings) {
    const YamlMember* const then = member_of(item, "then");
    if (then != nullptr && (!then->value.is_list() || then->value.items.empty()))
        findings.add(then->line, "\"then\" must be a list with at least one entry");
    if (then != nullptr && item.members.size() > 2)
        findings.add(item.line, "\"when\" and \"then\" stand alone");
    if (!when.value.is_scalar() || base::trim(when.value.scalar).empty()) {
        findings.add(when.line, "\"when\" must be a version range such as \">=25.05\"");
        return;
    }
    const std::string& range = when.value.scalar;
    if (const auto valid = version_in_range("1", range); !valid) {
        findings.add(item.line, valid.error().message);
        return;
    }
    const bool used =
        std::any_of(versions.begin(), versions.end(), [&](const std::string& version) {
            return version_in_range(version, range).value_or(true);
        });
    if (!used && !versions.empty())
        findings.add(item.line, fmt::format("\"{}\" holds for no version of this recipe",
                                            escape_untrusted(range)));
}

}  // namespace

void check_conditions(const YamlNode& node, const std::vector<std::string>& versions,
                      Findings& findings) {
    for (const YamlMember& member : node.members)
        check_conditions(member.value, versions, findings);
    for (const YamlNode& item : node.items) {
        if (const YamlMember* const when = member_of(item, "when"))
            check_one(item, *when, versions, findings);
        check_conditions(item, versions, findings);
    }
}

YamlNode node_for(const YamlNode& node, const std::string& version) {
    return resolve(node, [&](const std::string& range) {
        return version_in_range(version, range).value_or(true);
    });
}

YamlNode node_for_all(const YamlNode& node) {
    return resolve(node, [](const std::string&) { return true; });
}

}  // namespace sf::recipe
