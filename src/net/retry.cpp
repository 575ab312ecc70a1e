// SPDX-License-Identifier: Apache-2.0
#include "net/retry.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <thread>

#include "base/stop.hpp"
#include "base/text.hpp"

namespace sf::net {

using base::Code;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

// In the words of libcurl and OpenSSL, which have no codes of their own for all of it; where they
// change, the hint is a general one. The server's words are escaped, and choose no more than that.
bool says(const ExchangeResult& result, std::string_view words) {
    return result.message.find(words) != std::string::npos;
}

std::string hint_of_certificate(const ExchangeResult& result) {
    if (says(result, "subject name"))
        return "use the name that the server's certificate is for; or who keeps the server has it "
               "made for this name as well";
    if (says(result, "certificate has expired") || says(result, "certificate is not yet valid"))
        return "check this machine's clock; if it is right, the server needs a new certificate";
    if (result.ca_file.empty())
        return "no file of CA certificates is known here: install ca-certificates, or name one "
               "that has the server's CA: SSL_CERT_FILE=FILE";
    return fmt::format(
        "see whether the CA certificates in {} have the server's CA; SSL_CERT_FILE=FILE names "
        "another file",
        base::escape_untrusted(result.ca_file));
}

// Of what ended while TLS was agreed on; empty: it may have been the network.
std::string hint_of_handshake(const ExchangeResult& result) {
    if (says(result, "wrong version number"))
        return "what answers there does not speak TLS: check the port of the address";
    if (says(result, "unsupported protocol") || says(result, "alert protocol version"))
        return "it has to speak TLS 1.2 or newer: who keeps the server has to allow that";
    return {};
}

}  // namespace

Failure failure_of(Code code, std::string message, bool again) {
    Failure failure;
    failure.error.code = code;
    failure.error.message = std::move(message);
    failure.again = again;
    return failure;
}

Failure failure_of_trouble(const ExchangeResult& result) {
    switch (result.trouble) {
        case Trouble::connect: {
            Failure failure = failure_of(Code::unreachable, result.message, true);
            failure.connect = true;
            return failure;
        }
        case Trouble::cut_off: {
            Failure failure = failure_of(Code::unreachable, result.message, true);
            failure.error.hint = hint_of_handshake(result);
            return failure;
        }
        case Trouble::too_slow: return failure_of(Code::unreachable, result.message, true);
        case Trouble::cut_short:
            return failure_of(Code::corrupt, "cut short: " + result.message, true);
        case Trouble::tls: {
            Failure failure = failure_of(Code::refused, result.message);
            failure.error.hint = hint_of_certificate(result);
            return failure;
        }
        case Trouble::protocol: return failure_of(Code::corrupt, result.message, true);
        case Trouble::receiver: return {*result.failure, false, false, milliseconds(0)};
        case Trouble::interrupted: return failure_of(Code::interrupted, "stopped");
        case Trouble::none: break;
    }
    return failure_of(Code::failed, "no trouble");
}

std::string reason_of(int status) {
    static const std::map<int, const char*> reasons = {{400, "Bad Request"},
                                                       {401, "Unauthorized"},
                                                       {403, "Forbidden"},
                                                       {404, "Not Found"},
                                                       {407, "Proxy Authentication Required"},
                                                       {408, "Request Timeout"},
                                                       {409, "Conflict"},
                                                       {410, "Gone"},
                                                       {412, "Precondition Failed"},
                                                       {416, "Range Not Satisfiable"},
                                                       {429, "Too Many Requests"},
                                                       {500, "Internal Server Error"},
                                                       {502, "Bad Gateway"},
                                                       {503, "Service Unavailable"},
                                                       {504, "Gateway Timeout"}};
    const auto found = reasons.find(status);
    return found == reasons.end() ? fmt::format("HTTP status {}", status)
                                  : fmt::format("{} {}", status, found->second);
}

bool is_temporary(int status) {
    return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 ||
           status == 503 || status == 504;
}

milliseconds pause_before(unsigned number, milliseconds first, milliseconds longest,
                          milliseconds asked) {
    thread_local std::mt19937 random(std::random_device{}());
    const auto doubled = first.count() << std::min(number - 1, 16U);
    const double jitter = std::uniform_real_distribution<double>(0.5, 1.5)(random);
    const milliseconds own(std::llround(static_cast<double>(doubled) * jitter));
    return std::min(std::max(own, asked), longest);
}

base::Status pause(milliseconds duration) {
    const auto end = Clock::now() + duration;
    while (true) {
        SF_CHECK(base::check_stop());
        const auto left = std::chrono::duration_cast<milliseconds>(end - Clock::now());
        if (left.count() <= 0) return {};
        std::this_thread::sleep_for(std::min(left, milliseconds(50)));
    }
}

}  // namespace sf::net
