// SPDX-License-Identifier: Apache-2.0
// Objects of one bucket: read, look, write, list, remove. Small objects and those with a condition
// go in one request, large ones in parts, several at a time, read from their file piece by piece;
// an upload that fails is taken back. Conditions are the server's to keep: whether it does, only
// trying can tell. Each upload has its checksum with it, as long as the server takes such fields.
// Believes no content: whoever asks compares digests. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/digest.hpp"
#include "net/s3_call.hpp"

namespace sf::net {

struct S3Get {
    std::uint64_t offset = 0;                            // bytes the receiver has already
    std::optional<std::uint64_t> length;                 // of the whole, if known
    std::uint64_t max_length = std::uint64_t{16} << 30;  // where it is not
    std::string if_none_match;                           // an etag: nothing comes if it is still it
};

struct S3Got {
    bool unchanged = false;  // by if_none_match
    S3Object object;
};

struct S3Put {
    std::string key;
    int descriptor = -1;  // a regular file of this size and digest, from its first byte; borrowed
    std::uint64_t size = 0;
    base::Digest sha256;
    std::string content_type = "application/octet-stream";
    std::string cache_control;
    bool if_none_match = false;  // nothing may be there
    std::string if_match;        // an etag: this has to be there
};

enum class S3Outcome {
    written,
    there,   // if_none_match: something is there
    changed  // if_match: something else is there, or nothing
};

class S3Client {
public:
    [[nodiscard]] static base::Result<std::unique_ptr<S3Client>> create(
        S3Options options, std::shared_ptr<S3KeySource> keys);

    [[nodiscard]] base::Result<S3Got> get(const std::string& key, const S3Get& how, Receiver& to);
    // nullopt: it is not there. A bucket that is not there looks the same: HEAD tells no more.
    [[nodiscard]] base::Result<std::optional<S3Object>> head(const std::string& key);
    [[nodiscard]] base::Result<S3Outcome> put(const S3Put& put);
    // In the order of bytes, page by page. What the visitor returns is returned.
    using Visitor = std::function<base::Status(const S3Object& object)>;
    [[nodiscard]] base::Status list(const std::string& prefix, const Visitor& visit);
    // What is not there is no error.
    [[nodiscard]] base::Status remove(const std::string& key);

    [[nodiscard]] const S3Options& options() const { return x_caller.options(); }

private:
    struct Upload;  // what one put has in hand
    struct Begun;   // an upload in parts, as the server knows it
    explicit S3Client(S3Caller caller)
        : x_caller(std::move(caller)), x_checksums(x_caller.options().checksums) {}

    base::Result<S3Outcome> put_whole(const Upload& upload);
    base::Result<S3Outcome> put_in_parts(const Upload& upload);
    base::Result<std::optional<S3Outcome>> forestalled(const Upload& upload);
    base::Result<Begun> start(const Upload& upload);
    base::Result<S3Part> send_part(const Upload& upload, const Begun& begun, std::size_t index);
    base::Result<std::vector<S3Part>> send_parts(const Upload& upload, const Begun& begun);
    base::Result<S3Outcome> complete(const Upload& upload, const std::string& id,
                                     const std::vector<S3Part>& parts);
    std::string abort(const Upload& upload, const std::string& id);
    // Sends with checksums, and once more without where the server does not know them.
    template <class Send>
    base::Result<S3Answer> with_checksums(Send send);
    // The answer to a request that writes under a condition.
    template <class Again>
    base::Result<S3Outcome> outcome_of(const Upload& upload, const S3Answer& answer, Again again);
    base::Result<bool> is_ours(const Upload& upload);

    S3Caller x_caller;
    // Ceph's RGW (20.2) compares an etag of If-Match with its quotes to one without.
    std::atomic<bool> x_bare_etags = false;
    std::atomic<bool> x_checksums;
};

}  // namespace sf::net
