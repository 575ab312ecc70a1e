// SPDX-License-Identifier: Apache-2.0
// The command line of a user with a bucket, which is named as AWS's own tools find theirs. The
// server is the tests' own.
#pragma once

#include "trusting.hpp"
#include "unit/net/fake_s3.hpp"

namespace sf::cli::test {

class BucketCommandLine : public TrustingCommandLine {
protected:
    BucketCommandLine() {
        set("no_proxy", "*");
        const net::S3Credentials keys = sf::test::FakeS3::keys();
        set("AWS_ACCESS_KEY_ID", keys.access_key);
        set("AWS_SECRET_ACCESS_KEY", keys.secret_key);
        set("AWS_SESSION_TOKEN", keys.session_token);
        for (const char* name :
             {"AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION",
              "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"})
            set(name, std::nullopt);
    }
    void use(const sf::test::FakeS3& fake) { set("AWS_ENDPOINT_URL_S3", fake.endpoint()); }
};

}  // namespace sf::cli::test
