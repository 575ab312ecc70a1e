// SPDX-License-Identifier: Apache-2.0
// HMAC-SHA-256 against the cases of RFC 4231.
#include "base/hmac.hpp"

#include <gtest/gtest.h>

namespace sf::base {
namespace {

TEST(Hmac, IsThatOfRfc4231) {
    EXPECT_EQ(to_hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(to_hex(hmac_sha256(std::string(20, '\xaa'), std::string(50, '\xdd'))),
              "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    // A key that is longer than a block of the hash.
    EXPECT_EQ(to_hex(hmac_sha256(std::string(131, '\xaa'),
                                 "Test Using Larger Than Block-Size Key - Hash Key First")),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hmac, BytesAreTwoDigitsEach) { EXPECT_EQ(to_hex(std::string("\x00\x0f\xff", 3)), "000fff"); }

}  // namespace
}  // namespace sf::base
