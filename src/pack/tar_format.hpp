// SPDX-License-Identifier: Apache-2.0
// The one place that makes and parses tar headers and pax records, as bytes. Knows nothing of
// streams, policies or files. Pure, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sf::pack {

inline constexpr std::size_t tar_block = 512;
inline constexpr std::size_t tar_record = 20 * tar_block;  // an archive's length is a multiple

// Types, as they stand in the header.
inline constexpr char tar_file = '0', tar_hardlink = '1', tar_symlink = '2', tar_directory = '5',
                      tar_pax = 'x', tar_pax_global = 'g', tar_gnu_path = 'L', tar_gnu_target = 'K';

struct TarHeader {
    std::string path;  // as written: a folder's may end in '/'
    char type = tar_file;
    unsigned mode = 0644;
    std::uint64_t size = 0;  // of the content that follows, unpadded
    std::int64_t mtime = 0;
    std::string target;  // hard and symbolic links
};

struct PaxRecords {
    std::optional<std::string> path;
    std::optional<std::string> target;
    std::optional<std::uint64_t> size;
    std::optional<std::int64_t> mtime;
};

enum class TarDialect {
    strict,  // what make_tar_header writes: POSIX ustar and pax; nothing hidden in padding
    any,     // v7, ustar, pax and GNU's long names
};

// The blocks that stand before the content: the ustar header, after pax blocks if they are needed.
[[nodiscard]] std::string make_tar_header(const TarHeader& header);

// A whole block of zeros ends an archive.
[[nodiscard]] bool is_zero(std::string_view bytes);

// Errors carry the rule broken as their message, nothing else: the caller knows archive and entry.
[[nodiscard]] base::Result<TarHeader> parse_tar_header(std::string_view block, TarDialect dialect);
[[nodiscard]] base::Result<PaxRecords> parse_pax(std::string_view text, TarDialect dialect);

}  // namespace sf::pack
