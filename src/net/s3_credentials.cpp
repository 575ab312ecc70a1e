// SPDX-License-Identifier: Apache-2.0
#include "net/s3_credentials.hpp"

#include <array>
#include <ctime>

#include "base/text.hpp"

namespace sf::net {

using base::Code;
using base::fail;
using base::fail_hint;

namespace {

constexpr std::int64_t renewed_before = 300;
constexpr std::int64_t pause_after_failure = 30;

constexpr const char* ways_out =
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile by AWS_PROFILE";
constexpr const char* by_other_tools =
    "let AWS's own tool do it: eval \"$(aws configure export-credentials --format env)\"";

base::Result<S3Credentials> checked(S3Credentials credentials, const std::string& where) {
    if (!is_token(credentials.access_key) || !is_token(credentials.secret_key) ||
        (!credentials.session_token.empty() && !is_token(credentials.session_token))) {
        return fail(Code::refused,
                    "the keys for S3 from {} are empty, too long or hold other characters than "
                    "letters, digits and signs",
                    where);
    }
    return credentials;
}

}  // namespace

S3KeyChain::S3KeyChain(AwsSurroundings from, RolePlaces places, Now now)
    : x_from(std::move(from)),
      x_places(std::move(places)),
      x_now(now ? std::move(now) : Now([] { return std::time(nullptr); })) {}

base::Result<S3Credentials> S3KeyChain::keys() {
    // Whoever comes meanwhile waits for the same answer.
    auto known = x_known.lock();
    const std::int64_t now = x_now();
    const auto left = [&] { return known->keys->expires.value_or(now + 86400) - now; };
    if (known->keys && (left() > renewed_before || (now < known->next_try && left() > 0)))
        return known->keys->credentials;
    auto found = find();
    if (found) {
        known->keys = std::move(*found);
        return known->keys->credentials;
    }
    // What is there is good for a while yet.
    if (known->keys && left() > 0 && found.error().code != Code::interrupted) {
        known->next_try = now + pause_after_failure;
        return known->keys->credentials;
    }
    known->keys.reset();
    return tl::unexpected(std::move(found).error());
}

void S3KeyChain::forget() { *x_known.lock() = {}; }

base::Result<KeysInTime> S3KeyChain::find() {
    const std::string id = x_from.get("AWS_ACCESS_KEY_ID");
    const std::string secret = x_from.get("AWS_SECRET_ACCESS_KEY");
    if (!id.empty() || !secret.empty()) {
        if (id.empty() || secret.empty()) {
            return fail_hint(
                Code::refused,
                fmt::format("{} is set and {} is not",
                            id.empty() ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID",
                            id.empty() ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY"),
                ways_out);
        }
        SF_TRY(S3Credentials keys,
               checked({id, secret, x_from.get("AWS_SESSION_TOKEN")}, "the environment"));
        return KeysInTime{std::move(keys), {}};
    }
    SF_TRY(const AwsProfile profile, read_aws_profile(x_from));
    SF_TRY(auto identity,
           web_identity_role(x_from, s3_settings(x_from, profile), x_places, x_pool));
    if (identity) return std::move(*identity);
    SF_TRY(auto keys, of_profile(profile));
    if (keys) return KeysInTime{std::move(*keys), {}};
    SF_TRY(auto container, container_role(x_from, x_places, x_pool));
    if (container) return std::move(*container);
    SF_TRY(auto instance, instance_role(x_from, x_places, x_pool));
    if (instance) return std::move(*instance);
    return fail_hint(
        Code::refused,
        fmt::format("no keys for S3: not in the environment, not in the profile '{}' of {}, and no "
                    "role of a container or a virtual machine",
                    base::escape_untrusted(profile.name), profile.files),
        ways_out);
}

base::Result<std::optional<S3Credentials>> S3KeyChain::of_profile(const AwsProfile& profile) const {
    for (const auto* section : {&profile.credentials, &profile.config}) {
        const auto get = [&](const char* key) {
            const auto found = section->find(key);
            return found == section->end() ? std::string() : found->second;
        };
        S3Credentials keys{get("aws_access_key_id"), get("aws_secret_access_key"),
                           get("aws_session_token")};
        if (keys.access_key.empty() && keys.secret_key.empty()) continue;
        return checked(std::move(keys),
                       fmt::format("the profile '{}' of {}", base::escape_untrusted(profile.name),
                                   profile.files));
    }
    static constexpr std::array other_ways = {
        "role_arn",           "web_identity_token_file", "sso_session",  "sso_start_url",
        "credential_process", "credential_source",       "login_session"};
    for (const char* way : other_ways) {
        if (!profile.config.contains(way) && !profile.credentials.contains(way)) continue;
        return fail_hint(Code::refused,
                         fmt::format("the profile '{}' of {} gets its keys by {}, which is not "
                                     "supported",
                                     base::escape_untrusted(profile.name), profile.files, way),
                         by_other_tools);
    }
    if (profile.named) {
        return fail_hint(Code::refused,
                         fmt::format("the profile '{}' of {} has no keys",
                                     base::escape_untrusted(profile.name), profile.files),
                         ways_out);
    }
    return std::optional<S3Credentials>();
}

}  // namespace sf::net
