// SPDX-License-Identifier: Apache-2.0
#include "cache/file_backend.hpp"

#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/new_object.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Fd;
using base::Result;
using base::Status;

namespace {

// A lock is held while a name is changed, not while bytes are copied: who holds it longer hangs.
constexpr std::chrono::seconds lock_patience{60};

// Is there anything a new object must not replace? Code::refused: something that is no object.
Result<bool> is_taken(int folder, const std::string& name, const std::string& shown) {
    struct stat status {};
    if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return false;
        return fail_place(errno, "look at " + shown);
    }
    if (S_ISREG(status.st_mode)) return true;
    return fail(Code::refused, "{} is in the way: it is not a regular file", shown);
}

// Whoever is told that an object is there may write what names it: so it must be durable, even if
// its writer has not come to that yet.
Result<PutOutcome> there_for_good(int folder, const std::string& shown) {
    if (::fsync(folder) != 0) return fail_place(errno, "make durable " + shown);
    return PutOutcome::there;
}

Status check_length(const ObjectInfo& info, const GetOptions& options, const std::string& shown) {
    if (options.length && *options.length != info.size) {
        return fail(Code::corrupt, "{}: {} bytes, but {} belong there", shown, info.size,
                    *options.length);
    }
    if (!options.length && info.size > options.max_length) {
        return fail(Code::corrupt, "{}: {} bytes: more than the {} allowed", shown, info.size,
                    options.max_length);
    }
    return {};
}

}  // namespace

bool FileBackend::is_there() const {
    const Result<Fd> folder = x_objects.open_folder("", O_PATH | O_DIRECTORY);
    return folder || folder.error().code != Code::absent;
}

Result<Got> FileBackend::get(const std::string& key, const GetOptions& options, net::Receiver& to) {
    SF_TRY(OpenObject object, x_objects.open(key));
    Got got;
    got.object = object.info;
    if (!options.if_changed.empty() && options.if_changed == object.info.etag) {
        got.unchanged = true;
        return got;
    }
    const std::string shown = x_objects.shown(key);
    SF_CHECK(check_length(object.info, options, shown));
    // More than there is cannot be a part of it.
    std::uint64_t at = options.offset <= object.info.size ? options.offset : 0;
    SF_CHECK(to.begin(at));
    std::vector<std::byte> room(std::size_t{256} << 10);
    while (at < object.info.size) {
        SF_CHECK(base::check_stop());
        const auto want = std::min<std::uint64_t>(object.info.size - at, room.size());
        const ssize_t read = ::pread(object.file.get(), room.data(), static_cast<std::size_t>(want),
                                     static_cast<off_t>(at));
        if (read < 0 && errno == EINTR) continue;
        if (read < 0) return fail_place(errno, "read " + shown);
        if (read == 0) {
            return fail(Code::corrupt, "{}: cut short: {} of {} bytes", shown, at,
                        object.info.size);
        }
        SF_CHECK(to.write({room.data(), static_cast<std::size_t>(read)}));
        at += static_cast<std::uint64_t>(read);
    }
    return got;
}

Result<std::optional<ObjectInfo>> FileBackend::look(const std::string& key) {
    // Opened, not only looked at: that is when NFS asks its server instead of its memory.
    Result<OpenObject> object = x_objects.open(key);
    if (object) return std::optional(std::move(object->info));
    if (object.error().code == Code::absent) return std::optional<ObjectInfo>();
    return tl::unexpected(std::move(object).error());
}

Status FileBackend::list(const std::string& prefix, const Visitor& visit) {
    return list_folder("", prefix, visit);
}

Status FileBackend::list_folder(const std::string& folder, const std::string& prefix,
                                const Visitor& visit) const {
    SF_CHECK(base::check_stop());
    SF_TRY(const std::vector<ObjectFolder::Entry> entries, x_objects.entries(folder));
    for (const ObjectFolder::Entry& entry : entries) {
        const std::string key = folder.empty() ? entry.name : folder + '/' + entry.name;
        if (!entry.is_folder()) {
            if (key.starts_with(prefix)) SF_CHECK(visit(entry.info));
        } else if (key.starts_with(prefix) || prefix.starts_with(key)) {
            SF_CHECK(list_folder(key.substr(0, key.size() - 1), prefix, visit));
        }
    }
    return {};
}

