// SPDX-License-Identifier: Apache-2.0
// The low-level functions of OpenSSL: those of EVP load providers at run time, which a static
// program (slurm-setup) cannot. They are declared deprecated, not weak.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/digest.hpp"

#include <openssl/sha.h>

#include <cstdint>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

#include "base/files.hpp"

namespace sf::base {

namespace {

SHA256_CTX* state(void* context) { return static_cast<SHA256_CTX*>(context); }

int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    return -1;
}

}  // namespace

Result<Digest> Digest::parse(std::string_view hex) {
    if (hex.size() != 2 * size)
        return fail(Code::corrupt, "a sha256 has 64 hexadecimal digits, this has {} characters",
                    hex.size());
    Digest digest;
    for (std::size_t i = 0; i < size; ++i) {
        const int high = hex_value(hex[2 * i]);
        const int low = hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return fail(Code::corrupt, "a sha256 is written in digits 0-9 and a-f only");
        digest.x_bytes[i] = static_cast<std::byte>(high * 16 + low);
    }
    return digest;
}

std::string Digest::hex() const {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * size);
    for (const std::byte value : x_bytes) {
        text += digits[std::to_integer<std::size_t>(value >> 4)];
        text += digits[std::to_integer<std::size_t>(value & std::byte{15})];
    }
    return text;
}

std::string Digest::base32() const {
    static constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";
    std::string text;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const std::byte value : x_bytes) {
        bits = (bits << 8U) | std::to_integer<std::uint32_t>(value);
        for (count += 8; count >= 5; count -= 5) text += alphabet[(bits >> (count - 5U)) & 31U];
    }
    if (count > 0) text += alphabet[(bits << (5U - count)) & 31U];
    return text;
}

void Sha256::Free::operator()(void* context) const { delete state(context); }

Sha256::Sha256() : x_context(new SHA256_CTX) { SHA256_Init(state(x_context.get())); }

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Status Sha256::write(Bytes bytes) {
    SHA256_Update(state(x_context.get()), bytes.data(), bytes.size());
    return {};
}

void Sha256::update(std::string_view text) {
    SHA256_Update(state(x_context.get()), text.data(), text.size());
}

Digest Sha256::finish() {
    std::array<std::byte, Digest::size> bytes{};
    void* place = bytes.data();
    SHA256_Final(static_cast<unsigned char*>(place), state(x_context.get()));
    SHA256_Init(state(x_context.get()));
    return Digest(bytes);
}

Digest sha256(std::string_view text) {
    Sha256 hash;
    hash.update(text);
    return hash.finish();
}

Result<Digest> sha256_fd(int descriptor) {
    if (::lseek(descriptor, 0, SEEK_SET) < 0) return fail_errno(errno, "rewind a file to hash it");
    FdSource source(descriptor, "file to hash");
    Sha256 hash;
    SF_TRY([[maybe_unused]] const std::size_t count, copy(source, hash));
    return hash.finish();
}

Result<Digest> sha256_file(const std::filesystem::path& path) {
    SF_TRY(const Fd file, open_file(path, O_RDONLY));
    return during(sha256_fd(file.get()), "hashing " + path.string());
}

}  // namespace sf::base
