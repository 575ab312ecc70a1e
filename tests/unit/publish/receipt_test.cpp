// SPDX-License-Identifier: Apache-2.0
// What this machine remembers of what it has published: it holds as long as nobody has changed the
// mirrors, the same is asked for, and no snapshot wants to be signed afresh.
#include "publish/receipt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "cache/file_backend.hpp"
#include "cache/objects.hpp"

namespace sf::publish {
namespace {

namespace fs = std::filesystem;
using base::Code;

constexpr std::int64_t now = 1'790'000'000;
constexpr const char* deps = "bookworm/slurm/deps";
constexpr const char* slurm = "bookworm/slurm/25.11";

class Remembering : public ::testing::Test {
protected:
    Remembering() {
        put(deps, "one");
        put(slurm, "two");
        x_left.request = base::sha256("all");
        x_left.snapshots = {{deps, base::sha256("one")}, {slurm, base::sha256("two")}};
        x_left.renew = now + 100;
    }
    void put(const std::string& mirror, const std::string& snapshot) {
        const fs::path file = x_folder.path() / "cache" / mirror / "_sf/snapshot.json";
        ASSERT_TRUE(base::make_dirs(file.parent_path()));
        ASSERT_TRUE(base::write_file(file, snapshot));
    }
    [[nodiscard]] fs::path memory() const { return x_folder.path() / "memory"; }
    Receipts receipts() { return {memory(), x_place, {deps, slurm}}; }
    bool holds(const char* request = "all", std::int64_t at = now) {
        const auto answer = receipts().hold(base::sha256(request), at);
        EXPECT_TRUE(answer) << answer.error().text();
        return answer.value_or(false);
    }

    base::TempDir x_folder = base::TempDir::create("/tmp", "sft-").value();
    cache::FileBackend x_place{x_folder.path() / "cache"};
    Receipt x_left;
};

TEST_F(Remembering, TheSameAsItWasLeft) {
    EXPECT_FALSE(holds());  // nothing is remembered
    ASSERT_TRUE(receipts().keep(x_left));
    EXPECT_TRUE(holds());
    EXPECT_FALSE(holds("all, and more"));
    // Of other mirrors of the same place nothing is known.
    const auto others = Receipts(memory(), x_place, {slurm}).hold(x_left.request, now);
    ASSERT_TRUE(others);
    EXPECT_FALSE(*others);
}

TEST_F(Remembering, NotWhatSomebodyChanged) {
    ASSERT_TRUE(receipts().keep(x_left));
    put(slurm, "three");
    EXPECT_FALSE(holds());
    put(slurm, "two");
    EXPECT_TRUE(holds());
    ASSERT_TRUE(base::remove_file(x_folder.path() / "cache" / deps / "_sf/snapshot.json"));
    EXPECT_FALSE(holds());
}

TEST_F(Remembering, NotWhatIsToBeSignedAfresh) {
    ASSERT_TRUE(receipts().keep(x_left));
    EXPECT_TRUE(holds("all", now + 99));
    EXPECT_FALSE(holds("all", now + 100));
}

TEST_F(Remembering, AMirrorThatWasNotLeftIsNotHeld) {
    x_left.snapshots.erase(deps);
    ASSERT_TRUE(receipts().keep(x_left));
    EXPECT_FALSE(holds());
}

TEST_F(Remembering, WhatCannotBeReadIsNotHeld) {
    ASSERT_TRUE(receipts().keep(x_left));
    const auto names = base::list_dir(memory()).value();
    ASSERT_EQ(names.size(), 1U);
    const std::string text = base::read_file(memory() / names[0]).value();
    // All but the number of a second.
    const std::size_t after = text.find("request");
    ASSERT_NE(after, std::string::npos);
    for (std::size_t i = after; i < text.size(); ++i) {
        std::string other = text;
        other[i] ^= 1;
        ASSERT_TRUE(base::write_file(memory() / names[0], other));
        EXPECT_FALSE(holds()) << other;
    }
    ASSERT_TRUE(base::write_file(memory() / names[0], text.substr(0, text.size() / 2)));
    EXPECT_FALSE(holds());
}

TEST_F(Remembering, OneTextOneForm) {
    const std::string text = to_json(x_left).value();
    EXPECT_EQ(receipt_from_json(text).value(), x_left);
    const auto spaced = receipt_from_json(' ' + text);
    ASSERT_FALSE(spaced);
    EXPECT_EQ(spaced.error().code, Code::corrupt);
}

}  // namespace
}  // namespace sf::publish
