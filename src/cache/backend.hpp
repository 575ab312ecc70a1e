// SPDX-License-Identifier: Apache-2.0
// Where a cache's objects lie: a folder, an HTTP server or an S3 bucket, behind one small
// interface. Keys are relative paths ("v3/layout.json"); an object is there whole or not at all.
// Knows nothing of what objects mean, and believes none of them: whoever asks compares digests. An
// implementation is thread-safe.
//
// The order that callers keep (docs/formats/snapshot.md): data first, what names it after it, the
// snapshot last; what a name that contains a digest names never changes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "net/http.hpp"

namespace sf::cache {

// What is told of an object without reading it.
struct ObjectInfo {
    std::string key;
    std::uint64_t size = 0;
    std::string etag;  // changes whenever the object does; opaque; empty: the backend knows none
    // When it was written, in seconds since 1970 by the clock of the place; where that is told.
    std::optional<std::int64_t> modified{};
};

struct GetOptions {
    std::uint64_t offset = 0;             // bytes the receiver has already
    std::optional<std::uint64_t> length;  // of the whole, if known: anything else is Code::corrupt
    std::uint64_t max_length = 0;         // where the length is not known; needed then
    std::string if_changed;               // an etag: nothing is received if it is still this one
};

struct Got {
    bool unchanged = false;  // by if_changed
    ObjectInfo object;
};

// When an object may be written.
struct PutCondition {
    enum class Kind {
        always,     // replaces what is there
        if_absent,  // immutable names
        if_etag     // what was read is still there
    };
    Kind kind = Kind::always;
    std::string etag;  // for if_etag
};

// An object to write: a regular file, read from its first byte, of this size and digest. Other
// bytes are Code::corrupt, and nothing is written.
struct PutRequest {
    std::string key;
    int descriptor = -1;  // borrowed
    std::uint64_t size = 0;
    base::Digest sha256;
    std::string content_type = "application/octet-stream";
    std::string cache_control;  // for what lies in front of an HTTP server; empty: none
    PutCondition condition;
};

enum class PutOutcome {
    written,
    there,    // if_absent: something is there already; who cares compares it
    changed,  // if_etag: somebody else was first; nothing was written
};

class Backend {
public:
    Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;
    virtual ~Backend() = default;

    // For people: "/srv/cache", "https://***@host/path", "s3://bucket/prefix".
    [[nodiscard]] virtual std::string place() const = 0;
    // False: an HTTP server, or a file; put and remove are Code::refused.
    [[nodiscard]] virtual bool writable() const = 0;
    // False: a file with a part of a cache; a snapshot there names more than there is.
    [[nodiscard]] virtual bool whole() const { return true; }
    // False: a folder that is not there, or not yet. Places that are only known by their objects
    // say true.
    [[nodiscard]] virtual bool is_there() const { return true; }

    // Code::absent, unreachable and corrupt are three answers; what `to` returns is returned.
    [[nodiscard]] virtual base::Result<Got> get(const std::string& key, const GetOptions& options,
                                                net::Receiver& to) = 0;
    // nullopt: it is not there.
    [[nodiscard]] virtual base::Result<std::optional<ObjectInfo>> look(const std::string& key) = 0;
    // Every object whose key starts with `prefix`, in the order of bytes; without etags where they
    // are dear. Code::refused where the place cannot be listed (HTTP).
    using Visitor = std::function<base::Status(const ObjectInfo& object)>;
    [[nodiscard]] virtual base::Status list(const std::string& prefix, const Visitor& visit) = 0;

    [[nodiscard]] virtual base::Result<PutOutcome> put(const PutRequest& request) = 0;
    // What is not there is no error.
    [[nodiscard]] virtual base::Status remove(const std::string& key) = 0;

    // Does the place keep conditions? Some S3 servers take them and write all the same. Found out
    // by trying with an object below `_sf/probe/`, which is removed; remembered.
    [[nodiscard]] virtual base::Result<bool> keeps_conditions() = 0;
};

// Relative, of one to 1024 bytes, components of letters, digits and "._+-~=@" that are neither "."
// nor ".." nor begin with "-", none empty; Code::refused otherwise. Whatever key comes from outside
// passes here before anything else.
[[nodiscard]] base::Status check_key(std::string_view key);

}  // namespace sf::cache
