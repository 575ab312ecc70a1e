// SPDX-License-Identifier: Apache-2.0
// One request and its one answer, by libcurl: no redirect is followed, nothing is tried twice. The
// only file that knows libcurl is exchange.cpp. HttpClient and S3Client make decisions; this does
// what it is told. An ExchangePool is thread-safe; connections are kept for reuse.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/stream.hpp"
#include "net/url.hpp"

namespace sf::net {

// What is sent with a request. It can be read again from any place: libcurl may have to start over,
// on a connection that was closed meanwhile or after a redirect by a proxy. One thread.
class ExchangeBody {
public:
    virtual ~ExchangeBody() = default;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    // Fills at most `room` from `offset` on, which is below size(); at least a byte.
    virtual base::Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> room) = 0;
};

struct ExchangeRequest {
    Url url;
    bool head = false;  // HEAD instead of GET
    std::string range;  // "100-" or "0-0"; empty: everything
    std::string user;   // "name:password", percent-encoded; secret. The address's own is not sent
    std::vector<std::string> headers;
    std::chrono::milliseconds connect_timeout;
    std::chrono::milliseconds deadline;
    std::uint64_t low_speed_bytes;
    std::chrono::seconds low_speed_time;
    std::string ca_file;
    std::string user_agent;
    std::string method = {};       // "PUT", "POST" or "DELETE"; empty: GET, or HEAD
    ExchangeBody* body = nullptr;  // of PUT and POST; none is an empty one. Borrowed
    bool direct = false;           // no proxy: what is asked is this machine's own
    bool though_stopped = false;   // to tidy up after a stop was requested
};

// The head of an answer. Names in lower case; a name that comes twice holds both, joined by ", ".
struct ExchangeHead {
    int status = 0;
    std::map<std::string, std::string> fields;
    [[nodiscard]] std::string field(const char* name) const;
};

// Takes the answer.
class ExchangeReceiver {
public:
    virtual ~ExchangeReceiver() = default;
    // Once, before any body. False: the body is not wanted.
    virtual base::Result<bool> head(const ExchangeHead& head) = 0;
    virtual base::Status body(base::Bytes bytes) = 0;
};

enum class Trouble {
    none,
    connect,      // no such host, refused, no answer
    cut_off,      // the connection broke while data was due
    cut_short,    // it ended properly, before the announced length
    too_slow,     // below the limits of speed, or past the deadline
    tls,          // the other side is not who it should be
    protocol,     // what came is not HTTP
    receiver,     // the receiver, or the body, failed: see `failure`
    interrupted,  // a stop was requested
};

struct ExchangeResult {
    Trouble trouble = Trouble::none;
    std::string message;                 // of the trouble, safe to print
    std::optional<base::Error> failure;  // of the receiver or the body
    ExchangeHead head;
    std::string redirect;  // where a 3xx points, made absolute; not checked yet
    std::chrono::seconds retry_after{0};
    std::string ca_file;  // whose CAs were believed; empty: those that libcurl knows by itself
};

class ExchangePool {
public:
    ExchangePool();
    ~ExchangePool();
    ExchangePool(const ExchangePool&) = delete;
    ExchangePool& operator=(const ExchangePool&) = delete;

    [[nodiscard]] ExchangeResult run(const ExchangeRequest& request, ExchangeReceiver& receiver);

private:
    struct Impl;
    std::unique_ptr<Impl> x_impl;
};

}  // namespace sf::net
