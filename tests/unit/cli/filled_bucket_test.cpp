// SPDX-License-Identifier: Apache-2.0
// A bucket that keeps no conditions, into which another tool has copied a cache: it is read, but
// nothing that is replaced there is written, as another publisher's would be written over.
#include <gmock/gmock.h>

#include <map>
#include <memory>

#include "bucket_command_line.hpp"
#include "cache/s3_backend.hpp"

namespace sf::cli::test {
namespace {

namespace fs = std::filesystem;
using sf::test::FakeS3;
using sf::test::Mirrors;
using testing::HasSubstr;

class FilledBucket : public BucketCommandLine {
protected:
    FilledBucket() {
        trust(x_all.anna, "anna");
        x_all.publish_all();
        x_all.built = sf::test::make_slurm(x_all.at("packages"), "25.11.3", "2");
        x_folder = x_all.publish_all();
    }
    void fill(const FakeS3& fake) {
        use(fake);
        net::S3Options options;
        options.endpoint = fake.endpoint();
        x_bucket = cache::S3Backend::create({"bucket", "cache"}, options,
                                            std::make_shared<sf::test::FixedKeys>(FakeS3::keys()))
                       .value();
        for (const std::string& key : Mirrors::keys(x_folder)) {
            const std::string bytes = base::read_file(x_folder / key).value();
            const auto put = cache::put_text(*x_bucket, key, bytes, "application/octet-stream");
            ASSERT_TRUE(put) << put.error().text();
        }
    }
    static std::map<std::string, std::string> content(FakeS3& fake) {
        std::map<std::string, std::string> found;
        for (const auto& [key, object] : fake.objects()) found[key] = object.bytes;
        return found;
    }

    Mirrors x_all{state() / "keys/gnupg"};  // whose signer is this machine's
    fs::path x_folder;
    const std::string x_place = "s3://bucket/cache";
    std::unique_ptr<cache::S3Backend> x_bucket;  // by another tool, so to speak
    const std::string x_index = cache::key_of(cache::FixedName::index_manifest).value();
};

TEST_F(FilledBucket, IsNotWrittenToWhereItKeepsNoConditions) {
    for (const sf::test::FakeS3Flaws& flaws : {sf::test::FakeS3Flaws{.no_conditions = true},
                                               sf::test::FakeS3Flaws{.no_if_match = true}}) {
        FakeS3 fake(flaws);
        fill(fake);
        const auto before = content(fake);
        EXPECT_EQ(run_here({"cache", "verify", x_place}).code, 0);
        for (const std::vector<std::string>& words :
             std::vector<std::vector<std::string>>{{"cache", "refresh", x_place, "--force"},
                                                   {"cache", "index", x_place},
                                                   {"cache", "prune", x_place, "--keep", "1"}}) {
            const Said said = run_here(words);
            EXPECT_EQ(said.code, 1) << words[1] << said.out;
            EXPECT_THAT(said.err, HasSubstr("does not keep conditions: it writes over what another "
                                            "publisher wrote"))
                << words[1];
            EXPECT_THAT(said.err, HasSubstr("If-None-Match and If-Match")) << words[1];
            EXPECT_EQ(said.out, "") << words[1] << " has begun before it asked";
            EXPECT_TRUE(content(fake) == before) << words[1] << " has written";
        }
        // Nothing is retired for it.
        EXPECT_EQ(run_here({"cache", "prune", x_place}).code, 0);
    }
}

TEST_F(FilledBucket, IsWrittenToWhereItKeepsThem) {
    FakeS3 fake;
    fill(fake);
    const auto does = [&](const std::vector<std::string>& words, const std::string& what) {
        const auto before = content(fake);
        const Said said = run_here(words);
        EXPECT_EQ(said.code, 0) << words[1] << said.err;
        EXPECT_THAT(said.out, HasSubstr(what));
        EXPECT_FALSE(content(fake) == before) << words[1];
    };
    does({"cache", "refresh", x_place, "--force"}, "slurm/25.11: snapshot 3");
    does({"cache", "prune", x_place, "--keep", "1"}, "retired slurm 25.11.2");
    const auto removed = x_bucket->remove("bookworm/slurm/25.11/" + x_index);
    ASSERT_TRUE(removed) << removed.error().text();
    does({"cache", "index", x_place}, "was made anew");
    EXPECT_EQ(run_here({"cache", "verify", x_place, "--deep"}).code, 0);
}

TEST_F(FilledBucket, GetsNoListOfRevocationsWhereItKeepsNoConditions) {
    const std::string file = (folder() / "revocations.json").string();
    const std::string root = sf::test::Publisher(state() / "keys/gnupg", "root").primary();
    const std::vector<std::string> words{"key", "revocations",  file,   "--signing-key",
                                         root,  "--publish-to", x_place};
    {
        FakeS3 fake({.no_conditions = true});
        use(fake);
        const Said said = run_here(words);
        EXPECT_EQ(said.code, 1) << said.out;
        EXPECT_THAT(said.err, HasSubstr("s3://bucket/cache does not keep conditions"));
        EXPECT_TRUE(fake.objects().empty());
        EXPECT_TRUE(base::exists(file)) << "it is signed, and can go elsewhere";
    }
    FakeS3 fake;
    use(fake);
    const Said said = run_here(words);
    EXPECT_EQ(said.code, 0) << said.err;
    EXPECT_THAT(said.out, HasSubstr("s3://bucket/cache has it now"));
}

// Before a root signs for it.
TEST_F(FilledBucket, AWebServerGetsNoListOfRevocations) {
    const std::string file = (folder() / "revocations.json").string();
    const Said said = run_here({"key", "revocations", file, "--signing-key", x_all.anna.primary(),
                                "--publish-to", "http://127.0.0.1:9/"});
    EXPECT_EQ(said.code, 2) << said.out;
    EXPECT_THAT(said.err, HasSubstr("can only be read"));
    EXPECT_FALSE(base::exists(file));
}

}  // namespace
}  // namespace sf::cli::test
