// SPDX-License-Identifier: Apache-2.0
#include "trust/fingerprint.hpp"

#include "base/text.hpp"

namespace sf::trust {

namespace {

bool is_upper_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); }

}  // namespace

base::Result<Fingerprint> Fingerprint::parse(std::string_view text) {
    bool well_formed = text.size() == 40 || text.size() == 64;
    for (char c : text) well_formed = well_formed && is_upper_hex(c);
    if (!well_formed) {
        return base::fail_hint(
            base::Code::usage,
            fmt::format("\"{}\" is not a full key fingerprint", base::escape_untrusted(text)),
            "a fingerprint has 40 (or 64) hexadecimal digits; key ids are refused because other "
            "keys can be made with the same id; slurm-factory key list shows fingerprints");
    }
    return Fingerprint(std::string(text));
}

base::Result<Fingerprint> Fingerprint::from_person(std::string_view text) {
    std::string digits;
    std::string_view rest = base::trim(text);
    if (rest.starts_with("0x") || rest.starts_with("0X")) rest.remove_prefix(2);
    for (char c : rest) {
        if (c == ' ') continue;
        digits.push_back(c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c);
    }
    auto parsed = parse(digits);
    if (!parsed) {
        return base::fail_hint(
            base::Code::usage,
            fmt::format("\"{}\" is not a full key fingerprint", base::escape_untrusted(text)),
            parsed.error().hint);
    }
    return parsed;
}

}  // namespace sf::trust
