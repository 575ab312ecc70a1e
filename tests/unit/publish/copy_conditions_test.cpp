// SPDX-License-Identifier: Apache-2.0
// A copy into a bucket that takes conditions and writes all the same: refused before anything is
// sent, because an older snapshot could write over a newer one there. One that keeps them is copied
// to.
#include <gmock/gmock.h>

#include <cstdlib>
#include <memory>

#include "cache/s3_backend.hpp"
#include "publish/mirror_copy.hpp"
#include "support/mirrors.hpp"
#include "unit/net/fake_s3.hpp"

namespace sf::publish {
namespace {

using test::FakeS3;
using test::main_folder;
using ::testing::HasSubstr;

class CopiesToABucket : public ::testing::Test {
protected:
    CopiesToABucket() {
        ::setenv("no_proxy", "*", 1);
        x_all.publish_all();
    }
    base::Result<CopyReport> copy_to(const FakeS3& fake) {
        net::S3Options options;
        options.endpoint = fake.endpoint();
        options.http.first_pause = std::chrono::milliseconds(2);
        const auto bucket =
            cache::S3Backend::create({"bucket", "copy"}, options,
                                     std::make_shared<test::FixedKeys>(FakeS3::keys()))
                .value();
        cache::FileBackend from(x_all.at("cache") / main_folder);
        cache::SubBackend to(*bucket, main_folder);
        CopyRequest request;
        request.verifier = &*x_all.anna.verifier;
        request.keys_of =
            [this](const std::set<std::string>&) -> base::Result<std::vector<PublishedKey>> {
            return std::vector<PublishedKey>{{x_all.anna.primary(), x_all.anna.public_key}};
        };
        request.mirror = main_folder;
        request.memory = x_all.at("caches");
        request.work = x_all.at("work");
        request.now = x_all.now;
        return copy_mirror(from, to, request, x_all.quiet);
    }

    test::Mirrors x_all;
};

TEST_F(CopiesToABucket, AreRefusedWhereItKeepsNoConditions) {
    test::FakeS3Flaws flaws;
    flaws.no_conditions = true;
    FakeS3 fake(flaws);
    const auto refused = copy_to(fake);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::refused);
    EXPECT_THAT(refused.error().text(),
                HasSubstr("s3://bucket/copy/bookworm/slurm/25.11 does not keep conditions: a newer "
                          "snapshot could be written over by an older one"));
    EXPECT_THAT(refused.error().hint, HasSubstr("If-None-Match and If-Match"));
    EXPECT_TRUE(fake.objects().empty()) << fake.objects().begin()->first;
    EXPECT_EQ(fake.uploads(), 0U);
}

TEST_F(CopiesToABucket, AreMadeWhereItKeepsThem) {
    FakeS3 fake;
    const auto copied = copy_to(fake);
    ASSERT_TRUE(copied) << copied.error().text();
    const auto there = fake.objects();
    for (const std::string& key : test::Mirrors::keys(x_all.at("cache") / main_folder)) {
        const auto found = there.find("copy/" + std::string(main_folder) + '/' + key);
        ASSERT_TRUE(found != there.end()) << key;
        EXPECT_EQ(base::sha256(found->second.bytes),
                  base::sha256(base::read_file(x_all.at("cache") / main_folder / key).value()))
            << key;
    }
}

}  // namespace
}  // namespace sf::publish
