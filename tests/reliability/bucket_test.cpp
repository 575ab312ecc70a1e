// SPDX-License-Identifier: Apache-2.0
// F2 of the threat model, in a bucket: whole publications into one place of an S3 server, many at
// once, some of the publishers killed on the way, while the server sends some writers away, as
// AWS's does where two write at once. Nothing that was published is lost, in the signed index nor
// in Spack's. Of a server that keeps no conditions, or one kind of them, nothing is used. The
// publishers are programs of their own (small_publisher), each with a home of its own; who looks,
// and installs, is the real program. The server is the tests' own; e2e.cache_s3 asks Ceph's.
#include <set>

#include "reliability/publications.hpp"
#include "reliability/soundness.hpp"
#include "unit/net/fake_s3.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;

class BucketPublishers : public ::testing::Test {
protected:
    BucketPublishers() : x_site({"25.11.1"}, room_in_memory()) {}

    // Before anybody starts: who is killed while he copies keys has half of them for ever.
    void need_machines(std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
            if (base::exists(machine(i))) continue;
            const base::Status made = x_site.small().copy_keys(machine(i));
            EXPECT_TRUE(made) << made.error().text();
        }
    }
    fs::path machine(std::uint64_t number) const {
        return x_site.at("machines") / std::to_string(number);
    }
    base::Environment surroundings(const FakeS3& server) const {
        const net::S3Credentials keys = FakeS3::keys();
        return {{"PATH", "/usr/bin:/bin:/usr/sbin:/sbin"},
                {"HOME", x_site.at("home").native()},
                {"SLURM_FACTORY_CACHE_DIR", x_site.at("client").native()},
                {"AWS_ENDPOINT_URL_S3", server.endpoint()},
                {"AWS_REGION", "us-east-1"},
                {"AWS_ACCESS_KEY_ID", keys.access_key},
                {"AWS_SECRET_ACCESS_KEY", keys.secret_key},
                {"AWS_SESSION_TOKEN", keys.session_token},
                {"no_proxy", "*"}};
    }
    Running publisher(const FakeS3& server, std::uint64_t number, const std::string& version) {
        return x_site.start_program(
            {SF_SMALL_PUBLISHER, "publish", x_site.small().folder().native(),
             machine(number).native(), version, x_place},
            surroundings(server));
    }
    Said run(const FakeS3& server, const Words& words) {
        Words argv{program()};
        argv.insert(argv.end(), words.begin(), words.end());
        return x_site.start_program(std::move(argv), surroundings(server)).wait();
    }
    // By the signed index.
    void check_named(const FakeS3& server, const std::set<std::string>& published) {
        const std::set<std::string> there =
            what_is_there(run(server, ask_what_is_there(x_site, x_place)));
        for (const std::string& version : published)
            EXPECT_TRUE(there.contains(version)) << version << " is lost";
    }
    // Another place each time: what is remembered of a cache is remembered by its place.
    void next_place() { x_place = fmt::format("s3://bucket/place-{}", ++x_places); }

    // Every so many writers under a condition are sent away, for now.
    static std::optional<std::string> send_away(const RawServer::Request& request) {
        constexpr int each = 7;
        const bool conditional =
            !request.field("If-None-Match").empty() || !request.field("If-Match").empty();
        if (request.method() != "PUT" || !conditional || request.number % each != 0) return {};
        // As AWS says it, or as Ceph does.
        const bool aws = request.number % (2 * each) == 0;
        return FakeS3::error("409 Conflict",
                             aws ? "ConditionalRequestConflict" : "ConcurrentModification");
    }

    void run_turn(Random& random, std::uint64_t count, double killed, double serial) {
        FakeS3 server({}, send_away);
        next_place();
        std::vector<Publication> all;
        const double spread = serial * static_cast<double>(count);
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::string version = fmt::format("25.11.{}", 100 + i);
            // The same numbers are drawn whoever is killed; one lives, or there might be nothing.
            const double when = between(random, 0.001, spread / 2);
            const bool dies = between(random, 0, 1) < killed && i != 0;
            all.push_back({version, publisher(server, i, version), dies ? when : 0});
        }
        std::set<std::string> published;
        const std::set<std::string> dead = await_all(all, published);
        check_named(server, published);
        // Who died does it again, and what it had left is in nobody's way.
        for (const std::string& version : dead) {
            const Said said = publisher(server, 0, version).wait();
            EXPECT_EQ(said.code, 0) << version << ": " << said.text();
            published.insert(version);
        }
        check_named(server, published);
        const Said verified = run(server, {"cache", "verify", x_place, "--deep"});
        EXPECT_EQ(verified.code, 0) << verified.text();
        EXPECT_EQ(server.uploads(), 0U) << "uploads that were neither completed nor taken back";
        for (const std::string& version : {*published.begin(), *published.rbegin()}) {
            const fs::path prefix = x_site.at("prefix");
            const Said said = run(server, x_site.install(version, prefix, x_place));
            EXPECT_EQ(said.code, 0) << said.text();
            EXPECT_EQ(Soundness::current(prefix), version);
        }
        x_published += published.size();
        x_killed += dead.size();
        x_requests += static_cast<std::uint64_t>(server.server().requests());
    }

    Site x_site;
    std::string x_place;
    int x_places = 0;
    std::uint64_t x_published = 0, x_killed = 0, x_requests = 0;
};

TEST_F(BucketPublishers, F2AtOnce) {
    const std::uint64_t turns = rounds(1, 20);
    const std::uint64_t count = is_nightly() ? 50 : 6;
    Random random = begin_suite(
        "F2 bucket",
        fmt::format("{} publishers x {} rounds, every other round a third killed", count, turns),
        x_site.folder());
    need_machines(count);
    double serial = 0;
    {
        FakeS3 server;
        next_place();
        const Said alone = publisher(server, 0, "25.11.2").wait();
        ASSERT_EQ(alone.code, 0) << alone.text();
        serial = alone.seconds;
    }
    for (std::uint64_t turn = 0; turn < turns && !HasFailure(); ++turn) {
        SCOPED_TRACE(fmt::format("round {}", turn + 1));
        run_turn(random, count, turns == 1 || turn % 2 == 1 ? 0.33 : 0, serial);
    }
    say("F2 bucket", fmt::format("{} published, {} killed on the way and published again, none "
                                 "lost; one alone takes {:.2f} s; {} requests",
                                 x_published, x_killed, serial, x_requests));
}

TEST_F(BucketPublishers, F2WithoutConditionsNothingIsWritten) {
    const std::vector<FakeS3Flaws> servers{
        {.no_conditions = true}, {.no_if_match = true}, {.no_if_none_match = true}};
    static_cast<void>(
        begin_suite("F2 conditions", fmt::format("{} servers", servers.size()), x_site.folder()));
    need_machines(1);
    for (const FakeS3Flaws& flaws : servers) {
        FakeS3 server(flaws);
        next_place();
        const Said said = publisher(server, 0, "25.11.2").wait();
        EXPECT_EQ(said.code, 1) << said.text();
        EXPECT_THAT(said.err, ::testing::HasSubstr("does not keep conditions"));
        EXPECT_THAT(said.err, ::testing::HasSubstr("If-None-Match and If-Match"));
        EXPECT_TRUE(server.objects().empty()) << server.objects().begin()->first;
        EXPECT_EQ(server.uploads(), 0U);
    }
    say("F2 conditions", "refused, and nothing is left there");
}

}  // namespace
}  // namespace sf::test
