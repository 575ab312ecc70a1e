// SPDX-License-Identifier: Apache-2.0
#include "net/http.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "base/stop.hpp"
#include "base/synced.hpp"
#include "base/text.hpp"
#include "net/body_taker.hpp"
#include "net/exchange.hpp"
#include "net/retry.hpp"

namespace sf::net {

namespace {

using base::Code;
using base::Error;
using base::fail;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A host that could not be reached is not asked again for so long: forty sources on one dead host
// must not wait for it forty times.
constexpr std::chrono::seconds dead_host_time{30};
constexpr unsigned connect_attempts = 2;

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool is_conditional(const Request& request) {
    return std::any_of(request.headers.begin(), request.headers.end(),
                       [](const std::string& each) { return each.starts_with("If-None-Match:"); });
}

class NoBody : public ExchangeReceiver {
public:
    base::Result<bool> head(const ExchangeHead&) override { return false; }
    base::Status body(base::Bytes) override { return {}; }
};

// One attempt's outcome: an answer, or why there is none.
struct Attempted {
    std::optional<Response> response;
    Failure failure;
};

Attempted failed(Code code, std::string message, bool again = false) {
    return {{}, failure_of(code, std::move(message), again)};
}

}  // namespace

base::Status TextReceiver::begin(std::uint64_t offset) {
    x_text.resize(std::min<std::size_t>(x_text.size(), offset));
    return {};
}

base::Status TextReceiver::write(base::Bytes bytes) {
    for (const std::byte each : bytes) x_text += static_cast<char>(each);
    return {};
}

std::string find_ca_file() {
    for (const char* variable : {"SSL_CERT_FILE", "CURL_CA_BUNDLE"}) {
        if (const char* value = std::getenv(variable); value != nullptr && *value != '\0')
            return value;
    }
    for (const char* path :
         {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
          "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"}) {
        std::error_code error;
        if (std::filesystem::exists(path, error)) return path;
    }
    return {};
}

struct HttpClient::Impl {
    HttpOptions options;
    ExchangePool pool;
    base::Synced<std::map<std::string, Clock::time_point>> dead;  // "host:port", since when

    explicit Impl(HttpOptions given) : options(std::move(given)) {
        if (options.ca_file.empty()) options.ca_file = find_ca_file();
    }

    static std::string key_of(const Url& url) {
        return fmt::format("{}:{}", url.host(), url.port());
    }

    bool is_dead(const Url& url) {
        auto hosts = dead.lock();
        const auto found = hosts->find(key_of(url));
        return found != hosts->end() && Clock::now() - found->second < dead_host_time;
    }
    void set_dead(const Url& url, bool is) {
        auto hosts = dead.lock();
        if (is) {
            (*hosts)[key_of(url)] = Clock::now();
        } else {
            hosts->erase(key_of(url));
        }
    }

    // The exchange at the end of all redirects. `url` becomes the last address.
    template <class Make>
    base::Result<ExchangeResult> follow(const Request& request, ExchangeRequest exchange, Url& url,
                                        Clock::time_point deadline, Make make_receiver) {
        for (unsigned redirects = 0;; ++redirects) {
            exchange.url = url;
            // What belongs to the first origin stays there.
            if (url.same_origin(request.url)) {
                exchange.user = request.url.user();
            } else {
                exchange.user.clear();
                std::erase_if(exchange.headers, [&](const std::string& header) {
                    return std::find(request.headers.begin(), request.headers.end(), header) !=
                           request.headers.end();
                });
            }
            exchange.deadline = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
            ExchangeResult result = pool.run(exchange, make_receiver());
            if (result.trouble != Trouble::none || !is_redirect(result.head.status)) return result;
            if (redirects >= options.max_redirects) {
                return fail(Code::refused, "more than {} redirects", options.max_redirects);
            }
            SF_TRY(url, check_redirect(url, result.redirect));
        }
    }

