// SPDX-License-Identifier: Apache-2.0
#include "cache/objects.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <random>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

// Into a file; where the body begins again, what was beyond is void.
class FileReceiver : public net::Receiver {
public:
    explicit FileReceiver(int descriptor) : x_descriptor(descriptor) {}
    Status begin(std::uint64_t offset) override {
        const auto at = static_cast<off_t>(offset);
        if (::ftruncate(x_descriptor, at) != 0 || ::lseek(x_descriptor, at, SEEK_SET) != at)
            return base::fail_errno(errno, "begin a download again");
        return {};
    }
    Status write(base::Bytes bytes) override {
        return base::write_all(x_descriptor, bytes, "a download");
    }

private:
    int x_descriptor;
};

// Only the digest of what comes.
class HashReceiver : public net::Receiver {
public:
    Status begin(std::uint64_t offset) override {
        if (offset == 0) {
            static_cast<void>(x_hash.finish());  // afresh
            x_count = 0;
        }
        if (offset == x_count) return {};
        return base::fail(Code::corrupt, "a download goes on at byte {}, not {}", offset, x_count);
    }
    Status write(base::Bytes bytes) override {
        x_count += bytes.size();
        return x_hash.write(bytes);
    }
    [[nodiscard]] std::uint64_t count() const { return x_count; }
    [[nodiscard]] base::Digest finish() { return x_hash.finish(); }

private:
    base::Sha256 x_hash;
    std::uint64_t x_count = 0;
};

std::string named(const Backend& backend, const std::string& key) {
    return backend.place() + '/' + key;
}

}  // namespace

Result<std::optional<StoredText>> read_object(Backend& backend, const std::string& key,
                                              std::uint64_t limit) {
    SF_CHECK(check_key(key));
    net::TextReceiver receiver;
    GetOptions options;
    options.max_length = limit;
    auto got = backend.get(key, options, receiver);
    if (!got && got.error().code == Code::absent) return std::optional<StoredText>();
    if (!got) return tl::unexpected(std::move(got).error());
    return std::optional(StoredText{receiver.take(), got->object.etag});
}

Result<std::string> read_ref(Backend& backend, const std::string& key, const Ref& ref) {
    SF_CHECK(check_key(key));
    net::TextReceiver receiver;
    GetOptions options;
    options.length = ref.size;
    SF_CHECK(backend.get(key, options, receiver).map([](const Got&) {}));
    std::string text = receiver.take();
    if (text.size() == ref.size && base::sha256(text) == ref.sha256) return text;
    return fail(Code::corrupt, "{} is not what it should be: its SHA-256 is {}, not {}",
                named(backend, key), base::sha256(text).hex(), ref.sha256.hex());
}

Status fetch_object(Backend& backend, const std::string& key, std::uint64_t size, int descriptor) {
    SF_CHECK(check_key(key));
    FileReceiver receiver(descriptor);
    GetOptions options;
    options.length = size;
    SF_CHECK(backend.get(key, options, receiver).map([](const Got&) {}));
    if (::lseek(descriptor, 0, SEEK_SET) != 0) return base::fail_errno(errno, "rewind a download");
    return {};
}

Status fetch_ref(Backend& backend, const std::string& key, const Ref& ref, int descriptor) {
    SF_CHECK(fetch_object(backend, key, ref.size, descriptor));
    SF_TRY(const base::Digest got,
           base::during(base::sha256_fd(descriptor), "reading the copy of " + named(backend, key)));
    if (::lseek(descriptor, 0, SEEK_CUR) != static_cast<off_t>(ref.size) || got != ref.sha256)
        return fail(Code::corrupt, "{} is not what it should be: its SHA-256 is {}, not {}",
                    named(backend, key), got.hex(), ref.sha256.hex());
    if (::lseek(descriptor, 0, SEEK_SET) != 0) return base::fail_errno(errno, "rewind a download");
    return {};
}

Status check_ref(Backend& backend, const std::string& key, const Ref& ref) {
    SF_CHECK(check_key(key));
    HashReceiver receiver;
    GetOptions options;
    options.length = ref.size;
    SF_CHECK(backend.get(key, options, receiver).map([](const Got&) {}));
    const base::Digest got = receiver.finish();
    if (receiver.count() == ref.size && got == ref.sha256) return {};
    return fail(Code::corrupt, "{} is not what it should be: its SHA-256 is {}, not {}",
                named(backend, key), got.hex(), ref.sha256.hex());
}

Result<PutOutcome> put_text(Backend& backend, const std::string& key, std::string_view text,
                            std::string content_type, PutCondition condition) {
    SF_CHECK(check_key(key));
    const base::Fd memory(::memfd_create("object", MFD_CLOEXEC));
    if (!memory.valid()) return base::fail_errno(errno, "hold an object in memory");
    SF_CHECK(base::write_all(memory.get(), base::as_bytes(text), "memory"));
    PutRequest request;
    request.key = key;
    request.descriptor = memory.get();
    request.size = text.size();
    request.sha256 = base::sha256(text);
    request.content_type = std::move(content_type);
    request.cache_control = cache_control_of(key);
    request.condition = std::move(condition);
    return backend.put(request);
}

Result<std::optional<std::int64_t>> clock_of(Backend& backend) {
    std::random_device device;
    const std::string key = fmt::format("_sf/probe/clock-{:08x}{:08x}", device(), device());
    SF_CHECK(put_text(backend, key, "what time is it?", "text/plain").map([](PutOutcome) {}));
    const auto there = backend.look(key);
    SF_CHECK(backend.remove(key));
    if (!there) return tl::unexpected(there.error());
    return *there ? (*there)->modified : std::nullopt;
}

std::string SubBackend::place() const {
    std::string place = x_whole.place();
    if (!place.ends_with('/')) place += '/';
    return place + x_front.substr(0, x_front.size() - 1);
}

ObjectInfo SubBackend::below(ObjectInfo object) const {
    if (object.key.starts_with(x_front)) object.key.erase(0, x_front.size());
    return object;
}

Result<Got> SubBackend::get(const std::string& key, const GetOptions& options, net::Receiver& to) {
    SF_TRY(Got got, x_whole.get(x_front + key, options, to));
    got.object = below(std::move(got.object));
    return got;
}

Result<std::optional<ObjectInfo>> SubBackend::look(const std::string& key) {
    SF_TRY(auto object, x_whole.look(x_front + key));
    if (object) object = below(std::move(*object));
    return object;
}

Status SubBackend::list(const std::string& prefix, const Visitor& visit) {
    return x_whole.list(x_front + prefix,
                        [&](const ObjectInfo& object) { return visit(below(object)); });
}

Result<PutOutcome> SubBackend::put(const PutRequest& request) {
    PutRequest whole = request;
    whole.key = x_front + request.key;
    return x_whole.put(whole);
}

}  // namespace sf::cache
