// SPDX-License-Identifier: Apache-2.0
#include "unit/pack/hostile_archives.hpp"

#include <algorithm>
#include <memory>

#include "base/text.hpp"
#include "unit/pack/tar_entries.hpp"

namespace sf::test {

using pack::Compression;

namespace {

std::string package_tar(const std::string& top, const std::vector<RawEntry>& entries) {
    std::string bytes = bytes_of(dir(top + "/"));
    for (const auto& entry : entries) bytes += bytes_of(entry);
    return bytes + end_of_tar();
}

// Each piece compressed by itself, one behind the other: what decompressors read as one stream.
std::string in_pieces(const std::string& stream, Compression compression) {
    constexpr std::size_t least = 300;
    constexpr std::size_t most = 64;  // pieces
    const std::size_t size = std::max(least, stream.size() / most + 1);
    std::string bytes;
    for (std::size_t at = 0; at < stream.size(); at += size)
        bytes += compressed(stream.substr(at, size), compression);
    return bytes;
}

// RFC 8878: a frame that asks for a window of 2^(10 + exponent) bytes, its blocks not compressed.
std::string zstd_with_window(const std::string& stream, unsigned exponent) {
    constexpr std::size_t block = 1024;
    std::string bytes("\x28\xb5\x2f\xfd\x00", 5);
    bytes += static_cast<char>(exponent << 3U);
    for (std::size_t at = 0; at < stream.size(); at += block) {
        const std::string piece = stream.substr(at, block);
        const bool last = at + block >= stream.size();
        const std::size_t header = (piece.size() << 3U) | (last ? 1U : 0U);
        for (unsigned byte = 0; byte < 3; ++byte)
            bytes += static_cast<char>((header >> (8U * byte)) & 0xffU);
        bytes += piece;
    }
    return bytes;
}

enum class Dialect { ustar, v7, gnu, pax };
struct NamedDialect {
    const char* name;
    Dialect dialect;
};
constexpr NamedDialect dialects[] = {
    {"ustar", Dialect::ustar}, {"v7", Dialect::v7}, {"GNU", Dialect::gnu}, {"pax", Dialect::pax}};

const std::string gnu_magic("ustar  \0", 8);

// GNU's header for a long name ('L') or a long target ('K').
std::string gnu_long(char type, const std::string& text) {
    RawEntry entry = typed("././@LongLink", type);
    entry.magic = gnu_magic;
    entry.content = text + '\0';
    return bytes_of(entry);
}

// In GNU's and pax's way what is bad stands in a header before the entry, whose own names are
// harmless; in v7 there is no magic, and files have no type.
std::string in_dialect(RawEntry entry, Dialect dialect) {
    std::string before;
    if (dialect == Dialect::v7) {
        entry.magic = std::string(8, '\0');
        if (entry.type == '0') entry.type = '\0';
    }
    if (dialect == Dialect::gnu) {
        entry.magic = gnu_magic;
        before = gnu_long('L', entry.name);
        if (!entry.link.empty()) before += gnu_long('K', entry.link);
    }
    if (dialect == Dialect::pax) {
        std::string lines = pax_line("path", entry.name);
        if (!entry.link.empty()) lines += pax_line("linkpath", entry.link);
        before = pax(lines);
    }
    if (!before.empty()) {
        entry.name = "fine";
        if (!entry.link.empty()) entry.link = "fine";
    }
    return before + bytes_of(entry);
}

std::string tar_in(Dialect dialect, const std::vector<RawEntry>& entries) {
    std::string bytes;
    for (const RawEntry& entry : entries) bytes += in_dialect(entry, dialect);
    return bytes + end_of_tar();
}

struct BadEntries {
    std::string title;
    std::vector<RawEntry> entries;
    std::string bad;  // the entry that is refused, as it is shown
    std::string rule;
};

std::string said(const std::string& entry, const std::string& rule) {
    return "entry '" + entry + "': " + rule;
}

}  // namespace

const std::vector<Framing>& framings() {
    static const std::vector<Framing> all{
        {"zstd", ".tar.zst",
         [](const std::string& stream) { return compressed(stream, Compression::zstd); }},
        {"zstd in frames", ".tar.zst",
         [](const std::string& stream) { return in_pieces(stream, Compression::zstd); }},
        {"gzip", ".tar.gz",
         [](const std::string& stream) { return compressed(stream, Compression::gzip); }},
        {"gzip in members", ".tar.gz",
         [](const std::string& stream) { return in_pieces(stream, Compression::gzip); }},
        {"not compressed", ".tar", [](const std::string& stream) { return stream; }}};
    return all;
}

std::vector<HostileTar> hostile_packages(const std::string& top) {
    const auto tar = [&](const std::vector<RawEntry>& entries) {
        return package_tar(top, entries);
    };
    const std::string t = top + "/";
    const auto behind = [](const std::string& entry, const std::string& rule) {
        return said(entry, rule + " (in the header behind it)");
    };
    std::string deep = top;
    for (int i = 0; i < 64; ++i) deep += "/d";
    const std::string nested(60, 'n');
    const std::string long_name(256, 'n');
    std::string long_path = top;
    while (long_path.size() < 1025) long_path += "/" + std::string(200, 'q');

    std::vector<HostileTar> all{
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
        {"sibling package", tar({dir(top + "d/")}),
         said(top + "d/", "outside the package's folder")},
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
        {"long path through nested symlinks",
         tar({dir(t + nested + "/"), link(t + nested + "/a", "."),
              file(t + nested + "/a/a/a/a/evil")}),
         said(t + nested + "/a/a/a/a/evil", "its folder is not in the archive before it")},
        {"folder over symlink", tar({link(t + "l", "."), dir(t + "l/")}), said(t + "l/", "given twice")},
        {"symlink over file", tar({file(t + "x"), link(t + "x", ".")}), said(t + "x", "given twice")},
        {"file twice", tar({file(t + "x", "a"), file(t + "x", "b")}), said(t + "x", "given twice")},
        {"folder twice", tar({dir(t + "d/"), dir(t + "d")}), said(t + "d", "given twice")},
        {"hardlink outside", tar({link(t + "h", "/etc/passwd", '1')}), said(t + "h", "hardlink")},
        {"hardlink above", tar({link(t + "h", "../../x", '1')}), said(t + "h", "hardlink")},
        {"hardlink within", tar({file(t + "x"), link(t + "h", t + "x", '1')}),
         said(t + "h", "hardlink")},
        {"hardlink to a symlink", tar({link(t + "l", "."), link(t + "h", t + "l", '1')}),
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

std::vector<HostileTar> hostile_packages_in_dialects(const std::string& top) {
    const std::string t = top + '/';
    const std::vector<BadEntries> worst{
        {"parent folder", {file(t + "../../evil")}, t + "../../evil", "'..' in a path"},
        {"absolute", {file("/tmp/evil")}, "/tmp/evil", "absolute path"},
        {"another top", {file("other/x")}, "other/x", "outside the package's folder"},
        {"symlink to an absolute path",
         {link(t + "l", "/etc/shadow")},
         t + "l",
         "symlink to an absolute path"},
        {"symlink above everything",
         {link(t + "l", "../../../../etc/shadow")},
         t + "l",
         "symlink points outside"},
        {"symlink then write through",
         {link(t + "l", "."), file(t + "l/evil")},
         t + "l/evil",
         "below something that is no folder"},
        {"hardlink outside", {link(t + "h", "/etc/passwd", '1')}, t + "h", "hardlink"},
        {"character device", {typed(t + "null", '3')}, t + "null", "character device"},
        {"FIFO", {typed(t + "pipe", '6')}, t + "pipe", "FIFO"},
        {"setuid", {file(t + "su", "x", 04755)}, t + "su", "setuid"},
        {"file twice", {file(t + "x", "a"), file(t + "x", "b")}, t + "x", "given twice"},
        {"reserved name", {file(t + ".sf-ok")}, t + ".sf-ok", "reserved name"},
    };
    std::vector<HostileTar> all;
    for (const BadEntries& each : worst) {
        std::vector<RawEntry> entries = each.entries;
        entries.insert(entries.begin(), dir(t));
        entries.push_back(file(t + "behind"));
        for (const auto& [name, dialect] : dialects) {
            // No package of ours is one of these, whatever it holds.
            const bool foreign = dialect == Dialect::v7 || dialect == Dialect::gnu;
            all.push_back({each.title + " (" + name + ")", tar_in(dialect, entries),
                           foreign ? "not a POSIX tar header" : said(each.bad, each.rule)});
        }
    }
    return all;
}

std::vector<HostileTar> hostile_sources() {
    const std::vector<BadEntries> cases{
        {"parent", {file("s/../../evil")}, "s/../../evil", "'..' in a path"},
        {"parent in front", {file("../s/evil")}, "../s/evil", "'..' in a path"},
        {"absolute", {file("/evil")}, "/evil", "absolute path"},
        {"absolute link", {link("s/l", "/etc/passwd")}, "s/l", "symlink to an absolute path"},
        {"link above", {link("s/l", "../x")}, "s/l", "symlink points outside"},
        {"link above, deep", {link("s/a/l", "../../x")}, "s/a/l", "symlink points outside"},
        {"link to the folder above all",
         {link("s/a/l", "../..")},
         "s/a/l",
         "symlink points outside"},
        {"link through a link",
         {link("s/up/l", "."), dir("s/a/"), link("s/a/s", "../up/l"), link("s/m", "a/s/../../..")},
         "s/m",
         "symlink points outside"},
        {"link through what is not there",
         {link("s/m", "none/../x")},
         "s/m",
         "symlink points outside"},
        {"write through a link",
         {link("s/l", "."), file("s/l/x")},
         "s/l/x",
         "below something that is no folder"},
        {"write through nested links",
         {dir("s/d/"), link("s/d/a", "."), file("s/d/a/a/a/a/evil")},
         "s/d/a/a/a/a/evil",
         "below something that is no folder"},
        {"folder over a link", {link("s/l", "a"), dir("s/l/")}, "s/l/", "given twice"},
        {"file over a link", {link("s/l", "a"), file("s/l")}, "s/l", "given twice"},
        {"below a file",
         {file("s/f"), file("s/f/x")},
         "s/f/x",
         "below something that is no folder"},
        {"hardlink outside", {link("s/h", "/etc/passwd", '1')}, "s/h", "absolute path"},
        {"hardlink above", {link("s/h", "s/../../x", '1')}, "s/h", "'..' in a path"},
        {"hardlink to the stripped folder",
         {dir("s/"), link("s/h", "s", '1')},
         "s/h",
         "hardlink to something that is no file before it"},
        {"hardlink to a symlink",
         {link("s/l", "x"), link("s/h", "s/l", '1')},
         "s/h",
         "hardlink to something that is no file before it"},
        {"hardlink to what comes later",
         {link("s/h", "s/f", '1'), file("s/f")},
         "s/h",
         "hardlink to something that is no file before it"},
        {"device", {typed("s/null", '3')}, "s/null", "character device"},
        {"block device", {typed("s/sda", '4')}, "s/sda", "block device"},
        {"FIFO", {typed("s/pipe", '6')}, "s/pipe", "FIFO"},
        {"sparse", {typed("s/sparse", 'S')}, "s/sparse", "sparse file"},
        {"setuid", {file("s/su", "x", 04755)}, "s/su", "setuid or setgid"},
        {"control character", {file("s/a\rb")}, "s/a\\x0db", "control character in a name"},
        {"multi-volume", {typed("s/x", 'M')}, "s/x", "unknown type of entry"},
    };
    std::vector<HostileTar> all;
    for (const BadEntries& each : cases)
        for (const auto& [name, dialect] : dialects)
            all.push_back({each.title + " (" + name + ")", tar_in(dialect, each.entries),
                           said(each.bad, each.rule)});
    return all;
}

namespace {

void add_framed(std::vector<HostileArchive>& all, const HostileTar& tar, bool source) {
    const auto stream = std::make_shared<const std::string>(tar.bytes);
    for (const Framing& framing : framings()) {
        HostileArchive each;
        each.title =
            fmt::format("{}: {}, {}", source ? "source" : "package", tar.title, framing.title);
        each.name = (source ? "s" : "run") + framing.ending;
        each.source = source;
        each.message = tar.message;
        // What is signed of a package is its tighter limit.
        if (!source)
            each.message = base::replace_all(each.message, "unpacks to more than the limit",
                                             "holds more than its record says");
        each.bytes = [stream, frame = framing.bytes] { return frame(*stream); };
        all.push_back(std::move(each));
    }
}

}  // namespace

std::vector<HostileArchive> hostile_streams(const std::string& top) {
    std::vector<HostileArchive> all;
    constexpr std::size_t large = std::size_t{64} << 20U;
    const std::string t = top + '/';
    const auto add = [&](const std::string& title, const std::string& ending,
                         const std::string& message, std::function<std::string()> bytes) {
        HostileArchive each;
        each.title = "package: " + title;
        each.name = "run" + ending;
        each.message = message;
        each.bytes = std::move(bytes);
        all.push_back(std::move(each));
    };
    const auto zeros = [top, t](Compression compression) {
        return [top, t, compression] {
            return compressed(package_tar(top, {file(t + "x", std::string(large, '\0'))}),
                              compression);
        };
    };
    const std::string more = "holds more than its record says";
    add("64 MiB of zeros, zstd", ".tar.zst", said(t + "x", more), zeros(Compression::zstd));
    add("64 MiB of zeros, gzip", ".tar.gz", said(t + "x", more), zeros(Compression::gzip));
    add("64 MiB of zeros, signed as that", ".tar.zst", "unpacks to more than 500 times its size",
        zeros(Compression::zstd));
    all.back().size = large;
    add("too many entries", ".tar.zst", said(t + std::to_string(hostile_entries - 1), more),
        [top, t] {
            std::vector<RawEntry> entries;
            for (std::uint64_t i = 0; i <= hostile_entries; ++i)
                entries.push_back(file(t + std::to_string(i), ""));
            return compressed(package_tar(top, entries), Compression::zstd);
        });
    const auto evil = [top](unsigned exponent) {
        return [top, exponent] {
            return zstd_with_window(package_tar(top, {file("../evil")}), exponent);
        };
    };
    add("a window of 128 MiB", ".tar.zst", said("../evil", "'..' in a path"), evil(17));
    add("a window of 2 GiB", ".tar.zst", "cannot be decompressed: ", evil(21));
    all.back().begins = true;
    return all;
}

std::vector<HostileArchive> hostile_archives(const std::string& top) {
    std::vector<HostileArchive> all = hostile_streams(top);
    for (const HostileTar& tar : hostile_packages(top)) add_framed(all, tar, false);
    for (const HostileTar& tar : hostile_packages_in_dialects(top)) add_framed(all, tar, false);
    for (const HostileTar& tar : hostile_sources()) add_framed(all, tar, true);
    return all;
}

}  // namespace sf::test
