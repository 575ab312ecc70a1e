// SPDX-License-Identifier: Apache-2.0
#include "pack/compress.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <optional>
#include <unistd.h>
#include <vector>
#include <zstd.h>

#include "base/text.hpp"

namespace sf::pack {

using base::Bytes;
using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

class PlainSink : public Compressor {
public:
    explicit PlainSink(base::Sink& to) : x_to(to) {}
    Status write(Bytes bytes) override { return x_to.write(bytes); }
    Status finish() override { return {}; }

private:
    base::Sink& x_to;
};

class ZstdSink : public Compressor {
public:
    ZstdSink(base::Sink& to, ZSTD_CCtx* context)
        : x_to(to), x_context(context), x_room(ZSTD_CStreamOutSize()) {}
    ~ZstdSink() override { ZSTD_freeCCtx(x_context); }
    ZstdSink(const ZstdSink&) = delete;
    ZstdSink& operator=(const ZstdSink&) = delete;

    Status write(Bytes bytes) override { return push(bytes, ZSTD_e_continue); }
    Status finish() override { return push({}, ZSTD_e_end); }

private:
    Status push(Bytes bytes, ZSTD_EndDirective directive) {
        ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
        for (;;) {
            ZSTD_outBuffer out{x_room.data(), x_room.size(), 0};
            const std::size_t left = ZSTD_compressStream2(x_context, &out, &in, directive);
            if (ZSTD_isError(left)) {
                return fail(Code::failed, "zstd: {}", ZSTD_getErrorName(left));
            }
            if (out.pos > 0) SF_CHECK(x_to.write(Bytes(x_room).first(out.pos)));
            if (directive == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
        }
    }

    base::Sink& x_to;
    ZSTD_CCtx* x_context;
    std::vector<std::byte> x_room;
};

Result<std::unique_ptr<Compressor>> zstd_sink(base::Sink& to, int level) {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    if (context == nullptr) return fail(Code::exhausted, "zstd: out of memory");
    auto sink = std::make_unique<ZstdSink>(to, context);
    // No worker threads: with them the bytes differ from a build of zstd that has none.
    const std::array<std::pair<ZSTD_cParameter, int>, 2> parameters{
        {{ZSTD_c_compressionLevel, level}, {ZSTD_c_checksumFlag, 1}}};
    for (const auto& [parameter, value] : parameters) {
        const std::size_t done = ZSTD_CCtx_setParameter(context, parameter, value);
        if (ZSTD_isError(done)) return fail(Code::usage, "zstd: {}", ZSTD_getErrorName(done));
    }
    return sink;
}

// libarchive's gzip filter around its raw format: one entry, whose content is the stream.
class GzipSink : public Compressor {
public:
    explicit GzipSink(base::Sink& to) : x_to(to), x_archive(archive_write_new()) {}
    ~GzipSink() override { archive_write_free(x_archive); }
    GzipSink(const GzipSink&) = delete;
    GzipSink& operator=(const GzipSink&) = delete;

    Status start(int level) {
        const auto option = std::to_string(level);
        if (archive_write_add_filter_gzip(x_archive) != ARCHIVE_OK ||
            archive_write_set_filter_option(x_archive, "gzip", "compression-level",
                                            option.c_str()) != ARCHIVE_OK ||
            // Without this the header carries the time.
            archive_write_set_filter_option(x_archive, "gzip", "timestamp", nullptr) !=
                ARCHIVE_OK ||
            archive_write_set_format_raw(x_archive) != ARCHIVE_OK ||
            archive_write_set_bytes_per_block(x_archive, 0) != ARCHIVE_OK ||
            archive_write_open(x_archive, this, nullptr, &GzipSink::take, nullptr) != ARCHIVE_OK) {
            return trouble();
        }
        archive_entry* entry = archive_entry_new();
        archive_entry_set_pathname(entry, "data");
        archive_entry_set_filetype(entry, AE_IFREG);
        const int rc = archive_write_header(x_archive, entry);
        archive_entry_free(entry);
        if (rc != ARCHIVE_OK) return trouble();
        return {};
    }
    Status write(Bytes bytes) override {
        while (!bytes.empty()) {
            const auto n = archive_write_data(x_archive, bytes.data(), bytes.size());
            if (n <= 0) return trouble();
            bytes = bytes.subspan(static_cast<std::size_t>(n));
        }
        return {};
    }
    Status finish() override {
        if (archive_write_close(x_archive) != ARCHIVE_OK) return trouble();
        return {};
    }

private:
    static la_ssize_t take(archive* from, void* self, const void* bytes, std::size_t size) {
        auto& sink = *static_cast<GzipSink*>(self);
        const auto status = sink.x_to.write(Bytes(static_cast<const std::byte*>(bytes), size));
        if (status) return static_cast<la_ssize_t>(size);
        sink.x_error = status.error();
        archive_set_error(from, EIO, "%s", "the sink failed");
        return -1;
    }
    Status trouble() {
        if (x_error) return tl::unexpected<base::Error>(*x_error);
        const char* text = archive_error_string(x_archive);
        return fail(Code::failed, "gzip: {}", text == nullptr ? "unknown error" : text);
    }

