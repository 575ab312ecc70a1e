// SPDX-License-Identifier: Apache-2.0
// Archives that must be refused, each with the one line it is refused with; and after each, proof
// that nothing was made outside the folder unpacked to.
#include <gmock/gmock.h>

#include "unit/pack/tar_builder.hpp"

namespace {

using namespace sf::test;
using sf::pack::ArchiveInput;
using sf::pack::ArchivePolicy;
using sf::pack::Compression;

const std::string top = "p-1-abc";

RawEntry dir(const std::string& name, unsigned mode = 0755) {
    RawEntry entry;
    entry.name = name;
    entry.type = '5';
    entry.mode = mode;
    return entry;
}
RawEntry file(const std::string& name, const std::string& content = "x", unsigned mode = 0644) {
    RawEntry entry;
    entry.name = name;
    entry.content = content;
    entry.mode = mode;
    return entry;
}
RawEntry link(const std::string& name, const std::string& target, char type = '2') {
    RawEntry entry;
    entry.name = name;
    entry.type = type;
    entry.link = target;
    entry.mode = type == '2' ? 0777 : 0644;
    return entry;
}
RawEntry typed(const std::string& name, char type) {
    RawEntry entry;
    entry.name = name;
    entry.type = type;
    return entry;
}
template <class Change>
RawEntry with(RawEntry entry, Change change) {
    change(entry);
    return entry;
}
std::string tar(const std::vector<RawEntry>& entries) {
    std::string bytes = bytes_of(dir(top + "/"));
    for (const auto& entry : entries) bytes += bytes_of(entry);
    return bytes + end_of_tar();
}

struct Hostile {
    std::string title;
    std::string bytes;    // of the tar stream
    std::string message;  // after "a.tar.zst: "
};

std::vector<Hostile> corpus() {
    const std::string t = top + "/";
    const auto said = [&](const std::string& entry, const std::string& rule) {
        return "entry '" + entry + "': " + rule;
    };
    const auto behind = [&](const std::string& entry, const std::string& rule) {
        return said(entry, rule + " (in the header behind it)");
    };
    std::string deep = top;
    for (int i = 0; i < 64; ++i) deep += "/d";
    const std::string long_name(256, 'n');
    std::string long_path = top;
    while (long_path.size() < 1025) long_path += "/" + std::string(200, 'q');

    std::vector<Hostile> all{
        {"parent folder", tar({file("../evil")}), said("../evil", "'..' in a path")},
        {"parent folder inside", tar({file(t + "a/../../../evil")}),
         said(t + "a/../../../evil", "'..' in a path")},
        {"absolute", tar({file("/tmp/evil")}), said("/tmp/evil", "absolute path")},
        {"absolute by pax", bytes_of(dir(t)) + pax(pax_line("path", "/tmp/evil")) +
                                bytes_of(file(t + "fine")) + end_of_tar(),
         said("/tmp/evil", "absolute path")},
        {"parent folder by pax", bytes_of(dir(t)) + pax(pax_line("path", t + "../../evil")) +
                                     bytes_of(file(t + "fine")) + end_of_tar(),
         said(t + "../../evil", "'..' in a path")},
        {"parent folder by prefix field",
         tar({with(file("evil"), [](auto& e) { e.prefix = "../.."; })}),
         said("../../evil", "'..' in a path")},
        {"dot component", tar({file(t + "./x")}), said(t + "./x", "path is not normalised")},
        {"double slash", tar({file(t + "/x")}), said(t + "/x", "path is not normalised")},
        {"file with a slash behind", tar({file(t + "x/")}),
         said(t + "x/", "path is not normalised")},
        {"empty name", tar({file("")}), "empty name"},
        {"another top", tar({file("other/x")}), said("other/x", "outside the package's folder")},
        {"sibling package", tar({dir("p-1-abcd/")}),
         said("p-1-abcd/", "outside the package's folder")},
        {"top is a link", bytes_of(link(top, ".")) + end_of_tar(),
         said(top, "the package's folder is no folder")},
        {"symlink then write through", tar({link(t + "l", "."), file(t + "l/evil")}),
         said(t + "l/evil", "below something that is no folder")},
        {"symlink to a sibling, write through",
         tar({link(t + "l", "../q-2-def"), file(t + "l/evil")}),
         said(t + "l", "symlink points outside")},
        {"symlink to the parent", tar({link(t + "l", "..")}), said(t + "l", "symlink points outside")},
        {"symlink above everything", tar({link(t + "l", "../../../../etc/shadow")}),
         said(t + "l", "symlink points outside")},
        {"symlink to an absolute path", tar({link(t + "l", "/etc/shadow")}),
         said(t + "l", "symlink to an absolute path")},
        {"symlink by detour", tar({dir(t + "a/"), link(t + "l", "a/../../../etc")}),
         said(t + "l", "symlink target is not normalised")},
        {"symlink without a target", tar({link(t + "l", "")}),
         said(t + "l", "symlink without a target")},
        {"symlink with a control character", tar({link(t + "l", "a\x1b[2J")}),
         said(t + "l", "control character in a name (symlink target)")},
        {"folder over symlink", tar({link(t + "l", "."), dir(t + "l/")}), said(t + "l/", "given twice")},
        {"symlink over file", tar({file(t + "x"), link(t + "x", ".")}), said(t + "x", "given twice")},
        {"file twice", tar({file(t + "x", "a"), file(t + "x", "b")}), said(t + "x", "given twice")},
        {"folder twice", tar({dir(t + "d/"), dir(t + "d")}), said(t + "d", "given twice")},
        {"hardlink outside", tar({link(t + "h", "/etc/passwd", '1')}), said(t + "h", "hardlink")},
        {"hardlink above", tar({link(t + "h", "../../x", '1')}), said(t + "h", "hardlink")},
        {"hardlink within", tar({file(t + "x"), link(t + "h", t + "x", '1')}),
         said(t + "h", "hardlink")},
        {"character device", tar({typed(t + "null", '3')}), said(t + "null", "character device")},
        {"block device", tar({typed(t + "sda", '4')}), said(t + "sda", "block device")},
        {"FIFO", tar({typed(t + "pipe", '6')}), said(t + "pipe", "FIFO")},
        {"contiguous file", tar({typed(t + "x", '7')}), said(t + "x", "unknown type of entry")},
        {"unknown type", tar({typed(t + "x", 'Q')}), said(t + "x", "unknown type of entry")},
        {"old file type", tar({typed(t + "x", '\0')}), said(t + "x", "unknown type of entry")},
        {"GNU sparse", tar({typed(t + "x", 'S')}), said(t + "x", "sparse file")},
        {"pax sparse, 8 TiB",
         bytes_of(dir(t)) +
             pax(pax_line("GNU.sparse.major", "1") + pax_line("GNU.sparse.realsize", "8796093022208")) +
             bytes_of(file(t + "x")) + end_of_tar(),
         said("pax", "sparse file")},
        {"GNU long name", tar({typed("././@LongLink", 'L')}),
         said("././@LongLink", "unknown type of entry")},
        {"global pax header", bytes_of(dir(t)) + pax(pax_line("path", t + "x"), 'g') + end_of_tar(),
         said("pax", "global pax header")},
        {"setuid", tar({file(t + "su", "x", 04755)}), said(t + "su", "setuid")},
        {"setgid", tar({file(t + "sg", "x", 02755)}), said(t + "sg", "setgid")},
        {"setgid folder", tar({dir(t + "sg/", 02755)}), said(t + "sg/", "setgid")},
        {"sticky folder", tar({dir(t + "tmp/", 01777)}), said(t + "tmp/", "sticky bit")},
        {"mode 0666", tar({file(t + "x", "x", 0666)}), said(t + "x", "writable by everyone")},
        {"mode 0777 folder", tar({dir(t + "d/", 0777)}), said(t + "d/", "writable by everyone")},
        {"mode 0664", tar({file(t + "x", "x", 0664)}), said(t + "x", "writable by its group")},
        {"mode 0600", tar({file(t + "x", "x", 0600)}), said(t + "x", "mode is neither 0644 nor 0755")},
        {"folder 0644", tar({dir(t + "d/", 0644)}), said(t + "d/", "mode is neither 0644 nor 0755")},
        {"line feed", tar({file(t + "a\nb")}), said(t + "a\\x0ab", "control character in a name")},
        {"escape sequence", tar({file(t + "\x1b]0;x\x07")}),
         said(t + "\\x1b]0;x\\x07", "control character in a name")},
        {"C1 control", tar({file(t + "\xc2\x9b")}),
         said(t + "\\xc2\\x9b", "control character in a name")},
        {"not UTF-8", tar({file(t + "\xff\xfe")}), said(t + "\\xff\\xfe", "name is not UTF-8")},
        {"overlong UTF-8", tar({file(t + "\xc0\xaf")}), said(t + "\\xc0\\xaf", "name is not UTF-8")},
        {"surrogate", tar({file(t + "\xed\xa0\x80")}),
         said(t + "\\xed\\xa0\\x80", "name is not UTF-8")},
        {"NUL-truncated path", tar({file(t + std::string("x\0/../../evil", 13))}),
         behind(t, "bytes behind the NUL of a name")},
        {"NUL in a pax path",
         bytes_of(dir(t)) + pax(pax_line("path", t + std::string("x\0y", 3))) +
             bytes_of(file(t + "x")) + end_of_tar(),
         said("pax", "NUL in a name")},
        {"long component",
         bytes_of(dir(t)) + pax(pax_line("path", t + long_name)) + bytes_of(file(t + "x")) +
             end_of_tar(),
         said(t + long_name, "name longer than 255 bytes")},
        {"long path",
         bytes_of(dir(t)) + pax(pax_line("path", long_path)) + bytes_of(file(t + "x")) + end_of_tar(),
         said(long_path.substr(0, 1024), "path longer than 1024 bytes")},
        {"deep path",
         bytes_of(dir(t)) + pax(pax_line("path", deep)) + bytes_of(file(t + "x")) + end_of_tar(),
         said(deep, "more than 64 folders deep")},
        {"reserved name", tar({file(t + ".sf-ok")}), said(t + ".sf-ok", "reserved name")},
        {"reserved folder", tar({dir(t + ".sf-stage/")}), said(t + ".sf-stage/", "reserved name")},
        {"reserved link", tar({link(t + ".sf-ok", "x")}), said(t + ".sf-ok", "reserved name")},
        {"Spack's records", tar({dir(t + ".spack/")}), said(t + ".spack/", "reserved name")},
        {"Spack's database as a link", tar({link(t + ".spack-db", "x")}),
         said(t + ".spack-db", "reserved name")},
        {"no folder before", tar({file(t + "no/such/x")}),
         said(t + "no/such/x", "its folder is not in the archive before it")},
        {"extended attribute",
         bytes_of(dir(t)) + pax(pax_line("SCHILY.xattr.security.capability", "v")) +
             bytes_of(file(t + "x")) + end_of_tar(),
         said("pax", "extended attribute")},
        {"access control list",
         bytes_of(dir(t)) + pax(pax_line("SCHILY.acl.access", "user::rwx")) +
             bytes_of(file(t + "x")) + end_of_tar(),
         said("pax", "access control list")},
        {"unknown pax record",
         bytes_of(dir(t)) + pax(pax_line("comment", "x")) + bytes_of(file(t + "x")) + end_of_tar(),
         said("pax", "unknown pax record")},
        {"pax record twice",
         bytes_of(dir(t)) + pax(pax_line("path", t + "a") + pax_line("path", "/evil")) +
             bytes_of(file(t + "x")) + end_of_tar(),
         said("pax", "pax record given twice")},
        {"pax record of a wrong length",
         bytes_of(dir(t)) + pax("999 path=x\n") + bytes_of(file(t + "x")) + end_of_tar(),
         said("pax", "malformed pax record")},
        {"two pax headers",
         bytes_of(dir(t)) + pax(pax_line("path", t + "a")) + pax(pax_line("path", t + "b")) +
             bytes_of(file(t + "x")) + end_of_tar(),
         said("pax", "too many headers for one entry")},
        {"pax header without an entry",
         bytes_of(dir(t)) + pax(pax_line("path", t + "a")) + end_of_tar(),
         said("pax", "a header without its entry")},
        {"huge pax header",
         bytes_of(dir(t)) + pax(pax_line("path", std::string(100'000, 'x'))) + end_of_tar(),
         said("pax", "header too long")},
        {"GNU magic", tar({with(file(t + "x"), [](auto& e) { e.magic = std::string("ustar  \0", 8); })}),
         behind(t, "not a POSIX tar header")},
        {"no magic (v7)",
         tar({with(file(t + "x"), [](auto& e) { e.magic = std::string(8, '\0'); })}),
         behind(t, "not a POSIX tar header")},
        {"base-256 size",
         tar({with(file(t + "x"),
                   [](auto& e) { e.size_field = "\x80" + std::string(10, '\0') + "\x01"; })}),
         behind(t, "a number in the header is wrong")},
        {"negative size",
         tar({with(file(t + "x"), [](auto& e) { e.size_field = std::string(12, '\xff'); })}),
         behind(t, "a number in the header is wrong")},
        {"size that is no number",
         tar({with(file(t + "x"), [](auto& e) { e.size_field = "0000000x001"; })}),
         behind(t, "a number in the header is wrong")},
        {"content of a folder",
         tar({with(dir(t + "d/"), [](auto& e) { e.content = "hidden"; })}),
         said(t + "d/", "content where no file is")},
        {"content of a symlink",
         tar({with(link(t + "l", "."), [](auto& e) { e.content = "hidden"; })}),
         said(t + "l", "content where no file is")},
        {"link target of a file", tar({with(file(t + "x"), [](auto& e) { e.link = "/etc"; })}),
         said(t + "x", "a link target where no link is")},
        {"bytes in header padding", tar({with(file(t + "x"), [](auto& e) { e.tail = "hidden"; })}),
         behind(t, "bytes in header padding")},
        {"bytes in the padding of content",
         bytes_of(dir(t)) + block_of(file(t + "x", "x")) + std::string(512, 'x') + end_of_tar(),
         said(t + "x", "bytes in the padding of an entry")},
        {"bad checksum", [&] {
             auto bytes = tar({file(t + "x")});
             bytes[512 + 3] = 'z';
             return bytes;
         }(),
         behind(t, "header checksum is wrong")},
        {"truncated in a header", tar({file(t + "x")}).substr(0, 700), said(t, "truncated archive")},
        {"truncated in content",
         bytes_of(dir(t)) + block_of(with(file(t + "x"), [](auto& e) { e.claimed_size = 4096; })) +
             std::string(1000, 'x'),
         said(t + "x", "truncated archive")},
        {"no end", bytes_of(dir(t)) + bytes_of(file(t + "x")), behind(t + "x", "truncated archive")},
        {"half an end", bytes_of(dir(t)) + std::string(512, '\0'), "truncated archive"},
        {"zeros within", bytes_of(dir(t)) + std::string(512, '\0') + bytes_of(file(t + "x")),
         "one block of zeros within the archive"},
        {"second archive behind the end", tar({}) + tar({file(t + "x")}),
         "bytes behind the end of the archive"},
        {"megabyte of zeros behind the end", tar({}) + std::string(1U << 20U, '\0'),
         "bytes behind the end of the archive"},
        {"size overflow",
         tar({with(file(t + "x"), [](auto& e) { e.claimed_size = (std::uint64_t{1} << 33U) - 1; })}),
         said(t + "x", "unpacks to more than the limit")},
        {"pax size overflow",
         bytes_of(dir(t)) + pax(pax_line("size", "18446744073709551615")) +
             bytes_of(file(t + "x")) + end_of_tar(),
         said(t + "x", "a number in the header is wrong")},
    };
    return all;
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
        result.limits.entries = 1000;
        result.limits.unpacked_size = 1U << 20U;
        return result;
    }
    std::vector<std::string> last_listing;
};

TEST_F(HostileArchives, EachIsRefusedWithItsRule) {
    const auto all = corpus();
    EXPECT_GE(all.size(), 90U);
    for (const auto& hostile : all) {
        SCOPED_TRACE(hostile.title);
        EXPECT_EQ(unpack(compressed(hostile.bytes, Compression::zstd), policy()),
                  "a.tar.zst: " + hostile.message);
    }
}

TEST_F(HostileArchives, TheSameThroughGzipAndPlain) {
    for (const auto& hostile : corpus()) {
        SCOPED_TRACE(hostile.title);
        EXPECT_EQ(unpack(compressed(hostile.bytes, Compression::gzip), policy(), "a.tar.gz"),
                  "a.tar.gz: " + hostile.message);
        EXPECT_EQ(unpack(hostile.bytes, policy(), "a.tar"), "a.tar: " + hostile.message);
    }
}

TEST_F(HostileArchives, OneLineEach) {
    for (const auto& hostile : corpus()) {
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
