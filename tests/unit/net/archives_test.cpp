// SPDX-License-Identifier: Apache-2.0
// apt's texts, debootstrap's and mmdebstrap's, and the finder over a made-up machine.
#include "net/archives.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "base/files.hpp"
#include "net/debootstrap.hpp"

namespace sf::net {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(SourcesList, OneLineStyle) {
    EXPECT_THAT(
        parse_sources_list("# deb http://no.example/debian x main\n"
                           "deb http://one.example/debian/ bookworm main contrib # end\n"
                           "  deb-src [ arch=amd64 signed-by=/k.gpg ] http://two.example/u noble\n"
                           "deb [trusted=no] file:/srv/mirror stable main\n"
                           "deb cdrom:[Debian]/ bookworm main\n"
                           "rpm http://x.example/ y\n"
                           "deb http://one.example/debian bookworm main\n"
                           "deb\ndeb [\ndeb http://only.example/\n"),
        ElementsAre(AptSource{"http://one.example/debian", "bookworm"},
                    AptSource{"http://two.example/u", "noble"},
                    AptSource{"file:///srv/mirror", "stable"}));
}

TEST(SourcesList, Deb822Style) {
    EXPECT_THAT(parse_deb822("Types: deb\n# a comment\nURIs: http://one.example/debian\n"
                             "Suites: bookworm\n bookworm-updates\nComponents: main\n"
                             "\n\n"
                             "Enabled: no\nTypes: deb\nURIs: http://off.example/\nSuites: x\n"
                             "\n"
                             "uris: http://a.example/u http://b.example/u/\nsuites: noble\n"
                             "Signed-By:\n -----BEGIN PGP\n .\n x\n"),
                ElementsAre(AptSource{"http://one.example/debian", "bookworm"},
                            AptSource{"http://one.example/debian", "bookworm-updates"},
                            AptSource{"http://a.example/u", "noble"},
                            AptSource{"http://b.example/u", "noble"}));
}

TEST(SourcesList, Indextargets) {
    EXPECT_THAT(parse_indextargets("http://one.example/debian/ bookworm\n"
                                   "http://one.example/debian/ bookworm\nhttp://two.example/x/\n\n"
                                   "three words here\n"),
                ElementsAre(AptSource{"http://one.example/debian", "bookworm"},
                            AptSource{"http://two.example/x", ""}));
}

TEST(SourcesList, FamiliesAndSecurity) {
    EXPECT_EQ(family_of({"http://h/debian", "x"}), "debian");
    EXPECT_EQ(family_of({"http://h/debian-security", "x"}), "debian");
    EXPECT_EQ(family_of({"http://h/a/ubuntu", "x"}), "ubuntu");
    EXPECT_EQ(family_of({"http://h/ubuntu-ports", "x"}), "");
    EXPECT_EQ(family_of({"http://h/mirror", "x"}), "");
    EXPECT_TRUE(is_security({"http://h/debian-security", ""}));
    EXPECT_TRUE(is_security({"http://h/ubuntu", "noble-security"}));
    EXPECT_TRUE(is_security({"http://h/debian", "buster/updates"}));
    EXPECT_FALSE(is_security({"http://h/debian", "bookworm-updates"}));
    EXPECT_EQ(release_of("noble-updates"), "noble");
}

constexpr const char* ubuntu_script = R"(case $ARCH in
  amd64|i386)
	case $SUITE in
	  hardy|old*)
	default_mirror http://old.example/ubuntu
	  ;;
	  *)
	default_mirror http://now.example/ubuntu/
	;;
	esac
	;;
  sparc)
	case $SUITE in
	  gutsy)
	default_mirror http://old.example/ubuntu
	;;
	  *)
	default_mirror http://ports.example/ubuntu-ports
	;;
	esac
	;;
  *)
	default_mirror http://ports.example/ubuntu-ports
	;;
esac
# default_mirror http://comment.example/ubuntu
keyring /usr/share/keyrings/ubuntu-archive-keyring.gpg
case $OTHER in amd64) default_mirror http://wrong.example/ubuntu ;; esac
)";

TEST(Debootstrap, ReadsTheMirrorOfASuite) {
    EXPECT_EQ(parse_debootstrap_script(ubuntu_script, "noble").mirror, "http://now.example/ubuntu");
    EXPECT_EQ(parse_debootstrap_script(ubuntu_script, "noble").family, "ubuntu");
    EXPECT_EQ(parse_debootstrap_script(ubuntu_script, "hardy").mirror, "http://old.example/ubuntu");
    EXPECT_EQ(parse_debootstrap_script(ubuntu_script, "oldest").mirror,
              "http://old.example/ubuntu");
    const auto none = parse_debootstrap_script(
        "mirror_style release\nkeyring /usr/share/keyrings/debian-archive-keyring.gpg\n", "sid");
    EXPECT_EQ(none.family, "debian");
    EXPECT_EQ(none.mirror, "");
    EXPECT_EQ(
        parse_debootstrap_script("case $ARCH in\n*) default_mirror http://x.example/y ;;\nesac\n"
                                 "esac\nesac\n;;\n)\n",
                                 "s")
            .mirror,
        "http://x.example/y");
    EXPECT_EQ(parse_debootstrap_default("A=1\nDEF_MIRROR=\"http://x.example/debian/\"\n"),
              "http://x.example/debian");
    EXPECT_EQ(parse_debootstrap_default("nothing"), "");
}

