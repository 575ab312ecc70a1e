// SPDX-License-Identifier: Apache-2.0
#include "cache/object_tar.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <unistd.h>
#include <vector>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/backend.hpp"
#include "pack/tar_format.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr std::size_t most_objects = 200'000;
// ustar's; what is longer would need headers of another form.
constexpr std::uint64_t largest_object = (std::uint64_t{1} << 33U) - 1;

std::string header_of(const std::string& key, std::uint64_t size) {
    pack::TarHeader header;
    header.path = key;
    header.size = size;
    return pack::make_tar_header(header);
}

std::uint64_t rounded(std::uint64_t size, std::uint64_t unit) {
    return (size + unit - 1) / unit * unit;
}

auto refuse(const std::string& name, std::string_view what) {
    return base::fail_hint(Code::refused,
                           fmt::format("{} is no offline file as slurm-factory writes them: {}",
                                       base::escape_untrusted(name), what),
                           "get it again from who made it");
}

auto cut_short(const std::string& name) {
    return base::fail_hint(Code::corrupt, base::escape_untrusted(name) + " is cut short",
                           "copy it again, and compare its SHA-256 with the one that 'bundle "
                           "create' printed");
}

Result<std::uint64_t> size_of(int descriptor, const std::string& name) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0)
        return base::fail_errno(errno, "look at " + base::escape_untrusted(name));
    return static_cast<std::uint64_t>(status.st_size);
}

class Reader {
public:
    Reader(int descriptor, const std::string& name) : x_descriptor(descriptor), x_name(name) {}

    Result<TarredObjects> run() {
        SF_TRY(x_size, size_of(x_descriptor, x_name));
        std::uint64_t at = 0;
        std::string last;
        for (;;) {
            SF_CHECK(base::check_stop());
            SF_TRY(const std::string block, bytes(at, pack::tar_block));
            if (pack::is_zero(block)) break;
            SF_TRY(const std::string key, next(block, at));
            const bool in_order =
                x_objects.size() > 1 ? key > last : x_objects.empty() == (key == object_tar_first);
            if (!in_order || x_objects.contains(key))
                return refuse(x_name, "its names are not in their order");
            if (x_objects.size() >= most_objects) return refuse(x_name, "it holds too much");
            x_objects.emplace(key, TarredObject{at, x_length});
            last = key;
            at += x_length;
            SF_CHECK(zeros(at, rounded(at, pack::tar_block), "bytes behind an object"));
            at = rounded(at, pack::tar_block);
        }
        if (x_objects.empty()) return refuse(x_name, "it is empty");
        const std::uint64_t end = rounded(at + 2 * pack::tar_block, pack::tar_record);
        if (x_size < end) return cut_short(x_name);
        if (x_size > end) return refuse(x_name, "something follows behind its end");
        SF_CHECK(zeros(at, end, "bytes behind its end"));
        return std::move(x_objects);
    }

private:
    // The name of the object whose header begins at `at`, which moves to its content.
    Result<std::string> next(const std::string& block, std::uint64_t& at) {
        const auto header = pack::parse_tar_header(block, pack::TarDialect::strict);
        if (!header) return refuse(x_name, header.error().message);
        if (header->type != pack::tar_file) return refuse(x_name, "it holds more than files");
        if (const Status good = check_key(header->path); !good)
            return refuse(x_name, good.error().message);
        if (header_of(header->path, header->size) != block)
            return refuse(x_name, "a header of another form");
        at += pack::tar_block;
        if (header->size > x_size - at) return cut_short(x_name);
        x_length = header->size;
        return header->path;
    }

    Result<std::string> bytes(std::uint64_t at, std::uint64_t size) const {
        if (at > x_size || size > x_size - at) return cut_short(x_name);
        std::string text(size, '\0');
        SF_CHECK(read_at(x_descriptor, at, std::as_writable_bytes(std::span(text)), x_name));
        return text;
    }

