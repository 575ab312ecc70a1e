// SPDX-License-Identifier: Apache-2.0
// Archives that must be refused, each with the one line it is refused with; and after each, proof
// that nothing was made outside the folder unpacked to.
#include <gmock/gmock.h>

#include "unit/pack/hostile_archives.hpp"
#include "unit/pack/tar_entries.hpp"

namespace {

using namespace sf::test;
using sf::pack::ArchiveInput;
using sf::pack::ArchivePolicy;
using sf::pack::Compression;

const std::string top = "p-1-abc";

std::string tar(const std::vector<RawEntry>& entries) {
    std::string bytes = bytes_of(dir(top + "/"));
    for (const auto& entry : entries) bytes += bytes_of(entry);
    return bytes + end_of_tar();
}

class HostileArchives : public PackTest {
protected:
    // Unpacks into <temp>/out and says what came of it; the rest of <temp> must stay as it was.
    std::string unpack(const std::string& bytes, ArchivePolicy policy,
                       const std::string& name = "a.tar.zst") {
        fs::create_directories(temp() / "out");
        put("canary", "untouched");
        const auto before = outside();
        const auto fd = memory_file(bytes);
        const auto out = folder(temp() / "out");
        const auto result = sf::pack::unpack_archive({fd.get(), name}, policy, out.get());
        EXPECT_EQ(outside(), before);
        EXPECT_EQ(sf::base::read_file(temp() / "canary").value(), "untouched");
        EXPECT_FALSE(fs::exists("/tmp/evil"));
        last_listing = listing(temp() / "out");
        fs::remove_all(temp() / "out");
        return result ? "accepted" : result.error().text();
    }
    // Each in every framing, with its rule. `left`: what is unpacked of it by then.
    void expect_refused(
        const std::vector<HostileTar>& all,
        const testing::Matcher<const std::vector<std::string>&>& left = testing::_) {
        for (const auto& hostile : all) {
            for (const auto& framing : framings()) {
                SCOPED_TRACE(hostile.title + ", " + framing.title);
                const std::string name = "a" + framing.ending;
                EXPECT_EQ(unpack(framing.bytes(hostile.bytes), policy(), name),
                          name + ": " + hostile.message);
                EXPECT_THAT(last_listing, left);
            }
        }
    }
    [[nodiscard]] std::vector<std::string> outside() const {
        std::vector<std::string> names;
        for (const auto& name : listing(temp())) {
            if (!name.starts_with("out/")) names.push_back(name);
        }
        return names;
    }
    static ArchivePolicy policy() {
        ArchivePolicy result;
        result.top = top;
        result.limits.entries = hostile_entries;
        result.limits.unpacked_size = hostile_size;
        return result;
    }
    std::vector<std::string> last_listing;
};

TEST_F(HostileArchives, EachIsRefusedWithItsRule) {
    const auto all = hostile_packages(top);
    EXPECT_GE(all.size(), 94U);
    expect_refused(all);
}

TEST_F(HostileArchives, TheWorstInEachDialect) {
    const auto all = hostile_packages_in_dialects(top);
    EXPECT_GE(all.size(), 48U);
    // Whatever stands after the first bad entry is not even made.
    expect_refused(all, testing::Not(testing::Contains(top + "/behind")));
}

// Or what is refused above might be the framing.
TEST_F(HostileArchives, WhatIsHonestIsAcceptedInEveryFraming) {
    const auto good = tar({file(top + "/x", std::string(5000, 'x')), file(top + "/behind")});
    for (const auto& framing : framings()) {
        SCOPED_TRACE(framing.title);
        EXPECT_EQ(unpack(framing.bytes(good), policy(), "a" + framing.ending), "accepted");
        EXPECT_THAT(last_listing, testing::Contains(top + "/behind"));
    }
}

// More than is signed of it, and windows that are asked of whoever unpacks it.
TEST_F(HostileArchives, HostileStreams) {
    const auto all = hostile_streams(top);
    EXPECT_GE(all.size(), 6U);
    for (const auto& hostile : all) {
        SCOPED_TRACE(hostile.title);
        sf::model::ArchiveRecord record;
        record.entries = hostile_entries;
        record.unpacked_size = hostile.size;
        ArchivePolicy signed_policy;
        signed_policy.top = top;
        signed_policy.record = &record;
        const std::string said = unpack(hostile.bytes(), signed_policy, hostile.name);
        const std::string expected = hostile.name + ": " + hostile.message;
        EXPECT_EQ(hostile.begins ? said.substr(0, expected.size()) : said, expected);
    }
}

TEST_F(HostileArchives, OneLineEach) {
    for (const auto& hostile : hostile_packages(top)) {
        EXPECT_EQ(unpack(hostile.bytes, policy(), "a.tar").find('\n'), std::string::npos)
            << hostile.title;
    }
}

TEST_F(HostileArchives, CompressedStreams) {
    const auto good = tar({file(top + "/x", std::string(5000, 'x'))});
    for (const auto& [compression, name] :
         {std::pair{Compression::zstd, "a.tar.zst"}, std::pair{Compression::gzip, "a.tar.gz"}}) {
        SCOPED_TRACE(name);
        const std::string n = name;
        const auto bytes = compressed(good, compression);
        EXPECT_EQ(unpack(bytes, policy(), n), "accepted");
        EXPECT_THAT(unpack(bytes.substr(0, bytes.size() - 3), policy(), n),
                    testing::StartsWith(n + ": cannot be decompressed: "));
        EXPECT_THAT(unpack(bytes + "trailing garbage", policy(), n),
                    testing::AnyOf(n + ": bytes behind the end of the archive",
                                   testing::StartsWith(n + ": cannot be decompressed: ")));
        EXPECT_THAT(unpack(bytes + compressed("more", compression), policy(), n),
                    testing::EndsWith("bytes behind the end of the archive"));
        EXPECT_EQ(unpack("", policy(), n), n + ": not compressed as its name says");
        EXPECT_EQ(unpack(good, policy(), n), n + ": not compressed as its name says");
        // Compressed twice: unpacked once, and that is no tar.
        EXPECT_THAT(unpack(compressed(bytes, compression), policy(), n),
                    testing::AnyOf(testing::HasSubstr("truncated archive"),
                                   testing::HasSubstr("header checksum is wrong")));
    }
    EXPECT_EQ(unpack(compressed(good, Compression::gzip), policy(), "a.tar.zst"),
              "a.tar.zst: not compressed as its name says");
    EXPECT_EQ(unpack(good, policy(), "a.zip"), "a.zip: not a name of a tar archive");
    EXPECT_EQ(unpack("", policy(), "a.tar"),
              "a.tar: cannot be decompressed: Unrecognized archive format");
}

TEST_F(HostileArchives, BombOfZeros) {
    // 64 MiB of zeros in a few kilobytes.
    const auto bytes =
        compressed(tar({file(top + "/x", std::string(64U << 20U, '\0'))}), Compression::zstd);
    ASSERT_LT(bytes.size(), 100'000U);
    EXPECT_EQ(unpack(bytes, policy()),
              "a.tar.zst: entry '" + top + "/x': unpacks to more than the limit");
    EXPECT_THAT(last_listing, testing::ElementsAre(top + "/"));
    auto wide = policy();
    wide.limits.unpacked_size = 1U << 30U;
    EXPECT_EQ(unpack(bytes, wide), "a.tar.zst: unpacks to more than 500 times its size");
}

TEST_F(HostileArchives, BombOfEntries) {
    std::vector<RawEntry> entries;
    for (int i = 0; i < 1001; ++i) entries.push_back(file(top + "/" + std::to_string(i), ""));
    EXPECT_EQ(unpack(compressed(tar(entries), Compression::zstd), policy()),
              "a.tar.zst: entry '" + top + "/999': too many entries");
}

TEST_F(HostileArchives, MoreOrLessThanTheRecord) {
    const auto bytes =
        compressed(tar({file(top + "/x", "12345"), file(top + "/y", "6")}), Compression::zstd);
    sf::model::ArchiveRecord record;
    auto with_record = policy();
    with_record.record = &record;
    record.entries = 3;
    record.unpacked_size = 6;
    EXPECT_EQ(unpack(bytes, with_record), "accepted");
    record.entries = 2;
    EXPECT_EQ(unpack(bytes, with_record),
              "a.tar.zst: entry '" + top + "/y': holds more than its record says");
    record.entries = 3;
    record.unpacked_size = 5;
    EXPECT_EQ(unpack(bytes, with_record),
              "a.tar.zst: entry '" + top + "/y': holds more than its record says");
    record.unpacked_size = 7;
    EXPECT_EQ(unpack(bytes, with_record), "a.tar.zst: holds less than its record says");
    record.unpacked_size = 6;
    record.entries = 4;
    EXPECT_EQ(unpack(bytes, with_record), "a.tar.zst: holds less than its record says");
}

TEST_F(HostileArchives, HonestOddities) {
    const std::string t = top + "/";
    // Names that differ in case only are legal (terminfo, Perl), and so is UTF-8 of any script.
    EXPECT_EQ(unpack(tar({file(t + "README"), file(t + "readme"), file(t + "gr\xc3\xbc\xc3\x9f"),
                          link(t + "self", "."), link(t + "up", "../" + top + "/README"),
                          file(t + "-rf", "x", 0755), file(t + "a b\\c")}),
                     policy(), "a.tar"),
              "accepted");
    // Links into declared dependencies only.
    auto linked = policy();
    linked.link_roots = {"q-2-def"};
    const auto to_sibling = tar({link(t + "l", "../q-2-def/lib/x")});
    EXPECT_EQ(unpack(to_sibling, linked, "a.tar"), "accepted");
    EXPECT_EQ(unpack(to_sibling, policy(), "a.tar"),
              "a.tar: entry '" + t + "l': symlink points outside");
    // Without a top, anywhere below the folder, but no further.
    ArchivePolicy open;
    EXPECT_EQ(unpack(to_sibling, open, "a.tar"), "accepted");
    EXPECT_EQ(unpack(tar({link(t + "l", "../../x")}), open, "a.tar"),
              "a.tar: entry '" + t + "l': symlink points outside");
}

TEST_F(HostileArchives, WhatIsThereAlreadyIsNeitherFollowedNorReplaced) {
    fs::create_directories(temp() / "out" / top);
    fs::create_directories(temp() / "elsewhere");
    fs::create_directory_symlink(temp() / "elsewhere", temp() / "out" / top / "d");
    const auto fd = memory_file(tar({file(top + "/d/x")}));
    const auto out = folder(temp() / "out");
    const auto result = sf::pack::unpack_archive({fd.get(), "a.tar"}, policy(), out.get());
    ASSERT_FALSE(result.has_value());
    EXPECT_TRUE(listing(temp() / "elsewhere").empty());
}

}  // namespace
