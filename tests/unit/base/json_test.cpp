// SPDX-License-Identifier: Apache-2.0
#include "base/json.hpp"

#include <gtest/gtest.h>

#include "base/stop.hpp"
#include "base/task_pool.hpp"

namespace sf::base {
namespace {

TEST(Json, IsStrict) {
    EXPECT_TRUE(parse_json(R"({"a":[1,{"b":null}]})"));
    EXPECT_NE(parse_json(R"({"a":1,"a":2})").error().text().find("\"a\" stands twice"),
              std::string::npos);
    EXPECT_TRUE(parse_json(R"({"a":{"x":1},"b":{"x":2}})")) << "keys repeat in different objects";
    EXPECT_FALSE(parse_json(R"({"a":1} x)"));
    EXPECT_FALSE(parse_json(R"({"a":1)"));
    EXPECT_FALSE(parse_json(""));
    EXPECT_FALSE(parse_json("\"\xff\""));
    EXPECT_FALSE(parse_json("[NaN]"));
    EXPECT_FALSE(parse_json("// comment\n1"));
}

TEST(Json, DepthIsBounded) {
    EXPECT_TRUE(parse_json("[[[[1]]]]", 8));
    EXPECT_FALSE(parse_json(std::string(100, '[') + std::string(100, ']'), 64));
    EXPECT_FALSE(parse_json(std::string(1'000'000, '[')));
}

TEST(Json, ReadsEveryKindOfValue) {
    const std::string text =
        R"({"a":[],"b":{},"c":[null,true,false,-1,18446744073709551615,1.5,"x",[[1],{"d":{"e":2}}]]})";
    EXPECT_EQ(*canonical_json(*parse_json(text)), text);
    for (const char* scalar : {"null", "true", "-7", "7", "\"x\"", "[]", "{}"})
        EXPECT_EQ(*canonical_json(*parse_json(scalar)), scalar);
    for (const char* bad :
         {"[1,]", "{\"a\"}", "[1e999]", "01", "'a'", "[1 2]", "{\"a\":1,}", "nul"})
        EXPECT_FALSE(parse_json(bad)) << bad;
    EXPECT_TRUE(parse_json("[[1]]", 2));
    EXPECT_FALSE(parse_json("[[1]]", 1));
    EXPECT_TRUE(parse_json("[[]]", 1));
    EXPECT_FALSE(parse_json(R"({"a":{"b":1}})", 1));
}

// Twice as much takes twice as long: with anything worse this runs into the time limit of tests.
TEST(Json, ManyObjectsTakeNoLongerThanTheyAre) {
    std::string list = "[";
    std::string object = "{";
    for (int i = 0; i < 200'000; ++i) {
        list += "{},";
        object += fmt::format("\"{}\":{{}},", i);
    }
    EXPECT_EQ(parse_json(list + "1]")->size(), 200'001U);
    EXPECT_EQ(parse_json(object + "\"x\":[]}")->size(), 200'001U);
}

TEST(Json, CanonicalFormHasSortedKeysAndNoSpace) {
    EXPECT_EQ(*canonical_json(*parse_json(R"( { "b" : 1 , "a" : [ "ü" ] } )")),
              R"({"a":["ü"],"b":1})");
    EXPECT_FALSE(canonical_json(Json("\xff")));
}

TEST(TaskPool, ReportsEveryFailure) {
    const std::vector<Task> tasks{[] { return Status(fail(Code::failed, "one")); },
                                  [] { return Status(); },
                                  [] { return Status(fail(Code::failed, "two")); }};
    const Status status = run_batch(tasks, 2);
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().text().find("one"), std::string::npos);
    EXPECT_NE(status.error().text().find("two"), std::string::npos);
    EXPECT_TRUE(run_batch({}, 4));
}

TEST(TaskPool, StartsNothingAfterAStop) {
    request_stop(15);
    bool ran = false;
    const Status status = run_batch({[&] {
                                        ran = true;
                                        return Status();
                                    }},
                                    2);
    clear_stop();
    EXPECT_FALSE(ran);
    EXPECT_EQ(status.error().code, Code::interrupted);
}

}  // namespace
}  // namespace sf::base
