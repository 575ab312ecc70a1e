// SPDX-License-Identifier: Apache-2.0
#include "net/s3_roles.hpp"

#include <algorithm>
#include <array>

#include "base/json.hpp"
#include "base/text.hpp"
#include "net/body_taker.hpp"
#include "net/exchange_body.hpp"
#include "net/http.hpp"
#include "net/retry.hpp"
#include "net/s3_location.hpp"
#include "net/xml.hpp"

namespace sf::net {

using base::Code;
using base::fail;

namespace {

constexpr std::size_t max_answer = std::size_t{64} << 10;

class Answer : public ExchangeReceiver {
public:
    explicit Answer(bool refusals) : x_refusals(refusals) {}
    base::Result<bool> head(const ExchangeHead& head) override {
        return head.status == 200 || (x_refusals && head.status >= 400 && head.status < 500);
    }
    base::Status body(base::Bytes bytes) override {
        if (x_text.size() + bytes.size() > max_answer) return fail(Code::corrupt, "too long");
        for (const std::byte each : bytes) x_text += static_cast<char>(each);
        return {};
    }
    [[nodiscard]] std::string take() { return std::move(x_text); }

private:
    bool x_refusals;
    std::string x_text;
};

struct Question {
    Url url;
    std::string method = {};
    std::vector<std::string> headers = {};
    ExchangeBody* body = nullptr;
    std::chrono::milliseconds patience{1000};
    unsigned attempts = 1;
    bool refusals = false;  // their text is of use
};

struct Asked {
    int status = 0;
    std::string text;  // of 200, and of a refusal that is of use
};

// An answer, whatever its status; an error if nobody answers. Errors never quote the answer.
base::Result<Asked> ask(ExchangePool& pool, const Question& question) {
    const ExchangeRequest request{.url = question.url,
                                  .head = false,
                                  .range = {},
                                  .user = {},
                                  .headers = question.headers,
                                  .connect_timeout = question.patience,
                                  .deadline = question.patience,
                                  .low_speed_bytes = 0,
                                  .low_speed_time = std::chrono::seconds(0),
                                  .ca_file = find_ca_file(),
                                  .user_agent = "slurm-factory",
                                  .method = question.method,
                                  .body = question.body,
                                  .direct = question.url.scheme() == "http"};
    for (unsigned number = 1;; ++number) {
        Answer answer(question.refusals);
        const ExchangeResult result = pool.run(request, answer);
        const int status = result.head.status;
        if (result.trouble == Trouble::none && !is_temporary(status))
            return Asked{status, answer.take()};
        Failure failure = result.trouble != Trouble::none
                              ? failure_of_trouble(result)
                              : failure_of(Code::unreachable, reason_of(status), true);
        if (!failure.again || number >= question.attempts) {
            failure.error.frames.push_back("asking " + question.url.redacted());
            return tl::unexpected(std::move(failure.error));
        }
        SF_CHECK(
            pause(pause_before(number, std::chrono::milliseconds(100), question.patience, {})));
    }
}

// What is this machine's own.
base::Result<Asked> ask(ExchangePool& pool, const RolePlaces& places, const Url& url,
                        const std::string& method, const std::string& header) {
    Question question{
        .url = url, .method = method, .patience = places.patience, .attempts = places.attempts};
    if (!header.empty()) question.headers.push_back(header);
    return ask(pool, question);
}

// A name as it is, or four numbers.
bool is_own_host(const std::string& host) {
    static constexpr std::array agents = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]",
                                          "localhost", "[::1]"};
    if (std::ranges::find(agents, host) != agents.end()) return true;
    const auto numbers = base::split(host, '.');
    return numbers.size() == 4 && numbers[0] == "127" &&
           std::ranges::all_of(numbers, [](const std::string& each) {
               const auto value = parse_number(each);
               return value && *value < 256;
           });
}

