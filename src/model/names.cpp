// SPDX-License-Identifier: Apache-2.0
#include "model/names.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sf::model {

using base::Code;
using base::fail;

namespace {

constexpr std::size_t longest_name = 64;

bool lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool letter_or_digit(char c) { return lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }

}  // namespace

base::Status check_name(std::string_view name, std::string_view what) {
    const auto allowed = [](char c) {
        return lower_or_digit(c) || std::string_view("._+-").find(c) != std::string_view::npos;
    };
    if (name.empty() || name.size() > longest_name || !lower_or_digit(name.front()) ||
        !std::all_of(name.begin(), name.end(), allowed) ||
        name.find("..") != std::string_view::npos)
        return fail(Code::corrupt,
                    "'{}' is no {}: it begins with a-z or 0-9, goes on with those and . _ + -, and "
                    "has at most {} characters",
                    base::escape_untrusted(name), what, longest_name);
    return {};
}

base::Status check_version(std::string_view version) {
    const auto allowed = [](char c) {
        return letter_or_digit(c) || std::string_view("._+~-").find(c) != std::string_view::npos;
    };
    if (version.empty() || version.size() > longest_name || !letter_or_digit(version.front()) ||
        !std::all_of(version.begin(), version.end(), allowed) ||
        version.find("..") != std::string_view::npos)
        return fail(Code::corrupt,
                    "'{}' is no version: it begins with a letter or digit, goes on with those and "
                    ". _ + ~ -, and has at most {} characters",
                    base::escape_untrusted(version), longest_name);
    return {};
}

std::string store_name(std::string_view name, std::string_view version,
                       const base::Digest& identity) {
    return fmt::format("{}-{}-{}", name, version, identity.short_hex());
}

std::string series_of(std::string_view version) {
    const std::size_t first = version.find('.');
    if (first == std::string_view::npos) return std::string(version);
    return std::string(version.substr(0, version.find('.', first + 1)));
}

std::string bundle_file(std::string_view version, std::string_view toolchain,
                        std::string_view architecture) {
    return fmt::format("slurm-{}-{}-{}-software.tar.gz", version, toolchain, architecture);
}

std::string bundle_alias(std::string_view series, std::string_view toolchain) {
    return fmt::format("slurm-{}-{}-software.tar.gz", series, toolchain);
}

}  // namespace sf::model
