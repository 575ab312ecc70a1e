// SPDX-License-Identifier: Apache-2.0
#include "deploy/names.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <string>

#include "base/text.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Status;

namespace {

constexpr std::string_view lower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view digit = "0123456789";

bool in(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }
bool letter(char c) { return in(c, lower) || in(c, upper); }
bool alnum(char c) { return letter(c) || in(c, digit); }

template <class Rule>
bool all(std::string_view text, Rule rule) {
    return std::ranges::all_of(text, rule);
}

auto refuse(std::string_view what, std::string_view text, std::string_view rule) {
    return fail(Code::usage, "'{}' is no {}: {}", base::escape_untrusted(text), what, rule);
}

bool is_label(std::string_view label) {
    return !label.empty() && label.size() <= 63 && alnum(label.front()) && alnum(label.back()) &&
           all(label, [](char c) { return alnum(c) || c == '-'; });
}

}  // namespace

Status check_cluster_name(std::string_view name) {
    const bool good =
        !name.empty() && name.size() <= 40 && (in(name[0], lower) || in(name[0], digit)) &&
        all(name, [](char c) { return in(c, lower) || in(c, digit) || c == '_' || c == '-'; });
    if (good) return {};
    return refuse("name of a cluster", name,
                  "1 to 40 characters of a-z, 0-9, '_' and '-', a letter or digit first");
}

Status check_host_name(std::string_view name, std::string_view what) {
    bool good = !name.empty() && name.size() <= 253;
    for (const std::string& label : base::split(name, '.')) good = good && is_label(label);
    if (good) return {};
    return refuse(what, name, "letters, digits and inner hyphens, in parts separated by dots");
}

Status check_address(std::string_view address) {
    const std::string text(address);
    in6_addr room{};
    if (::inet_pton(AF_INET, text.c_str(), &room) == 1 ||
        ::inet_pton(AF_INET6, text.c_str(), &room) == 1) {
        return {};
    }
    return refuse("address", address, "write it in numbers, as 192.0.2.1 or 2001:db8::1");
}

Status check_node_list(std::string_view nodes) {
    bool good = !nodes.empty() && nodes.size() <= 4096 && alnum(nodes.front());
    bool inside = false;
    char before = ',';
    for (const char c : nodes) {
        if (c == '[') {
            good = good && !inside && (alnum(before) || before == '-');
            inside = true;
        } else if (c == ']') {
            good = good && inside && in(before, digit);
            inside = false;
        } else if (inside) {
            const bool mark = c == ',' || c == '-';
            good = good && (in(c, digit) || (mark && in(before, digit)));
        } else {
            good = good && (alnum(c) || c == '-' || c == '.' || c == ',') &&
                   (before != ',' || alnum(c));
        }
        before = c;
    }
    if (good && !inside && before != ',' && before != '-' && before != '.') return {};
    return refuse("list of nodes", nodes, "write it as node1,gpu[01-16,20]");
}

Status check_node_parameters(std::string_view parameters) {
    bool good = parameters.size() <= 1024;
    for (const std::string& word : base::split(parameters, ' ')) {
        const std::size_t equals = word.find('=');
        good = good && equals != std::string::npos && equals > 0 && equals + 1 < word.size() &&
               all(std::string_view(word).substr(0, equals), letter) &&
               all(std::string_view(word).substr(equals + 1),
                   [](char c) { return alnum(c) || in(c, ":,._()[]-/*"); });
        const std::string name = word.substr(0, equals);
        good = good && name != "NodeName" && name != "NodeAddr" && name != "NodeHostname";
    }
    if (good) return {};
    return refuse("list of a node's parameters", parameters,
                  "write it as CPUs=64 RealMemory=256000, one blank between two");
}

Status check_database_user(std::string_view name) {
    if (!name.empty() && name.size() <= 32 && in(name[0], lower) &&
        all(name, [](char c) { return in(c, lower) || in(c, digit) || c == '_'; })) {
        return {};
    }
    return refuse("name of a database user", name,
                  "1 to 32 characters of a-z, 0-9 and '_', a letter first");
}

Status check_password(std::string_view password) {
    if (!password.empty() && password.size() <= 128 &&
        all(password, [](char c) { return c > ' ' && c < 127 && !in(c, "'\"`\\#=;"); })) {
        return {};
    }
    // Never the password itself.
    return fail(Code::usage,
                "the password of the database cannot stand in slurmdbd.conf: 1 to 128 printable "
                "ASCII characters without blanks, quotes, '\\', '#', '=' or ';'");
}

Status check_plain_path(std::string_view path) {
    // Units and the record are UTF-8.
    if (path.starts_with('/') && base::escape_untrusted(path) == path &&
        all(path, [](char c) { return alnum(c) || in(c, "/._+~@:-") || (c & 0x80) != 0; })) {
        return {};
    }
    return refuse("folder for software that units and configuration files name", path,
                  "an absolute path of letters, digits and /._+~@:- (no blanks, quotes, $ or %)");
}

}  // namespace sf::deploy
