// SPDX-License-Identifier: Apache-2.0
// Requests over HTTP(S) with limits: bounded time, bounded bytes, bounded redirects, bounded
// retries, and errors that tell absent, unreachable and corrupt apart and never show a secret. Does
// not know what it fetches, and does not trust it: whoever asks compares digests. A client is
// thread-safe; each request runs on the calling thread.
//
// Never done: netrc, cookies, content decoding (bytes arrive as they are kept there; what a server
// does to them for the transfer alone, as chunks, is undone), HTTP/0.9, redirects to another kind
// of address or from https to http, credentials to another origin. The proxies of the environment
// (http_proxy, https_proxy, all_proxy, no_proxy) are honoured, by libcurl.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/stream.hpp"
#include "net/url.hpp"

namespace sf::net {

// Takes a body that may start again: begin(offset) comes before the first byte of each answer, and
// says where in the whole the next byte belongs; whatever was beyond it is void.
class Receiver : public base::Sink {
public:
    virtual base::Status begin(std::uint64_t offset) = 0;
};

// A body in memory, of at most `limit` bytes by the request's max_length.
class TextReceiver : public Receiver {
public:
    base::Status begin(std::uint64_t offset) override;
    base::Status write(base::Bytes bytes) override;
    [[nodiscard]] std::string take() { return std::move(x_text); }

private:
    std::string x_text;
};

struct Request {
    Url url;
    std::uint64_t offset = 0;  // bytes the receiver has; a server that cannot resume starts at 0
    std::optional<std::uint64_t> length;  // of the whole, if known: anything else is corrupt
    std::uint64_t max_length = std::uint64_t{16} << 30;  // where the length is not known
    std::vector<std::string> headers;  // "Name: value"; not sent to another origin; with
                                       // If-None-Match the answer may be 304, without a body
};

struct Response {
    int status = 0;
    std::optional<std::uint64_t> length;  // of the whole body, as far as it is known
    std::string etag;
    std::string content_type;
    std::string address;  // where it came from in the end, redacted
};

struct HttpOptions {
    std::chrono::milliseconds connect_timeout{10'000};
    std::uint64_t low_speed_bytes = 1024;  // a second, over:
    std::chrono::seconds low_speed_time{30};
    std::chrono::milliseconds deadline{30 * 60'000};  // of one request with all its retries
    unsigned attempts = 5;
    std::chrono::milliseconds first_pause{500};       // doubled each time, ±50 %
    std::chrono::milliseconds longest_pause{30'000};  // Retry-After included
    unsigned max_redirects = 5;
    std::string ca_file;  // empty: the system's
    std::string user_agent = "slurm-factory";
};

class HttpClient {
public:
    explicit HttpClient(HttpOptions options = {});
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    // 404 and 410 are Code::absent; no answer, 5xx, 408, 429 after all attempts Code::unreachable;
    // 401, 403 and other refusals Code::refused; wrong length Code::corrupt; what the receiver
    // returns is returned as it is.
    [[nodiscard]] base::Result<Response> get(const Request& request, Receiver& to);
    // Is it there? HEAD, and where the server does not like that, the first byte by GET.
    [[nodiscard]] base::Result<Response> head(const Request& request);
    [[nodiscard]] base::Result<std::string> get_text(const Url& url, std::uint64_t limit);

private:
    struct Impl;
    std::unique_ptr<Impl> x_impl;
};

// The file of CA certificates: SSL_CERT_FILE, else CURL_CA_BUNDLE, else the first of the systems'
// known places that exists; "" if none. Libraries that were made with a folder of CA certificates
// (Debian's) believe what is there besides.
[[nodiscard]] std::string find_ca_file();

}  // namespace sf::net
