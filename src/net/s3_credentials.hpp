// SPDX-License-Identifier: Apache-2.0
// Where the keys for S3 come from, in the order of AWS's own tools: environment, the role of a web
// identity, profile, the container's role, the virtual machine's role. Temporary ones are renewed
// before they end. What these tools know beyond that (single sign-on, assumed roles, programs that
// print keys) is not done, and said, rather than going on with somebody else's keys. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/synced.hpp"
#include "net/s3_roles.hpp"

namespace sf::net {

class S3KeySource {
public:
    virtual ~S3KeySource() = default;
    [[nodiscard]] virtual base::Result<S3Credentials> keys() = 0;
    // The server says that they have ended: others are looked for next time.
    virtual void forget() = 0;
};

class S3KeyChain : public S3KeySource {
public:
    using Now = std::function<std::int64_t()>;  // seconds since 1970
    explicit S3KeyChain(AwsSurroundings from, RolePlaces places = {}, Now now = {});

    // Code::refused, with what was tried, if there are none.
    [[nodiscard]] base::Result<S3Credentials> keys() override;
    void forget() override;

private:
    struct Known {
        std::optional<KeysInTime> keys;
        std::int64_t next_try = 0;  // after a renewal that failed
    };
    base::Result<KeysInTime> find();
    base::Result<std::optional<S3Credentials>> of_profile(const AwsProfile& profile) const;

    const AwsSurroundings x_from;
    const RolePlaces x_places;
    const Now x_now;
    ExchangePool x_pool;
    base::Synced<Known> x_known;
};

}  // namespace sf::net