    static base::Result<Url> check_redirect(const Url& from, const std::string& location) {
        const std::string shown = "a redirect that is not followed: ";
        auto to = Url::parse(location);
        if (!to) return fail(Code::refused, "{}to {}", shown, to.error().message);
        if (to->is_file()) return fail(Code::refused, "{}to a file", shown);
        if (to->has_user()) return fail(Code::refused, "{}to an address with a user", shown);
        if (from.scheme() == "https" && to->scheme() != "https") {
            return fail(Code::refused, "{}from https to http", shown);
        }
        return std::move(*to);
    }

    ExchangeRequest prepare(const Request& request) const {
        return {.url = request.url,
                .head = false,
                .range = {},
                .user = {},
                .headers = request.headers,
                .connect_timeout = options.connect_timeout,
                .deadline = options.deadline,
                .low_speed_bytes = options.low_speed_bytes,
                .low_speed_time = options.low_speed_time,
                .ca_file = options.ca_file,
                .user_agent = options.user_agent};
    }

    static std::string hint_of_refusal(int status, const Url& url) {
        if (status != 401 && status != 403) return {};
        if (url.has_user())
            return "see whether the user and the password in the address are right, and may read "
                   "it there";
        return "the server lets not everybody read it: an address may have a user and a password "
               "(https://USER:PASSWORD@HOST/...)";
    }

    // What an exchange without a usable answer means.
    static Attempted judge(const ExchangeResult& result, const Url& url) {
        if (result.trouble != Trouble::none) return {{}, failure_of_trouble(result)};
        const int status = result.head.status;
        std::string message = reason_of(status);
        if (status == 404 || status == 410) return failed(Code::absent, std::move(message));
        if (is_temporary(status)) {
            Attempted attempted = failed(Code::unreachable, std::move(message), true);
            attempted.failure.wait = result.retry_after;
            return attempted;
        }
        if (status >= 500) return failed(Code::unreachable, std::move(message));
        if (status >= 400) {
            Attempted attempted = failed(Code::refused, std::move(message));
            attempted.failure.error.hint = hint_of_refusal(status, url);
            return attempted;
        }
        if (status == 0) return failed(Code::corrupt, "an answer without a status", true);
        return failed(Code::failed, fmt::format("{} from {}", message, url.redacted()));
    }

    Attempted attempt(const Request& request, Receiver& to, Progress& progress,
                      Clock::time_point deadline) {
        ExchangeRequest exchange = prepare(request);
        if (!progress.may_resume) progress.received = 0;
        const bool ranged = progress.received > 0;
        if (ranged) {
            exchange.range = fmt::format("{}-", progress.received);
            if (!progress.etag.empty()) exchange.headers.push_back("If-Range: " + progress.etag);
        }
        Url url = request.url;
        std::optional<BodyTaker> taker;
        auto result = follow(request, std::move(exchange), url, deadline, [&]() -> BodyTaker& {
            return taker.emplace(to, progress, request, ranged);
        });
        if (!result) return {{}, {std::move(result).error(), false, false, {}}};
        if (taker->start_over() || result->head.status == 416) {
            const bool again = std::exchange(progress.may_resume, false);
            return failed(Code::corrupt, "the server sends another range than it was asked for",
                          again && ranged);
        }
        const int status = result->head.status;
        const bool good =
            status == 200 || status == 206 || (status == 304 && is_conditional(request));
        if (result->trouble != Trouble::none || !good) return judge(*result, url);
        if (status != 304 && progress.length && progress.received < *progress.length) {
            return failed(
                Code::corrupt,
                fmt::format("cut short: {} of {} bytes", progress.received, *progress.length),
                true);
        }
        Attempted attempted;
        attempted.response = Response{status, progress.received, result->head.field("etag"),
                                      result->head.field("content-type"), url.redacted()};
        return attempted;
    }

