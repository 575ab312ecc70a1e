// SPDX-License-Identifier: Apache-2.0
// What `cache add` says of a bucket: whether it keeps conditions, and so can be published to. It is
// listed whatever comes of it, because who installs needs none.
#include <gmock/gmock.h>

#include "bucket_command_line.hpp"

namespace sf::cli::test {
namespace {

using sf::test::FakeS3;
using sf::test::RawServer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class CacheConditions : public BucketCommandLine {
protected:
    Said add(FakeS3& fake, const std::vector<std::string>& more = {}) {
        use(fake);
        std::vector<std::string> words{"cache", "add",  "bucket", "s3://bucket/cache",
                                       "--key", x_owner};
        words.insert(words.end(), more.begin(), more.end());
        Said said = run_here(words);
        EXPECT_EQ(said.code, 0) << said.err;
        EXPECT_TRUE(base::exists(state() / "keys/trust/caches.json"));
        EXPECT_THAT(fake.objects(), IsEmpty()) << "what it was tried with is left";
        return said;
    }

    const std::string x_owner = std::string(40, 'A');
};

TEST_F(CacheConditions, ABucketThatKeepsNoneIsWarnedOf) {
    sf::test::FakeS3Flaws flaws;
    flaws.no_conditions = true;
    FakeS3 fake(flaws);
    const Said said = add(fake);
    EXPECT_THAT(said.out, HasSubstr("bucket is listed"));
    EXPECT_THAT(
        said.err,
        HasSubstr("warning: s3://bucket/cache does not keep conditions: two "
                  "publishers could lose each other's work, so nothing is "
                  "published or copied to it, or signed afresh in it; installing from it works"));
    const Said json = add(fake, {"--json"});
    EXPECT_THAT(json.out, HasSubstr(R"("event":"conditions","kept":false,"known":true)"));
}

TEST_F(CacheConditions, ABucketThatKeepsThemCanBePublishedTo) {
    FakeS3 fake;
    const Said said = add(fake);
    EXPECT_THAT(said.err, HasSubstr("keeps conditions: it can be published to"));
    EXPECT_THAT(said.err, Not(HasSubstr("does not keep")));
    const Said json = add(fake, {"--json"});
    EXPECT_THAT(json.out, HasSubstr(R"("event":"conditions","kept":true,"known":true)"));
}

TEST_F(CacheConditions, WhoMayNotWriteIsToldSo) {
    FakeS3 fake({}, [](const RawServer::Request& request) -> std::optional<std::string> {
        if (request.method() != "PUT") return {};
        return FakeS3::error("403 Forbidden", "AccessDenied");
    });
    const Said said = add(fake);
    EXPECT_THAT(said.err, HasSubstr("whether it can be published to from here is not known"));
    EXPECT_THAT(said.err, HasSubstr("installing from it needs no right to write"));
    const Said json = add(fake, {"--json"});
    EXPECT_THAT(json.out, HasSubstr(R"("event":"conditions","kept":false,"known":false)"));
}

}  // namespace
}  // namespace sf::cli::test
