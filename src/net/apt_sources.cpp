// SPDX-License-Identifier: Apache-2.0
#include "net/apt_sources.hpp"

#include <algorithm>
#include <map>
#include <sstream>

#include "base/text.hpp"
#include "net/url.hpp"

namespace sf::net {

namespace {

std::vector<std::string> words_of(std::string_view text) {
    std::istringstream stream{std::string(text)};
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

void add(std::vector<AptSource>& to, std::string uri, std::string suite) {
    // apt writes file:/srv/mirror as well as file:///srv/mirror.
    if (uri.starts_with("file:/") && !uri.starts_with("file://")) uri.insert(5, "//");
    while (uri.ends_with('/')) uri.pop_back();
    if (!Url::parse(uri)) return;  // cdrom:, copy:, mirror+…: not for us
    AptSource source{std::move(uri), std::move(suite)};
    if (std::find(to.begin(), to.end(), source) == to.end()) to.push_back(std::move(source));
}

// The stanzas of a deb822 text: field names in lower case, values with continuation lines joined.
std::vector<std::map<std::string, std::string>> stanzas_of(std::string_view text) {
    std::vector<std::map<std::string, std::string>> stanzas(1);
    std::string field;
    for (const std::string& line : base::split(text, '\n')) {
        if (line.starts_with('#')) continue;  // also between the lines of one field
        if (base::trim(line).empty()) {
            if (!stanzas.back().empty()) stanzas.emplace_back();
            field.clear();
        } else if (line.front() == ' ' || line.front() == '\t') {
            if (!field.empty()) stanzas.back()[field] += " " + line;
        } else if (const std::size_t colon = line.find(':'); colon != std::string::npos) {
            field = line.substr(0, colon);
            std::transform(field.begin(), field.end(), field.begin(), [](char c) {
                return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
            });
            stanzas.back()[field] = line.substr(colon + 1);
        }
    }
    return stanzas;
}

}  // namespace

std::vector<AptSource> parse_sources_list(std::string_view text) {
    std::vector<AptSource> sources;
    for (const std::string& line : base::split(text, '\n')) {
        std::vector<std::string> words = words_of(line.substr(0, line.find('#')));
        if (words.empty() || (words[0] != "deb" && words[0] != "deb-src")) continue;
        std::size_t next = 1;
        if (next < words.size() && words[next].starts_with('[')) {
            while (next < words.size() && !words[next].ends_with(']')) ++next;
            ++next;
        }
        if (next + 1 < words.size()) add(sources, words[next], words[next + 1]);
    }
    return sources;
}

std::vector<AptSource> parse_deb822(std::string_view text) {
    std::vector<AptSource> sources;
    for (auto& stanza : stanzas_of(text)) {
        const std::string_view enabled = base::trim(stanza["enabled"]);
        if (enabled == "no" || enabled == "false" || enabled == "0") continue;
        for (const std::string& uri : words_of(stanza["uris"])) {
            for (const std::string& suite : words_of(stanza["suites"])) add(sources, uri, suite);
        }
    }
    return sources;
}

std::vector<AptSource> parse_indextargets(std::string_view text) {
    std::vector<AptSource> sources;
    for (const std::string& line : base::split(text, '\n')) {
        std::vector<std::string> words = words_of(line);
        if (words.empty() || words.size() > 2) continue;
        add(sources, words[0], words.size() > 1 ? words[1] : "");
    }
    return sources;
}

std::string family_of(const AptSource& source) {
    const std::string_view uri = source.uri;
    const std::string_view last = uri.substr(uri.rfind('/') + 1);
    for (const std::string_view family : {"debian", "ubuntu"}) {
        if (last == family || last == std::string(family) + "-security") return std::string(family);
    }
    return {};
}

bool is_security(const AptSource& source) {
    return source.uri.ends_with("-security") || source.suite.ends_with("-security") ||
           source.suite.ends_with("/updates");
}

std::string release_of(std::string_view suite) {
    return std::string(suite.substr(0, suite.find_first_of("-/")));
}

}  // namespace sf::net
