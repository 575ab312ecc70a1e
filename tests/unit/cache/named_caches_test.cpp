// SPDX-License-Identifier: Apache-2.0
// The list of caches: read as strictly as the list of keys, kept whole, refused where others can
// write it.
#include "cache/named_caches.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/files.hpp"

namespace sf::cache {
namespace {

using ::testing::HasSubstr;

const std::string a40(40, 'A');
const std::string b40(40, 'B');
const std::string id(32, 'f');

NamedCache example(const std::string& name = "site") {
    NamedCache named;
    named.name = name;
    named.place = "https://cache.example.org/slurm";
    named.keys = {trust::Fingerprint::parse(a40).value(), trust::Fingerprint::parse(b40).value()};
    named.root = trust::Fingerprint::parse(std::string(40, 'C')).value();
    named.max_age_days = 90;
    named.mirrors = {{"noble/slurm/25.11", {id, 12}}, {"noble/slurm/deps", {id, 1}}};
    return named;
}

TEST(NamedCaches, WhatIsWrittenIsRead) {
    NamedCache plain = example("local");
    plain.place = "/srv/cache";
    plain.root.reset();
    plain.mirrors.clear();
    plain.max_age_days = 0;
    NamedCache open_one = plain;
    open_one.name = "lab";
    open_one.allow_unsigned = true;
    open_one.keys.clear();
    const std::vector<NamedCache> both{example(), plain, open_one};
    const auto text = caches_file_text(both);
    ASSERT_TRUE(text) << text.error().text();
    EXPECT_EQ(parse_caches_file(*text).value(), both);
    EXPECT_TRUE(parse_caches_file(R"({"schema":1,"caches":[]})"));
}

TEST(NamedCaches, ReaderIsStrict) {
    const std::string name = R"("name":"x",)";
    const std::string place = R"("place":"/srv/x",)";
    const std::string keys = R"("keys":[")" + a40 + R"("])";
    const auto with = [](const std::string& members) {
        return R"({"schema":1,"caches":[{)" + members + "}]}";
    };
    const auto pinned = [&](const std::string& mirrors) {
        return with(name + place + keys + R"(,"mirrors":)" + mirrors);
    };
    ASSERT_TRUE(parse_caches_file(with(name + place + keys)));
    const std::string repository = R"("repository":")" + id + '"';
    ASSERT_TRUE(parse_caches_file(
        pinned(R"({"noble/slurm/deps":{)" + repository + R"(,"serial":18446744073709551615}})")));
    for (const std::string& bad : {
             std::string(),
             std::string("[]"),
             std::string("{}"),
             std::string(R"({"schema":2,"caches":[]})"),
             std::string(R"({"schema":1,"caches":{}})"),
             std::string(R"({"schema":1,"caches":[],"more":1})"),
             std::string(R"({"schema":1,"caches":[]} x)"),
             std::string(R"({"schema":1,"schema":1,"caches":[]})"),
             std::string(R"({"schema":1,"caches":[1]})"),
             with(name + place + R"("keys":[])"),
             with(name + place + R"("keys":[],"allow_unsigned":false)"),
             with(name + place + keys + R"(,"allow_unsigned":false)"),
             with(name + place + keys + R"(,"allow_unsigned":1)"),
             with(name + place + R"("allow_unsigned":true)"),
             with(name + keys),
             with(place + keys),
             with(name + place + keys + R"(,"accept_unsigned":true)"),
             with(name + place + keys + "," + keys),
             with(name + place + R"("keys":["ABCD"])"),
             with(name + place + R"("keys":[")" + a40 + R"(",")" + a40 + R"("])"),
             with(name + place + R"("keys":")" + a40 + R"(")"),
             with(R"("name":"a/b",)" + place + keys),
             with(R"("name":"../x",)" + place + keys),
             with(R"("name":"",)" + place + keys),
             with(name + R"("place":"relative",)" + keys),
             with(name + R"("place":"",)" + keys),
             with(name + R"("place":"/srv/\u0007",)" + keys),
             with(name + place + keys + R"(,"root":")" + a40 + R"(")"),
             with(name + place + keys + R"(,"root":"x")"),
             pinned("{}"),
             pinned("[]"),
             pinned('"' + id + '"'),
             pinned(R"({"noble/slurm/deps":")" + id + R"("})"),
             pinned(R"({"noble/slurm/deps":{}})"),
             pinned(R"({"noble/slurm/deps":{"serial":1}})"),
             pinned(R"({"noble/slurm/deps":{"repository":"ff"}})"),
             pinned(R"({"noble/slurm/deps":{)" + repository + R"(,"serial":0}})"),
             pinned(R"({"noble/slurm/deps":{)" + repository + R"(,"serial":-1}})"),
             pinned(R"({"noble/slurm/deps":{)" + repository + R"(,"serials":1}})"),
             pinned(R"({"noble/slurm/deps":{)" + repository + R"(,"serial":[[1]]}})"),
             pinned(R"({"noble/slurm":{)" + repository + "}}"),
             pinned(R"({"noble/slurm/25.11.2":{)" + repository + "}}"),
             pinned(R"({"../slurm/deps":{)" + repository + "}}"),
             with(name + place + keys + R"(,"max_age_days":0)"),
             with(name + place + keys + R"(,"max_age_days":-1)"),
             with(name + place + keys + R"(,"max_age_days":3651)"),
             with(name + place + keys + R"(,"max_age_days":4294967297)"),
             R"({"schema":1,"caches":[{)" + name + place + keys + "},{" + name + place + keys +
                 "}]}",
         })
        EXPECT_FALSE(parse_caches_file(bad)) << bad;
}

TEST(NamedCaches, KeptInAFileOfOurOwn) {
    const auto folder = base::TempDir::create("/tmp", "sft-").value();
    const std::filesystem::path file = folder.path() / "trust/caches.json";
    auto list = NamedCaches::open(file).value();
    EXPECT_TRUE(list.all().empty());
    EXPECT_TRUE(list.put(example("one")).value());
    EXPECT_TRUE(list.put(example("two")).value());
    EXPECT_FALSE(list.put(example("one")).value());
    NamedCache changed = example("one");
    changed.max_age_days = 7;
    EXPECT_TRUE(list.put(changed).value());
    const auto again = NamedCaches::open(file).value();
    ASSERT_EQ(again.all().size(), 2U);
    EXPECT_EQ(again.all().front(), changed);  // in its old place
    ASSERT_NE(again.find("two"), nullptr);
    EXPECT_EQ(again.find("three"), nullptr);
    EXPECT_TRUE(list.remove("one").value());
    EXPECT_FALSE(list.remove("one").value());
    EXPECT_FALSE(list.put(NamedCache{}));  // nothing that could not be read again is written
    EXPECT_EQ(NamedCaches::open(file).value().all().size(), 1U);

    ASSERT_EQ(::chmod(file.c_str(), 0666), 0);
    const auto refused = NamedCaches::open(file);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("can be written by others"));
    ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
    ASSERT_EQ(::chmod(file.parent_path().c_str(), 0777), 0);
    EXPECT_FALSE(NamedCaches::open(file));
    ASSERT_EQ(::chmod(file.parent_path().c_str(), 0755), 0);
    ASSERT_EQ(::rename(file.c_str(), (file.native() + ".real").c_str()), 0);
    std::filesystem::create_symlink("caches.json.real", file);
    EXPECT_FALSE(NamedCaches::open(file));
}

}  // namespace
}  // namespace sf::cache
