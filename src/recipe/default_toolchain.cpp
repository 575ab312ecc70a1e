// SPDX-License-Identifier: Apache-2.0
// Which toolchain a machine is, by its os-release(5).
#include <map>
#include <sstream>

#include "base/text.hpp"
#include "recipe/choose.hpp"

namespace sf::recipe {

namespace {

// KEY=value, KEY="value", KEY='value'; the few escapes of the format do not occur in what we read.
std::map<std::string, std::string> parse_os_release(std::string_view text) {
    std::map<std::string, std::string> values;
    for (const std::string& line : base::split(text, '\n')) {
        const std::string_view entry = base::trim(line);
        const std::size_t equals = entry.find('=');
        if (entry.starts_with('#') || equals == std::string_view::npos) continue;
        std::string_view value = base::trim(entry.substr(equals + 1));
        if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
            value.back() == value.front()) {
            value = value.substr(1, value.size() - 2);
        }
        values[std::string(base::trim(entry.substr(0, equals)))] = std::string(value);
    }
    return values;
}

std::string major_of(const std::string& version) { return version.substr(0, version.find('.')); }

bool has_word(const std::string& text, std::string_view wanted) {
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        if (word == wanted) return true;
    }
    return false;
}

class Machine {
public:
    explicit Machine(std::string_view os_release) : x_values(parse_os_release(os_release)) {}

    // Its own release; a point release of it; a rebuild of the same sources; a relative by
    // codename.
    [[nodiscard]] bool is(const model::Toolchain& toolchain) const {
        return get("ID") == toolchain.os_release.id &&
               get("VERSION_ID") == toolchain.os_release.version_id && !get("ID").empty();
    }
    [[nodiscard]] bool is_point_release_of(const model::Toolchain& toolchain) const {
        const std::string& version = toolchain.os_release.version_id;
        return get("ID") == toolchain.os_release.id && version.find('.') == std::string::npos &&
               !version.empty() && major_of(get("VERSION_ID")) == version;
    }
    [[nodiscard]] bool is_rebuild_of(const model::Toolchain& toolchain) const {
        const bool el = get("ID") == "rhel" || get("ID") == "centos" ||
                        has_word(get("ID_LIKE"), "rhel") || has_word(get("ID_LIKE"), "centos");
        return el && toolchain.family == "el" &&
               major_of(get("VERSION_ID")) == major_of(toolchain.os_release.version_id);
    }
    [[nodiscard]] bool is_derived_from(const model::Toolchain& toolchain) const {
        return has_word(get("ID_LIKE"), toolchain.family) &&
               (get("UBUNTU_CODENAME") == toolchain.name ||
                get("DEBIAN_CODENAME") == toolchain.name ||
                get("VERSION_CODENAME") == toolchain.name);
    }
    [[nodiscard]] std::string title() const {
        for (const char* key : {"PRETTY_NAME", "ID"}) {
            if (!get(key).empty()) return base::escape_untrusted(get(key));
        }
        return "not told by os-release";
    }

private:
    [[nodiscard]] std::string get(const char* key) const {
        const auto found = x_values.find(key);
        return found == x_values.end() ? std::string() : found->second;
    }
    std::map<std::string, std::string> x_values;
};

}  // namespace

ToolchainGuess default_toolchain(std::string_view os_release, const Catalog& catalog) {
    const Machine machine(os_release);
    using Fits = bool (Machine::*)(const model::Toolchain&) const;
    struct Rule {
        Fits fits;
        const char* why;
    };
    constexpr Rule rules[] = {
        {&Machine::is, "this machine is {}"},
        {&Machine::is_point_release_of, "this machine is {}"},
        {&Machine::is_rebuild_of, "this machine is {}, which runs what is built for {}"},
        {&Machine::is_derived_from, "this machine is {}, which is derived from {}"},
    };
    for (const Rule& rule : rules) {
        for (const auto& [name, toolchain] : catalog.toolchains) {
            if (!(machine.*rule.fits)(toolchain)) continue;
            return {name, fmt::format(fmt::runtime(rule.why), machine.title(), toolchain.title)};
        }
    }
    return {"noble", fmt::format("this machine is {}, which is no toolchain", machine.title())};
}

}  // namespace sf::recipe