    base::Sink& x_to;
    archive* x_archive;
    std::optional<base::Error> x_error;
};

class ArchiveDecompressor : public Decompressor {
public:
    ArchiveDecompressor(const ArchiveInput& input, std::uint64_t file_size, std::uint64_t ratio)
        : x_input(input),
          x_file_size(file_size),
          x_ratio(ratio),
          x_archive(archive_read_new()),
          x_room(std::size_t{256} << 10U) {}
    ~ArchiveDecompressor() override { archive_read_free(x_archive); }
    ArchiveDecompressor(const ArchiveDecompressor&) = delete;
    ArchiveDecompressor& operator=(const ArchiveDecompressor&) = delete;

    Status start(Compression compression) {
        int filter = ARCHIVE_FILTER_NONE;
        switch (compression) {
            case Compression::zstd: filter = ARCHIVE_FILTER_ZSTD; break;
            case Compression::gzip: filter = ARCHIVE_FILTER_GZIP; break;
            case Compression::xz: filter = ARCHIVE_FILTER_XZ; break;
            case Compression::bzip2: filter = ARCHIVE_FILTER_BZIP2; break;
            case Compression::none: break;
        }
        SF_CHECK(check_magic(compression));
        // Appended, not supported: libarchive then neither guesses nor stacks filters.
        if (archive_read_append_filter(x_archive, filter) != ARCHIVE_OK ||
            archive_read_support_format_raw(x_archive) != ARCHIVE_OK ||
            archive_read_open(x_archive, this, nullptr, &ArchiveDecompressor::give, nullptr) !=
                ARCHIVE_OK) {
            return trouble();
        }
        archive_entry* entry = nullptr;
        const int rc = archive_read_next_header(x_archive, &entry);
        if (rc == ARCHIVE_EOF) {
            x_done = true;
        } else if (rc != ARCHIVE_OK) {
            return trouble();
        }
        return {};
    }

    Result<std::size_t> read(std::span<std::byte> room) override {
        while (x_block.empty() && !x_done) {
            const void* bytes = nullptr;
            std::size_t size = 0;
            la_int64_t offset = 0;
            const int rc = archive_read_data_block(x_archive, &bytes, &size, &offset);
            if (rc == ARCHIVE_EOF) {
                x_done = true;
            } else if (rc != ARCHIVE_OK) {
                return tl::unexpected<base::Error>(trouble().error());
            } else {
                x_block = Bytes(static_cast<const std::byte*>(bytes), size);
            }
        }
        const std::size_t n = std::min(room.size(), x_block.size());
        if (n > 0) std::memcpy(room.data(), x_block.data(), n);
        x_block = x_block.subspan(n);
        x_unpacked += n;
        if (x_unpacked > (std::uint64_t{16} << 20U) && x_unpacked / x_ratio > x_file_size) {
            return fail(Code::refused, "{}: unpacks to more than {} times its size",
                        base::escape_untrusted(x_input.name), x_ratio);
        }
        return n;
    }

