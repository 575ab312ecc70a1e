// SPDX-License-Identifier: Apache-2.0
#include "net/debootstrap.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "net/url.hpp"

namespace sf::net {

namespace {

// "http://x/debian" from `'http://x/debian';` or `"http://x/debian"`; "" if that is no address.
std::string address_in(std::string_view text) {
    text = base::trim(text);
    if (!text.empty() && (text.front() == '\'' || text.front() == '"')) {
        const char quote = text.front();
        text.remove_prefix(1);
        text = text.substr(0, text.find(quote));
    } else {
        text = text.substr(0, text.find_first_of(" \t;"));
    }
    while (text.ends_with('/')) text.remove_suffix(1);
    return Url::parse(text) ? std::string(text) : std::string();
}

// Of shell just enough for these scripts: nested `case $ARCH in` and `case $SUITE in`. Everything
// else is passed over, so an `if` counts as taken.
class Script {
public:
    explicit Script(std::string_view suite) : x_suite(suite) {}

    void line(std::string_view text) {
        text = base::trim(text);
        if (text.empty() || text.front() == '#') return;
        if (text.starts_with("case ") && text.ends_with(" in")) return open(text);
        if (text == "esac" || text == "esac;;") {
            if (!x_cases.empty()) x_cases.pop_back();
            return;
        }
        if (!x_cases.empty() && x_cases.back().expects_pattern) {
            const std::size_t end = text.find(')');
            if (end == std::string_view::npos) return;
            choose(text.substr(0, end));
            text = base::trim(text.substr(end + 1));
        }
        const bool ends_branch = text.ends_with(";;");
        if (ends_branch) text = base::trim(text.substr(0, text.size() - 2));
        if (active()) command(text);
        if (ends_branch && !x_cases.empty()) x_cases.back().expects_pattern = true;
    }

    [[nodiscard]] ScriptFacts facts() const { return x_facts; }

private:
    struct Case {
        std::string value;
        bool known = true;  // otherwise only "*" fits
        bool outer = true;  // whether the case itself is reached
        bool done = false;  // a branch fitted
        bool active = false;
        bool expects_pattern = true;
    };

    [[nodiscard]] bool active() const { return x_cases.empty() || x_cases.back().active; }

    void open(std::string_view text) {
        Case entry;
        entry.outer = active();
        if (text.find("ARCH") != std::string_view::npos) {
            entry.value = "amd64";
        } else if (text.find("SUITE") != std::string_view::npos) {
            entry.value = x_suite;
        } else {
            entry.known = false;
        }
        x_cases.push_back(std::move(entry));
    }

    void choose(std::string_view patterns) {
        Case& entry = x_cases.back();
        entry.expects_pattern = false;
        bool fits = false;
        for (const std::string& part : base::split(patterns, '|')) {
            const std::string_view pattern = base::trim(part);
            fits =
                fits || pattern == "*" || (entry.known && base::glob_match(pattern, entry.value));
        }
        entry.active = entry.outer && !entry.done && fits;
        entry.done = entry.done || fits;
    }

    void command(std::string_view text) {
        if (text.starts_with("default_mirror ")) {
            if (std::string mirror = address_in(text.substr(15)); !mirror.empty()) {
                x_facts.mirror = std::move(mirror);
            }
        } else if (text.starts_with("keyring ")) {
            const std::string_view file = base::trim(text.substr(8));
            const std::string_view name = file.substr(file.rfind('/') + 1);
            const std::size_t end = name.find("-archive-");
            if (end != std::string_view::npos) x_facts.family = name.substr(0, end);
        }
    }

    std::string x_suite;
    std::vector<Case> x_cases;
    ScriptFacts x_facts;
};

}  // namespace

ScriptFacts parse_debootstrap_script(std::string_view text, std::string_view suite) {
    Script script(suite);
    for (const std::string& line : base::split(text, '\n')) script.line(line);
    return script.facts();
}

std::string parse_debootstrap_default(std::string_view text) {
    for (const std::string& line : base::split(text, '\n')) {
        const std::string_view entry = base::trim(line);
        if (entry.starts_with("DEF_MIRROR=")) return address_in(entry.substr(11));
    }
    return {};
}

std::vector<AptSource> parse_mmdebstrap(std::string_view text) {
    std::vector<AptSource> sources;
    for (const std::string& line : base::split(text, '\n')) {
        std::string_view entry = base::trim(line);
        if (entry.starts_with("my ")) entry = base::trim(entry.substr(3));
        for (const auto& [variable, suite] :
             {std::pair{"$mirror", ""}, std::pair{"$secmirror", "-security"}}) {
            if (!entry.starts_with(variable)) continue;
            const std::string_view rest =
                base::trim(entry.substr(std::string_view(variable).size()));
            if (!rest.starts_with('=')) continue;
            AptSource source{address_in(rest.substr(1)), suite};
            if (!source.uri.empty() &&
                std::find(sources.begin(), sources.end(), source) == sources.end()) {
                sources.push_back(std::move(source));
            }
        }
    }
    return sources;
}

}  // namespace sf::net
