// SPDX-License-Identifier: Apache-2.0
// Z5: compressed streams and their limits: the ratio is kept, the end is where it is said to be,
// and what we compress comes back. The first byte chooses the format.
#include <array>

#include "fuzz/fuzz.hpp"
#include "pack/compress.hpp"

using namespace sf;

namespace {

constexpr std::array<const char*, 5> names{"x.tar.zst", "x.tar.gz", "x.tar.xz", "x.tar.bz2",
                                           "x.tar"};
constexpr std::uint64_t ratio = 20;
constexpr std::uint64_t grace = (std::uint64_t{16} << 20U) + (std::uint64_t{1} << 20U);

class TextSink : public base::Sink {
public:
    base::Status write(base::Bytes bytes) override {
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
    }
    std::string text;
};

base::Result<std::string> decompress(const char* name, std::string_view bytes) {
    const base::Fd file = fuzz::file_in_memory(bytes);
    SF_TRY(const auto stream, pack::Decompressor::open({file.get(), name}, ratio));
    std::string text;
    std::array<std::byte, 4096> room;
    for (;;) {
        SF_TRY(const std::size_t n, stream->read(room));
        if (n == 0) break;
        text.append(reinterpret_cast<const char*>(room.data()), n);
        fuzz::require(text.size() <= grace + ratio * bytes.size(), "the ratio is kept");
    }
    SF_CHECK(stream->check_end());
    return text;
}

void survive(std::string_view text, pack::Compression compression, const char* name, int level) {
    TextSink packed;
    const auto sink = fuzz::need(pack::Compressor::create(packed, compression, level));
    fuzz::need(sink->write(base::as_bytes(text)));
    fuzz::need(sink->finish());
    const auto back = decompress(name, packed.text);
    fuzz::require(back && *back == text, "what we compress comes back");
    fuzz::require(!decompress(name, packed.text + '\0').has_value(), "nothing may follow the end");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input(fuzz::text_of(data, size));
    const std::uint8_t how = input.byte();
    if (how >= 0xf0) {
        const std::string_view text = input.rest();
        survive(text, pack::Compression::zstd, names[0], 1);
        survive(text, pack::Compression::gzip, names[1], 1);
        return 0;
    }
    static_cast<void>(decompress(names[how % names.size()], input.rest()));
    return 0;
}
