// SPDX-License-Identifier: Apache-2.0
#include "net/s3_call.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <set>

#include "base/digest.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"

namespace sf::net {

using base::Code;
using base::Error;
using base::fail;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t max_text = std::size_t{16} << 20;
// Servers may think long before they answer, once everything is sent.
constexpr std::chrono::seconds patience_for_an_answer{300};
constexpr std::chrono::seconds tidying_time{20};
// Bytes a second that a large body may take, beyond the time for any request.
constexpr std::uint64_t slowest_upload = std::uint64_t{512} << 10;
constexpr std::int64_t largest_skew = 600;

// Passes a download on, and keeps everything else.
class AnswerTaker : public ExchangeReceiver {
public:
    explicit AnswerTaker(BodyTaker* download) : x_download(download) {}
    base::Result<bool> head(const ExchangeHead& head) override {
        x_passing = x_download != nullptr && (head.status == 200 || head.status == 206);
        return x_passing ? x_download->head(head) : base::Result<bool>(true);
    }
    base::Status body(base::Bytes bytes) override {
        if (x_passing) return x_download->body(bytes);
        if (x_text.size() + bytes.size() > max_text)
            return fail(Code::corrupt, "an answer of more than {} bytes", max_text);
        for (const std::byte each : bytes) x_text += static_cast<char>(each);
        return {};
    }
    [[nodiscard]] std::string take() { return std::move(x_text); }

private:
    BodyTaker* x_download;
    bool x_passing = false;
    std::string x_text;
};

// Codes that stand for "later", whatever the status. Ceph says ConcurrentModification to a
// conditional writer that another one overtakes: next time it hears that the object has changed.
bool is_temporary_code(const std::string& code) {
    static const std::set<std::string> codes = {
        "SlowDown",           "RequestTimeout",         "InternalError",
        "ServiceUnavailable", "OperationAborted",       "ConditionalRequestConflict",
        "Throttling",         "ConcurrentModification", "RequestLimitExceeded"};
    return codes.contains(code);
}

std::string shown(const std::string& text) {
    return base::escape_untrusted(std::string_view(text).substr(0, 300));
}

// "403 Forbidden: AccessDenied: words"
std::string words_of(const S3Answer& answer) {
    std::string text = reason_of(answer.status);
    if (!answer.error.code.empty()) text += ": " + shown(answer.error.code);
    if (!answer.error.message.empty()) text += ": " + shown(answer.error.message);
    return text;
}

std::string time_text(std::int64_t seconds) { return base::utc_stamp(seconds) + " UTC"; }

}  // namespace

std::optional<std::int64_t> parse_http_date(std::string_view text) {
    static constexpr std::array<std::string_view, 12> months = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    // "Fri, 24 May 2013 00:00:00 GMT"
    if (text.size() != 29 || text.substr(25) != " GMT") return {};
    const auto month = std::ranges::find(months, text.substr(8, 3));
    if (month == months.end()) return {};
    return parse_utc(fmt::format("{}-{:02}-{}T{}Z", text.substr(12, 4), month - months.begin() + 1,
                                 text.substr(5, 2), text.substr(17, 8)));
}

base::Result<S3Caller> S3Caller::create(S3Options options, std::shared_ptr<S3KeySource> keys) {
    SF_TRY(S3Address address, S3Address::create(options.bucket, options.region, options.endpoint));
    if (options.http.ca_file.empty()) options.http.ca_file = find_ca_file();
    if (!options.now) options.now = [] { return std::time(nullptr); };
    return S3Caller(std::move(options), std::move(keys), std::move(address));
}

