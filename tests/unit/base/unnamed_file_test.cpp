// SPDX-License-Identifier: Apache-2.0
#include "base/unnamed_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"

namespace sf::base {
namespace {

TEST(UnnamedFile, HoldsBytesAndLeavesNoName) {
    const TempDir folder = TempDir::create("/tmp", "sft-").value();
    const Fd file = unnamed_file(folder.path()).value();
    ASSERT_TRUE(write_all(file.get(), as_bytes("content"), "it"));
    EXPECT_THAT(list_dir(folder.path()).value(), ::testing::IsEmpty());
    std::string text(7, ' ');
    ASSERT_EQ(::pread(file.get(), text.data(), text.size(), 0), 7);
    EXPECT_EQ(text, "content");
    EXPECT_EQ(::fcntl(file.get(), F_GETFD), FD_CLOEXEC);
}

TEST(UnnamedFile, SaysWhereThereIsNoRoomForIt) {
    const auto file = unnamed_file("/nonexistent/folder");
    ASSERT_FALSE(file);
    EXPECT_THAT(file.error().text(), ::testing::HasSubstr("/nonexistent/folder"));
}

}  // namespace
}  // namespace sf::base
