// SPDX-License-Identifier: Apache-2.0
// Temporary credentials of a role. The place a program runs in hands them out: to a container, or
// to a virtual machine by its metadata service (IMDSv2, never v1); asked directly, never through a
// proxy, with short timeouts. Or AWS's STS does, for a token that the place put into a file (web
// identity: Kubernetes, CI with OIDC). Keeps nothing. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/aws_config.hpp"
#include "net/exchange.hpp"
#include "net/s3_auth.hpp"

namespace sf::net {

struct KeysInTime {
    S3Credentials credentials;
    std::optional<std::int64_t> expires;  // seconds since 1970; nullopt: they do not end
};

struct RolePlaces {
    std::string container = "http://169.254.170.2";   // for a relative address
    std::string instance = "http://169.254.169.254";  // AWS_EC2_METADATA_SERVICE_ENDPOINT
    std::chrono::milliseconds patience{1000};         // for each request
    unsigned attempts = 2;
    std::chrono::milliseconds sts_patience{15'000};  // for one that goes far
};

// nullopt: AWS_WEB_IDENTITY_TOKEN_FILE is not set. The file is read each time: its content is
// renewed.
[[nodiscard]] base::Result<std::optional<KeysInTime>> web_identity_role(const AwsSurroundings& from,
                                                                        const S3Settings& settings,
                                                                        const RolePlaces& places,
                                                                        ExchangePool& pool);
// Where that is asked for: AWS's of the region, or the settings' own. An address that is neither
// https nor this machine's own is Code::refused: a token would go there.
[[nodiscard]] base::Result<Url> sts_address(const S3Settings& settings);

// nullopt: this is no such container. An address that is neither https nor this machine's own or
// the container agent's is Code::refused: a token would go there.
[[nodiscard]] base::Result<std::optional<KeysInTime>> container_role(const AwsSurroundings& from,
                                                                     const RolePlaces& places,
                                                                     ExchangePool& pool);
// nullopt: switched off (AWS_EC2_METADATA_DISABLED), no such service, or no role.
[[nodiscard]] base::Result<std::optional<KeysInTime>> instance_role(const AwsSurroundings& from,
                                                                    const RolePlaces& places,
                                                                    ExchangePool& pool);

// The JSON that containers and virtual machines are answered with, and the XML of STS.
[[nodiscard]] base::Result<KeysInTime> parse_role(std::string_view json);
[[nodiscard]] base::Result<KeysInTime> parse_web_identity(std::string_view xml);
// "2026-11-25T22:00:00Z" as seconds since 1970.
[[nodiscard]] std::optional<std::int64_t> parse_utc(std::string_view text);
// Something that can be a field of a request: visible ASCII, not too long.
[[nodiscard]] bool is_token(std::string_view text);

}  // namespace sf::net