    Status check_end() override {
        // The outermost filter counts what the decompressor took from the file.
        const auto taken = archive_filter_bytes(x_archive, -1);
        if (!x_block.empty() || !x_done || taken < 0 ||
            static_cast<std::uint64_t>(taken) != x_file_size) {
            return fail(Code::refused, "{}: bytes behind the end of the archive",
                        base::escape_untrusted(x_input.name));
        }
        return {};
    }

private:
    // Our own look at the first bytes: libarchive's filters accept more than the name promises.
    Status check_magic(Compression compression) {
        std::string_view magic;
        switch (compression) {
            case Compression::zstd: magic = "\x28\xb5\x2f\xfd"; break;
            case Compression::gzip: magic = "\x1f\x8b\x08"; break;
            case Compression::xz: magic = {"\xfd\x37\x7a\x58\x5a\x00", 6}; break;
            case Compression::bzip2: magic = "BZh"; break;
            case Compression::none: break;
        }
        std::array<char, 8> first{};
        const auto n = ::pread(x_input.descriptor, first.data(), first.size(), 0);
        if (n < 0) return base::fail_errno(errno, "read " + base::escape_untrusted(x_input.name));
        if (!std::string_view(first.data(), static_cast<std::size_t>(n)).starts_with(magic)) {
            return fail(Code::corrupt, "{}: not compressed as its name says",
                        base::escape_untrusted(x_input.name));
        }
        return {};
    }

    static la_ssize_t give(archive* to, void* self, const void** bytes) {
        auto& source = *static_cast<ArchiveDecompressor*>(self);
        ssize_t n = 0;
        do {
            n = ::pread(source.x_input.descriptor, source.x_room.data(), source.x_room.size(),
                        source.x_offset);
        } while (n < 0 && errno == EINTR);
        if (n < 0) {
            source.x_unread = errno;
            archive_set_error(to, errno, "%s", std::strerror(errno));
            return -1;
        }
        source.x_offset += n;
        *bytes = source.x_room.data();
        return n;
    }

    Status trouble() {
        // libarchive may say something else of it: that this is no archive.
        if (x_unread != 0)
            return base::fail_errno(x_unread, "read " + base::escape_untrusted(x_input.name));
        const char* text = archive_error_string(x_archive);
        return fail(Code::corrupt, "{}: cannot be decompressed: {}",
                    base::escape_untrusted(x_input.name),
                    text == nullptr ? "unknown error" : base::escape_untrusted(text));
    }

    ArchiveInput x_input;
    std::uint64_t x_file_size;
    std::uint64_t x_ratio;
    archive* x_archive;
    std::vector<std::byte> x_room;
    off_t x_offset = 0;
    int x_unread = 0;  // errno of a read that failed
    Bytes x_block;
    std::uint64_t x_unpacked = 0;
    bool x_done = false;
};

}  // namespace

Result<std::unique_ptr<Compressor>> Compressor::create(base::Sink& to, Compression compression,
                                                       int level) {
    switch (compression) {
        case Compression::none: return std::make_unique<PlainSink>(to);
        case Compression::zstd: return zstd_sink(to, level == 0 ? 19 : level);
        case Compression::gzip: {
            auto sink = std::make_unique<GzipSink>(to);
            SF_CHECK(sink->start(level == 0 ? 6 : level));
            return sink;
        }
        case Compression::xz:
        case Compression::bzip2: break;
    }
    return fail(Code::usage, "archives are written as zstd or gzip");
}

Result<std::unique_ptr<Decompressor>> Decompressor::open(const ArchiveInput& input,
                                                         std::uint64_t ratio) {
    SF_TRY(const auto compression, compression_of(input.name));
    struct stat status {};
    if (::fstat(input.descriptor, &status) != 0) {
        return base::fail_errno(errno, "read " + base::escape_untrusted(input.name));
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(Code::refused, "{}: not a regular file", base::escape_untrusted(input.name));
    }
    auto source = std::make_unique<ArchiveDecompressor>(
        input, static_cast<std::uint64_t>(status.st_size), std::max<std::uint64_t>(ratio, 1));
    SF_CHECK(source->start(compression));
    return source;
}

}  // namespace sf::pack