base::Result<std::string> container_token(const AwsSurroundings& from) {
    std::string token = from.get("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    // The file comes first: its content is renewed.
    if (const std::string path = from.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        !path.empty()) {
        SF_TRY(const auto file, from.read(path));
        if (!file) {
            return fail(Code::refused, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: there is no {}",
                        base::escape_untrusted(path));
        }
        token = base::trim(file->text);
    }
    // "Bearer …" has a blank.
    if (token.size() > max_answer ||
        !std::ranges::all_of(token, [](char c) { return c >= ' ' && c < 127; }))
        return fail(Code::refused, "the container's authorization token is no token");
    return token;
}

// What AWS allows.
bool is_session_name(std::string_view text) {
    return text.size() >= 2 && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view("_+=,.@-").find(c) != std::string_view::npos;
           });
}

struct WebIdentity {
    std::string role;
    std::string session;
    std::string token;  // secret
};

base::Result<WebIdentity> read_web_identity(const AwsSurroundings& from, const std::string& path) {
    WebIdentity identity{from.get("AWS_ROLE_ARN"), from.get("AWS_ROLE_SESSION_NAME"), {}};
    if (identity.role.empty()) {
        return base::fail_hint(Code::refused,
                               "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not",
                               "AWS_ROLE_ARN says which role: arn:aws:iam::ACCOUNT:role/NAME");
    }
    if (identity.session.empty()) identity.session = "slurm-factory";
    if (!is_token(identity.role) || !is_session_name(identity.session)) {
        return fail(Code::refused,
                    "AWS_ROLE_ARN or AWS_ROLE_SESSION_NAME is too long or too short, or holds "
                    "other characters than such a name may have");
    }
    SF_TRY(const auto file, base::during(from.read(path), "reading AWS_WEB_IDENTITY_TOKEN_FILE"));
    if (!file) {
        return fail(Code::refused, "AWS_WEB_IDENTITY_TOKEN_FILE: there is no {}",
                    base::escape_untrusted(path));
    }
    identity.token = base::trim(file->text);
    if (!is_token(identity.token)) {
        return fail(Code::refused, "AWS_WEB_IDENTITY_TOKEN_FILE: {} holds no token",
                    base::escape_untrusted(path));
    }
    return identity;
}

// "InvalidIdentityToken", of the XML that STS refuses with; "" if there is no such word. Its
// sentences are not shown: they may hold what was sent.
std::string sts_code(std::string_view xml) {
    const auto root = parse_xml(base::trim(xml));
    const XmlElement* const error = root ? root->child("Error") : nullptr;
    std::string code = error == nullptr ? std::string() : error->child_text("Code");
    const bool is_word = code.size() <= 64 && std::ranges::all_of(code, [](char c) {
                             return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
                         });
    if (!is_word) code.clear();
    return code;
}

// What came, if it is whole.
base::Result<KeysInTime> checked_role(S3Credentials keys, std::string_view expires,
                                      const char* otherwise) {
    const auto end = parse_utc(expires);
    if (!is_token(keys.access_key) || !is_token(keys.secret_key) || !is_token(keys.session_token) ||
        !end)
        return fail(Code::corrupt, "the answer with the credentials lacks one of {}", otherwise);
    return KeysInTime{std::move(keys), end};
}

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
    if (at + count > text.size()) return {};
    const auto value = parse_number(text.substr(at, count));
    if (!value) return {};
    return static_cast<int>(*value);
}

}  // namespace

bool is_token(std::string_view text) {
    return !text.empty() && text.size() <= 16384 &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c < 127; });
}

