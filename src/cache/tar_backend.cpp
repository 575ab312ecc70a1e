// SPDX-License-Identifier: Apache-2.0
#include "cache/tar_backend.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <fcntl.h>
#include <vector>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/object_folder.hpp"

namespace sf::cache {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Fd;
using base::Result;
using base::Status;

namespace {

// A symlink on the way is the user's own; a pipe would be waited for.
Result<Fd> open_regular(const fs::path& file) {
    SF_TRY(Fd descriptor, base::open_file(file, O_RDONLY | O_NONBLOCK));
    struct stat status {};
    if (::fstat(descriptor.get(), &status) != 0)
        return fail_place(errno, "look at " + base::escape_untrusted(file.native()));
    if (S_ISREG(status.st_mode)) return descriptor;
    return fail(Code::refused, "{} is not a regular file", base::escape_untrusted(file.native()));
}

auto only_read(const std::string& place) {
    return fail(Code::refused, "{} is a file made of a cache: it is only ever read", place);
}

}  // namespace

Result<bool> is_offline_file(const fs::path& file) {
    std::error_code error;
    if (!fs::is_regular_file(file, error)) return false;
    SF_TRY(const Fd descriptor, open_regular(file));
    return is_object_tar(descriptor.get());
}

Result<std::unique_ptr<TarBackend>> TarBackend::open(const fs::path& file) {
    SF_TRY(Fd descriptor, open_regular(file));
    SF_TRY(const bool ours, is_object_tar(descriptor.get()));
    if (!ours)
        return base::fail_hint(
            Code::refused,
            base::escape_untrusted(file.native()) + " is a file, but none made of a cache",
            "name a cache, or a file of: slurm-factory bundle create --offline");
    SF_TRY(TarredObjects objects, read_object_tar(descriptor.get(), file.native()));
    return std::unique_ptr<TarBackend>(
        new TarBackend(file, std::move(descriptor), std::move(objects)));
}

std::string TarBackend::place() const { return base::escape_untrusted(x_file.native()); }

Result<Got> TarBackend::get(const std::string& key, const GetOptions& options, net::Receiver& to) {
    SF_CHECK(check_key(key));
    const std::string shown = place() + '/' + key;
    const auto found = x_objects.find(key);
    if (found == x_objects.end()) return fail(Code::absent, "{} is not there", shown);
    const TarredObject& object = found->second;
    if (options.length && *options.length != object.size)
        return fail(Code::corrupt, "{}: {} bytes, but {} belong there", shown, object.size,
                    *options.length);
    if (!options.length && object.size > options.max_length)
        return fail(Code::corrupt, "{}: {} bytes: more than the {} allowed", shown, object.size,
                    options.max_length);
    std::uint64_t at = options.offset <= object.size ? options.offset : 0;
    SF_CHECK(to.begin(at));
    std::vector<std::byte> room(std::size_t{256} << 10U);
    while (at < object.size) {
        SF_CHECK(base::check_stop());
        const auto want = std::min<std::uint64_t>(object.size - at, room.size());
        const std::span<std::byte> part(room.data(), want);
        SF_CHECK(read_at(x_descriptor.get(), object.offset + at, part, x_file.native()));
        SF_CHECK(to.write(part));
        at += want;
    }
    return Got{false, {key, object.size, {}, {}}};
}

Result<std::optional<ObjectInfo>> TarBackend::look(const std::string& key) {
    SF_CHECK(check_key(key));
    const auto found = x_objects.find(key);
    if (found == x_objects.end()) return std::optional<ObjectInfo>();
    return std::optional(ObjectInfo{key, found->second.size, {}, {}});
}

Status TarBackend::list(const std::string& prefix, const Visitor& visit) {
    for (auto each = x_objects.lower_bound(prefix);
         each != x_objects.end() && each->first.starts_with(prefix); ++each)
        SF_CHECK(visit({each->first, each->second.size, {}, {}}));
    return {};
}

Result<PutOutcome> TarBackend::put(const PutRequest&) { return only_read(place()); }

Status TarBackend::remove(const std::string&) { return only_read(place()); }

}  // namespace sf::cache
