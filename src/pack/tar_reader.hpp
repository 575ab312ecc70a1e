// SPDX-License-Identifier: Apache-2.0
// Walks a decompressed tar stream: joins pax and long-name headers with the entry they describe,
// hands out contents, and accounts for every byte up to the end. Knows the format, no policy about
// paths, modes or links. One thread.
#pragma once

#include <optional>
#include <string>

#include "base/stream.hpp"
#include "pack/tar_format.hpp"

namespace sf::pack {

// "archive: entry 'path': rule", the one line every violation is reported in.
[[nodiscard]] tl::unexpected<base::Error> violation(base::Code code, std::string_view archive,
                                                    std::string_view entry, std::string_view rule);

class TarReader {
public:
    // `name` is the archive's, for messages.
    TarReader(base::Source& stream, TarDialect dialect, std::string name)
        : x_stream(stream), x_dialect(dialect), x_name(std::move(name)), x_content(*this) {}
    TarReader(const TarReader&) = delete;
    TarReader& operator=(const TarReader&) = delete;

    // The next entry; what was not read of the last one is skipped. nullopt: the archive has ended
    // as it should, and nothing but zeros follows in the stream.
    [[nodiscard]] base::Result<std::optional<TarHeader>> next();
    // Of the entry next() returned last.
    [[nodiscard]] base::Source& content() { return x_content; }

private:
    class Content : public base::Source {
    public:
        explicit Content(TarReader& reader) : x_reader(reader) {}
        base::Result<std::size_t> read(std::span<std::byte> room) override;

    private:
        TarReader& x_reader;
    };

    base::Status read_exactly(std::span<std::byte> room);
    base::Status skip_rest();
    base::Status expect_end();
    base::Result<std::string> read_block();
    base::Result<std::string> read_extra(const TarHeader& header);
    [[nodiscard]] std::string behind(std::string_view rule) const;
    tl::unexpected<base::Error> broken(const base::Error& error) const;

    base::Source& x_stream;
    TarDialect x_dialect;
    std::string x_name;
    Content x_content;
    std::string x_entry;          // for messages
    std::uint64_t x_left = 0;     // unread content of the entry
    std::uint64_t x_padding = 0;  // behind it
};

}  // namespace sf::pack