std::optional<std::int64_t> parse_utc(std::string_view text) {
    if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
        text[13] != ':' || text[16] != ':' || text.back() != 'Z')
        return {};
    // A fraction of a second is no difference.
    if (text.size() > 20 && (text[19] != '.' || !parse_number(text.substr(20, text.size() - 21))))
        return {};
    const auto year = digits(text, 0, 4);
    const auto month = digits(text, 5, 2);
    const auto day = digits(text, 8, 2);
    const auto hour = digits(text, 11, 2);
    const auto minute = digits(text, 14, 2);
    const auto second = digits(text, 17, 2);
    if (!year || !month || !day || !hour || !minute || !second || *hour > 23 || *minute > 59 ||
        *second > 60)
        return {};
    const std::chrono::year_month_day date{std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return {};
    const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
    const std::int64_t minutes = std::int64_t{*hour} * 60 + *minute;
    return days * 86400 + minutes * 60 + *second;
}

base::Result<KeysInTime> parse_role(std::string_view json) {
    // What it holds is secret: an error says only what is wrong with it.
    const auto document = base::parse_json(json);
    if (!document || !document->is_object())
        return fail(Code::corrupt, "the answer with the credentials is no JSON object");
    const auto text = [&](const char* name) {
        const auto found = document->find(name);
        return found != document->end() && found->is_string() ? found->get<std::string>()
                                                              : std::string();
    };
    return checked_role({text("AccessKeyId"), text("SecretAccessKey"), text("Token")},
                        text("Expiration"), "AccessKeyId, SecretAccessKey, Token and Expiration");
}

base::Result<KeysInTime> parse_web_identity(std::string_view xml) {
    const auto root = parse_xml(base::trim(xml));
    const XmlElement* const result = root && root->name == "AssumeRoleWithWebIdentityResponse"
                                         ? root->child("AssumeRoleWithWebIdentityResult")
                                         : nullptr;
    const XmlElement* const keys = result == nullptr ? nullptr : result->child("Credentials");
    if (keys == nullptr)
        return fail(Code::corrupt, "the answer is not that of AssumeRoleWithWebIdentity");
    return checked_role({keys->child_text("AccessKeyId"), keys->child_text("SecretAccessKey"),
                         keys->child_text("SessionToken")},
                        keys->child_text("Expiration"),
                        "AccessKeyId, SecretAccessKey, SessionToken and Expiration");
}

base::Result<Url> sts_address(const S3Settings& settings) {
    if (settings.sts.empty()) {
        const std::string region = settings.region.empty() ? "us-east-1" : settings.region;
        if (!is_region(region))
            return fail(Code::usage, "'{}' is no name of a region", base::escape_untrusted(region));
        return Url::parse(fmt::format("https://sts.{}.amazonaws.com{}/", region,
                                      region.starts_with("cn-") ? ".cn" : ""));
    }
    SF_TRY(Url url, base::during(Url::parse(settings.sts), "reading the endpoint of STS"));
    if (url.scheme() != "https" && (url.scheme() != "http" || !is_own_host(url.host()))) {
        return base::fail_hint(
            Code::refused,
            fmt::format("the endpoint of STS is {}: no token is sent there", url.redacted()),
            "it has to be https, or an address of this machine; AWS_ENDPOINT_URL_STS names it");
    }
    return url;
}

base::Result<std::optional<KeysInTime>> web_identity_role(const AwsSurroundings& from,
                                                          const S3Settings& settings,
                                                          const RolePlaces& places,
                                                          ExchangePool& pool) {
    const std::string path = from.get("AWS_WEB_IDENTITY_TOKEN_FILE");
    if (path.empty()) return std::optional<KeysInTime>();
    SF_TRY(const Url url, sts_address(settings));
    SF_TRY(const WebIdentity identity, read_web_identity(from, path));
    // Not in the address: proxies and servers write those down.
    TextBody body(canonical_query({{"Action", "AssumeRoleWithWebIdentity"},
                                   {"Version", "2011-06-15"},
                                   {"RoleArn", identity.role},
                                   {"RoleSessionName", identity.session},
                                   {"WebIdentityToken", identity.token}}));
    const Question question{.url = url,
                            .method = "POST",
                            .headers = {"Content-Type: application/x-www-form-urlencoded"},
                            .body = &body,
                            .patience = places.sts_patience,
                            .attempts = places.attempts,
                            .refusals = true};
    SF_TRY(const Asked asked, ask(pool, question));
    const std::string doing = "asking " + url.redacted() + " for the keys of AWS_ROLE_ARN";
    if (asked.status != 200) {
        const std::string code = sts_code(asked.text);
        return base::during<std::optional<KeysInTime>>(
            base::fail_hint(Code::refused,
                            reason_of(asked.status) + (code.empty() ? "" : ": " + code),
                            "the role's trust policy has to name the token's issuer, audience and "
                            "subject, and the token may not have ended"),
            doing);
    }
    SF_TRY(const KeysInTime role, base::during(parse_web_identity(asked.text), doing));
    return role;
}