Result<PutOutcome> FileBackend::put(const PutRequest& request) {
    SF_CHECK(ObjectFolder::check(request.key));
    const std::string shown = x_objects.shown(request.key);
    const KeyParts parts = parts_of(request.key);
    const auto is_still = [&]() -> Result<bool> {
        SF_TRY(const auto object, look(request.key));
        return object && object->etag == request.condition.etag;
    };
    // First without the lock, to spare the copy.
    if (request.condition.kind == PutCondition::Kind::if_etag) {
        SF_TRY(const bool still, is_still());
        if (!still) return PutOutcome::changed;
    }
    SF_TRY(const Fd folder, x_objects.make_folder(parts.folder));
    if (request.condition.kind == PutCondition::Kind::if_absent) {
        SF_TRY(const bool taken, is_taken(folder.get(), parts.name, shown));
        if (taken) return there_for_good(folder.get(), shown);
    }
    SF_TRY(NewObject fresh, NewObject::create(folder.get(), shown));
    SF_TRY(const std::int64_t now, fresh.now());
    sweep_once(parts.folder, folder.get(), now);
    SF_CHECK(fresh.fill(request));
    if (request.condition.kind == PutCondition::Kind::if_absent) {
        SF_TRY(const bool linked, fresh.link_as(parts.name));
        if (linked) return PutOutcome::written;
        SF_CHECK(is_taken(folder.get(), parts.name, shown).map([](bool) {}));
        return there_for_good(folder.get(), shown);
    }
    SF_TRY(const Fd held, lock());
    if (request.condition.kind == PutCondition::Kind::if_etag) {
        SF_TRY(const bool still, is_still());
        if (!still) return PutOutcome::changed;
    }
    SF_CHECK(fresh.rename_to(parts.name));
    return PutOutcome::written;
}

Status FileBackend::remove(const std::string& key) {
    SF_CHECK(ObjectFolder::check(key));
    const KeyParts parts = parts_of(key);
    const Result<Fd> folder = x_objects.open_folder(parts.folder, O_RDONLY);
    if (!folder && folder.error().code == Code::absent) return {};
    if (!folder) return tl::unexpected(folder.error());
    const std::string shown = x_objects.shown(key);
    SF_TRY(const bool there, is_taken(folder->get(), parts.name, shown));
    if (!there) return {};
    SF_TRY(const Fd held, lock());
    // Its folder stays, even if it is empty now: somebody may be about to write into it.
    if (::unlinkat(folder->get(), parts.name.c_str(), 0) != 0 && errno != ENOENT)
        return fail_place(errno, "delete " + shown);
    if (::fsync(folder->get()) != 0) return fail_place(errno, "make durable " + shown);
    return {};
}

Result<Fd> FileBackend::lock() const {
    const std::string shown = x_objects.shown(lock_name);
    SF_TRY(const Fd root, x_objects.open_folder("", O_PATH));
    // 0600: whoever may open it may lock it, and make us wait.
    Fd file(::openat(root.get(), std::string(lock_name).c_str(),
                     O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
    if (!file.valid()) return fail_place(errno, "open " + shown);
    const auto end = std::chrono::steady_clock::now() + lock_patience;
    while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == ENOLCK || errno == EOPNOTSUPP) break;  // see the header
        if (errno != EWOULDBLOCK && errno != EINTR) return fail_place(errno, "lock " + shown);
        SF_CHECK(base::check_stop());
        if (std::chrono::steady_clock::now() > end) {
            return fail(Code::exhausted, "{} has been locked for a minute: does a writer hang?",
                        shown);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return file;
}

void FileBackend::sweep_once(const std::string& folder, int descriptor, std::int64_t now) {
    if (x_swept.lock()->insert(folder).second) sweep_unfinished(descriptor, now);
}

}  // namespace sf::cache
