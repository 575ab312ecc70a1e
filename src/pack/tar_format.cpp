// SPDX-License-Identifier: Apache-2.0
#include "pack/tar_format.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace sf::pack {

using base::Code;
using base::fail;
using base::Result;

namespace {

struct Field {
    std::size_t at;
    std::size_t length;
};
// POSIX.1-1988 ustar
constexpr Field f_name{0, 100}, f_mode{100, 8}, f_uid{108, 8}, f_gid{116, 8}, f_size{124, 12},
    f_mtime{136, 12}, f_checksum{148, 8}, f_target{157, 100}, f_magic{257, 8}, f_uname{265, 32},
    f_gname{297, 32}, f_major{329, 8}, f_minor{337, 8}, f_prefix{345, 155}, f_padding{500, 12};
constexpr std::size_t type_at = 156;
constexpr std::string_view posix_magic{"ustar\00000", 8};
constexpr std::string_view gnu_magic{"ustar  \0", 8};

std::string_view view(std::string_view block, Field field) {
    return block.substr(field.at, field.length);
}

void put(std::string& block, Field field, std::string_view text) {
    block.replace(field.at, text.size(), text);
}

void put_octal(std::string& block, Field field, std::uint64_t value) {
    put(block, field, fmt::format("{:0{}o}", value, field.length - 1));
}

std::uint64_t checksum(std::string_view block) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < block.size(); ++i) {
        const bool inside = i >= f_checksum.at && i < f_checksum.at + f_checksum.length;
        sum += inside ? std::uint64_t{' '} : static_cast<unsigned char>(block[i]);
    }
    return sum;
}

// Digits, then at least one NUL or blank in strict archives; the others may lead with blanks, fill
// the whole field, or be empty.
std::optional<std::uint64_t> octal(std::string_view text, TarDialect dialect) {
    std::size_t at = 0;
    if (dialect == TarDialect::any) {
        while (at < text.size() && text[at] == ' ') ++at;
    }
    const std::size_t first = at;
    std::uint64_t value = 0;
    while (at < text.size() && text[at] >= '0' && text[at] <= '7') {
        if (value >> 60U) return std::nullopt;
        value = value * 8 + static_cast<std::uint64_t>(text[at] - '0');
        ++at;
    }
    if (dialect == TarDialect::strict && (at == first || at == text.size())) return std::nullopt;
    const auto rest = text.substr(at);
    if (rest.find_first_not_of(std::string_view{"\0 ", 2}) != std::string_view::npos) {
        return std::nullopt;
    }
    return value;
}

// GNU's base-256 for what octal cannot hold; only sizes and times use it.
std::optional<std::uint64_t> number(std::string_view text, TarDialect dialect) {
    const auto lead = static_cast<unsigned char>(text[0]);
    if (dialect == TarDialect::strict || lead < 0x80) return octal(text, dialect);
    if (lead == 0xff) return 0;  // negative: a time before 1970
    std::uint64_t value = lead & 0x7fU;
    for (const char c : text.substr(1)) {
        if (value >> 55U) return std::nullopt;
        value = (value << 8U) | static_cast<unsigned char>(c);
    }
    return value;
}

// Up to the first NUL. Bytes behind it would be read by some programs and not by others.
Result<std::string> text_of(std::string_view field, TarDialect dialect) {
    const auto end = std::min(field.find('\0'), field.size());
    if (dialect == TarDialect::strict && !is_zero(field.substr(end))) {
        return fail(Code::refused, "bytes behind the NUL of a name");
    }
    return std::string(field.substr(0, end));
}

std::string pax_record(std::string_view key, std::string_view value) {
    const std::size_t rest = key.size() + value.size() + 3;  // blank, '=', line feed
    std::size_t length = rest + 1;
    while (std::to_string(length).size() + rest != length) {
        length = std::to_string(length).size() + rest;
    }
    return fmt::format("{} {}={}\n", length, key, value);
}

std::string header_block(const TarHeader& header, std::string_view prefix, std::string_view name) {
    std::string block(tar_block, '\0');
    put(block, f_name, name.substr(0, f_name.length));
    put_octal(block, f_mode, header.mode);
    put_octal(block, f_uid, 0);
    put_octal(block, f_gid, 0);
    put_octal(block, f_size, header.size < (std::uint64_t{1} << 33U) ? header.size : 0);
    put_octal(block, f_mtime, static_cast<std::uint64_t>(std::max<std::int64_t>(header.mtime, 0)));
    block[type_at] = header.type;
    put(block, f_target, std::string_view(header.target).substr(0, f_target.length));
    put(block, f_magic, posix_magic);
    put(block, f_uname, "root");
    put(block, f_gname, "root");
    put_octal(block, f_major, 0);
    put_octal(block, f_minor, 0);
    put(block, f_prefix, prefix);
    put(block, f_checksum, fmt::format("{:06o}", checksum(block)));
    block[f_checksum.at + 6] = '\0';
    block[f_checksum.at + 7] = ' ';
    return block;
}

std::string padded(std::string text) {
    text.resize((text.size() + tar_block - 1) / tar_block * tar_block, '\0');
    return text;
}

}  // namespace

