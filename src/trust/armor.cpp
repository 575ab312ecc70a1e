// SPDX-License-Identifier: Apache-2.0
#include "trust/armor.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "base/text.hpp"

namespace sf::trust {

namespace {

constexpr std::string_view begin_line = "-----BEGIN PGP SIGNATURE-----\n";
constexpr std::string_view end_line = "-----END PGP SIGNATURE-----\n";
constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t line_length = 64;
constexpr std::uint8_t signature_tag = 2;

std::uint32_t byte_at(std::string_view text, std::size_t at) {
    return static_cast<std::uint8_t>(text[at]);
}

std::uint32_t crc24(std::string_view bytes) {  // RFC 4880, 6.1
    std::uint32_t crc = 0xB704CE;
    for (char c : bytes) {
        crc ^= static_cast<std::uint32_t>(static_cast<std::uint8_t>(c)) << 16;
        for (int bit = 0; bit < 8; ++bit) {
            crc <<= 1;
            if ((crc & 0x1000000U) != 0) crc ^= 0x1864CFBU;
        }
    }
    return crc & 0xFFFFFFU;
}

std::string base64(std::string_view bytes) {
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const std::size_t here = std::min<std::size_t>(3, bytes.size() - at);
        std::uint32_t group = byte_at(bytes, at) << 16;
        if (here > 1) group |= byte_at(bytes, at + 1) << 8;
        if (here > 2) group |= byte_at(bytes, at + 2);
        for (std::size_t digit = 0; digit < 4; ++digit) {
            text.push_back(digit <= here ? alphabet[(group >> (18 - 6 * digit)) & 63U] : '=');
        }
    }
    return text;
}

// Digits only, canonical padding is checked by the caller's comparison with the one text form.
std::optional<std::string> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::string bytes;
    for (std::size_t at = 0; at < text.size(); at += 4) {
        std::uint32_t group = 0;
        std::size_t padding = 0;
        for (std::size_t digit = 0; digit < 4; ++digit) {
            const char c = text[at + digit];
            std::size_t value = 0;
            if (c == '=' && at + 4 == text.size() && digit >= 2) {
                ++padding;
            } else {
                value = alphabet.find(c);
                if (value == std::string_view::npos || padding != 0) return std::nullopt;
            }
            group = group << 6 | static_cast<std::uint32_t>(value);
        }
        for (std::size_t byte = 0; byte + padding < 3; ++byte) {
            bytes.push_back(static_cast<char>(group >> (16 - 8 * byte) & 0xFFU));
        }
    }
    return bytes;
}

std::string checksum_line(std::string_view packets) {
    const std::uint32_t crc = crc24(packets);
    const std::array<char, 3> bytes{static_cast<char>(crc >> 16), static_cast<char>(crc >> 8),
                                    static_cast<char>(crc)};
    return '=' + base64({bytes.data(), bytes.size()}) + '\n';
}

// Of a block that has none; empty where the digits are no packets, which others will say.
std::string checksum_of(std::string_view digits) {
    const auto packets = from_base64(digits);
    return packets && !packets->empty() ? checksum_line(*packets) : std::string();
}

auto damaged(std::string_view why) {
    return base::fail(base::Code::refused, "the signature file is damaged or not a signature: {}",
                      why);
}

}  // namespace

std::string armor_signature(std::string_view packets) {
    std::string text(begin_line);
    text += '\n';
    const std::string digits = base64(packets);
    for (std::size_t at = 0; at < digits.size(); at += line_length) {
        text += digits.substr(at, line_length);
        text += '\n';
    }
    text += checksum_line(packets);
    text += end_line;
    return text;
}

std::string with_checksums(std::string_view keys) {
    std::string text;
    enum class Part { outside, headers, digits, rest };
    Part part = Part::outside;
    std::string digits;
    for (std::size_t at = 0; at < keys.size();) {
        const std::size_t end = std::min(keys.find('\n', at), keys.size() - 1) + 1;
        const std::string_view whole = keys.substr(at, end - at);
        const std::string_view line = base::trim(whole);
        at = end;
        if (line.starts_with("-----BEGIN PGP ") && line.ends_with(" KEY BLOCK-----")) {
            part = Part::headers;
            digits.clear();
        } else if (line.starts_with("-----")) {
            if (part == Part::digits) text += checksum_of(digits);
            part = Part::outside;
        } else if (part == Part::headers && line.empty()) {
            part = Part::digits;
        } else if (part == Part::digits && line.starts_with('=')) {
            part = Part::rest;  // it has one
        } else if (part == Part::digits) {
            digits += line;
        }
        text += whole;
    }
    return text;
}

base::Result<std::string> dearmor_signature(std::string_view text) {
    if (text.empty()) return damaged("it is empty");
    if (text.size() > 2 * max_signature_bytes) return damaged("it is too large");
    if (!text.starts_with(begin_line)) {
        return damaged("it does not begin with -----BEGIN PGP SIGNATURE-----");
    }
    if (!text.ends_with(end_line)) {
        return damaged("it does not end with -----END PGP SIGNATURE-----");
    }
    std::string_view body = text.substr(begin_line.size());
    if (body.size() < end_line.size() + 2) return damaged("nothing is in it");
    body.remove_suffix(end_line.size());
    if (body.front() != '\n') return damaged("armour headers are not accepted");
    std::string digits;
    for (std::size_t at = 1; at < body.size();) {
        const std::size_t end = body.find('\n', at);
        if (end == std::string_view::npos) return damaged("a line does not end");
        const std::string_view line = body.substr(at, end - at);
        if (line.starts_with('=')) break;  // the CRC: compared below
        digits += line;
        at = end + 1;
    }
    auto packets = from_base64(digits);
    if (!packets) return damaged("its text is not base64");
    // One comparison covers the CRC, line lengths, spaces, padding bits and anything left over.
    if (armor_signature(*packets) != text) return damaged("its checksum or its form is wrong");
    SF_CHECK(check_signature_packets(*packets));
    return std::move(*packets);
}

base::Status check_signature_packets(std::string_view packets) {
    std::size_t count = 0;
    for (std::size_t at = 0; at < packets.size(); ++count) {
        const std::uint32_t head = byte_at(packets, at++);
        if ((head & 0x80U) == 0) return damaged("there are foreign bytes in it");
        const bool new_format = (head & 0x40U) != 0;
        const std::uint32_t tag = new_format ? head & 0x3FU : head >> 2 & 0xFU;
        if (tag != signature_tag) return damaged("there is something other than a signature in it");
        std::size_t octets = 0;  // of the length
        std::size_t length = 0;
        if (!new_format) {
            if ((head & 3U) == 3) return damaged("a packet has no length");
            octets = std::size_t{1} << (head & 3U);
        } else {
            if (at >= packets.size()) return damaged("it is cut off");
            const std::uint32_t first = byte_at(packets, at);
            if (first >= 224 && first < 255) return damaged("a packet has no definite length");
            octets = first < 192 ? 1 : first < 224 ? 2 : 5;
        }
        if (packets.size() - at < octets) return damaged("it is cut off");
        for (std::size_t octet = 0; octet < octets; ++octet) {
            if (new_format && octets == 5 && octet == 0) continue;
            length = length << 8 | byte_at(packets, at + octet);
        }
        if (new_format && octets == 2) length = length - (192U << 8) + 192;
        at += octets;
        if (packets.size() - at < length || length == 0) return damaged("it is cut off");
        at += length;
    }
    if (count == 0) return damaged("there is no signature in it");
    if (count > max_signatures) return damaged("there are too many signatures in it");
    return {};
}

}  // namespace sf::trust
