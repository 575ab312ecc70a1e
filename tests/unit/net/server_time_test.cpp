// SPDX-License-Identifier: Apache-2.0
// The two forms of time that servers send, and what is neither.
#include "net/server_time.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace sf::net {
namespace {

TEST(ServerTime, ReadsHttpDates) {
    EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
    EXPECT_EQ(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    EXPECT_EQ(parse_http_date("Tue, 29 Feb 2028 23:59:60 GMT"), 1835481600);
}

TEST(ServerTime, ReadsTimesOfLists) {
    EXPECT_EQ(parse_iso_time("2009-10-12T17:50:30.000Z"), 1255369830);
    EXPECT_EQ(parse_iso_time("2009-10-12T17:50:30Z"), 1255369830);
    EXPECT_EQ(parse_iso_time("2009-10-12T17:50:30.123456789Z"), 1255369830);
}

TEST(ServerTime, ReadsNothingElse) {
    for (const char* text : {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                             "Sun, 06 Now 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
                             "Sun, -6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT "})
        EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
    for (const char* text :
         {"", "Z", "2009-10-12T17:50:30", "2009-10-12 17:50:30Z", "2009-13-12T17:50:30Z",
          "2009-10-12T17:60:30Z", "2009-10-12T17:50:30+00:00", "2009-10-12T17:50:30.x00Z",
          "2009-10-12T17:50:30.00000000000000000000Z", "2009-10-32T17:50:30.000Z"})
        EXPECT_EQ(parse_iso_time(text), std::nullopt) << text;
}

}  // namespace
}  // namespace sf::net