    // Less than a record.
    Status zeros(std::uint64_t from, std::uint64_t to, std::string_view what) const {
        SF_TRY(const std::string text, bytes(from, to - from));
        if (pack::is_zero(text)) return {};
        return refuse(x_name, what);
    }

    int x_descriptor;
    const std::string& x_name;
    std::uint64_t x_size = 0;
    std::uint64_t x_length = 0;
    TarredObjects x_objects;
};

}  // namespace

Status read_at(int descriptor, std::uint64_t offset, std::span<std::byte> room,
               const std::string& name) {
    while (!room.empty()) {
        const ssize_t read =
            ::pread(descriptor, room.data(), room.size(), static_cast<off_t>(offset));
        if (read < 0 && errno == EINTR) continue;
        if (read < 0) return base::fail_errno(errno, "read " + base::escape_untrusted(name));
        if (read == 0) return cut_short(name);
        room = room.subspan(static_cast<std::size_t>(read));
        offset += static_cast<std::uint64_t>(read);
    }
    return {};
}

Result<TarredObjects> read_object_tar(int descriptor, const std::string& name) {
    return Reader(descriptor, name).run();
}

Result<bool> is_object_tar(int descriptor) {
    SF_TRY(const std::uint64_t size, size_of(descriptor, "a file"));
    if (size < pack::tar_block) return false;
    std::string block(pack::tar_block, '\0');
    SF_CHECK(read_at(descriptor, 0, std::as_writable_bytes(std::span(block)), "a file"));
    const auto header = pack::parse_tar_header(block, pack::TarDialect::any);
    return header && header->path == object_tar_first;
}

Status ObjectTarWriter::begin(const std::string& key, std::uint64_t size) {
    SF_CHECK(check_key(key));
    const bool first = x_written == 0;
    const bool in_order = first ? key == object_tar_first : key != object_tar_first && key > x_last;
    if (!in_order) return fail(Code::failed, "{} is written out of its order", key);
    if (!first) x_last = key;
    if (size > largest_object)
        return fail(Code::refused, "{} has {} bytes: an offline file takes objects below 8 GiB",
                    key, size);
    const std::string header = header_of(key, size);
    if (header.size() != pack::tar_block)
        return fail(Code::refused, "{} is too long a name for an offline file", key);
    return write(base::as_bytes(header));
}

Status ObjectTarWriter::write(base::Bytes bytes) {
    x_written += bytes.size();
    return x_sink.write(bytes);
}

Status ObjectTarWriter::pad(std::uint64_t to) {
    const std::string zeros(to - x_written, '\0');
    return write(base::as_bytes(zeros));
}

Status ObjectTarWriter::add(const std::string& key, std::string_view content) {
    SF_CHECK(begin(key, content.size()));
    SF_CHECK(write(base::as_bytes(content)));
    return pad(rounded(x_written, pack::tar_block));
}

Status ObjectTarWriter::add(const std::string& key, std::uint64_t size, int descriptor) {
    SF_CHECK(begin(key, size));
    std::vector<std::byte> room(std::size_t{256} << 10U);
    while (size > 0) {
        SF_CHECK(base::check_stop());
        const auto want = std::min<std::uint64_t>(size, room.size());
        const ssize_t read = ::read(descriptor, room.data(), static_cast<std::size_t>(want));
        if (read < 0 && errno == EINTR) continue;
        if (read < 0) return base::fail_errno(errno, "read " + key);
        if (read == 0) return fail(Code::corrupt, "{} is shorter than it was", key);
        SF_CHECK(write({room.data(), static_cast<std::size_t>(read)}));
        size -= static_cast<std::uint64_t>(read);
    }
    return pad(rounded(x_written, pack::tar_block));
}

Status ObjectTarWriter::finish() {
    return pad(rounded(x_written + 2 * pack::tar_block, pack::tar_record));
}

}  // namespace sf::cache
