// SPDX-License-Identifier: Apache-2.0
#include "cache/gzip_text.hpp"

#include <sys/mman.h>

#include <array>
#include <cerrno>

#include "base/fd.hpp"
#include "base/files.hpp"
#include "pack/compress.hpp"

namespace sf::cache {

using base::Result;

namespace {

constexpr std::uint64_t ratio = 1000;

class TextSink : public base::Sink {
public:
    base::Status write(base::Bytes bytes) override {
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
    }
    std::string text;
};

}  // namespace

Result<std::string> gzip(std::string_view text) {
    TextSink sink;
    SF_TRY(const auto compressor, pack::Compressor::create(sink, pack::Compression::gzip, 0));
    SF_CHECK(compressor->write(base::as_bytes(text)));
    SF_CHECK(compressor->finish());
    return std::move(sink.text);
}

Result<std::string> gunzip(std::string_view bytes, std::uint64_t most) {
    const base::Fd memory(::memfd_create("gunzip", MFD_CLOEXEC));
    if (!memory.valid()) return base::fail_errno(errno, "hold a text in memory");
    SF_CHECK(base::write_all(memory.get(), base::as_bytes(bytes), "memory"));
    SF_TRY(const auto source, pack::Decompressor::open({memory.get(), "text.tar.gz"}, ratio));
    std::string text;
    std::array<std::byte, 65536> room;
    for (;;) {
        SF_TRY(const std::size_t got, source->read(room));
        if (got == 0) break;
        text.append(reinterpret_cast<const char*>(room.data()), got);
        if (text.size() > most)
            return base::fail(base::Code::corrupt, "a packed text holds more than {} bytes", most);
    }
    SF_CHECK(source->check_end());
    return text;
}

Result<std::string> text_of(const BlobRecord& blob, std::string stored) {
    if (blob.compression == "none") return stored;
    if (blob.compression == "gzip")
        return base::during(gunzip(stored, max_text), "unpacking a blob " + blob.media_type);
    return base::fail(base::Code::corrupt, "a text is compressed as {}: none or gzip is known",
                      blob.compression);
}

}  // namespace sf::cache
