// SPDX-License-Identifier: Apache-2.0
#include "sandbox/root_archive.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fcntl.h>

#include "base/digest.hpp"
#include "sandbox/root_request.hpp"
#include "unit/sandbox/tar_maker.hpp"

namespace sf::sandbox {
namespace {

class RootArchive : public testing::Test {
protected:
    base::TempDir x_folder =
        base::TempDir::create(base::fs::temp_directory_path(), "sf-root-").value();

    base::Result<RootContents> pack(const std::vector<TarEntry>& entries,
                                    const char* to = "a.zst") {
        const auto tar = x_folder.path() / "in.tar";
        write_tar(tar, entries);
        return pack_root(base::open_file(tar, O_RDONLY).value().get(), x_folder.path() / to);
    }
    // "path mode" of everything in a tree, sorted.
    static std::vector<std::string> listing(const base::fs::path& tree) {
        std::vector<std::string> lines;
        for (const auto& entry : base::fs::recursive_directory_iterator(tree)) {
            struct stat info {};
            ::lstat(entry.path().c_str(), &info);
            lines.push_back(fmt::format("{} {:o}", entry.path().lexically_relative(tree).string(),
                                        info.st_mode & 07777));
        }
        std::sort(lines.begin(), lines.end());
        return lines;
    }
};

TEST_F(RootArchive, KeepsWhatABuildNeeds) {
    const auto contents = pack(tiny_root());
    ASSERT_TRUE(contents) << contents.error().text();
    EXPECT_THAT(contents->packages,
                testing::ElementsAre("gcc-12=12.2.0-14", "gcc=4:12.2.0-3", "libc6=2.36-9"));
    EXPECT_EQ(contents->compiler, "gcc 12.2.0-14");
    EXPECT_EQ(contents->libc, "glibc 2.36-9");

    const auto tree = x_folder.path() / "tree";
    const auto status = unpack_root(x_folder.path() / "a.zst", tree);
    ASSERT_TRUE(status) << status.error().text();
    EXPECT_THAT(
        listing(tree),
        testing::ElementsAre(
            "bin 777", "dev 755", "etc 755", "etc/apt 755", "etc/apt/sources.list 644",
            "etc/group 644", "etc/hostname 644", "etc/hosts 644", "etc/machine-id 644",
            "etc/passwd 644", "etc/resolv.conf 644", "etc/shadow 400", "lib64 777", "root 700",
            "tmp 777", "usr 755", "usr/bin 755", "usr/bin/perl 755", "usr/bin/perl5 755",
            "usr/bin/su 755", "usr/lib64 755", "usr/share 755", "usr/share/ca 755",
            "usr/share/ca/F\xc5\x91tan\xc3\xba.crt 644", "usr/share/doc 755", "usr/share/doc/a 755",
            "usr/share/doc/a/copyright 644", "var 755", "var/lib 755", "var/lib/dpkg 755",
            "var/lib/dpkg/status 644", "var/mail 775"));
    EXPECT_EQ(base::read_file(tree / "etc/passwd").value(),
              "root:x:0:0:root:/root:/bin/bash\nbuilder:x:1000:1000:builder:/build:/bin/sh\n");
    EXPECT_EQ(base::read_file(tree / "etc/group").value(), "root:x:0:\nbuilder:x:1000:\n");
    EXPECT_EQ(base::read_file(tree / "etc/hostname").value(), "builder\n");
    EXPECT_EQ(base::read_file(tree / "etc/resolv.conf").value(), "");
    EXPECT_EQ(base::read_file(tree / "etc/apt/sources.list").value(),
              "deb http://one.example/d tiny main\n\ndeb http://two.example/d tiny main\n");
    struct stat one {};
    struct stat two {};
    ::stat((tree / "usr/bin/perl").c_str(), &one);
    ::stat((tree / "usr/bin/perl5").c_str(), &two);
    EXPECT_EQ(one.st_ino, two.st_ino);
    EXPECT_EQ(one.st_mtime, root_epoch);  // clamped
    EXPECT_EQ(one.st_uid, ::geteuid());
}

TEST_F(RootArchive, SameInputSameBytes) {
    ASSERT_TRUE(pack(tiny_root(), "a.zst"));
    ASSERT_TRUE(pack(tiny_root(), "b.zst"));
    // Who made it, and what was in folders that are not kept, makes no difference.
    auto other = tiny_root();
    for (auto& entry : other) {
        entry.uid = 1234;
        if (entry.path == "./var/log/dpkg.log") entry.content = "another day";
        if (entry.path == "./etc/hostname") entry.content = "another maker";
    }
    ASSERT_TRUE(pack(other, "c.zst"));
    const auto digest = base::sha256_file(x_folder.path() / "a.zst").value();
    EXPECT_EQ(base::sha256_file(x_folder.path() / "b.zst").value(), digest);
    EXPECT_EQ(base::sha256_file(x_folder.path() / "c.zst").value(), digest);
}

TEST_F(RootArchive, RefusesWhatIsNoRoot) {
    auto entries = tiny_root();
    entries.push_back({"./usr/../../evil", 'f', "x"});
    auto result = pack(entries, "1");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, base::Code::corrupt);
    EXPECT_THAT(result.error().text(), testing::HasSubstr("leaves the root"));

    result = pack({{"./usr/", 'd'}}, "2");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().text(), "the new root has no list of its packages");

    ASSERT_TRUE(base::write_file(x_folder.path() / "junk", "no tar at all, but a text"));
    result = pack_root(base::open_file(x_folder.path() / "junk", O_RDONLY).value().get(),
                       x_folder.path() / "3");
    EXPECT_FALSE(result);
    EXPECT_FALSE(unpack_root(x_folder.path() / "junk", x_folder.path() / "t"));
}

TEST_F(RootArchive, ATruncatedArchiveIsAnError) {
    ASSERT_TRUE(pack(tiny_root()));
    const auto whole = base::read_file(x_folder.path() / "a.zst").value();
    const auto cut = x_folder.path() / "cut";
    for (const std::size_t size : {whole.size() - 1, whole.size() / 2, std::size_t{10}}) {
        ASSERT_TRUE(base::write_file(cut, whole.substr(0, size)));
        EXPECT_FALSE(unpack_root(cut, x_folder.path() / ("t" + std::to_string(size)))) << size;
    }
}

TEST(RootContents, IsTotal) {
    EXPECT_TRUE(contents_from_status("").packages.empty());
    EXPECT_TRUE(contents_from_status("Package: a\nVersion: 1\n").packages.empty());
    EXPECT_TRUE(contents_from_status("Status: install ok installed\n").packages.empty());
    EXPECT_THAT(contents_from_status("Package: a\nVersion: 1\nStatus: hold ok installed").packages,
                testing::ElementsAre("a=1"));
    EXPECT_EQ(contents_from_status("Package: a\nVersion: 1\nStatus: install ok installed").compiler,
              "");
}

}  // namespace
}  // namespace sf::sandbox
