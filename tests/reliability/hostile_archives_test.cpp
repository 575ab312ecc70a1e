// SPDX-License-Identifier: Apache-2.0
// C1 of the threat model: archives that somebody trusted may have signed and that are hostile all
// the same, each in a process of its own, as root and as an ordinary user, packages by the way that
// an installation goes. Each is refused in one line with its rule; nothing changes outside, what
// was begun is gone, and it cost little.
#include "unit/pack/hostile_archives.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <unistd.h>

#include "base/text.hpp"
#include "cache/layout.hpp"
#include "reliability/hostile_package.hpp"
#include "reliability/soundness.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;

constexpr double most_seconds = 2;
constexpr std::uint64_t most_memory = std::uint64_t{256} << 20U;
constexpr std::uint64_t small_change = 64 << 10;  // of what is written: the message

constexpr uid_t nobody = 65534;

class HostileFiles : public ::testing::Test {
protected:
    HostileFiles() : x_room(base::TempDir::create(room_in_memory(), "sfr-").value()) {
        fs::create_directories(x_room.path() / "home/canary/bin");
    }
    [[nodiscard]] fs::path home() const { return x_room.path() / "home"; }

    // What `who` could change as well as the archive that they unpack.
    void give_to(uid_t who) {
        ASSERT_EQ(::chmod(x_room.path().c_str(), 0755), 0);
        for (const char* folder : {"home", "home/canary", "home/canary/bin"})
            ASSERT_EQ(::chown((x_room.path() / folder).c_str(), who, who), 0);
        x_identity = base::Identity{who, who};
        // Somebody else may not look into the folder of this build.
        x_program_room = base::TempDir::create(room_for_tests(), "sfr-").value();
        ASSERT_EQ(::chmod(x_program_room->path().c_str(), 0755), 0);
        const fs::path copy = x_program_room->path() / "unpack_one";
        fs::copy_file(x_program, copy);
        x_program = copy;
    }

    void unpack_all(const std::string& id) {
        const std::string top = hostile_package().store_name();
        const std::vector<HostileArchive> all = hostile_archives(top);
        // These are always among them.
        const std::uint64_t first = hostile_streams(top).size();
        ASSERT_GE(all.size(), 1000U);
        const std::uint64_t count = std::min<std::uint64_t>(rounds(160, all.size()), all.size());
        static_cast<void>(
            begin_suite(id, fmt::format("{} archives of {}", count, all.size()), x_room.path()));
        const Canary canary(home() / "canary");
        for (std::uint64_t i = 0; i < count && !HasFailure(); ++i) {
            const std::uint64_t rest = (i - std::min(i, first)) * (all.size() - first);
            const HostileArchive& each = all[i < first ? i : first + rest / (count - first)];
            SCOPED_TRACE(each.title);
            unpack(each, canary);
        }
        say(id, fmt::format("{} refused, each with its rule; nothing outside; at most {:.2f} s, {} "
                            "of memory, {} written",
                            x_refused, x_seconds, base::human_bytes(x_memory),
                            base::human_bytes(x_written)));
    }

private:
    // All but the prefix.
    [[nodiscard]] Tree outside() const {
        Tree tree = tree_of(home());
        std::erase_if(tree, [](const auto& each) {
            return each.first == "prefix" || each.first.starts_with("prefix/");
        });
        return tree;
    }

    void unpack(const HostileArchive& archive, const Canary& canary) {
        const std::string bytes = archive.bytes();
        const base::Digest digest = base::sha256(bytes);
        const fs::path file = home() / "cache" / cache::key_of(cache::BlobName{digest}).value();
        fs::create_directories(file.parent_path());
        ASSERT_TRUE(base::write_file(file, bytes));
        const Tree before = outside();
        base::Command command;
        command.argv = {x_program.native(), archive.source ? "source" : "package", home().native(),
                        archive.name,       std::to_string(archive.size),          digest.hex()};
        command.identity = x_identity;
        command.deadline = std::chrono::seconds(60);
        const base::Finished done = base::run(command).value();
        ASSERT_FALSE(done.timed_out);
        EXPECT_EQ(done.exit.code, 1) << done.exit.text() << ": " << done.out << done.err;
        EXPECT_EQ(done.err, "");

        EXPECT_TRUE(outside() == before) << "something changed outside";
        canary.check();
        for (const char* evil : {"/tmp/evil", "/evil"}) EXPECT_FALSE(base::exists(evil)) << evil;
        if (!archive.source) check_cleared();
        check_said(archive, done.out, bytes.size());
        fs::remove_all(home() / "prefix");
        fs::remove(file);
        ++x_refused;
    }

    // Nothing was put in place, and of what was begun nothing is left.
    void check_cleared() const {
        std::vector<std::string> left;
        for (const auto& [path, what] : tree_of(home() / "prefix")) left.push_back(path);
        EXPECT_THAT(left, ::testing::ElementsAre(".sf-stage", ".sf-stage/lock"));
    }

    void check_said(const HostileArchive& archive, const std::string& out, std::uint64_t size) {
        // One line for the verdict, one for what it cost.
        const std::vector<std::string> lines = base::split(out, '\n');
        ASSERT_EQ(lines.size(), 3U) << out;
        const std::string expected = archive.name + ": " + archive.message;
        const std::size_t at = lines[0].find(expected);
        ASSERT_NE(at, std::string::npos) << lines[0] << "\nlacks\n" << expected;
        if (!archive.begins) {
            EXPECT_EQ(lines[0].substr(at), expected);
        }
        double seconds = 0;
        unsigned long long memory = 0, written = 0;
        ASSERT_EQ(std::sscanf(lines[1].c_str(), "%lf %llu %llu", &seconds, &memory, &written), 3)
            << lines[1];
        EXPECT_LE(seconds, most_seconds);
        EXPECT_LE(memory, most_memory);
        // The archive itself, when it is fetched, and what it may unpack to.
        EXPECT_LE(written, (archive.source ? 0 : size) + archive.size + small_change);
        x_seconds = std::max(x_seconds, seconds);
        x_memory = std::max<std::uint64_t>(x_memory, memory);
        x_written = std::max<std::uint64_t>(x_written, written);
    }

    base::TempDir x_room;
    std::optional<base::TempDir> x_program_room;
    fs::path x_program = SF_UNPACK_ONE;
    std::optional<base::Identity> x_identity;
    std::uint64_t x_refused = 0;
    double x_seconds = 0;
    std::uint64_t x_memory = 0;
    std::uint64_t x_written = 0;
};

TEST_F(HostileFiles, C1Refused) { unpack_all("C1"); }

// Whoever runs the tests as one has tried that already.
TEST_F(HostileFiles, C1RefusedToAnOrdinaryUser) {
    if (::geteuid() != 0) SF_NOT_RUN("only root can start a process of another uid");
    ASSERT_NO_FATAL_FAILURE(give_to(nobody));
    unpack_all("C1 as a user");
}

}  // namespace
}  // namespace sf::test
