// SPDX-License-Identifier: Apache-2.0
// What this machine remembers of what it has published: it holds as long as nobody has changed the
// mirrors, the same is asked for, no snapshot wants to be signed afresh, and what is there is to be
// believed. Real signatures.
#include "publish/receipt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/mirrors.hpp"

namespace sf::publish {
namespace {

namespace fs = std::filesystem;
using base::Code;
using test::deps_folder;
using test::main_folder;

class Remembering : public ::testing::Test {
protected:
    Remembering() {
        x_left.request = base::sha256("all");
        for (const char* mirror : {deps_folder, main_folder}) push(mirror);
        EXPECT_GT(x_left.renew, x_all.now);
    }
    // As build-slurm does it, with what it remembers.
    void push(const std::string& mirror) {
        cache::FileBackend backend(x_all.at("cache") / mirror);
        auto request = x_all.request(mirror, x_all.anna);
        request.memory = memory();
        const auto pushed = ::sf::publish::push(backend, request, x_all.quiet);
        ASSERT_TRUE(pushed) << pushed.error().text();
        EXPECT_EQ(pushed->mirror, mirror);
        x_left.snapshots[mirror] = pushed->snapshot;
        x_left.renew = pushed->renew;
    }
    [[nodiscard]] fs::path memory() const { return x_all.at("memory"); }
    [[nodiscard]] fs::path snapshot() const {
        return x_all.at("cache") / main_folder / "_sf/snapshot.json";
    }
    Receipts receipts() { return {memory(), x_place, {deps_folder, main_folder}}; }
    base::Result<bool> ask(const char* request, std::int64_t now, const trust::Verifier& verifier) {
        const auto left = receipts().find(base::sha256(request), now);
        if (!left) return false;
        return receipts().holds(*left, verifier, now);
    }
    bool holds(const char* request = "all") {
        const auto answer = ask(request, x_all.now, *x_all.anna.verifier);
        EXPECT_TRUE(answer) << answer.error().text();
        return answer.value_or(false);
    }
    // The one file with a receipt.
    fs::path file() {
        const std::vector<std::string> names = base::list_dir(memory()).value();
        for (const std::string& name : names)
            if (name.starts_with("published-")) return memory() / name;
        ADD_FAILURE() << "nothing is remembered";
        return {};
    }

    test::Mirrors x_all;
    cache::FileBackend x_place{x_all.at("cache")};
    Receipt x_left;
};

TEST_F(Remembering, TheSameAsItWasLeft) {
    EXPECT_FALSE(holds());  // nothing is remembered
    ASSERT_TRUE(receipts().keep(x_left));
    EXPECT_TRUE(holds());
    EXPECT_FALSE(holds("all, and more"));
    // Of other mirrors of the same place nothing is known.
    const Receipts others(memory(), x_place, {main_folder});
    EXPECT_FALSE(others.find(x_left.request, x_all.now));
    // To push the same again changes nothing.
    for (const char* mirror : {deps_folder, main_folder}) push(mirror);
    EXPECT_TRUE(holds());
}

TEST_F(Remembering, NotWhatSomebodyChanged) {
    ASSERT_TRUE(receipts().keep(x_left));
    x_all.built = test::make_slurm(x_all.at("others"), "25.11.3", "2");
    const auto pushed = x_all.push(x_all.at("cache"), main_folder);
    ASSERT_TRUE(pushed) << pushed.error().text();
    EXPECT_FALSE(holds());
}

TEST_F(Remembering, NotWhatIsToBeSignedAfresh) {
    ASSERT_TRUE(receipts().keep(x_left));
    EXPECT_TRUE(receipts().find(x_left.request, x_left.renew - 1));
    EXPECT_FALSE(receipts().find(x_left.request, x_left.renew));
}

TEST_F(Remembering, NotWhatIsNotToBeBelieved) {
    ASSERT_TRUE(receipts().keep(x_left));
    // Signed by somebody whom nobody believes any more.
    const test::Publisher ben(x_all.at("home of ben"), "ben");
    const auto strange = ask("all", x_all.now, *ben.verifier);
    ASSERT_FALSE(strange);
    EXPECT_EQ(strange.error().code, Code::refused);
    // This machine has seen a newer one, and the place is as it was before that.
    const std::string before = base::read_file(snapshot()).value();
    IndexAuthority authority;
    authority.signer = &*x_all.anna.signer;
    authority.verifier = &*x_all.anna.verifier;
    authority.public_key = x_all.anna.public_key;
    authority.primary = x_all.anna.primary();
    authority.mirror = main_folder;
    authority.memory = memory();
    authority.now = x_all.now;
    cache::SubBackend mirror(x_place, main_folder);
    ASSERT_TRUE(MirrorIndex(mirror, authority, x_all.quiet).refresh(true));
    EXPECT_FALSE(holds());
    ASSERT_TRUE(base::write_file(snapshot(), before));
    const auto back = ask("all", x_all.now, *x_all.anna.verifier);
    ASSERT_FALSE(back);
    EXPECT_EQ(back.error().code, Code::refused);
    EXPECT_THAT(back.error().text(), ::testing::HasSubstr("gone back"));
}

TEST_F(Remembering, AMirrorThatWasNotLeftIsNotHeld) {
    x_left.snapshots.erase(deps_folder);
    ASSERT_TRUE(receipts().keep(x_left));
    EXPECT_FALSE(holds());
}

TEST_F(Remembering, WhatCannotBeReadIsNotHeld) {
    ASSERT_TRUE(receipts().keep(x_left));
    const std::string text = base::read_file(file()).value();
    // All but the number of a second.
    const std::size_t after = text.find("request");
    ASSERT_NE(after, std::string::npos);
    for (std::size_t i = after; i < text.size(); i += 5) {
        std::string other = text;
        other[i] ^= 1;
        ASSERT_TRUE(base::write_file(file(), other));
        EXPECT_FALSE(holds()) << other;
    }
    ASSERT_TRUE(base::write_file(file(), text.substr(0, text.size() / 2)));
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
