// SPDX-License-Identifier: Apache-2.0
// The real host, below a folder: exact modes whatever the umask, and nothing through planted links.
#include "deploy/linux_host.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <unistd.h>

#include "base/files.hpp"

namespace sf::deploy {
namespace {

class LinuxHostTest : public ::testing::Test {
protected:
    LinuxHostTest() : x_room(base::TempDir::create("/tmp", "sft-").value()) {
        fs::create_directories(x_room.path() / "etc/slurm");
        ::chmod((x_room.path() / "etc").c_str(), 0755);
        ::chmod((x_room.path() / "etc/slurm").c_str(), 0755);
    }
    ~LinuxHostTest() override { ::umask(022); }
    unsigned mode(const char* path) const {
        struct stat status {};
        EXPECT_EQ(::lstat((x_room.path() / path).c_str(), &status), 0) << path;
        return status.st_mode & 07777U;
    }
    Ids us{::geteuid(), ::getegid()};
    base::TempDir x_room;
    LinuxHost x_host{x_room.path()};
};

TEST_F(LinuxHostTest, ModesAreExactWhateverTheUmask) {
    for (const mode_t mask : {mode_t{0}, mode_t{0777}}) {
        ::umask(mask);
        const std::string folder = "/folder" + std::to_string(mask);
        ASSERT_TRUE(x_host.make_folder(folder, 0750, us));
        ASSERT_TRUE(x_host.make_folder(folder + "/public", 0755, us));
        ASSERT_TRUE(x_host.write_new(folder + "/secret", "s", 0400, us));
        ASSERT_TRUE(x_host.write_file(folder + "/conf", "c", 0644, us));
        ::umask(022);
        EXPECT_EQ(mode(("folder" + std::to_string(mask)).c_str()), 0750U);
        EXPECT_EQ(mode((folder.substr(1) + "/public").c_str()), 0755U);
        EXPECT_EQ(mode((folder.substr(1) + "/secret").c_str()), 0400U);
        EXPECT_EQ(mode((folder.substr(1) + "/conf").c_str()), 0644U);
    }
}

TEST_F(LinuxHostTest, ASecretIsNeverWrittenOverOrThroughSomething) {
    ASSERT_TRUE(base::write_file(x_room.path() / "victim", "untouched"));
    fs::create_symlink(x_room.path() / "victim", x_room.path() / "etc/slurm/slurm.key");
    const auto through = x_host.write_new("/etc/slurm/slurm.key", "secret", 0600, us);
    ASSERT_FALSE(through);
    EXPECT_EQ(through.error().code, base::Code::refused);
    // A dangling one as well.
    fs::create_symlink(x_room.path() / "nothing", x_room.path() / "etc/slurm/dangling");
    EXPECT_FALSE(x_host.write_new("/etc/slurm/dangling", "secret", 0600, us));
    EXPECT_FALSE(base::exists(x_room.path() / "nothing"));
    EXPECT_FALSE(x_host.write_new("/victim", "secret", 0600, us));
    EXPECT_EQ(base::read_file(x_room.path() / "victim").value(), "untouched");
    EXPECT_FALSE(x_host.read("/etc/slurm/slurm.key"));
}

using LinuxHostDeathTest = LinuxHostTest;

TEST_F(LinuxHostDeathTest, HalfASecretIsNeverThere) {
    const std::string secret(64, 'k');
    const auto die_while_writing = [&] {
        const rlimit none{0, 0};
        const rlimit eight{8, 8};
        ::setrlimit(RLIMIT_CORE, &none);
        ::setrlimit(RLIMIT_FSIZE, &eight);
        std::signal(SIGXFSZ, SIG_DFL);
        ::_exit(x_host.write_new("/etc/slurm/slurm.key", secret, 0600, us) ? 0 : 1);
    };
    EXPECT_EXIT(die_while_writing(), ::testing::KilledBySignal(SIGXFSZ), "");
    EXPECT_EQ(x_host.look("/etc/slurm/slurm.key").value().type, PathInfo::Type::absent);
    ASSERT_TRUE(x_host.write_new("/etc/slurm/slurm.key", secret, 0600, us));
    EXPECT_EQ(x_host.read("/etc/slurm/slurm.key").value(), secret);
}

TEST_F(LinuxHostTest, AFileWithASecondNameIsNotGivenAway) {
    ASSERT_TRUE(base::write_file(x_room.path() / "victim", "root's", 0644));
    fs::create_hard_link(x_room.path() / "victim", x_room.path() / "etc/slurm/slurm.key");
    const auto given = x_host.set_mode("/etc/slurm/slurm.key", 0600, us);
    ASSERT_FALSE(given);
    EXPECT_EQ(given.error().code, base::Code::refused);
    EXPECT_EQ(mode("victim"), 0644U);
    fs::remove(x_room.path() / "victim");
    EXPECT_TRUE(x_host.set_mode("/etc/slurm/slurm.key", 0600, us));
    EXPECT_EQ(mode("etc/slurm/slurm.key"), 0600U);
}

TEST_F(LinuxHostTest, AFolderReplacedByALinkOfOthersIsNotFollowed) {
    fs::create_directories(x_room.path() / "elsewhere");
    fs::create_directories(x_room.path() / "open");
    fs::create_symlink(x_room.path() / "elsewhere", x_room.path() / "open/link");
    ::chmod((x_room.path() / "open").c_str(), 0777);
    const auto status = x_host.write_file("/open/link/file", "x", 0644, us);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, base::Code::refused);
    EXPECT_FALSE(base::exists(x_room.path() / "elsewhere/file"));
    // In a folder where only we could have made it, it is the machine's own layout.
    ::chmod((x_room.path() / "open").c_str(), 0755);
    EXPECT_TRUE(x_host.write_file("/open/link/file", "x", 0644, us));
}

TEST_F(LinuxHostTest, AFileIsReplacedNotWrittenInto) {
    ASSERT_TRUE(base::write_file(x_room.path() / "victim", "untouched"));
    fs::create_symlink(x_room.path() / "victim", x_room.path() / "etc/slurm/slurm.conf");
    ASSERT_TRUE(x_host.write_file("/etc/slurm/slurm.conf", "ours", 0644, us));
    EXPECT_EQ(base::read_file(x_room.path() / "victim").value(), "untouched");
    EXPECT_EQ(x_host.look("/etc/slurm/slurm.conf").value().type, PathInfo::Type::file);
    // Nothing else is left in the folder.
    EXPECT_EQ(x_host.list("/etc/slurm").value(), std::vector<std::string>{"slurm.conf"});
}

TEST_F(LinuxHostTest, AbsenceIsAnAnswer) {
    EXPECT_EQ(x_host.look("/no/such/path").value().type, PathInfo::Type::absent);
    EXPECT_EQ(x_host.read("/no/such/path").error().code, base::Code::absent);
    ASSERT_TRUE(x_host.switch_link("/current", "views/1"));
    ASSERT_TRUE(x_host.switch_link("/current", "views/2"));
    EXPECT_EQ(x_host.read_link("/current").value(), "views/2");
    ASSERT_TRUE(x_host.remove("/current"));
    ASSERT_TRUE(x_host.make_folder("/empty", 0755, us));
    ASSERT_TRUE(x_host.remove("/empty"));
    EXPECT_EQ(x_host.look("/empty").value().type, PathInfo::Type::absent);
    EXPECT_EQ(x_host.random(64).value().size(), 64U);
}

}  // namespace
}  // namespace sf::deploy
