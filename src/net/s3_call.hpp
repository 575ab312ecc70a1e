// SPDX-License-Identifier: Apache-2.0
// One request to a bucket, signed, tried again where that makes sense, and its answer; and what an
// answer that is none means. Knows what S3 servers say, not what is asked for. An S3Caller is
// thread-safe; each call runs on the calling thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "net/body_taker.hpp"
#include "net/exchange.hpp"
#include "net/http.hpp"
#include "net/retry.hpp"
#include "net/s3_credentials.hpp"
#include "net/s3_location.hpp"
#include "net/s3_xml.hpp"

namespace sf::net {

struct S3Options {
    std::string bucket;
    std::string region = "us-east-1";
    std::string endpoint;  // empty: AWS's own
    HttpOptions http;
    std::uint64_t multipart_above = std::uint64_t{32} << 20;
    std::uint64_t part_size = std::uint64_t{16} << 20;  // at least; AWS wants 5 MiB
    unsigned parallel_parts = 4;
    // Under a condition an object goes whole as long as S3 allows it: Ceph's RGW (20.2) keeps
    // conditions of PUT, and drops those of CompleteMultipartUpload.
    std::uint64_t conditional_multipart_above = std::uint64_t{5} << 30;
    bool checksums = true;              // beside the digests in the signatures (s3_checksum.hpp)
    std::function<std::int64_t()> now;  // seconds since 1970; for tests
};

// A body that is received as it comes, over all attempts.
struct S3Download {
    Receiver& to;
    Request request;  // its length, max_length; the address is not used
    Progress progress;
};

enum class WhenStopped {
    end,     // the request is broken off
    finish,  // its answer is awaited, for a while: it names what has to be taken back
    go_on    // it tidies up
};

struct S3Call {
    std::string method;  // "GET", "HEAD", "PUT", "POST", "DELETE"
    std::string key;     // "": the bucket itself
    Fields query;
    Fields headers;
    ExchangeBody* body = nullptr;
    std::string payload;            // the body's SHA-256; empty: that of nothing
    bool error_in_success = false;  // an answer 200 may hold an error all the same
    WhenStopped when_stopped = WhenStopped::end;
    S3Download* download = nullptr;  // takes a body of 200 and 206
};

struct S3Answer {
    int status = 0;
    ExchangeHead head;
    std::string text;     // unless it went to the download
    S3Error error;        // what the text says, of a status from 300 on
    bool unsure = false;  // an earlier attempt may have been carried out, and its answer got lost
};

class S3Caller {
public:
    [[nodiscard]] static base::Result<S3Caller> create(S3Options options,
                                                       std::shared_ptr<S3KeySource> keys);

    // Any answer that another attempt would not change, refusals included. An error: none came, or
    // none that is of use.
    [[nodiscard]] base::Result<S3Answer> call(const S3Call& call);
    // Of an answer that is not what was hoped for.
    [[nodiscard]] base::Error error_of(const S3Answer& answer) const;

    [[nodiscard]] const S3Options& options() const { return x_options; }

private:
    struct Outcome {
        S3Answer answer;
        Failure failure;  // with `failed`
        bool failed = false;
    };
    S3Caller(S3Options options, std::shared_ptr<S3KeySource> keys, S3Address address)
        : x_options(std::move(options)),
          x_keys(std::move(keys)),
          x_address(std::move(address)),
          x_pool(std::make_unique<ExchangePool>()) {}
    base::Result<ExchangeRequest> prepare(const S3Call& call) const;
    Outcome attempt(const S3Call& call, const ExchangeRequest& request) const;
    Outcome judge(const S3Call& call, S3Answer answer, std::chrono::seconds retry_after) const;

    S3Options x_options;
    std::shared_ptr<S3KeySource> x_keys;
    S3Address x_address;
    std::unique_ptr<ExchangePool> x_pool;
};

// "Fri, 24 May 2013 00:00:00 GMT" as seconds since 1970.
[[nodiscard]] std::optional<std::int64_t> parse_http_date(std::string_view text);

}  // namespace sf::net
