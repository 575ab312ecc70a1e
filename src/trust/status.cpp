// SPDX-License-Identifier: Apache-2.0
#include "trust/status.hpp"

#include <charconv>

#include "base/text.hpp"

namespace sf::trust {

namespace {

constexpr std::string_view line_prefix = "[GNUPG:] ";

auto odd(std::string_view what, std::string_view line) {
    return base::fail(base::Code::refused, "the answer of gpgv is not understood: {} in \"{}\"",
                      what, base::escape_untrusted(line.substr(0, 200)));
}

template <class Number>
bool parse_number(std::string_view text, Number& value, int radix = 10) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, radix);
    return !text.empty() && text[0] != '-' && error == std::errc{} &&
           end == text.data() + text.size();
}

bool is_upper_hex(std::string_view text) {
    for (char c : text) {
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'))) return false;
    }
    return true;
}

bool is_key_id(std::string_view text) { return text.size() == 16 && is_upper_hex(text); }
bool is_fingerprint(std::string_view text) {
    return (text.size() == 40 || text.size() == 64) && is_upper_hex(text);
}

std::optional<SignatureState> state_of(std::string_view keyword) {
    if (keyword == "GOODSIG") return SignatureState::good;
    if (keyword == "BADSIG") return SignatureState::bad;
    if (keyword == "EXPSIG") return SignatureState::expired_signature;
    if (keyword == "EXPKEYSIG") return SignatureState::expired_key;
    if (keyword == "REVKEYSIG") return SignatureState::revoked_key;
    return std::nullopt;
}

struct Open {  // the signature that the lines speak of
    SignatureStatus signature;
    bool has_result = false;
};

class Parser {
public:
    base::Status line(std::string_view text) {
        if (!text.starts_with(line_prefix)) return odd("a foreign line", text);
        for (char c : text) {
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
                return odd("a control character", text);
            }
        }
        const std::vector<std::string> words = base::split(text.substr(line_prefix.size()), ' ');
        const std::string& keyword = words[0];
        if (keyword == "NEWSIG") {
            SF_CHECK(close(text));
            x_open.emplace();
            return {};
        }
        if (keyword == "NODATA") x_status.no_data = true;
        if (keyword == "PLAINTEXT") ++x_status.texts;
        if (keyword == "UNEXPECTED" || keyword == "BADARMOR") x_status.unexpected = true;
        if (const auto state = state_of(keyword)) return result(*state, words, text);
        if (keyword == "ERRSIG") return error(words, text);
        if (keyword == "VALIDSIG") return valid(words, text);
        return {};  // other keywords say nothing that could make a signature good
    }

    base::Result<GpgStatus> finish() {
        SF_CHECK(close("the end"));
        return std::move(x_status);
    }

private:
    base::Status close(std::string_view text) {
        if (!x_open) return {};
        const bool must_be_valid = x_open->signature.state != SignatureState::bad &&
                                   x_open->signature.state != SignatureState::unchecked;
        if (!x_open->has_result) return odd("a signature without a result", text);
        if (x_open->signature.valid != must_be_valid) return odd("a contradiction", text);
        x_status.signatures.push_back(std::move(x_open->signature));
        x_open.reset();
        return {};
    }

    base::Status take_result(std::string_view text) {
        if (!x_open) return odd("a result without a signature", text);
        if (x_open->has_result) return odd("a second result", text);
        x_open->has_result = true;
        return {};
    }

    base::Status result(SignatureState state, const std::vector<std::string>& words,
                        std::string_view text) {
        SF_CHECK(take_result(text));
        if (words.size() < 2 || !(is_key_id(words[1]) || is_fingerprint(words[1]))) {
            return odd("a key", text);
        }
        x_open->signature.state = state;
        x_open->signature.key = words[1];
        return {};
    }

    // ERRSIG <key id> <key algorithm> <hash> <class> <time> <reason> [<fingerprint>|-]
    base::Status error(const std::vector<std::string>& words, std::string_view text) {
        SF_CHECK(take_result(text));
        SignatureStatus& signature = x_open->signature;
        if (words.size() < 7 || !(is_key_id(words[1]) || is_fingerprint(words[1])) ||
            !parse_number(words[3], signature.hash_algorithm) ||
            !parse_number(words[4], signature.signature_class, 16) ||
            !parse_number(words[5], signature.created) ||
            !parse_number(words[6], signature.error)) {
            return odd("a field", text);
        }
        signature.state = SignatureState::unchecked;
        signature.key = words.size() > 7 && is_fingerprint(words[7]) ? words[7] : words[1];
        return {};
    }

    // VALIDSIG <fingerprint> <date> <time> <expiry> <version> <0> <key alg> <hash> <class>
    // <primary>
    base::Status valid(const std::vector<std::string>& words, std::string_view text) {
        if (!x_open || !x_open->has_result || x_open->signature.valid) {
            return odd("a validity out of place", text);
        }
        SignatureStatus& signature = x_open->signature;
        if (words.size() < 11 || !is_fingerprint(words[1]) || !is_fingerprint(words[10]) ||
            !parse_number(words[3], signature.created) ||
            !parse_number(words[8], signature.hash_algorithm) ||
            !parse_number(words[9], signature.signature_class, 16)) {
            return odd("a field", text);
        }
        const std::string_view tail = std::string_view(words[1]).substr(words[1].size() - 16);
        if (signature.key != words[1] &&
            !(is_key_id(signature.key) && (words[1].size() == 64 || signature.key == tail))) {
            return odd("two different keys", text);
        }
        signature.key = words[1];
        signature.primary = words[10];
        signature.valid = true;
        return {};
    }

    GpgStatus x_status;
    std::optional<Open> x_open;
};

}  // namespace

base::Result<GpgStatus> parse_status(std::string_view text) {
    Parser parser;
    if (!text.empty() && text.back() != '\n') return odd("a line cut off", text);
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        SF_CHECK(parser.line(text.substr(0, end)));
        text.remove_prefix(end + 1);
    }
    return parser.finish();
}

}  // namespace sf::trust
