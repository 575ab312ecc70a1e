// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/process.hpp"
#include "pack/source_archive.hpp"
#include "unit/pack/hostile_archives.hpp"
#include "unit/pack/tar_builder.hpp"

namespace {

using namespace sf::test;
using sf::pack::Compression;
using sf::pack::SourcePolicy;

class SourceArchive : public PackTest {
protected:
    std::string unpack(const std::string& bytes, SourcePolicy policy = {},
                       const std::string& name = "s.tar") {
        fs::remove_all(temp() / "out");
        fs::create_directories(temp() / "out");
        put("canary", "untouched");
        const auto fd = memory_file(bytes);
        const auto result =
            sf::pack::unpack_source({fd.get(), name}, policy, folder(temp() / "out").get());
        EXPECT_THAT(listing(temp()), testing::Contains("canary"));
        return result ? "accepted" : result.error().text();
    }
    [[nodiscard]] struct stat status_of(const std::string& path) const {
        struct stat status {};
        EXPECT_EQ(::lstat((temp() / "out" / path).c_str(), &status), 0) << path;
        return status;
    }
    void tool(const std::vector<std::string>& argv) {
        sf::base::Command command;
        command.argv = argv;
        command.directory = temp();
        const auto done = sf::base::run(command);
        ASSERT_TRUE(done.has_value()) << done.error().text();
        ASSERT_TRUE(done->exit.ok()) << done->err;
    }
};

RawEntry raw(const std::string& name, char type = '0', const std::string& content = "") {
    RawEntry entry;
    entry.name = name;
    entry.type = type;
    entry.content = content;
    entry.mode = type == '5' ? 0777 : 0664;
    entry.mtime = 1'700'000'000;
    return entry;
}
RawEntry to(const std::string& name, const std::string& target, char type = '2') {
    auto entry = raw(name, type);
    entry.link = target;
    return entry;
}
std::string tar(const std::vector<RawEntry>& entries) {
    std::string bytes;
    for (const auto& entry : entries) bytes += bytes_of(entry);
    return bytes + end_of_tar();
}

TEST_F(SourceArchive, NormalisesWhatUpstreamsDo) {
    auto script = raw("s-1/configure", '0', "#!/bin/sh\n");
    script.mode = 0777;
    auto secret = raw("s-1/secret", '0', "x");
    secret.mode = 0400;
    auto v7 = raw("s-1/old", '\0', "old");
    v7.magic = std::string(8, '\0');
    const auto bytes =
        pax(pax_line("comment", "0123456789abcdef"), 'g') +
        tar({raw("s-1/", '5'), script, secret, v7, raw("./s-1//a/./deep/file", '0', "deep"),
             to("s-1/link", "a/deep/../deep/file"), to("s-1/dangling", "not/there"),
             to("s-1/hard", "s-1/configure", '1'), raw("s-1/", '5')});
    ASSERT_EQ(unpack(bytes), "accepted");
    EXPECT_THAT(listing(temp() / "out"),
                testing::ElementsAre("a/", "a/deep/", "a/deep/file", "configure", "dangling",
                                     "hard", "link", "old", "secret"));
    EXPECT_EQ(status_of("configure").st_mode & 07777U, 0755U);
    EXPECT_EQ(status_of("configure").st_nlink, 2U);
    EXPECT_EQ(status_of("secret").st_mode & 07777U, 0644U);
    EXPECT_EQ(status_of("a").st_mode & 07777U, 0755U);
    EXPECT_EQ(status_of("configure").st_mtime, 1'700'000'000);
    EXPECT_EQ(status_of("link").st_mtime, 1'700'000'000);
    EXPECT_EQ(status_of("configure").st_uid, ::geteuid());
    EXPECT_EQ(sf::base::read_file(temp() / "out/link").value(), "deep");
}

TEST_F(SourceArchive, Strip) {
    const auto bytes =
        tar({raw("a/", '5'), raw("a/b/", '5'), raw("a/b/c", '0', "1"), raw("a/x", '0', "2")});
    SourcePolicy policy;
    policy.strip = 2;
    ASSERT_EQ(unpack(bytes, policy), "accepted");
    EXPECT_THAT(listing(temp() / "out"), testing::ElementsAre("c"));
    policy.strip = 0;
    ASSERT_EQ(unpack(bytes, policy), "accepted");
    EXPECT_THAT(listing(temp() / "out"), testing::ElementsAre("a/", "a/b/", "a/b/c", "a/x"));
}

TEST_F(SourceArchive, TarsOfRealTools) {
    put("s-1/configure.ac", "AC_INIT\n");
    put("s-1/" + std::string(140, 'n') + "/" + std::string(120, 'm'), "long");
    put("s-1/run", "#!/bin/sh\n", 0755);
    fs::create_symlink("configure.ac", temp() / "s-1/again");
    tool({"touch", "-d", "@1600000000", "s-1/configure.ac"});
    for (const std::string format : {"gnu", "pax", "oldgnu"}) {
        for (const std::string ending : {"gz", "xz", "bz2", "zst"}) {
            const auto name = "s-" + format + ".tar." + ending;
            SCOPED_TRACE(name);
            tool({"tar", "--format=" + format, "-caf", name, "s-1"});
            const auto bytes = sf::base::read_file(temp() / name).value();
            ASSERT_EQ(unpack(bytes, {}, name), "accepted");
            EXPECT_EQ(listing(temp() / "out"), listing(temp() / "s-1"));
            EXPECT_EQ(status_of("configure.ac").st_mtime, 1'600'000'000);
            EXPECT_EQ(status_of("run").st_mode & 07777U, 0755U);
        }
    }
}

TEST_F(SourceArchive, NothingEscapes) {
    const auto all = hostile_sources();
    EXPECT_GE(all.size(), 100U);
    for (const auto& hostile : all) {
        for (const auto& framing : framings()) {
            SCOPED_TRACE(hostile.title + ", " + framing.title);
            const std::string name = "s" + framing.ending;
            EXPECT_EQ(unpack(framing.bytes(hostile.bytes), {}, name),
                      name + ": " + hostile.message);
            EXPECT_FALSE(fs::exists(temp() / "evil"));
            EXPECT_FALSE(fs::exists("/evil"));
        }
    }
}

TEST_F(SourceArchive, LongNamesOfGnuObeyTheRules) {
    auto name = raw("././@LongLink", 'L', std::string("s/../../evil\0", 13));
    EXPECT_EQ(unpack(tar({name, raw("s/fine")})), "s.tar: entry 's/../../evil': '..' in a path");
    auto target = raw("././@LongLink", 'K', std::string("/etc/shadow\0", 12));
    EXPECT_EQ(unpack(tar({target, to("s/l", "fine")})),
              "s.tar: entry 's/l': symlink to an absolute path");
}

TEST_F(SourceArchive, LimitsAndBrokenStreams) {
    SourcePolicy policy;
    policy.limits.unpacked_size = 10;
    policy.limits.entries = 2;
    EXPECT_EQ(unpack(tar({raw("s/a", '0', "12345678901")}), policy),
              "s.tar: entry 's/a': unpacks to more than the limit");
    EXPECT_EQ(unpack(tar({raw("s/a"), raw("s/b"), raw("s/c")}), policy),
              "s.tar: entry 's/c': too many entries");
    const auto good = compressed(tar({raw("s/a", '0', "x")}), Compression::gzip);
    EXPECT_EQ(unpack(good, {}, "s.tar.gz"), "accepted");
    EXPECT_THAT(unpack(good.substr(0, good.size() / 2), {}, "s.tar.gz"),
                testing::AnyOf(testing::HasSubstr("cannot be decompressed"),
                               testing::HasSubstr("truncated archive")));
    EXPECT_EQ(unpack("<!DOCTYPE html>", {}, "s.tar.gz"),
              "s.tar.gz: not compressed as its name says");
    EXPECT_THAT(unpack(std::string(2048, 'x')), testing::HasSubstr("header checksum is wrong"));
}

}  // namespace
