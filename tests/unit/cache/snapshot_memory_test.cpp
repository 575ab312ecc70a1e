// SPDX-License-Identifier: Apache-2.0
// What a machine remembers of mirrors, and what its list holds them to: the first look believes no
// other repository, and what refuses a snapshot names the file to take away.
#include "cache/snapshot_memory.hpp"

#include <gmock/gmock.h>

#include "base/files.hpp"

namespace sf::cache {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t now = 1'790'000'000;
constexpr const char* list = "/etc/slurm-factory/caches.json";
const std::string mirror = "noble/slurm/25.11";
const std::string ours(32, 'a');
const std::string theirs(32, 'b');

Snapshot numbered(std::uint64_t serial, const std::string& repository = ours,
                  const std::string& of = mirror) {
    Snapshot snapshot;
    snapshot.repository = repository;
    snapshot.mirror = of;
    snapshot.serial = serial;
    snapshot.issued = now;
    snapshot.expires = now + snapshot_lifetime.count();
    return snapshot;
}

class Memory : public ::testing::Test {
protected:
    [[nodiscard]] const std::filesystem::path& folder() const { return x_folder.path(); }
    void hold(const std::string& place, const SnapshotPins& pins) const {
        const base::Status held = hold_to(folder(), place, {list, pins});
        ASSERT_TRUE(held) << held.error().text();
    }
    // "accepted", or the message and the next step.
    static std::string says(const SnapshotMemory& memory, const Snapshot& snapshot) {
        const base::Status answer = memory.accept(snapshot, to_text(snapshot).value(), now);
        if (answer) return "accepted";
        EXPECT_EQ(answer.error().code, base::Code::refused);
        return answer.error().text() + "\nnext: " + answer.error().hint;
    }
    [[nodiscard]] std::string says(const std::string& place, const Snapshot& snapshot) const {
        return says(SnapshotMemory(folder(), place), snapshot);
    }

private:
    base::TempDir x_folder = base::TempDir::create("/tmp", "sft-").value();
};

TEST_F(Memory, TheFirstLookBelievesWhatTheListSays) {
    const std::string there = "/srv/cache/" + mirror;
    hold("/srv/cache", {{mirror, {ours, 7}}});
    EXPECT_THAT(says(there, numbered(9, theirs)),
                AllOf(HasSubstr("another cache: " + theirs + ", not " + ours), HasSubstr(list),
                      HasSubstr("--repository " + mirror + "=ID")));
    EXPECT_THAT(says(there, numbered(6)),
                AllOf(HasSubstr("number 6"), HasSubstr("none below 7"), HasSubstr(list)));
    // Neither was remembered.
    EXPECT_EQ(says(there, numbered(7)), "accepted");
    EXPECT_EQ(says(there, numbered(8)), "accepted");
    EXPECT_THAT(says(there, numbered(7)), HasSubstr("number 8 was seen before"));
    // Nobody vouches for it: that is no way around.
    const Snapshot foreign = numbered(9, theirs);
    EXPECT_FALSE(
        SnapshotMemory(folder(), there).check(foreign, to_text(foreign).value(), now).has_value());
}

TEST_F(Memory, WhatTheListSaysIsSaidOfOneMirrorOfOnePlace) {
    hold("/srv/cache", {{mirror, {ours, 1}}});
    EXPECT_EQ(says("/srv/other/" + mirror, numbered(1, theirs)), "accepted");
    const std::string deps = "noble/slurm/deps";
    EXPECT_EQ(says("/srv/cache/" + deps, numbered(1, theirs, deps)), "accepted");
    hold("https://host/", {{mirror, {ours, 1}}});
    EXPECT_THAT(says("https://host/" + mirror, numbered(1, theirs)), HasSubstr("another cache"));
    // A file is remembered by its cache, and held by where it lies.
    hold("/srv/slurm.tar", {{mirror, {ours, 1}}});
    const std::string known_as = "offline:" + theirs + '/' + mirror;
    EXPECT_THAT(
        says(SnapshotMemory(folder(), known_as, "/srv/slurm.tar/" + mirror), numbered(1, theirs)),
        HasSubstr("another cache"));
    EXPECT_EQ(
        says(SnapshotMemory(folder(), known_as, "/srv/new.tar/" + mirror), numbered(1, theirs)),
        "accepted");
}

TEST_F(Memory, WhatTheListSaysNowCounts) {
    const std::string there = "/srv/cache/" + mirror;
    hold("/srv/cache", {{mirror, {ours, 1}}});
    EXPECT_THAT(says(there, numbered(1, theirs)), HasSubstr("another cache"));
    hold("/srv/cache", {{mirror, {theirs, 1}}});
    EXPECT_EQ(says(there, numbered(1, theirs)), "accepted");
    hold("/srv/cache", {{mirror, {theirs, 3}}});
    EXPECT_THAT(says(there, numbered(2, theirs)), HasSubstr("none below 3"));
    hold("/srv/cache", {});
    EXPECT_EQ(says(there, numbered(2, theirs)), "accepted");
    hold("/srv/cache", {});  // there is nothing to take away, and that is no error

    // What is damaged lets nobody by, and the next look at the list mends it.
    hold("/srv/cache", {{mirror, {theirs, 1}}});
    const std::vector<std::string> names = base::list_dir(folder()).value();
    for (const std::string& name : names)
        if (name.ends_with(".pins.json")) {
            ASSERT_TRUE(base::write_file(folder() / name, "{}"));
        }
    const Snapshot third = numbered(3, theirs);
    const base::Status damaged =
        SnapshotMemory(folder(), there).accept(third, to_text(third).value(), now);
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().code, base::Code::corrupt);
    hold("/srv/cache", {{mirror, {theirs, 1}}});
    EXPECT_EQ(says(there, third), "accepted");
}

TEST_F(Memory, NamesTheFileToTakeAwayWhereACacheWasMadeAnew) {
    const std::string there = "/srv/cache/" + mirror;
    EXPECT_EQ(says(there, numbered(7)), "accepted");
    Snapshot forked = numbered(7);
    forked.expires += 1;
    Snapshot early = numbered(8);
    early.issued += 601;
    EXPECT_THAT(says(there, early), AllOf(HasSubstr("in the future"),
                                          Not(HasSubstr("remembered in")), Not(HasSubstr("anew"))));
    const SnapshotMemory memory(folder(), there);
    const base::Status gone = memory.check_none_seen();
    ASSERT_FALSE(gone);
    const std::string hint = gone.error().hint;
    for (const Snapshot& snapshot : {numbered(6), numbered(8, theirs), forked}) {
        const std::string said = says(there, snapshot);
        EXPECT_THAT(said, HasSubstr("remembered in " + folder().native()));
        EXPECT_EQ(said.substr(said.rfind("remove ")), hint.substr(hint.rfind("remove ")));
    }
    // As it says.
    const std::filesystem::path file = hint.substr(hint.rfind("remove ") + 7);
    ASSERT_TRUE(base::exists(file)) << hint;
    ASSERT_TRUE(base::remove_file(file));
    EXPECT_EQ(says(there, numbered(1, theirs)), "accepted");
}

}  // namespace
}  // namespace sf::cache