TEST(Debootstrap, ReadsMmdebstrap) {
    EXPECT_THAT(parse_mmdebstrap("    my $mirror    = 'http://a.example/debian';\n"
                                 "    my $secmirror = 'http://s.example/debian-security';\n"
                                 "  $mirror = $output;\n  $mirror == 1;\n"
                                 "            $mirror    = 'http://u.example/ubuntu';\n"),
                ElementsAre(AptSource{"http://a.example/debian", ""},
                            AptSource{"http://s.example/debian-security", "-security"},
                            AptSource{"http://u.example/ubuntu", ""}));
}

class Finder : public testing::Test {
protected:
    void put(const char* file, std::string_view text) const {
        const fs::path path = x_folder.path() / file;
        ASSERT_TRUE(base::make_dirs(path.parent_path()));
        ASSERT_TRUE(base::write_file(path, text));
    }
    [[nodiscard]] ArchiveOptions options() const {
        ArchiveOptions options;
        options.machine = x_folder.path() / "machine";
        options.releases = {{"debian", {"bookworm"}}, {"ubuntu", {"noble"}}};
        return options;
    }
    base::TempDir x_folder = base::TempDir::create(fs::temp_directory_path(), "archives").value();
};

TEST_F(Finder, NothingKnownIsAnEmptyAnswer) {
    ArchiveFinder finder(options());
    EXPECT_THAT(finder.archive_addresses("debian"), IsEmpty());
    EXPECT_THAT(finder.security_addresses("ubuntu"), IsEmpty());
    EXPECT_THAT(finder.archive_addresses("gentoo"), IsEmpty());
}

TEST_F(Finder, LooksInOrder) {
    put("machine/etc/apt/sources.list", "deb http://site.example/odd-path bookworm main\n");
    put("machine/etc/apt/sources.list.d/debian.sources",
        "Types: deb\nURIs: http://d.example/debian\nSuites: bookworm bookworm-updates\n\n"
        "Types: deb\nURIs: http://d.example/debian-security\nSuites: bookworm-security\n");
    put("machine/etc/apt/sources.list.d/other.list", "deb http://vendor.example/x stable main\n");
    put("machine/etc/apt/sources.list.d/off.list.save", "deb http://off.example/debian x main\n");
    put("machine/usr/share/debootstrap/scripts/noble", ubuntu_script);
    put("machine/usr/share/debootstrap/scripts/bookworm",
        "keyring /usr/share/keyrings/debian-archive-keyring.gpg\n");
    put("machine/usr/sbin/debootstrap", "DEF_MIRROR=\"http://default.example/debian\"\n");
    put("machine/usr/bin/mmdebstrap",
        "$mirror = 'http://mm.example/debian';\n$secmirror = 'http://mm.example/ubuntu';\n");
    put("root/etc/apt/sources.list",
        "deb http://root.example/ubuntu noble main\n"
        "deb http://root.example/sec noble-security main\n");
    ArchiveOptions all = options();
    all.roots = {x_folder.path() / "root"};
    all.given["debian"] = {"http://given.example/debian/"};
    ArchiveFinder finder(all);
    EXPECT_THAT(finder.archive_addresses("debian"),
                ElementsAre("http://given.example/debian", "http://site.example/odd-path",
                            "http://d.example/debian", "http://default.example/debian",
                            "http://mm.example/debian"));
    EXPECT_THAT(finder.security_addresses("debian"),
                ElementsAre("http://d.example/debian-security"));
    EXPECT_THAT(finder.archive_addresses("ubuntu"),
                ElementsAre("http://root.example/ubuntu", "http://now.example/ubuntu"));
    EXPECT_THAT(finder.security_addresses("ubuntu"),
                ElementsAre("http://root.example/sec", "http://mm.example/ubuntu"));
}

TEST_F(Finder, AsksAptOnTheMachineItself) {
    put("bin/apt-get",
        "#!/bin/sh\n[ \"$1\" = indextargets ] || exit 1\n"
        "echo http://told.example/debian/ bookworm\necho http://told.example/s "
        "bookworm-security\n");
    fs::permissions(x_folder.path() / "bin/apt-get", fs::perms::owner_all);
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", (x_folder.path() / "bin").c_str(), 1);
    ArchiveOptions machine = options();
    machine.machine = "/";
    ArchiveFinder finder(machine);
    const auto archive = finder.archive_addresses("debian");
    const auto security = finder.security_addresses("debian");
    ::setenv("PATH", path.c_str(), 1);
    ASSERT_FALSE(archive.empty());
    EXPECT_EQ(archive.front(), "http://told.example/debian");
    ASSERT_FALSE(security.empty());
    EXPECT_EQ(security.front(), "http://told.example/s");
}

TEST(Archives, AnyTextIsParsed) {
    std::mt19937 random(7);
    const std::string start =
        std::string(ubuntu_script) +
        "deb [a=b] http://x.example/debian y z\nURIs: http://h/\nSuites: a\n b\n"
        "my $mirror = 'http://a.example/debian';\nDEF_MIRROR=\"x\"\n";
    for (int i = 0; i < 2000; ++i) {
        std::string text = start;
        for (int changes = 0; changes < 8; ++changes) {
            text[random() % text.size()] = static_cast<char>(random());
            text.erase(random() % text.size(), random() % 5);
            text.insert(random() % text.size(), text.substr(random() % text.size(), random() % 30));
        }
        for (const auto& sources : {parse_sources_list(text), parse_deb822(text),
                                    parse_indextargets(text), parse_mmdebstrap(text)}) {
            for (const AptSource& source : sources) ASSERT_FALSE(source.uri.empty());
        }
        static_cast<void>(parse_debootstrap_script(text, "noble"));
        static_cast<void>(parse_debootstrap_default(text));
    }
}

}  // namespace
}  // namespace sf::net