bool is_zero(std::string_view bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

std::string make_tar_header(const TarHeader& header) {
    std::string pax;
    std::string_view prefix;
    std::string_view name = header.path;
    if (name.size() > f_name.length) {
        // The last '/' that leaves a prefix of 155 bytes and a name of 100, else a pax record.
        const auto cut = name.rfind('/', std::min(f_prefix.length, name.size() - 2));
        if (cut != std::string_view::npos && cut > 0 && name.size() - cut - 1 <= f_name.length) {
            prefix = name.substr(0, cut);
            name = name.substr(cut + 1);
        } else {
            pax += pax_record("path", name);
        }
    }
    if (header.target.size() > f_target.length) pax += pax_record("linkpath", header.target);
    if (header.size >> 33U) pax += pax_record("size", std::to_string(header.size));

    std::string blocks;
    if (!pax.empty()) {
        TarHeader extra{"././@PaxHeader", tar_pax, 0644, pax.size(), header.mtime, ""};
        blocks = header_block(extra, "", extra.path) + padded(pax);
    }
    return blocks + header_block(header, prefix, name);
}

Result<TarHeader> parse_tar_header(std::string_view block, TarDialect dialect) {
    if (block.size() != tar_block) return fail(Code::corrupt, "truncated header");
    const auto sum = octal(view(block, f_checksum), TarDialect::any);
    if (!sum || *sum != checksum(block)) return fail(Code::corrupt, "header checksum is wrong");

    const auto magic = view(block, f_magic);
    const bool posix = magic == posix_magic;
    if (dialect == TarDialect::strict) {
        if (!posix) return fail(Code::refused, "not a POSIX tar header");
        if (!is_zero(view(block, f_padding))) return fail(Code::refused, "bytes in header padding");
    }

    TarHeader header;
    header.type = block[type_at];
    if (dialect == TarDialect::any && (header.type == '\0' || header.type == '7')) {
        header.type = tar_file;
    }
    const auto mode = octal(view(block, f_mode), dialect);
    const auto size = number(view(block, f_size), dialect);
    const auto mtime = number(view(block, f_mtime), dialect);
    if (!mode || !size || !mtime || *mtime >> 62U) {
        return fail(Code::corrupt, "a number in the header is wrong");
    }
    header.mode = static_cast<unsigned>(*mode & 0xffffU);
    header.size = *size;
    header.mtime = static_cast<std::int64_t>(*mtime);
    SF_TRY(header.path, text_of(view(block, f_name), dialect));
    SF_TRY(header.target, text_of(view(block, f_target), dialect));
    // GNU keeps other things where POSIX keeps the prefix.
    if (posix) {
        SF_TRY(const auto prefix, text_of(view(block, f_prefix), dialect));
        if (!prefix.empty()) header.path = prefix + '/' + header.path;
    } else if (magic != gnu_magic && !is_zero(magic)) {
        return fail(Code::corrupt, "not a tar header");
    }
    return header;
}

Result<PaxRecords> parse_pax(std::string_view text, TarDialect dialect) {
    static const std::set<std::string_view> ignored{"mtime", "atime", "ctime", "uid",
                                                    "gid",   "uname", "gname"};
    PaxRecords records;
    std::set<std::string, std::less<>> seen;
    while (!text.empty()) {
        std::size_t length = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
        const auto digits = static_cast<std::size_t>(end - text.data());
        if (error != std::errc{} || length > text.size() || length < digits + 4 ||
            text[digits] != ' ' || text[length - 1] != '\n') {
            return fail(Code::corrupt, "malformed pax record");
        }
        const auto record = text.substr(digits + 1, length - digits - 2);
        text.remove_prefix(length);
        const auto equals = record.find('=');
        if (equals == std::string_view::npos || equals == 0) {
            return fail(Code::corrupt, "malformed pax record");
        }
        const auto key = record.substr(0, equals);
        const auto value = record.substr(equals + 1);
        if (key.starts_with("GNU.sparse.")) return fail(Code::refused, "sparse file");
        if (!seen.emplace(key).second && dialect == TarDialect::strict) {
            return fail(Code::refused, "pax record given twice");
        }
        if (key == "path" || key == "linkpath") {
            if (value.find('\0') != std::string_view::npos) {
                return fail(Code::refused, "NUL in a name");
            }
            (key == "path" ? records.path : records.target) = std::string(value);
        } else if (key == "size") {
            std::uint64_t size = 0;
            const auto parsed = std::from_chars(value.data(), value.data() + value.size(), size);
            if (parsed.ec != std::errc{} || parsed.ptr != value.data() + value.size()) {
                return fail(Code::corrupt, "malformed pax record");
            }
            records.size = size;
        } else if (key == "mtime" && dialect == TarDialect::any) {
            std::int64_t seconds = 0;  // fractions are dropped
            const auto parsed = std::from_chars(value.data(), value.data() + value.size(), seconds);
            if (parsed.ec == std::errc{}) records.mtime = seconds;
        } else if (dialect == TarDialect::strict && !ignored.contains(key)) {
            if (key.find("xattr") != std::string_view::npos) {
                return fail(Code::refused, "extended attribute");
            }
            if (key.find("acl") != std::string_view::npos) {
                return fail(Code::refused, "access control list");
            }
            return fail(Code::refused, "unknown pax record");
        }
    }
    return records;
}

}  // namespace sf::pack
