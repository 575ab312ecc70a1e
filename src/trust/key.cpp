// SPDX-License-Identifier: Apache-2.0
#include "trust/key.hpp"

#include <charconv>

#include "base/text.hpp"

namespace sf::trust {

namespace {

constexpr unsigned rsa = 1;
constexpr unsigned rsa_sign_only = 3;
constexpr unsigned dsa = 17;
constexpr unsigned ecdsa = 19;
constexpr unsigned eddsa = 22;

auto odd(std::string_view what, std::string_view line) {
    return base::fail(base::Code::corrupt, "gpg's key listing is not understood: {} in \"{}\"",
                      what, base::escape_untrusted(line.substr(0, 200)));
}

template <class Number>
bool parse_number(std::string_view text, Number& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// gpg writes "\x3a" for a colon inside a user id; done after splitting, never before.
std::string unescape(std::string_view text) {
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\' && at + 3 < text.size() && text[at + 1] == 'x' &&
            hex_digit(text[at + 2]) >= 0 && hex_digit(text[at + 3]) >= 0) {
            result.push_back(
                static_cast<char>(hex_digit(text[at + 2]) * 16 + hex_digit(text[at + 3])));
            at += 3;
        } else {
            result.push_back(text[at]);
        }
    }
    return result;
}

struct Draft {  // a part whose "fpr" line has not been seen yet
    unsigned algorithm = 0;
    unsigned bits = 0;
    std::string key_id;
    std::int64_t created = 0;
    std::optional<std::int64_t> expires;
    char validity = '-';
    bool signs = false;
};

base::Result<Draft> parse_draft(const std::vector<std::string>& fields, std::string_view line) {
    Draft draft;
    if (fields.size() < 12) return odd("too few fields", line);
    if (!fields[1].empty()) draft.validity = fields[1][0];
    if (!parse_number(fields[2], draft.bits)) return odd("the length", line);
    if (!parse_number(fields[3], draft.algorithm)) return odd("the algorithm", line);
    draft.key_id = fields[4];
    if (!parse_number(fields[5], draft.created)) return odd("the creation time", line);
    if (!fields[6].empty()) {
        std::int64_t expires = 0;
        if (!parse_number(fields[6], expires)) return odd("the expiry", line);
        draft.expires = expires;
    }
    draft.signs = fields[11].find('s') != std::string::npos;
    return draft;
}

KeyPart finish(Draft draft, Fingerprint fingerprint) {
    return KeyPart{.fingerprint = std::move(fingerprint),
                   .key_id = std::move(draft.key_id),
                   .algorithm = draft.algorithm,
                   .bits = draft.bits,
                   .created = draft.created,
                   .expires = draft.expires,
                   .revoked = draft.validity == 'r',
                   .expired = draft.validity == 'e',
                   .signs = draft.signs};
}

}  // namespace

const KeyPart* Key::part(std::string_view fingerprint_or_id) const {
    const auto is = [&](const KeyPart& candidate) {
        return candidate.fingerprint.text() == fingerprint_or_id ||
               candidate.key_id == fingerprint_or_id;
    };
    if (is(primary)) return &primary;
    for (const KeyPart& subkey : subkeys) {
        if (is(subkey)) return &subkey;
    }
    return nullptr;
}

base::Result<std::vector<Key>> parse_key_listing(std::string_view text) {
    std::vector<Key> keys;
    std::optional<Draft> draft;
    bool is_primary = false;
    bool is_secret = false;
    for (const std::string& line : base::split(text, '\n')) {
        if (line.empty()) continue;
        const std::vector<std::string> fields = base::split(line, ':');
        const std::string& kind = fields[0];
        if (kind == "pub" || kind == "sec" || kind == "sub" || kind == "ssb") {
            if (draft) return odd("a key without a fingerprint", line);
            SF_TRY(draft, parse_draft(fields, line));
            is_primary = kind == "pub" || kind == "sec";
            is_secret = kind == "sec";
            if (!is_primary && keys.empty()) return odd("a subkey without a key", line);
        } else if (kind == "fpr" && draft) {
            if (fields.size() < 10) return odd("too few fields", line);
            auto fingerprint = Fingerprint::parse(fields[9]);
            if (!fingerprint) return odd("the fingerprint", line);
            KeyPart part = finish(std::move(*draft), std::move(*fingerprint));
            draft.reset();
            if (is_primary) {
                keys.push_back(Key{std::move(part), {}, {}, is_secret});
            } else {
                keys.back().subkeys.push_back(std::move(part));
            }
        } else if (kind == "uid" && !draft) {
            if (fields.size() < 10 || keys.empty()) return odd("a user id", line);
            keys.back().user_ids.push_back(unescape(fields[9]));
        }
    }
    if (draft) return odd("a key without a fingerprint", "the end");
    return keys;
}

std::string algorithm_text(const KeyPart& part) {
    switch (part.algorithm) {
        case rsa:
        case 2:
        case rsa_sign_only: return fmt::format("RSA {}", part.bits);
        case dsa: return fmt::format("DSA {}", part.bits);
        case ecdsa: return fmt::format("ECDSA {}", part.bits);
        case eddsa: return part.bits > 300 ? "Ed448" : "Ed25519";
        default: return fmt::format("algorithm {}, {} bits", part.algorithm, part.bits);
    }
}

bool strong_enough(const KeyPart& part) {
    switch (part.algorithm) {
        case rsa:
        case rsa_sign_only: return part.bits >= 3072;
        case ecdsa:
        case eddsa: return part.bits >= 255;
        default: return false;
    }
}

}  // namespace sf::trust
