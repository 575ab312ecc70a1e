// SPDX-License-Identifier: Apache-2.0
// Temporary credentials that the place a program runs in hands out: to a container, or to a virtual
// machine by its metadata service (IMDSv2, never v1). Asked directly, never through a proxy, with
// short timeouts. Keeps nothing. Any thread.
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
};

// nullopt: this is no such container. An address that is neither https nor this machine's own or
// the container agent's is Code::refused: a token would go there.
[[nodiscard]] base::Result<std::optional<KeysInTime>> container_role(const AwsSurroundings& from,
                                                                     const RolePlaces& places,
                                                                     ExchangePool& pool);
// nullopt: switched off (AWS_EC2_METADATA_DISABLED), no such service, or no role.
[[nodiscard]] base::Result<std::optional<KeysInTime>> instance_role(const AwsSurroundings& from,
                                                                    const RolePlaces& places,
                                                                    ExchangePool& pool);

// The JSON that both answer with.
[[nodiscard]] base::Result<KeysInTime> parse_role(std::string_view json);
// "2026-11-25T22:00:00Z" as seconds since 1970.
[[nodiscard]] std::optional<std::int64_t> parse_utc(std::string_view text);
// Something that can be a field of a request: visible ASCII, not too long.
[[nodiscard]] bool is_token(std::string_view text);

}  // namespace sf::net
