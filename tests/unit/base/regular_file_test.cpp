// SPDX-License-Identifier: Apache-2.0
#include "base/regular_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace sf::base {
namespace {

TEST(RegularFile, NobodyWaitsForWhatIsNone) {
    const TempDir folder = *TempDir::create(fs::temp_directory_path(), "sf-regular-");
    const fs::path fifo = folder.path() / "fifo";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_EQ(read_regular_file(fifo).error().code, Code::refused);
    EXPECT_EQ(read_regular_file(folder.path()).error().code, Code::refused);
    EXPECT_EQ(*read_regular_file(folder.path() / "absent"), std::nullopt);
    const fs::path file = folder.path() / "file";
    ASSERT_TRUE(write_file(file, "text"));
    EXPECT_EQ(**read_regular_file(file), "text");
    EXPECT_EQ(read_regular_file(file, 3).error().code, Code::corrupt);
}

}  // namespace
}  // namespace sf::base