base::Result<ExchangeRequest> S3Caller::prepare(const S3Call& call) const {
    SF_TRY(const S3Credentials keys, x_keys->keys());
    SF_TRY(const Url url, x_address.url(call.key, call.query));
    const SigningRequest signing{call.method,
                                 x_address.host(),
                                 x_address.path(call.key),
                                 call.query,
                                 call.headers,
                                 call.payload.empty() ? base::sha256("").hex() : call.payload};
    const HttpOptions& http = x_options.http;
    ExchangeRequest request{
        .url = url,
        .head = call.method == "HEAD",
        .range = {},
        .user = {},
        .headers = sign(signing, keys, {signing_time(x_options.now()), x_options.region}),
        .connect_timeout = http.connect_timeout,
        .deadline = http.deadline,
        .low_speed_bytes = http.low_speed_bytes,
        .low_speed_time = http.low_speed_time,
        .ca_file = http.ca_file,
        .user_agent = http.user_agent,
        .method = call.method == "GET" || call.method == "HEAD" ? "" : call.method,
        .body = call.body,
        .direct = false,
        .though_stopped = call.when_stopped != WhenStopped::end};
    if (call.error_in_success)
        request.low_speed_time = std::max(request.low_speed_time, patience_for_an_answer);
    // Not a field that has to be signed.
    if (call.download != nullptr && call.download->progress.received > 0)
        request.range = fmt::format("{}-", call.download->progress.received);
    return request;
}

S3Caller::Outcome S3Caller::judge(const S3Call& call, S3Answer answer,
                                  std::chrono::seconds retry_after) const {
    if (answer.status >= 300 || call.error_in_success) {
        if (auto error = parse_s3_error(answer.text)) answer.error = std::move(*error);
    }
    const bool hidden = answer.status < 300 && !answer.error.code.empty();
    if (hidden) answer.status = 500;
    if (is_temporary(answer.status) || is_temporary_code(answer.error.code)) {
        Failure failure = failure_of(Code::unreachable, words_of(answer), true);
        failure.wait = retry_after;
        return {std::move(answer), std::move(failure), true};
    }
    return {std::move(answer), {}, false};
}

S3Caller::Outcome S3Caller::attempt(const S3Call& call, const ExchangeRequest& request) const {
    const auto failed = [](Failure failure) { return Outcome{{}, std::move(failure), true}; };
    std::optional<BodyTaker> download;
    const bool ranged = !request.range.empty();
    if (call.download != nullptr) {
        download.emplace(call.download->to, call.download->progress, call.download->request,
                         ranged);
    }
    AnswerTaker taker(download ? &*download : nullptr);
    ExchangeResult result = x_pool->run(request, taker);
    if (download && (download->start_over() || result.head.status == 416)) {
        const bool again = std::exchange(call.download->progress.may_resume, false);
        return failed(failure_of(Code::corrupt,
                                 "the server sends another range than it was asked for",
                                 again && ranged));
    }
    if (result.trouble != Trouble::none) return failed(failure_of_trouble(result));
    S3Answer answer;
    answer.status = result.head.status;
    answer.head = std::move(result.head);
    answer.text = taker.take();
    if (download && (answer.status == 200 || answer.status == 206)) {
        const Progress& progress = call.download->progress;
        if (progress.length && progress.received < *progress.length) {
            return failed(failure_of(
                Code::corrupt,
                fmt::format("cut short: {} of {} bytes", progress.received, *progress.length),
                true));
        }
    }
    return judge(call, std::move(answer), result.retry_after);
}

