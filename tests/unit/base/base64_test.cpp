// SPDX-License-Identifier: Apache-2.0
#include "base/base64.hpp"

#include <gtest/gtest.h>

namespace sf::base {
namespace {

TEST(Base64, TheVectorsOfItsStandard) {  // RFC 4648, section 10
    for (const auto& [bytes, text] : {std::pair<std::string, std::string>{"", ""},
                                      {"f", "Zg=="},
                                      {"fo", "Zm8="},
                                      {"foo", "Zm9v"},
                                      {"foob", "Zm9vYg=="},
                                      {"fooba", "Zm9vYmE="},
                                      {"foobar", "Zm9vYmFy"}}) {
        EXPECT_EQ(base64(bytes), text);
        EXPECT_EQ(from_base64(text).value(), bytes);
    }
}

TEST(Base64, EveryByteComesBack) {
    std::string bytes;
    for (int i = 0; i < 700; ++i) {
        bytes.push_back(static_cast<char>(i * 7));
        EXPECT_EQ(from_base64(base64(bytes)).value(), bytes);
    }
}

// Bits that are not used, padding too much or too little, white space, another alphabet.
TEST(Base64, NoOtherTextIsRead) {
    for (const char* text : {"Zh==", "Zg=", "Zg", "Zg===", "Zm9v\n", " Zm9v", "Zm9v====", "Zm-_",
                             "Zm9=v", "=", "Z", "Zm9vZ"})
        EXPECT_FALSE(from_base64(text)) << text;
}

}  // namespace
}  // namespace sf::base
