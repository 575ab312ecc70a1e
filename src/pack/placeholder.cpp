// SPDX-License-Identifier: Apache-2.0
// Looks at every eighth byte only, as long as that byte is not one of the root's: a fragment of 8
// bytes cannot hide between two such bytes.
#include "pack/placeholder.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <vector>

#include "base/files.hpp"
#include "model/names.hpp"

namespace sf::pack {

using base::Result;

namespace {

constexpr std::string_view root = model::placeholder_root;

constexpr std::array<bool, 256> root_bytes = [] {
    std::array<bool, 256> table{};
    for (const char c : root) table[static_cast<unsigned char>(c)] = true;
    return table;
}();

// How many bytes at `text` continue the root from some place of it: the longest such run.
std::size_t match_at(std::string_view text) {
    std::size_t longest = 0;
    for (std::size_t start = 0; start + placeholder_fragment <= root.size(); ++start) {
        const auto wanted = root.substr(start);
        const auto limit = std::min(wanted.size(), text.size());
        std::size_t n = 0;
        while (n < limit && text[n] == wanted[n]) ++n;
        longest = std::max(longest, n);
    }
    return longest >= placeholder_fragment ? longest : 0;
}

}  // namespace

// Reports the matches that begin in `bytes`, except, unless it is the last piece, in the end of it
// that a match could outgrow: that becomes the tail.
void PlaceholderScanner::look(std::string_view bytes, std::uint64_t base, bool last) {
    std::size_t at = 0;
    const std::size_t stop =
        last ? bytes.size() : bytes.size() - std::min(bytes.size(), root.size());
    while (at < stop && bytes.size() - at >= placeholder_fragment) {
        if (!root_bytes[static_cast<unsigned char>(bytes[at + placeholder_fragment - 1])]) {
            at += placeholder_fragment;
            continue;
        }
        const auto length = match_at(bytes.substr(at));
        if (length > 0) {
            x_hits.push_back({base + at, length, length == root.size()});
            at += length;
        } else {
            ++at;
        }
    }
    at = std::min(at, bytes.size());
    x_tail_at = base + at;
    x_tail = std::string(bytes.substr(at));
}

void PlaceholderScanner::scan(std::string_view bytes) {
    if (x_tail.empty()) return look(bytes, x_tail_at, false);
    const auto joined = std::move(x_tail) + std::string(bytes);
    look(joined, x_tail_at, false);
}

std::vector<PlaceholderHit> PlaceholderScanner::finish() {
    const auto tail = std::move(x_tail);
    look(tail, x_tail_at, true);
    x_tail.clear();
    x_tail_at = 0;
    return std::move(x_hits);
}

Result<std::vector<PlaceholderHit>> scan_placeholder(const std::filesystem::path& file) {
    SF_TRY(const auto fd, base::open_file(file, O_RDONLY | O_NOFOLLOW));
    base::FdSource source(fd.get(), file);
    PlaceholderScanner scanner;
    std::array<std::byte, 65536> room;  // on the stack: as base/stream.cpp
    for (;;) {
        SF_TRY(const auto n, source.read(room));
        if (n == 0) return scanner.finish();
        scanner.scan({reinterpret_cast<const char*>(room.data()), n});
    }
}

}  // namespace sf::pack
