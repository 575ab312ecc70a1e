// SPDX-License-Identifier: Apache-2.0
// The gate over a package made by the machine's compiler: own libraries, a plugin, a dependency,
// the host's libraries taken from this machine's root.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "pack/elf.hpp"
#include "pack/gate.hpp"
#include "pack/package_writer.hpp"
#include "unit/pack/elf_maker.hpp"

namespace {

using namespace sf::test;
using sf::pack::GateReport;
using sf::pack::GateRequest;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string own = "own-1-bbbbbbbb";
const std::string dep = "zz-2-aaaaaaaa";

class Gate : public ElfTest {
protected:
    void SetUp() override {
        ElfTest::SetUp();
        const std::vector<std::string> path{own + "/lib", dep + "/lib"};
        library(dep + "/lib/libzz-sf.so.1", "libzz-sf.so.1", "int zz(void) { return 1; }", path);
        fs::create_symlink("libzz-sf.so.1", temp() / dep / "lib/libzz.so");
        library(own + "/lib/libown-sf.so.2.0", "libown-sf.so.2",
                "int zz(void); int own(void) { return zz(); }", path,
                {"-L" + dep + "/lib", "-lzz"});
        fs::create_symlink("libown-sf.so.2.0", temp() / own / "lib/libown-sf.so.2");
        fs::create_symlink(placeholder(own + "/lib/libown-sf.so.2"),
                           temp() / own / "lib/libown.so");
        library(own + "/lib/plugins/plug.so", "", "int zz(void); int p(void) { return zz(); }",
                path, {"-L" + dep + "/lib", "-lzz"});
        gcc(own + "/bin/tool",
            "#include <stdio.h>\nint own(void); int main(void) { return puts(\"x\") < 0 || own() "
            "!= 1; }",
            {"-L" + own + "/lib", "-L" + dep + "/lib", "-l:libown-sf.so.2", runpath_flags(path),
             "-Wl,-rpath-link," + dep + "/lib"});
        put(own + "/include/own.h", "int own(void);\n");
        put(own + "/lib/libown.a", "!<arch>\n");
        put(own + "/lib/pkgconfig/own.pc", "prefix=" + placeholder(own) +
                                               "\nlibdir=${prefix}/lib\n" +
                                               "other=" + placeholder(dep) + "\n");
        put(own + "/lib/debug/.build-id/ab/cd.debug", "debug of " + placeholder(own));
        put(own + "/share/own/data", "data", 0664);
        fs::create_directories(temp() / own / "share/empty");
        ASSERT_EQ(::chmod((temp() / own / "share/own/data").c_str(), 0666), 0);
        ASSERT_EQ(::chmod((temp() / own / "share/own").c_str(), 02775), 0);
    }
    static std::string placeholder(const std::string& path) {
        return std::string(sf::model::placeholder_root) + "/" + path;
    }
    [[nodiscard]] GateRequest request() const {
        GateRequest result;
        result.prefix = temp() / own;
        result.store_name = own;
        result.dependencies = {{"zz", dep, temp() / dep}};
        result.root = "/";
        result.expected = {"bin/tool", "lib/plugins/*.so"};
        return result;
    }
    static GateReport pass(const GateRequest& request) {
        auto report = sf::pack::run_gate(request);
        EXPECT_TRUE(report.has_value()) << report.error().text();
        return report ? std::move(*report) : GateReport{};
    }
    static std::string refusal(const GateRequest& request) {
        const auto report = sf::pack::run_gate(request);
        return report ? "accepted" : report.error().text();
    }
    static std::vector<std::string> paths(const std::vector<sf::model::FileEntry>& entries) {
        std::vector<std::string> result;
        for (const auto& entry : entries) result.push_back(entry.path);
        return result;
    }
    std::string runpath(const std::string& path) {
        const auto elf = sf::pack::read_elf(temp() / path);
        return elf && *elf && (*elf)->runpath ? (*elf)->runpath->text : "none";
    }
};

TEST_F(Gate, DividesTheTree) {
    const auto report = pass(request());
    EXPECT_THAT(paths(report.run), ElementsAre(".sf", ".sf/deps", ".sf/deps/zz", "bin", "bin/tool",
                                               "lib", "lib/libown-sf.so.2", "lib/libown-sf.so.2.0",
                                               "lib/plugins", "lib/plugins/plug.so", "share",
                                               "share/empty", "share/own", "share/own/data"));
    EXPECT_THAT(paths(report.dev),
                ElementsAre("include", "include/own.h", "lib", "lib/libown.a", "lib/libown.so",
                            "lib/pkgconfig", "lib/pkgconfig/own.pc"));
    EXPECT_THAT(paths(report.dbg),
                ElementsAre("lib", "lib/debug", "lib/debug/.build-id", "lib/debug/.build-id/ab",
                            "lib/debug/.build-id/ab/cd.debug"));
    EXPECT_THAT(report.sonames, ElementsAre("libown-sf.so.2"));
    // Modes are normal, in the report and on disk; the absolute link has become relative.
    for (const auto& entry : report.run) {
        if (entry.path == "share/own/data") EXPECT_EQ(entry.mode, 0644U);
        if (entry.path == "bin/tool") EXPECT_EQ(entry.mode, 0755U);
    }
    struct stat status {};
    ASSERT_EQ(::stat((temp() / own / "share/own/data").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0644U);
    ASSERT_EQ(::stat((temp() / own / "share/own").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0755U);
    EXPECT_EQ(fs::read_symlink(temp() / own / "lib/libown.so"), "libown-sf.so.2");
}

TEST_F(Gate, RunpathsAreRelativeAndMinimal) {
    const auto report = pass(request());
    EXPECT_EQ(runpath(own + "/bin/tool"), "$ORIGIN/../lib");
    EXPECT_EQ(runpath(own + "/lib/libown-sf.so.2.0"), "$ORIGIN/../.sf/deps/zz/lib");
    EXPECT_EQ(runpath(own + "/lib/plugins/plug.so"), "$ORIGIN/../../.sf/deps/zz/lib");
    EXPECT_THAT(report.rewritten, Contains("bin/tool: $ORIGIN/../lib"));
    // Moved as a whole, the program runs.
    fs::create_directories(temp() / "a much deeper/st\xc3\xb6re");
    fs::rename(temp() / own, temp() / "a much deeper/st\xc3\xb6re" / own);
    fs::rename(temp() / dep, temp() / "a much deeper/st\xc3\xb6re" / dep);
    // The dependency was not gated in this test, but needs nothing of ours.
    sf::base::Command command;
    command.argv = {(temp() / "a much deeper/st\xc3\xb6re" / own / "bin/tool").native()};
    const auto ran = sf::base::run(command);
    ASSERT_TRUE(ran.has_value());
    EXPECT_TRUE(ran->exit.ok()) << ran->err;
}

TEST_F(Gate, RunsTwice) {
    const auto first = pass(request());
    const auto second = pass(request());
    ASSERT_EQ(first.run.size(), second.run.size());
    for (std::size_t i = 0; i < first.run.size(); ++i) {
        EXPECT_EQ(first.run[i].sha256, second.run[i].sha256) << first.run[i].path;
    }
}

// The links are ours: upstream's code brings none, and nothing is written through one of its own.
TEST_F(Gate, LinksToDependenciesAreMadeAndNoOthersTaken) {
    const auto report = pass(request());
    EXPECT_EQ(fs::read_symlink(temp() / own / ".sf/deps/zz"), "../../../" + dep);
    for (const auto& entry : report.run) {
        if (entry.path == ".sf/deps/zz") EXPECT_EQ(entry.target, "../../../" + dep);
    }
    fs::remove_all(temp() / own / ".sf");
    fs::create_directories(temp() / own / "share/elsewhere");
    fs::create_symlink("share/elsewhere", temp() / own / ".sf");
    EXPECT_THAT(refusal(request()), HasSubstr(": .sf: reserved name"));
    EXPECT_TRUE(fs::is_empty(temp() / own / "share/elsewhere"));
    fs::remove(temp() / own / ".sf");
    put(own + "/.sf/deps/zz", "");
    EXPECT_THAT(refusal(request()), HasSubstr(": .sf/deps/zz: reserved name"));
    fs::remove_all(temp() / own / ".sf");
    put(own + "/.sf/more", "");
    EXPECT_THAT(refusal(request()), HasSubstr(": .sf/more: reserved name"));
    fs::remove_all(temp() / own / ".sf");
    fs::create_directories(temp() / own / ".sf/deps");
    fs::create_symlink("../../../" + own, temp() / own / ".sf/deps/zz");
    EXPECT_THAT(refusal(request()), HasSubstr(": .sf/deps/zz: reserved name"));
    // With a name beside it that sorts between the folder and what is in it.
    fs::remove_all(temp() / own / ".sf");
    put(own + "/.sf.x", "");
    put(own + "/.sf/evil", "");
    EXPECT_THAT(refusal(request()), HasSubstr(": .sf/evil: reserved name"));
    fs::remove_all(temp() / own / ".sf");
    fs::create_directories(temp() / own / ".sf");
    fs::create_symlink("../../" + dep + "/lib", temp() / own / ".sf/deps");
    EXPECT_THAT(refusal(request()), HasSubstr(": .sf/deps: reserved name"));
    EXPECT_FALSE(fs::exists(fs::symlink_status(temp() / dep / "lib/zz")));
}

TEST_F(Gate, ALibraryOfAnIndirectDependencyIsRefused) {
    auto indirect = request();
    indirect.dependencies[0].direct = false;
    EXPECT_THAT(refusal(indirect), HasSubstr("lib/plugins/plug.so: needs libzz-sf.so.1 of " + dep +
                                             ", which the "
                                             "recipe does not name as a link dependency"));
}

TEST_F(Gate, NothingNeededGivesOrigin) {
    library(dep + "/lib/libzz-sf.so.1", "libzz-sf.so.1", "int zz(void) { return 1; }", {dep});
    auto alone = request();
    alone.prefix = temp() / dep;
    alone.store_name = dep;
    alone.dependencies.clear();
    alone.expected.clear();
    pass(alone);
    EXPECT_EQ(runpath(dep + "/lib/libzz-sf.so.1"), "$ORIGIN");
}

TEST_F(Gate, HostRequirements) {
    const auto report = pass(request());
    ASSERT_EQ(report.host_requirements.size(), 1U);
    EXPECT_EQ(report.host_requirements[0].soname, "libc.so.6");
    EXPECT_THAT(report.host_requirements[0].versions, Contains("GLIBC_2.2.5"));
    sf::model::Package package;
    report.fill(package);
    EXPECT_EQ(package.files.size(), report.run.size());
    EXPECT_EQ(package.host_requirements.size(), 1U);
    EXPECT_EQ(package.sonames, report.sonames);
}

TEST_F(Gate, DevTextKeepsItsOffsets) {
    const auto report = pass(request());
    ASSERT_EQ(report.dev_placeholders.size(), 1U);
    EXPECT_EQ(report.dev_placeholders[0].path, "lib/pkgconfig/own.pc");
    const auto text = sf::base::read_file(temp() / own / "lib/pkgconfig/own.pc").value();
    ASSERT_EQ(report.dev_placeholders[0].offsets.size(), 2U);
    for (const auto offset : report.dev_placeholders[0].offsets) {
        EXPECT_EQ(text.substr(offset, sf::model::placeholder_root.size()),
                  sf::model::placeholder_root);
    }
}

TEST_F(Gate, MissingLibraries) {
    auto without = request();
    without.dependencies.clear();
    EXPECT_THAT(refusal(without), AllOf(HasSubstr("2 findings"),
                                        HasSubstr("lib/libown-sf.so.2.0: needs libzz-sf.so.1, "
                                                  "which neither the package nor its "
                                                  "dependencies provide"),
                                        HasSubstr("lib/plugins/plug.so: needs libzz-sf.so.1")));
}

TEST_F(Gate, HostLibrariesMustBeDeclared) {
    gcc(own + "/bin/tool",
        "const char* zlibVersion(void); int main(void) { return zlibVersion() == 0; }",
        {"-l:libz.so.1", runpath_flags({own + "/lib"})});
    EXPECT_EQ(refusal(request()),
              own +
                  ": bin/tool: needs libz.so.1, which neither the package nor its dependencies "
                  "provide; the host has it, but it is not declared as the host's");
    auto declared = request();
    declared.host_sonames = {"libz.so.1"};
    const auto report = pass(declared);
    EXPECT_EQ(runpath(own + "/bin/tool"), "$ORIGIN");
    ASSERT_EQ(report.host_requirements.size(), 2U);
    EXPECT_EQ(report.host_requirements[1].soname, "libz.so.1");
    // Declared, but not in the root.
    fs::create_directories(temp() / "root/usr/lib64");
    fs::copy("/lib/x86_64-linux-gnu/libc.so.6", temp() / "root/usr/lib64/libc.so.6");
    declared.root = temp() / "root";
    EXPECT_EQ(refusal(declared), own +
                                     ": bin/tool: needs libz.so.1, the host's, which the "
                                     "toolchain's root does not have");
}

TEST_F(Gate, Dlopens) {
    auto with = request();
    with.dlopens = {{"bin/tool", {"libzz-sf.so.1", "libm.so.6"}}};
    const auto report = pass(with);
    EXPECT_EQ(runpath(own + "/bin/tool"), "$ORIGIN/../lib:$ORIGIN/../.sf/deps/zz/lib");
    EXPECT_EQ(report.host_requirements.size(), 2U);
    with.dlopens = {{"bin/nothing", {"libzz-sf.so.1"}}, {"bin/tool", {"libnone.so.7"}}};
    EXPECT_THAT(refusal(with), AllOf(HasSubstr("dlopens: no ELF file matches bin/nothing"),
                                     HasSubstr("bin/tool: needs libnone.so.7")));
}

TEST_F(Gate, LinkersNameOpenedAtRunTimeStays) {
    auto with = request();
    with.dlopens = {{"bin/tool", {"libown.so"}}};
    EXPECT_THAT(paths(pass(with).run), Contains("lib/libown.so"));
}

TEST_F(Gate, TwoProviders) {
    library("y-3-cccccccc/lib/libzz-sf.so.1", "libzz-sf.so.1", "int zz(void) { return 1; }");
    auto both = request();
    both.dependencies.push_back({"y", "y-3-cccccccc", temp() / "y-3-cccccccc"});
    EXPECT_THAT(refusal(both),
                HasSubstr("needs libzz-sf.so.1, which " + dep + " and y-3-cccccccc provide"));
}

TEST_F(Gate, PrivateSonames) {
    library(own + "/lib/libpub.so.3", "libpub.so.3", "int pub(void) { return 1; }", {own});
    EXPECT_EQ(
        refusal(request()),
        own + ": lib/libpub.so.3: soname libpub.so.3 is neither private (-sf) nor declared public");
    auto declared = request();
    declared.public_sonames = {"libpub.so.3"};
    EXPECT_THAT(pass(declared).sonames, ElementsAre("libown-sf.so.2", "libpub.so.3"));
    // An unversioned soname that the host has too.
    fs::create_directories(temp() / "root/lib");
    fs::copy("/lib/x86_64-linux-gnu/libc.so.6", temp() / "root/lib/libc.so.6");
    put("root/lib/libplain.so", "x");
    library(own + "/lib/libplain.so", "libplain.so", "int plain(void) { return 1; }", {own});
    declared.root = temp() / "root";
    EXPECT_EQ(refusal(declared),
              own + ": lib/libplain.so: the host has a library of the soname libplain.so too");
}

// A declared host library brings the host's copy of what we ship under a public soname.
TEST_F(Gate, OverlapInTheLoadClosure) {
    fs::create_directories(temp() / "root/usr/lib/x86_64-linux-gnu");
    fs::create_directory_symlink("usr/lib", temp() / "root/lib");
    fs::copy("/lib/x86_64-linux-gnu/libc.so.6", temp() / "root/usr/lib/x86_64-linux-gnu/libc.so.6");
    library("root/usr/lib/x86_64-linux-gnu/libpub.so.3", "libpub.so.3",
            "int pub(void) { return 2; }");
    library("root/usr/lib/x86_64-linux-gnu/libhost.so.1.0", "libhost.so.1",
            "int pub(void); int host(void) { return pub(); }", {},
            {"-Lroot/usr/lib/x86_64-linux-gnu", "-l:libpub.so.3"});
    fs::create_symlink("/usr/lib/x86_64-linux-gnu/libhost.so.1.0",
                       temp() / "root/usr/lib/x86_64-linux-gnu/libhost.so.1");
    library(own + "/lib/libpub.so.3", "libpub.so.3", "int pub(void) { return 1; }", {own});
    library(own + "/lib/plugins/both.so", "",
            "int pub(void); int host(void); int both(void) { return pub() + host(); }",
            {own + "/lib"},
            {"-L" + own + "/lib", "-l:libpub.so.3", "-Lroot/usr/lib/x86_64-linux-gnu",
             "-l:libhost.so.1.0"});
    auto with = request();
    with.root = temp() / "root";
    with.public_sonames = {"libpub.so.3"};
    with.host_sonames = {"libhost.so.1"};
    EXPECT_EQ(refusal(with),
              own + ": libpub.so.3: is loaded from a package and, for libhost.so.1, from the host");
}

TEST_F(Gate, Placeholders) {
    put(own + "/bin/script", "#!/bin/sh\nexec " + placeholder(own) + "/bin/tool\n", 0755);
    put(own + "/share/own/part", "..." + std::string(sf::model::placeholder_root.substr(5, 9)));
    put(own + "/bin/own-config", "echo " + placeholder(own) + "\n", 0755);
    gcc(own + "/bin/tool",
        "#include <stdio.h>\nint main(void) { return puts(\"" + placeholder(own) +
            "/share\") < 0; }",
        {runpath_flags({own + "/lib"})});
    EXPECT_THAT(
        refusal(request()),
        AllOf(HasSubstr("3 findings"),
              HasSubstr("bin/script: holds the root of the build prefix at offset 15 (text)"),
              HasSubstr("share/own/part: holds a fragment of the build prefix at offset 3"),
              HasSubstr("bin/tool: holds the root of the build prefix at offset "),
              HasSubstr("(ELF)"), Not(HasSubstr("own-config"))));
    auto excepted = request();
    excepted.placeholder_exceptions = {"bin/script", "share/own/part", "bin/tool"};
    EXPECT_THAT(pass(excepted).kept_placeholders,
                ElementsAre("bin/script", "bin/tool", "share/own/part"));
}

TEST_F(Gate, ElfProperties) {
    gcc(own + "/bin/stack", "int main(void) { return 0; }",
        {"-Wl,-z,execstack", runpath_flags({own})});
    gcc(own + "/bin/debug", "int main(void) { return 0; }", {"-g", runpath_flags({own})});
    gcc(own + "/bin/loader", "int main(void) { return 0; }",
        {"-Wl,-dynamic-linker," + placeholder(own) + "/lib/ld.so", runpath_flags({own})});
    gcc(own + "/lib/plugins/text.so", "int other(void); int f(void) { return other(); }",
        {"-shared", "-fno-pic", "-mcmodel=large", "-Wl,-z,notext", runpath_flags({own})});
    gcc(own + "/share/own/code.o", "int x;", {"-c"});
    gcc(own + "/bin/rpath", "int main(void) { return 0; }",
        {"-Wl,--disable-new-dtags,-rpath,/x:/@@"});
    gcc(own + "/bin/unguarded", "int main(void) { return 0; }",
        {"-Wl,--enable-new-dtags,-rpath,/somewhere/else"});
    auto arm = sf::base::read_file(temp() / own / "lib/plugins/plug.so").value();
    arm[18] = static_cast<char>(183);
    put(own + "/lib/plugins/arm.so", arm);
    put(own + "/bin/cut", arm.substr(0, 100), 0755);
    const auto text = refusal(request());
    EXPECT_THAT(text, HasSubstr("bin/stack: wants an executable stack"));
    EXPECT_THAT(text, HasSubstr("bin/debug: is not stripped"));
    EXPECT_THAT(text, HasSubstr("bin/loader: its interpreter is "));
    EXPECT_THAT(text, HasSubstr("lib/plugins/text.so: has text relocations"));
    EXPECT_THAT(text, HasSubstr("share/own/code.o: object file"));
    EXPECT_THAT(text, HasSubstr("bin/rpath: has DT_RPATH"));
    EXPECT_THAT(text, HasSubstr("bin/unguarded: its RUNPATH '/somewhere/else' does not end with"));
    EXPECT_THAT(text, HasSubstr("lib/plugins/arm.so: built for machine 183, not 62"));
    EXPECT_THAT(text, HasSubstr("bin/cut: bad ELF file"));
}

// As libtool's ldconfig leaves it behind a private soname.
TEST_F(Gate, LinkThroughWhatIsNotShipped) {
    fs::create_symlink("libown.so", temp() / own / "lib/libalias.so.9");
    EXPECT_THAT(refusal(request()), HasSubstr("lib/libalias.so.9: symlink through lib/libown.so, "
                                              "which is not in the run part"));
}

TEST_F(Gate, PolicyOfTheTree) {
    put(own + "/bin/su", "x", 04755);
    ASSERT_EQ(::chmod((temp() / own / "bin/su").c_str(), 04755), 0);
    put(own + "/bin/sg", "x");
    ASSERT_EQ(::chmod((temp() / own / "bin/sg").c_str(), 02755), 0);
    ASSERT_EQ(::mkfifo((temp() / own / "bin/fifo").c_str(), 0600), 0);
    put(own + "/share/a\nb", "x");
    put(own + "/share/.sf-ok", "x");
    fs::create_symlink("/etc/passwd", temp() / own / "share/out");
    fs::create_symlink("../../../../etc", temp() / own / "share/up");
    fs::create_symlink("nothing", temp() / own / "share/dangling");
    fs::create_symlink("../../" + dep + "/lib/none", temp() / own / "share/dangling-dep");
    fs::create_symlink("../../other-1-dddddddd/x", temp() / own / "share/sibling");
    auto with = request();
    with.expected.emplace_back("bin/absent");
    with.expected.emplace_back("lib/plugins/none_*.so");
    const auto text = refusal(with);
    EXPECT_THAT(text, HasSubstr("bin/su: setuid"));
    EXPECT_THAT(text, HasSubstr("bin/sg: setgid"));
    EXPECT_THAT(text, HasSubstr("bin/fifo: FIFO"));
    EXPECT_THAT(text, HasSubstr("share/a\\x0ab: control character in a name"));
    EXPECT_THAT(text, HasSubstr("share/.sf-ok: reserved name"));
    EXPECT_THAT(text, HasSubstr("share/out: symlink to an absolute path: /etc/passwd"));
    EXPECT_THAT(text, HasSubstr("share/up: symlink points outside: ../../../../etc"));
    EXPECT_THAT(text, HasSubstr("share/dangling: symlink to nothing: nothing"));
    EXPECT_THAT(text, HasSubstr("share/dangling-dep: symlink to nothing"));
    EXPECT_THAT(text, HasSubstr("share/sibling: symlink points outside"));
    EXPECT_THAT(text, HasSubstr("expected but not installed: bin/absent, lib/plugins/none_*.so"));
    EXPECT_THAT(text, HasSubstr("11 findings"));
}

TEST_F(Gate, LinksAreMadeNormal) {
    const auto share = temp() / own / "share";
    fs::create_symlink("own/../own/./data", share / "detour");
    fs::create_symlink(placeholder(dep + "/lib/libzz-sf.so.1"), share / "dep");
    fs::create_directory_symlink(placeholder(own), share / "top");
    fs::create_directory_symlink("own/", share / "slash");
    fs::create_directory_symlink("./", share / "here");
    pass(request());
    EXPECT_EQ(fs::read_symlink(share / "detour"), "own/data");
    EXPECT_EQ(fs::read_symlink(share / "dep"), "../../" + dep + "/lib/libzz-sf.so.1");
    EXPECT_EQ(fs::read_symlink(share / "top"), "..");
    EXPECT_EQ(fs::read_symlink(share / "slash"), "own");
    EXPECT_EQ(fs::read_symlink(share / "here"), ".");
}

TEST_F(Gate, ExtendedAttributes) {
    if (::setxattr((temp() / own / "bin/tool").c_str(), "user.x", "y", 1, 0) != 0) {
        GTEST_SKIP() << "NOT RUN: the file system of the tests has no extended attributes";
    }
    EXPECT_EQ(refusal(request()), own + ": bin/tool: extended attribute user.x");
}

TEST_F(Gate, HardlinkedFilesAreSeparated) {
    fs::create_hard_link(temp() / own / "bin/tool", temp() / own / "lib/plugins/tool");
    pass(request());
    EXPECT_EQ(runpath(own + "/bin/tool"), "$ORIGIN/../lib");
    EXPECT_EQ(runpath(own + "/lib/plugins/tool"), "$ORIGIN/..");
}

TEST_F(Gate, NothingInstalled) {
    auto nothing = request();
    nothing.prefix = temp() / "absent";
    EXPECT_EQ(refusal(nothing), own + ": the build installed nothing");
}

TEST_F(Gate, PackageArchives) {
    const auto report = pass(request());
    fs::create_directories(temp() / "packages");
    const auto archives =
        sf::pack::write_package(temp() / own, own, report, temp() / "packages", 3);
    ASSERT_TRUE(archives.has_value()) << archives.error().text();
    EXPECT_EQ(archives->run.file, "run.tar.zst");
    ASSERT_TRUE(archives->dev && archives->dbg);
    EXPECT_THAT(listing(temp() / "packages"),
                ElementsAre("dbg.tar.zst", "dev.tar.zst", "run.tar.zst"));

    // What is in them is what the report says.
    fs::create_directories(temp() / "store");
    const auto archive = sf::base::open_file(temp() / "packages/run.tar.zst", O_RDONLY);
    ASSERT_TRUE(archive.has_value());
    sf::pack::ArchivePolicy policy;
    policy.top = own;
    policy.link_roots = {dep};
    policy.record = &archives->run;
    const sf::pack::ArchiveInput input{archive->get(), "run.tar.zst"};
    ASSERT_TRUE(sf::pack::verify_archive(input, archives->run).has_value());
    const auto made = sf::pack::unpack_archive(input, policy, folder(temp() / "store").get());
    ASSERT_TRUE(made.has_value()) << made.error().text();
    ASSERT_EQ(made->size(), report.run.size() + 1);
    for (std::size_t i = 0; i < report.run.size(); ++i) {
        const auto& there = (*made)[i + 1];
        EXPECT_EQ(there.path, own + "/" + report.run[i].path);
        EXPECT_EQ(there.sha256, report.run[i].sha256);
        EXPECT_EQ(there.mode, report.run[i].mode);
        EXPECT_EQ(there.target, report.run[i].target);
    }
    // The dev part goes beside it, if asked for, and replaces nothing.
    const auto dev = sf::base::open_file(temp() / "packages/dev.tar.zst", O_RDONLY);
    ASSERT_TRUE(dev.has_value());
    sf::pack::ArchivePolicy dev_policy;
    dev_policy.top = own;
    const sf::pack::ArchiveInput dev_input{dev->get(), "dev.tar.zst"};
    const auto store = folder(temp() / "store");
    EXPECT_FALSE(sf::pack::unpack_archive(dev_input, dev_policy, store.get()).has_value());
    dev_policy.into_existing = true;
    EXPECT_TRUE(sf::pack::unpack_archive(dev_input, dev_policy, store.get()).has_value());
    EXPECT_TRUE(fs::exists(temp() / "store" / own / "include/own.h"));
    EXPECT_TRUE(fs::exists(temp() / "store" / own / "lib/libown.so"));
    EXPECT_FALSE(sf::pack::unpack_archive(dev_input, dev_policy, store.get()).has_value());

    // A file that changes after the gate is not packed.
    put(own + "/share/own/data", "changed");
    const auto again = sf::pack::write_package(temp() / own, own, report, temp() / "packages", 3);
    ASSERT_FALSE(again.has_value());
    EXPECT_THAT(again.error().text(), HasSubstr("share/own/data: changed after the gate"));
}

}  // namespace
