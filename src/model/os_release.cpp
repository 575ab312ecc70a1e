// SPDX-License-Identifier: Apache-2.0
#include "model/os_release.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sf::model {

namespace {

// KEY=value, KEY="value", KEY='value'; the few escapes of the format do not occur in what we read.
std::string unquoted(std::string_view value) {
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
        value.back() == value.front()) {
        value = value.substr(1, value.size() - 2);
    }
    return std::string(value);
}

std::string major_of(const std::string& version) { return version.substr(0, version.find('.')); }

bool has(const std::vector<std::string>& words, std::string_view wanted) {
    return std::ranges::find(words, wanted) != words.end();
}

// Of RHEL's sources; itself, and Oracle's, say only that they are like Fedora.
bool is_el(const RunningOs& system) {
    return system.id == "rhel" || system.id == "centos" || system.id == "ol" ||
           has(system.like, "rhel") || has(system.like, "centos");
}

}  // namespace

RunningOs parse_os_release(std::string_view text) {
    RunningOs system;
    for (const std::string& line : base::split(text, '\n')) {
        const std::string_view entry = base::trim(line);
        const std::size_t equals = entry.find('=');
        if (entry.starts_with('#') || equals == std::string_view::npos) continue;
        const std::string_view key = base::trim(entry.substr(0, equals));
        const std::string value = unquoted(base::trim(entry.substr(equals + 1)));
        if (value.empty()) continue;
        if (key == "ID") system.id = value;
        if (key == "VERSION_ID") system.version_id = value;
        if (key == "PRETTY_NAME") system.title = value;
        if (key == "ID_LIKE") {
            for (const std::string& word : base::split(value, ' '))
                if (!word.empty()) system.like.push_back(word);
        }
        if (key == "VERSION_CODENAME" || key == "UBUNTU_CODENAME" || key == "DEBIAN_CODENAME")
            system.codenames.push_back(value);
    }
    return system;
}

std::string title_of(const RunningOs& system) {
    if (!system.title.empty()) return base::escape_untrusted(system.title);
    if (!system.id.empty()) return base::escape_untrusted(system.id);
    return "a system that os-release does not name";
}

Kinship kinship(const RunningOs& system, const OsRelease& release, std::string_view family,
                std::string_view codename) {
    const bool same_id = !system.id.empty() && system.id == release.id;
    if (same_id && system.version_id == release.version_id) return Kinship::same;
    const std::string major = major_of(system.version_id);
    if (same_id && !major.empty() && major == release.version_id) return Kinship::point_release;
    if (family == "el" && is_el(system) && !major.empty() && major == major_of(release.version_id))
        return Kinship::rebuild;
    if (!codename.empty() && has(system.like, family) && has(system.codenames, codename))
        return Kinship::derived;
    return Kinship::none;
}

}  // namespace sf::model
