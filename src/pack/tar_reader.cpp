// SPDX-License-Identifier: Apache-2.0
#include "pack/tar_reader.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.hpp"

namespace sf::pack {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {
constexpr std::uint64_t extra_limit = 32 << 10;  // of one pax or long-name header

std::string_view text_view(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
}  // namespace

tl::unexpected<base::Error> violation(Code code, std::string_view archive, std::string_view entry,
                                      std::string_view rule) {
    if (entry.empty()) return fail(code, "{}: {}", base::escape_untrusted(archive), rule);
    return fail(code, "{}: entry '{}': {}", base::escape_untrusted(archive),
                base::escape_untrusted(entry.substr(0, 1024)), rule);
}

tl::unexpected<base::Error> TarReader::broken(const base::Error& error) const {
    return violation(error.code, x_name, x_entry, error.message);
}

// Of a header that cannot be read, only the entry before it has a name.
std::string TarReader::behind(std::string_view rule) const {
    return x_entry.empty() ? std::string(rule) : fmt::format("{} (in the header behind it)", rule);
}

Status TarReader::read_exactly(std::span<std::byte> room) {
    while (!room.empty()) {
        SF_TRY(const auto n, x_stream.read(room));
        if (n == 0) return violation(Code::corrupt, x_name, x_entry, "truncated archive");
        room = room.subspan(n);
    }
    return {};
}

Result<std::size_t> TarReader::Content::read(std::span<std::byte> room) {
    auto& reader = x_reader;
    room =
        room.first(static_cast<std::size_t>(std::min<std::uint64_t>(room.size(), reader.x_left)));
    if (room.empty()) return 0;
    SF_TRY(const auto n, reader.x_stream.read(room));
    if (n == 0) {
        return violation(Code::corrupt, reader.x_name, reader.x_entry, "truncated archive");
    }
    reader.x_left -= n;
    return n;
}

Status TarReader::skip_rest() {
    std::array<std::byte, 16384> room;
    while (x_left > 0) SF_CHECK(x_content.read(room).map([](std::size_t) {}));
    const auto padding = std::span(room).first(x_padding);
    SF_CHECK(read_exactly(padding));
    x_padding = 0;
    if (x_dialect == TarDialect::strict && !is_zero(text_view(padding))) {
        return violation(Code::refused, x_name, x_entry, "bytes in the padding of an entry");
    }
    return {};
}

Result<std::string> TarReader::read_block() {
    std::string block(tar_block, '\0');
    SF_CHECK(read_exactly(std::as_writable_bytes(std::span(block))));
    return block;
}

// The content of a pax or long-name header.
Result<std::string> TarReader::read_extra(const TarHeader& header) {
    if (header.size > extra_limit) {
        return violation(Code::refused, x_name, x_entry, "header too long");
    }
    std::string text(static_cast<std::size_t>(header.size), '\0');
    SF_CHECK(read_exactly(std::as_writable_bytes(std::span(text))));
    x_padding = (tar_block - header.size % tar_block) % tar_block;
    SF_CHECK(skip_rest());
    return text;
}

// One block of zeros was read: a second follows, and then nothing but zeros.
Status TarReader::expect_end() {
    x_entry.clear();
    SF_TRY(const auto second, read_block());
    if (!is_zero(second)) {
        return violation(Code::corrupt, x_name, {}, "one block of zeros within the archive");
    }
    std::array<std::byte, tar_block> room;
    std::uint64_t behind = 0;
    for (;;) {
        SF_TRY(const auto n, x_stream.read(room));
        if (n == 0) return {};
        behind += n;
        const bool strict = x_dialect == TarDialect::strict;
        if (strict && (!is_zero(text_view(std::span(room).first(n))) || behind >= tar_record)) {
            return violation(Code::refused, x_name, {}, "bytes behind the end of the archive");
        }
    }
}

Result<std::optional<TarHeader>> TarReader::next() {
    SF_CHECK(skip_rest());
    PaxRecords pax;
    std::optional<std::string> gnu_path;
    std::optional<std::string> gnu_target;
    bool described = false;  // an extra header waits for its entry
    for (unsigned extras = 0;; ++extras) {
        std::string block(tar_block, '\0');
        // Upstream's tools end some archives without the blocks of zeros.
        SF_TRY(const auto first,
               x_stream.read(std::as_writable_bytes(std::span(block)).first(tar_block)));
        if (first == 0 && x_dialect == TarDialect::any && !described && !x_entry.empty()) {
            return std::nullopt;
        }
        if (first == 0) {
            return violation(Code::corrupt, x_name, x_entry, behind("truncated archive"));
        }
        SF_CHECK(read_exactly(std::as_writable_bytes(std::span(block)).subspan(first)));
        if (is_zero(block)) {
            if (described) {
                return violation(Code::corrupt, x_name, x_entry, "a header without its entry");
            }
            SF_CHECK(expect_end());
            return std::nullopt;
        }
        auto parsed = parse_tar_header(block, x_dialect);
        if (!parsed) {
            const auto& error = parsed.error();
            return violation(error.code, x_name, x_entry, behind(error.message));
        }
        auto& header = *parsed;
        x_entry = header.path;

        const bool lax = x_dialect == TarDialect::any;
        if (header.type == tar_pax ||
            (lax && (header.type == tar_pax_global || header.type == tar_gnu_path ||
                     header.type == tar_gnu_target))) {
            // Strict: one pax header at most. Elsewhere long path, long target and pax may meet.
            if (extras >= (lax ? 4U : 1U)) {
                return violation(Code::refused, x_name, x_entry, "too many headers for one entry");
            }
            SF_TRY(auto text, read_extra(header));
            if (header.type == tar_pax) {
                auto records = parse_pax(text, x_dialect);
                if (!records) return broken(records.error());
                pax = std::move(*records);
            } else if (header.type != tar_pax_global) {
                text.resize(std::min(text.find('\0'), text.size()));
                (header.type == tar_gnu_path ? gnu_path : gnu_target) = std::move(text);
            }
            described = described || header.type != tar_pax_global;
            continue;
        }

        if (gnu_path) header.path = std::move(*gnu_path);
        if (gnu_target) header.target = std::move(*gnu_target);
        if (pax.path) header.path = std::move(*pax.path);
        if (pax.target) header.target = std::move(*pax.target);
        if (pax.size) header.size = *pax.size;
        if (pax.mtime) header.mtime = *pax.mtime;
        x_entry = header.path;
        if (header.size >> 62U) {
            return violation(Code::corrupt, x_name, x_entry, "a number in the header is wrong");
        }
        // Some writers give links the size of what they point to, without content.
        if (lax && header.type != tar_file) header.size = 0;
        x_left = header.size;
        x_padding = (tar_block - header.size % tar_block) % tar_block;
        return std::move(header);
    }
}

}  // namespace sf::pack