    Attempted attempt_head(const Request& request, Clock::time_point deadline) {
        ExchangeRequest exchange = prepare(request);
        exchange.head = true;
        Url url = request.url;
        NoBody none;
        auto result = follow(request, exchange, url, deadline, [&]() -> NoBody& { return none; });
        if (!result) return {{}, {std::move(result).error(), false, false, {}}};
        const int refused = result->head.status;
        if (result->trouble == Trouble::none &&
            (refused == 400 || refused == 403 || refused == 405 || refused == 501)) {
            // Some servers, and addresses signed for GET, know no HEAD.
            exchange.head = false;
            exchange.range = "0-0";
            url = request.url;
            result = follow(request, exchange, url, deadline, [&]() -> NoBody& { return none; });
            if (!result) return {{}, {std::move(result).error(), false, false, {}}};
        }
        const int status = result->head.status;
        if (result->trouble != Trouble::none || (status != 200 && status != 206)) {
            return judge(*result, url);
        }
        std::optional<std::uint64_t> length;
        if (status == 206) {
            if (const auto range = parse_content_range(result->head.field("content-range"))) {
                length = range->total;
            }
        } else {
            length = parse_number(result->head.field("content-length"));
        }
        if (request.length && length && *request.length != *length) {
            return failed(Code::corrupt,
                          fmt::format("{} bytes, but {} belong there", *length, *request.length));
        }
        Attempted attempted;
        attempted.response = Response{status, length, result->head.field("etag"),
                                      result->head.field("content-type"), url.redacted()};
        return attempted;
    }

    template <class Try>
    base::Result<Response> persist(const Request& request, Try attempt_once) {
        const auto frame = [&](Error error) {
            error.frames.push_back("asking " + request.url.redacted());
            return tl::unexpected(std::move(error));
        };
        if (request.url.is_file()) {
            return frame({Code::usage, "a file address, where http or https belongs", {}, {}});
        }
        if (is_dead(request.url)) {
            return frame({Code::unreachable, "could not be reached a moment ago", {}, {}});
        }
        const auto deadline = Clock::now() + options.deadline;
        for (unsigned number = 1;; ++number) {
            if (base::stop_requested()) return frame({Code::interrupted, "stopped", {}, {}});
            Attempted attempted = attempt_once(deadline);
            if (attempted.response) {
                set_dead(request.url, false);
                return std::move(*attempted.response);
            }
            Failure& failure = attempted.failure;
            const unsigned allowed =
                failure.connect ? std::min(connect_attempts, options.attempts) : options.attempts;
            const milliseconds wait =
                pause_before(number, options.first_pause, options.longest_pause, failure.wait);
            if (!failure.again || number >= allowed || Clock::now() + wait >= deadline) {
                if (failure.connect) set_dead(request.url, true);
                if (number > 1) failure.error.message += fmt::format(" ({} attempts)", number);
                return frame(std::move(failure.error));
            }
            if (auto status = pause(wait); !status) return frame(std::move(status).error());
        }
    }
};

HttpClient::HttpClient(HttpOptions options) : x_impl(std::make_unique<Impl>(std::move(options))) {}
HttpClient::~HttpClient() = default;

base::Result<Response> HttpClient::get(const Request& request, Receiver& to) {
    Progress progress;
    progress.received = request.offset;
    progress.length = request.length;
    // Nothing is missing, or too much is there: the server would refuse such a range.
    if (request.length && progress.received >= *request.length) progress.received = 0;
    return x_impl->persist(request, [&](Clock::time_point deadline) {
        return x_impl->attempt(request, to, progress, deadline);
    });
}

base::Result<Response> HttpClient::head(const Request& request) {
    return x_impl->persist(request, [&](Clock::time_point deadline) {
        return x_impl->attempt_head(request, deadline);
    });
}

base::Result<std::string> HttpClient::get_text(const Url& url, std::uint64_t limit) {
    TextReceiver receiver;
    Request request;
    request.url = url;
    request.max_length = limit;
    SF_CHECK(get(request, receiver));
    return receiver.take();
}

}  // namespace sf::net