base::Result<S3Answer> S3Caller::call(const S3Call& call) {
    const HttpOptions& http = x_options.http;
    const bool tidying = call.when_stopped == WhenStopped::go_on;
    auto deadline = Clock::now() + (tidying ? tidying_time : http.deadline);
    if (call.body != nullptr) deadline += std::chrono::seconds(call.body->size() / slowest_upload);
    bool unsure = false;
    bool renewed = false;
    for (unsigned number = 1;; ++number) {
        if (!tidying) SF_CHECK(base::check_stop());
        if (call.download != nullptr && !call.download->progress.may_resume)
            call.download->progress.received = 0;
        SF_TRY(ExchangeRequest request, prepare(call));
        request.deadline = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
        if (call.when_stopped == WhenStopped::finish)
            request.deadline = std::min<milliseconds>(request.deadline, tidying_time);
        Outcome outcome = attempt(call, request);
        if (!outcome.failed && outcome.answer.error.code == "ExpiredToken" && !renewed) {
            renewed = true;
            x_keys->forget();
            continue;
        }
        outcome.answer.unsure = unsure;
        if (!outcome.failed) return std::move(outcome.answer);
        Failure& failure = outcome.failure;
        unsure = unsure || !failure.connect;
        const milliseconds wait =
            pause_before(number, http.first_pause, http.longest_pause, failure.wait);
        if (!failure.again || number >= http.attempts || Clock::now() + wait >= deadline) {
            if (number > 1) failure.error.message += fmt::format(" ({} attempts)", number);
            failure.error.frames.push_back(fmt::format("asking {}", x_address.host()));
            return tl::unexpected(std::move(failure.error));
        }
        if (tidying) continue;  // at once: somebody waits for the end
        SF_CHECK(pause(wait));
    }
}

Error S3Caller::error_of(const S3Answer& answer) const {
    const std::string& code = answer.error.code;
    Error error{Code::refused, words_of(answer), {}, {}};

    std::string region = answer.head.field("x-amz-bucket-region");
    if (region.empty()) region = answer.error.region;
    const bool elsewhere = answer.status == 301 || answer.status == 307 ||
                           code == "AuthorizationHeaderMalformed" || code == "PermanentRedirect";
    if (elsewhere && is_region(region) && region != x_options.region) {
        error.message = fmt::format("the bucket '{}' is in the region {}, and was looked for in {}",
                                    x_options.bucket, region, x_options.region);
        error.hint = "set AWS_REGION=" + region;
        return error;
    }
    if (elsewhere && !answer.error.endpoint.empty()) {
        error.hint = "the bucket is at " + shown(answer.error.endpoint);
        return error;
    }

    // An answer to HEAD has no words, but a date.
    const auto theirs = parse_http_date(answer.head.field("date"));
    const std::int64_t ours = x_options.now();
    const bool skewed = theirs && std::abs(*theirs - ours) > largest_skew;
    if (code == "RequestTimeTooSkewed" || (answer.status == 403 && skewed)) {
        error.hint = fmt::format("set this machine's clock: it says {}{}", time_text(ours),
                                 theirs ? ", the server's " + time_text(*theirs) : std::string());
        return error;
    }
    if (code == "SignatureDoesNotMatch" || code == "InvalidAccessKeyId") {
        error.hint = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile";
    } else if (code == "NoSuchBucket") {
        error.message = fmt::format("there is no bucket '{}'", x_options.bucket);
        error.hint = "check its name, AWS_REGION and AWS_ENDPOINT_URL_S3";
    } else if (code == "BadDigest" || code == "XAmzContentSHA256Mismatch" ||
               code == "XAmzContentChecksumMismatch") {
        error.code = Code::corrupt;
        error.hint = "the file changed while it was sent, or it was damaged on the way";
    } else if (answer.error.message.find("x-amz-checksum") != std::string::npos) {
        error.hint = x_options.checksums
                         ? "AWS_REQUEST_CHECKSUM_CALCULATION=when_required sends no checksums, for "
                           "servers that do not know them"
                         : "a bucket with Object Lock takes nothing without a checksum: "
                           "AWS_REQUEST_CHECKSUM_CALCULATION may not be when_required";
    } else if (code == "QuotaExceeded" || answer.status == 507) {
        error.code = Code::exhausted;
    } else if (code == "NoSuchUpload" || answer.status < 300) {
        error.code = Code::failed;
    } else if (answer.status == 404) {
        error.code = Code::absent;
    } else if (answer.status == 403) {
        error.hint =
            "the keys may lack a permission; without s3:ListBucket S3 says this of objects "
            "that are not there, too";
    } else if (answer.status >= 500) {
        error.code = Code::unreachable;
    }
    return error;
}

}  // namespace sf::net
