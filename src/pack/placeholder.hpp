// SPDX-License-Identifier: Apache-2.0
// Finds what is left of the build prefix in files: model::placeholder_root, and any 8 bytes of it
// in a row (a compiler may keep a path in pieces). One pass, whole files streamed. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace sf::pack {

struct PlaceholderHit {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;  // bytes that match: 8 to the root's length
    bool whole = false;        // the complete root
};

inline constexpr std::size_t placeholder_fragment = 8;

// Finds every maximal fragment in bytes given in pieces.
class PlaceholderScanner {
public:
    void scan(std::string_view bytes);
    // No more bytes come.
    [[nodiscard]] std::vector<PlaceholderHit> finish();

private:
    void look(std::string_view bytes, std::uint64_t base, bool last);
    std::string x_tail;           // bytes that a match may still begin in
    std::uint64_t x_tail_at = 0;  // offset of the tail's first byte
    std::vector<PlaceholderHit> x_hits;
};

[[nodiscard]] base::Result<std::vector<PlaceholderHit>> scan_placeholder(
    const std::filesystem::path& file);

}  // namespace sf::pack
