// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <chrono>
#include <cstring>
#include <elf.h>
#include <fstream>
#include <random>

#include "pack/elf.hpp"
#include "unit/pack/elf_maker.hpp"

namespace {

using namespace sf::test;
using sf::base::Code;
using sf::pack::ElfKind;
using sf::pack::read_elf;
using sf::pack::rewrite_runpath;
using testing::Contains;
using testing::HasSubstr;

class ElfFiles : public ElfTest {
protected:
    sf::pack::Elf read(const std::string& path) {
        const auto elf = read_elf(temp() / path);
        EXPECT_TRUE(elf.has_value()) << elf.error().text();
        EXPECT_TRUE(elf && elf->has_value());
        return elf && *elf ? **elf : sf::pack::Elf{};
    }
    std::string rewrite(const std::string& path, const std::string& wanted) {
        const auto done = rewrite_runpath(temp() / path, wanted);
        return done ? "" : done.error().text();
    }
};

TEST_F(ElfFiles, SharedLibrary) {
    library("libone-sf.so.1", "libone-sf.so.1",
            "#include <stdio.h>\nint one(void) { return puts(\"1\"); }", {"a-1/lib", "b-2/lib"});
    const auto elf = read("libone-sf.so.1");
    EXPECT_EQ(elf.kind, ElfKind::shared);
    EXPECT_EQ(elf.machine, EM_X86_64);
    EXPECT_EQ(elf.soname, "libone-sf.so.1");
    EXPECT_THAT(elf.needed, Contains("libc.so.6"));
    ASSERT_TRUE(elf.runpath.has_value());
    const std::string root(sf::model::placeholder_root);
    EXPECT_EQ(elf.runpath->text, root + "/a-1/lib:" + root + "/b-2/lib:/@@");
    EXPECT_FALSE(elf.rpath.has_value());
    EXPECT_EQ(elf.interpreter, "");
    EXPECT_FALSE(elf.textrel || elf.execstack || elf.debug_info);
    ASSERT_FALSE(elf.version_needs.empty());
    EXPECT_EQ(elf.version_needs[0].soname, "libc.so.6");
    EXPECT_THAT(elf.version_needs[0].versions, Contains("GLIBC_2.2.5"));
    // The offset is where the bytes are.
    const auto bytes = sf::base::read_file(temp() / "libone-sf.so.1").value();
    EXPECT_EQ(bytes.substr(elf.runpath->offset, 5), root.substr(0, 5));
}

TEST_F(ElfFiles, Kinds) {
    const std::string program = "int main(void) { return 0; }";
    gcc("pie", program, {"-pie", "-fPIE", "-g"});
    gcc("fixed", program, {"-no-pie"});
    gcc("static", program, {"-static"});
    gcc("object.o", program, {"-c"});
    gcc("execstack", program, {"-Wl,-z,execstack"});
    EXPECT_EQ(read("pie").kind, ElfKind::executable);
    EXPECT_EQ(read("pie").interpreter, "/lib64/ld-linux-x86-64.so.2");
    EXPECT_TRUE(read("pie").debug_info);
    EXPECT_EQ(read("fixed").kind, ElfKind::executable);
    EXPECT_EQ(read("static").kind, ElfKind::executable);
    EXPECT_FALSE(read("static").dynamic);
    EXPECT_EQ(read("object.o").kind, ElfKind::relocatable);
    EXPECT_FALSE(read("object.o").execstack);
    EXPECT_TRUE(read("execstack").execstack);
    EXPECT_FALSE(read("pie").execstack);
}

TEST_F(ElfFiles, TextRelocations) {
    gcc("libtext.so", "int other(void); int f(void) { return other(); }",
        {"-shared", "-fno-pic", "-mcmodel=large", "-Wl,-z,notext"});
    EXPECT_TRUE(read("libtext.so").textrel);
}

TEST_F(ElfFiles, NotElf) {
    put("text", "#!/bin/sh\n");
    put("empty", "");
    put("short",
        "\x7f"
        "EL");
    for (const auto* name : {"text", "empty", "short"}) {
        const auto elf = read_elf(temp() / name);
        ASSERT_TRUE(elf.has_value()) << name;
        EXPECT_FALSE(elf->has_value()) << name;
    }
    EXPECT_EQ(read_elf(temp() / "absent").error().code, Code::absent);
    put("magic",
        "\x7f"
        "ELF only");
    EXPECT_EQ(read_elf(temp() / "magic").error().code, Code::corrupt);
    gcc("m32.o", "int x;", {"-c"});
    auto bytes = sf::base::read_file(temp() / "m32.o").value();
    bytes[EI_CLASS] = ELFCLASS32;
    put("m32.o", bytes);
    EXPECT_THAT(read_elf(temp() / "m32.o").error().text(), HasSubstr("not 64-bit little-endian"));
}

TEST_F(ElfFiles, RewritesInPlace) {
    library("lib/libone.so", "libone.so", "int one(void) { return 1; }");
    gcc("bin/tool", "int one(void); int main(void) { return one() - 1; }",
        {"-Llib", "-lone", runpath_flags({"x-1/lib"})});
    const auto before = sf::base::read_file(temp() / "bin/tool").value();
    EXPECT_EQ(rewrite("bin/tool", "$ORIGIN/../lib"), "");
    const auto after = sf::base::read_file(temp() / "bin/tool").value();
    EXPECT_EQ(before.size(), after.size());
    EXPECT_EQ(read("bin/tool").runpath->text, "$ORIGIN/../lib");
    EXPECT_THAT(readelf("bin/tool"), HasSubstr("Library runpath: [$ORIGIN/../lib]"));
    EXPECT_EQ(after.find(std::string(sf::model::placeholder_root)), std::string::npos);
    EXPECT_EQ(after.find("/@@"), std::string::npos);
    // It runs, from wherever the tree is.
    fs::create_directories(temp() / "moved here");
    fs::rename(temp() / "bin", temp() / "moved here/bin");
    fs::rename(temp() / "lib", temp() / "moved here/lib");
    sf::base::Command command;
    command.argv = {(temp() / "moved here/bin/tool").native()};
    const auto ran = sf::base::run(command);
    ASSERT_TRUE(ran.has_value());
    EXPECT_TRUE(ran->exit.ok()) << ran->err;
    // Once more the same is nothing to do; something else is refused.
    EXPECT_EQ(rewrite("moved here/bin/tool", "$ORIGIN/../lib"), "");
    EXPECT_THAT(rewrite("moved here/bin/tool", "$ORIGIN"), HasSubstr("guard"));
}

TEST_F(ElfFiles, RefusesToRewrite) {
    const std::string source = "int f(void) { return 1; }";
    library("long.so", "long.so", source);
    EXPECT_THAT(rewrite("long.so", "$ORIGIN/../lib"), HasSubstr("is longer than the old one"));
    gcc("noguard.so", source, {"-shared", "-fPIC", "-Wl,--enable-new-dtags,-rpath,/some/where"});
    EXPECT_THAT(rewrite("noguard.so", "$ORIGIN"), HasSubstr("does not end with the guard entry"));
    gcc("rpath.so", source, {"-shared", "-fPIC", "-Wl,--disable-new-dtags,-rpath,/a:/@@"});
    EXPECT_THAT(rewrite("rpath.so", "$ORIGIN"), HasSubstr("DT_RPATH"));
    gcc("none.so", source, {"-shared", "-fPIC"});
    EXPECT_THAT(rewrite("none.so", "$ORIGIN"), HasSubstr("no RUNPATH"));
    put("text", "x");
    EXPECT_THAT(rewrite("text", "$ORIGIN"), HasSubstr("not an ELF file"));
}

// The linker keeps "/@@" once, for the RUNPATH's tail and the soname: rewriting would erase it.
TEST_F(ElfFiles, RefusesToEraseAName) {
    library("shared2.so", "/@@", "int f(void) { return 1; }", {"y-1/lib"});
    const auto elf = read("shared2.so");
    EXPECT_EQ(elf.soname, "/@@");
    EXPECT_THAT(rewrite("shared2.so", "$ORIGIN"),
                HasSubstr("another name of the file lies within"));
}

// What guards are for (engineering): without one, sonames and symbols share the RUNPATH's bytes.
TEST_F(ElfFiles, EveryKindOfNameIsSeen) {
    for (const auto& [title, source, flags] :
         std::vector<std::tuple<std::string, std::string, std::vector<std::string>>>{
             {"soname", "int f(void) { return 1; }", {"-Wl,-soname,/@@"}},
             {"filter", "int f(void) { return 1; }", {"-Wl,-F,/@@"}},
             {"auxiliary", "int f(void) { return 1; }", {"-Wl,-f,/@@"}}}) {
        SCOPED_TRACE(title);
        library("x.so", "", source, {"y-1/lib"}, flags);
        EXPECT_THAT(rewrite("x.so", "$ORIGIN"), HasSubstr("another name of the file lies within"));
    }
    // A symbol: renamed in the file's own table to point into the RUNPATH.
    library("sym.so", "sym.so", "int f(void) { return 1; }", {"y-1/lib"});
    auto bytes = sf::base::read_file(temp() / "sym.so").value();
    Elf64_Ehdr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    const auto runpath = read("sym.so").runpath->offset;
    for (unsigned i = 0; i < header.e_shnum; ++i) {
        Elf64_Shdr section;
        std::memcpy(&section, bytes.data() + header.e_shoff + i * sizeof section, sizeof section);
        if (section.sh_type != SHT_DYNSYM) continue;
        Elf64_Shdr strings;
        std::memcpy(&strings, bytes.data() + header.e_shoff + section.sh_link * sizeof strings,
                    sizeof strings);
        Elf64_Sym symbol;
        auto* at = bytes.data() + section.sh_offset + sizeof symbol;
        std::memcpy(&symbol, at, sizeof symbol);
        symbol.st_name = static_cast<Elf64_Word>(runpath - strings.sh_offset + 5);
        std::memcpy(at, &symbol, sizeof symbol);
    }
    put("sym.so", bytes);
    EXPECT_THAT(rewrite("sym.so", "$ORIGIN"), HasSubstr("another name of the file lies within"));
}

// Cut anywhere and with any bytes changed, it is read or refused; nothing else happens.
TEST_F(ElfFiles, TotalOnDamagedFiles) {
    put("v.map", "V_1 { global: f; local: *; };");
    library("x.so", "libx.so.1", "#include <stdio.h>\nint f(void) { return puts(\"x\"); }",
            {"y-1/lib"}, {"-Wl,--version-script=v.map", "-Wl,-s"});
    const auto bytes = sf::base::read_file(temp() / "x.so").value();
    std::mt19937 random(11);
    unsigned refused = 0;
    for (int i = 0; i < 1500; ++i) {
        auto damaged = bytes;
        if (i % 3 == 0) damaged.resize(random() % bytes.size());
        // Headers and tables are where damage matters.
        for (unsigned k = 0; k < 1 + random() % 4 && !damaged.empty(); ++k) {
            const auto span =
                k % 2 == 0 ? std::min<std::size_t>(damaged.size(), 4096) : damaged.size();
            damaged[random() % span] = static_cast<char>(random());
        }
        std::ofstream(temp() / "d.so", std::ios::binary) << damaged;
        const auto elf = read_elf(temp() / "d.so");
        if (!elf) {
            ++refused;
            ASSERT_EQ(elf.error().code, Code::corrupt) << elf.error().text();
        }
        const auto done = rewrite_runpath(temp() / "d.so", "$ORIGIN");
        if (done) EXPECT_EQ(fs::file_size(temp() / "d.so"), damaged.size());
    }
    EXPECT_GT(refused, 250U);
}

// Files of a few megabytes that would keep a reader busy for hours, or fill its memory.
class HostileElf : public ElfFiles {
protected:
    HostileElf() : x_started(std::chrono::steady_clock::now()) {}
    ~HostileElf() override {
        // Seconds on a busy machine; what it must not be is the size of one table times another's.
        EXPECT_LT(std::chrono::steady_clock::now() - x_started, std::chrono::seconds(60));
    }
    template <class T>
    static void add(std::string& bytes, const T& value) {
        bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    // A library mapped as it stands: header, segments, dynamic entries, strings, the rest.
    // `dynamic` counts from the strings.
    static std::string elf(std::vector<Elf64_Dyn> dynamic, const std::string& strings,
                           const std::string& rest, unsigned sections = 0) {
        Elf64_Ehdr header{};
        std::memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = ELFCLASS64;
        header.e_ident[EI_DATA] = ELFDATA2LSB;
        header.e_type = ET_DYN;
        header.e_machine = EM_X86_64;
        header.e_phoff = sizeof header;
        header.e_phentsize = sizeof(Elf64_Phdr);
        header.e_phnum = 2;
        dynamic.push_back({DT_STRTAB, {0}});
        const std::uint64_t dynamic_at = sizeof header + 2 * sizeof(Elf64_Phdr);
        const std::uint64_t dynamic_size = (dynamic.size() + 2) * sizeof(Elf64_Dyn);
        const std::uint64_t strings_at = dynamic_at + dynamic_size;
        const std::uint64_t rest_at = strings_at + strings.size();
        for (Elf64_Dyn& entry : dynamic) {
            if (entry.d_tag == DT_STRTAB) entry.d_un.d_val = strings_at;
            if (entry.d_tag == DT_VERNEED) entry.d_un.d_val = rest_at;
        }
        dynamic.push_back({DT_STRSZ, {strings.size()}});
        dynamic.push_back({DT_NULL, {0}});
        if (sections > 0) {
            header.e_shoff = rest_at;
            header.e_shentsize = sizeof(Elf64_Shdr);
            header.e_shnum = static_cast<Elf64_Half>(sections);
        }
        Elf64_Phdr load{};
        load.p_type = PT_LOAD;
        load.p_filesz = rest_at + rest.size();
        Elf64_Phdr table{};
        table.p_type = PT_DYNAMIC;
        table.p_offset = dynamic_at;
        table.p_filesz = dynamic_size;
        std::string bytes;
        add(bytes, header);
        add(bytes, load);
        add(bytes, table);
        for (const Elf64_Dyn& entry : dynamic) add(bytes, entry);
        return bytes + strings + rest;
    }
    static constexpr std::uint64_t strings_behind(std::size_t dynamic) {
        return sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr) + (dynamic + 3) * sizeof(Elf64_Dyn);
    }
    std::string trouble(const std::string& bytes) {
        put("hostile.so", bytes);
        const auto elf = read_elf(temp() / "hostile.so");
        return elf ? "" : elf.error().text();
    }

private:
    std::chrono::steady_clock::time_point x_started;
};

TEST_F(HostileElf, VersionNeedsThatAreReadAgainAndAgain) {
    constexpr unsigned needs = 60000;
    std::string rest;
    for (unsigned i = 0; i < needs; ++i) {
        Elf64_Verneed need{};
        need.vn_cnt = 65535;
        need.vn_aux = static_cast<Elf64_Word>((needs - i) * sizeof need);
        need.vn_next = static_cast<Elf64_Word>(i + 1 < needs ? sizeof need : 0);
        add(rest, need);
    }
    add(rest, Elf64_Vernaux{});
    EXPECT_THAT(trouble(elf({{DT_VERNEED, {0}}}, std::string(1, '\0'), rest)),
                HasSubstr("too many versions"));
}

TEST_F(HostileElf, VersionsWithLongNames) {
    std::string rest;
    Elf64_Verneed need{};
    need.vn_cnt = 60000;
    need.vn_aux = sizeof need;
    add(rest, need);
    add(rest, Elf64_Vernaux{});
    const std::string strings = std::string(1 << 20, 'a') + '\0';
    EXPECT_THAT(trouble(elf({{DT_VERNEED, {0}}}, strings, rest)), HasSubstr("names too long"));
}

TEST_F(HostileElf, ManySectionsWithOneLongName) {
    constexpr unsigned sections = 65000;
    const std::string strings(32 << 20, 'a');
    std::string rest;
    Elf64_Shdr names{};
    names.sh_type = SHT_STRTAB;
    names.sh_offset = strings_behind(0);
    names.sh_size = strings.size();
    add(rest, names);
    for (unsigned i = 1; i < sections; ++i) add(rest, Elf64_Shdr{});
    EXPECT_EQ(trouble(elf({}, strings, rest, sections)), "");
}

TEST_F(HostileElf, ManySymbolsWithOneLongName) {
    constexpr std::size_t symbols = 300000;
    const std::string strings = '\0' + std::string(16 << 20, 'a') + '\0' + "/some/where:/@@" + '\0';
    const std::uint64_t runpath = (16 << 20) + 2;
    std::string rest;
    Elf64_Shdr none{};
    add(rest, none);
    Elf64_Shdr table{};
    table.sh_type = SHT_DYNSYM;
    table.sh_entsize = sizeof(Elf64_Sym);
    table.sh_offset = strings_behind(1) + strings.size() + 2 * sizeof table;
    table.sh_size = symbols * sizeof(Elf64_Sym);
    add(rest, table);
    Elf64_Sym symbol{};
    symbol.st_name = 1;
    for (std::size_t i = 0; i < symbols; ++i) add(rest, symbol);
    put("many.so", elf({{DT_RUNPATH, {runpath}}}, strings, rest, 2));
    EXPECT_EQ(rewrite("many.so", "$ORIGIN"), "");
    EXPECT_EQ(read("many.so").runpath->text, "$ORIGIN");
}

}  // namespace
