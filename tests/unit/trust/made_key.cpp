// SPDX-License-Identifier: Apache-2.0
#include "made_key.hpp"

#include <openssl/sha.h>

#include <array>
#include <stdexcept>

#include "base/text.hpp"
#include "trust/armor.hpp"

namespace sf::test {

namespace {

std::string number(std::uint64_t value, int bytes) {
    std::string text;
    for (int i = bytes - 1; i >= 0; --i) text.push_back(static_cast<char>(value >> (8 * i)));
    return text;
}

// In the new format, with a length of four bytes.
std::string packet(std::uint8_t tag, std::string_view body) {
    return std::string(1, static_cast<char>(0xC0 | tag)) + '\xff' + number(body.size(), 4) +
           std::string(body);
}

std::string subpacket(std::uint8_t type, std::string_view content) {
    return number(content.size() + 1, 1) + static_cast<char>(type) + std::string(content);
}

// A number without leading zeros, after the count of its bits.
std::string mpi(std::string_view bytes) {
    while (!bytes.empty() && bytes[0] == '\0') bytes.remove_prefix(1);
    std::size_t bits = bytes.size() * 8;
    for (unsigned char mask = 0x80;
         !bytes.empty() && (static_cast<unsigned char>(bytes[0]) & mask) == 0; mask >>= 1)
        --bits;
    return number(bits, 2) + std::string(bytes);
}

std::string sha512(const std::string& bytes) {
    std::array<unsigned char, SHA512_DIGEST_LENGTH> digest{};
    ::SHA512(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
    return {digest.begin(), digest.end()};
}

std::string hashed(const std::string& body) { return '\x99' + number(body.size(), 2) + body; }

}  // namespace

MadeKey::MadeKey(std::uint32_t created) : x_created(created) {
    const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
        EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nullptr), EVP_PKEY_CTX_free);
    EVP_PKEY* key = nullptr;
    if (EVP_PKEY_keygen_init(context.get()) != 1 || EVP_PKEY_keygen(context.get(), &key) != 1)
        throw std::runtime_error("no Ed25519 key");
    x_key.reset(key);
    std::array<unsigned char, 32> bytes{};
    std::size_t length = bytes.size();
    if (EVP_PKEY_get_raw_public_key(x_key.get(), bytes.data(), &length) != 1)
        throw std::runtime_error("no public part");
    x_public.assign(bytes.begin(), bytes.end());
}

std::string MadeKey::body() const {
    const std::string oid("\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01", 10);
    return '\x04' + number(x_created, 4) + '\x16' + oid + number(263, 2) + '\x40' + x_public;
}

std::string MadeKey::digest() const {
    const std::string bytes = hashed(body());
    std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
    ::SHA1(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
    return {digest.begin(), digest.end()};
}

std::string MadeKey::fingerprint() const {
    std::string text;
    for (const char byte : digest()) {
        for (const int half : {(byte >> 4) & 15, byte & 15})
            text.push_back("0123456789ABCDEF"[half]);
    }
    return text;
}

std::string MadeKey::signature(std::uint8_t type, const std::string& content, std::uint32_t time,
                               const std::string& flags) const {
    const std::string issuer = '\x04' + digest();
    const std::string known = subpacket(2, number(time, 4)) + flags + subpacket(33, issuer);
    const std::string front = '\x04' + number(type, 1) + '\x16' + '\x0a' +  // EdDSA, SHA-512
                              number(known.size(), 2) + known;
    const std::string hash = sha512(content + front + '\x04' + '\xff' + number(front.size(), 4));
    std::array<unsigned char, 64> signature{};
    std::size_t length = signature.size();
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          EVP_MD_CTX_free);
    if (EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, x_key.get()) != 1 ||
        EVP_DigestSign(context.get(), signature.data(), &length,
                       reinterpret_cast<const unsigned char*>(hash.data()), hash.size()) != 1)
        throw std::runtime_error("no signature");
    const std::string both(signature.begin(), signature.end());
    const std::string aside = subpacket(16, digest().substr(12));
    return packet(2, front + number(aside.size(), 2) + aside + hash.substr(0, 2) +
                         mpi(std::string_view(both).substr(0, 32)) +
                         mpi(std::string_view(both).substr(32)));
}

std::string MadeKey::packets(std::string_view user_id) const {
    const std::string content =
        hashed(body()) + '\xb4' + number(user_id.size(), 4) + std::string(user_id);
    const std::string may_sign = subpacket(27, "\x03");
    return packet(6, body()) + packet(13, user_id) + signature(0x13, content, x_created, may_sign);
}

std::string MadeKey::sign(std::string_view bytes, std::uint32_t time) const {
    return signature(0x00, std::string(bytes), time, {});
}

// With a checksum: without one GnuPG 2.2 takes the last line for base64 as well, where nothing is
// padded before it, and loses the last key.
std::string armor_public_key(std::string_view packets) {
    return base::replace_all(trust::armor_signature(packets), "PGP SIGNATURE",
                             "PGP PUBLIC KEY BLOCK");
}

}  // namespace sf::test
