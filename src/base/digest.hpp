// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4, by OpenSSL), and its text forms. Not for sharing between threads.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/stream.hpp"

namespace sf::base {

// A SHA-256 value. Text form: 64 lower-case hexadecimal digits, nothing else is accepted.
class Digest {
public:
    static constexpr std::size_t size = 32;
    Digest() = default;
    explicit Digest(const std::array<std::byte, size>& bytes) : x_bytes(bytes) {}

    [[nodiscard]] static Result<Digest> parse(std::string_view hex);
    [[nodiscard]] std::string hex() const;
    [[nodiscard]] std::string short_hex(std::size_t digits = 8) const {
        return hex().substr(0, digits);
    }
    [[nodiscard]] std::string base32() const;  // RFC 4648 alphabet, lower case, no padding

    // clang-tidy 14 takes the zero inside a defaulted comparison for a null pointer.
    auto operator<=>(const Digest&) const = default;  // NOLINT(modernize-use-nullptr)

private:
    std::array<std::byte, size> x_bytes{};
};

class Sha256 : public Sink {
public:
    Sha256();
    ~Sha256() override;
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    Status write(Bytes bytes) override;
    void update(std::string_view text);
    // The digest of everything written; the object starts afresh.
    [[nodiscard]] Digest finish();

private:
    struct Free {
        void operator()(void* context) const;
    };
    std::unique_ptr<void, Free> x_context;
};

[[nodiscard]] Digest sha256(std::string_view text);
[[nodiscard]] Result<Digest> sha256_file(const std::filesystem::path& path);
[[nodiscard]] Result<Digest> sha256_fd(
    int descriptor);  // from offset 0; the offset is left at the end

}  // namespace sf::base
