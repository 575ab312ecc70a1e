// SPDX-License-Identifier: Apache-2.0
#include "base/digest.hpp"

#include <gtest/gtest.h>

namespace sf::base {
namespace {

// FIPS 180-4 example values.
constexpr const char* of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* of_nothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(Sha256, AgreesWithTheStandard) {
    EXPECT_EQ(sha256("abc").hex(), of_abc);
    EXPECT_EQ(sha256("").hex(), of_nothing);
    Sha256 in_pieces;
    in_pieces.update("a");
    in_pieces.update("bc");
    EXPECT_EQ(in_pieces.finish().hex(), of_abc);
    EXPECT_EQ(in_pieces.finish().hex(), of_nothing) << "finish() starts afresh";
}

TEST(Digest, ReadsOnlyItsOwnForm) {
    EXPECT_EQ(Digest::parse(of_abc)->hex(), of_abc);
    std::string upper = of_abc;
    upper[0] = 'B';
    EXPECT_FALSE(Digest::parse(upper));
    EXPECT_FALSE(Digest::parse(std::string(of_abc) + "0"));
    EXPECT_FALSE(Digest::parse(std::string(of_abc).substr(1)));
    EXPECT_FALSE(Digest::parse(""));
    EXPECT_FALSE(Digest::parse("../" + std::string(of_abc).substr(3)));
}

TEST(Digest, Base32IsThatOfRfc4648) {
    // Of "abc"; computed with coreutils: printf … | xxd -r -p | base32 | tr -d = | tr A-Z a-z
    EXPECT_EQ(sha256("abc").base32(), "xj4bnp4pahh6uqkbidpf3lrceoyagyndsylxvhfucd7wd4qacwwq");
}

}  // namespace
}  // namespace sf::base
