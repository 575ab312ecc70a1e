// SPDX-License-Identifier: Apache-2.0
// What is sent: text in memory, or a part of an open file, which is read in pieces at their places,
// so that several bodies can share one descriptor. One thread for each body.
#pragma once

#include <string>

#include "net/exchange.hpp"

namespace sf::net {

class TextBody : public ExchangeBody {
public:
    explicit TextBody(std::string text) : x_text(std::move(text)) {}
    [[nodiscard]] std::uint64_t size() const override { return x_text.size(); }
    base::Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> room) override;

private:
    std::string x_text;
};

// `size` bytes from `begin` on. A file that is shorter is Code::corrupt.
class FileBody : public ExchangeBody {
public:
    FileBody(int descriptor, std::uint64_t begin, std::uint64_t size)
        : x_descriptor(descriptor), x_begin(begin), x_size(size) {}
    [[nodiscard]] std::uint64_t size() const override { return x_size; }
    base::Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> room) override;

private:
    int x_descriptor;  // borrowed; its offset is not used
    std::uint64_t x_begin;
    std::uint64_t x_size;
};

}  // namespace sf::net