base::Result<std::optional<KeysInTime>> container_role(const AwsSurroundings& from,
                                                       const RolePlaces& places,
                                                       ExchangePool& pool) {
    const std::string relative = from.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const std::string full = from.get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (relative.empty() && full.empty()) return std::optional<KeysInTime>();
    if (!relative.empty() && relative.front() != '/') {
        return fail(Code::refused,
                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with '/'");
    }
    SF_TRY(const Url url,
           base::during(Url::parse(relative.empty() ? full : places.container + relative),
                        "reading AWS_CONTAINER_CREDENTIALS_*_URI"));
    if (relative.empty() && url.scheme() != "https" && !is_own_host(url.host())) {
        return base::fail_hint(
            Code::refused,
            fmt::format("AWS_CONTAINER_CREDENTIALS_FULL_URI is {}: not asked for credentials",
                        url.redacted()),
            "it has to be https, or an address of this machine or of the container's agent");
    }
    SF_TRY(const std::string token, container_token(from));
    SF_TRY(const Asked asked,
           ask(pool, places, url, {}, token.empty() ? std::string() : "Authorization: " + token));
    const std::string doing = "asking " + url.redacted() + " for the container's credentials";
    if (asked.status != 200) {
        return base::during<std::optional<KeysInTime>>(
            fail(Code::refused, "{}", reason_of(asked.status)), doing);
    }
    SF_TRY(const KeysInTime role, base::during(parse_role(asked.text), doing));
    return role;
}

base::Result<std::optional<KeysInTime>> instance_role(const AwsSurroundings& from,
                                                      const RolePlaces& places,
                                                      ExchangePool& pool) {
    const std::optional<KeysInTime> none;
    if (from.is_true("AWS_EC2_METADATA_DISABLED")) return none;
    const std::string given = from.get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    SF_TRY(const Url base, Url::parse(given.empty() ? places.instance : given));
    // Nobody there: this is no such machine.
    const auto token = ask(pool, places, base.below("latest/api/token"), "PUT",
                           "X-aws-ec2-metadata-token-ttl-seconds: 21600");
    if (!token) {
        if (token.error().code == Code::interrupted) return tl::unexpected(token.error());
        return none;
    }
    if (token->status != 200 || !is_token(base::trim(token->text))) return none;
    const std::string header = "X-aws-ec2-metadata-token: " + std::string(base::trim(token->text));
    const Url roles = base.below("latest/meta-data/iam/security-credentials/");
    SF_TRY(const Asked names, ask(pool, places, roles, {}, header));
    if (names.status == 404) return none;
    const std::string name(base::trim(names.text.substr(0, names.text.find('\n'))));
    if (names.status != 200 || !is_token(name)) {
        return fail(Code::refused, "the metadata service does not name this machine's role: {}",
                    reason_of(names.status));
    }
    SF_TRY(const Asked asked, ask(pool, places, roles.below(percent_encode(name)), {}, header));
    if (asked.status != 200) {
        return fail(Code::refused, "the metadata service has no credentials for the role '{}': {}",
                    base::escape_untrusted(name), reason_of(asked.status));
    }
    SF_TRY(const KeysInTime role, parse_role(asked.text));
    return role;
}

}  // namespace sf::net
