// SPDX-License-Identifier: Apache-2.0
// Roots kept, replaced and removed, with an mmdebstrap that only copies a small tar.
#include "sandbox/rootfs.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <unistd.h>

#include "base/stop.hpp"
#include "sandbox/root_making.hpp"
#include "unit/sandbox/tar_maker.hpp"

namespace sf::sandbox {
namespace {

class Messages : public base::Reporter {
public:
    void message(base::Level, const std::string& text) override { x_lines.push_back(text); }
    std::vector<std::string> x_lines;
};

class RootStoreTest : public testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0)
            GTEST_SKIP() << "NOT RUN: an ordinary user needs subordinate ids even for this";
        ASSERT_TRUE(base::make_dirs(x_folder.path() / "bin"));
        ASSERT_TRUE(base::write_file(x_folder.path() / "keyring.gpg", "k"));
        x_path = ::getenv("PATH");
        ::setenv("PATH", ((x_folder.path() / "bin").string() + ":" + x_path).c_str(), 1);
        write_tar(x_folder.path() / "root.tar", tiny_root());
        mmdebstrap("echo 'I: downloading packages with apt...' >&2; exec cat " +
                   (x_folder.path() / "root.tar").string());
        x_request.toolchain.name = "tiny";
        x_request.toolchain.title = "Tiny 1";
        x_request.toolchain.family = "debian";
        x_request.toolchain.suites = {"tiny", "tiny-security"};
        x_request.toolchain.components = {"main"};
        x_request.toolchain.packages = {"gcc"};
        x_request.keyring = x_folder.path() / "keyring.gpg";
        x_request.mirrors = {"http://one.example/debian", "http://two.example/debian"};
        x_request.security_mirrors = {"http://security.example/debian"};
    }
    void TearDown() override {
        if (!x_path.empty()) ::setenv("PATH", x_path.c_str(), 1);
        base::clear_stop();
    }
    void mmdebstrap(const std::string& script) {
        ASSERT_TRUE(base::write_file(x_folder.path() / "bin/mmdebstrap",
                                     "#!/bin/sh\n" + script + "\n", 0755));
    }
    [[nodiscard]] base::fs::path roots() const { return x_folder.path() / "roots"; }

    base::TempDir x_folder =
        base::TempDir::create(base::fs::temp_directory_path(), "sf-roots-").value();
    std::string x_path;
    Messages x_messages;
    RootRequest x_request;
    RootStore x_store{x_folder.path() / "roots", x_messages};
};

TEST_F(RootStoreTest, MakesARootOnce) {
    EXPECT_FALSE(x_store.current("tiny").value().has_value());
    EXPECT_TRUE(x_store.list().value().empty());
    EXPECT_EQ(x_store.reason_to_make(x_request, false).value(), "there is none yet");
    const auto root = x_store.prepare(x_request, false);
    ASSERT_TRUE(root) << root.error().text();
    EXPECT_EQ(root->record.compiler, "gcc 12.2.0-14");
    EXPECT_TRUE(base::is_dir(root->tree / "usr/bin"));
    EXPECT_EQ(base::sha256_file(root->archive).value(), root->record.digest);
    EXPECT_THAT(root->sources,
                testing::ElementsAre("deb http://one.example/debian tiny main",
                                     "deb http://security.example/debian tiny-security main"));
    EXPECT_THAT(x_messages.x_lines, testing::ElementsAre("downloading packages with apt",
                                                         "packing the root", "unpacking the root"));
    EXPECT_THAT(base::list_dir(roots() / "tiny").value(),
                testing::UnorderedElementsAre(
                    ".lock", root->record.digest.hex(), root->record.digest.hex() + ".json",
                    root->record.digest.hex() + ".tar.zst", "current", "prepare.log"));

    mmdebstrap("exit 1");
    EXPECT_FALSE(x_store.reason_to_make(x_request, false).value().has_value());
    EXPECT_EQ(x_store.prepare(x_request, false).value().record.digest, root->record.digest);
    EXPECT_EQ(x_store.current("tiny").value()->record.digest, root->record.digest);
}

TEST_F(RootStoreTest, AnUpdateOrAnotherDefinitionMakesANewOne) {
    const auto old = x_store.prepare(x_request, false).value();
    auto entries = tiny_root();
    entries.push_back({"./usr/bin/new", 'f', "x", 0755});
    write_tar(x_folder.path() / "root.tar", entries);
    EXPECT_EQ(x_store.reason_to_make(x_request, true).value(), "an update is asked for");
    const auto updated = x_store.prepare(x_request, true).value();
    EXPECT_NE(updated.record.digest, old.record.digest);
    EXPECT_EQ(x_store.current("tiny").value()->record.digest, updated.record.digest);

    x_request.toolchain.packages = {"make", "gcc"};
    EXPECT_EQ(x_store.reason_to_make(x_request, false).value(), "the toolchain now wants make");
    x_request.toolchain.packages = {"gcc"};
    x_request.toolchain.suites = {"tiny"};
    EXPECT_EQ(x_store.reason_to_make(x_request, false).value(),
              "the toolchain has other suites now");

    const auto all = x_store.list().value();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].current + all[1].current, 1);
    EXPECT_GT(x_store.remove("tiny", true).value(), 0U);
    EXPECT_FALSE(base::exists(old.archive));
    EXPECT_FALSE(base::exists(old.tree));
    EXPECT_EQ(x_store.current("tiny").value()->record.digest, updated.record.digest);
    EXPECT_GT(x_store.remove("tiny").value(), 0U);
    EXPECT_FALSE(x_store.current("tiny").value().has_value());
    EXPECT_EQ(x_store.remove("never").value(), 0U);
}

TEST_F(RootStoreTest, AnUpdateWithNothingNewKeepsTheTree) {
    const auto old = x_store.prepare(x_request, false).value();
    struct stat before {};
    ::stat(old.tree.c_str(), &before);
    EXPECT_EQ(x_store.prepare(x_request, true).value().record.digest, old.record.digest);
    struct stat after {};
    ::stat(old.tree.c_str(), &after);
    EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(RootStoreTest, UnpacksAMissingTreeAgainButNeverAWrongArchive) {
    const auto root = x_store.prepare(x_request, false).value();
    ASSERT_TRUE(base::remove_tree(root.tree));
    ASSERT_TRUE(x_store.current("tiny"));
    EXPECT_TRUE(base::exists(root.tree / "usr/bin/perl"));
    ASSERT_TRUE(base::remove_tree(root.tree));
    ASSERT_TRUE(base::write_file(root.archive, "something else"));
    const auto wrong = x_store.current("tiny");
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, base::Code::corrupt);
    EXPECT_EQ(wrong.error().hint, "slurm-factory toolchain prepare tiny --update");
    EXPECT_FALSE(base::exists(root.tree));
}

TEST_F(RootStoreTest, BrokenRecordsAreErrorsWithAWayOut) {
    const auto root = x_store.prepare(x_request, false).value();
    const auto record = roots() / "tiny" / root_names::record(root.record.digest);
    ASSERT_TRUE(base::write_file(record, "{}"));
    const auto broken = x_store.current("tiny");
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code, base::Code::corrupt);
    EXPECT_EQ(broken.error().hint, "slurm-factory toolchain prepare tiny --update");
    EXPECT_TRUE(x_store.list().value().empty());
    EXPECT_THAT(x_messages.x_lines.back(), testing::HasSubstr("has no number 'root'"));
    // The way out is one.
    EXPECT_TRUE(x_store.prepare(x_request, true));
    EXPECT_TRUE(x_store.current("tiny").value().has_value());
    ASSERT_TRUE(base::write_file(roots() / "tiny/current", "../../etc"));
    EXPECT_EQ(x_store.current("tiny").error().code, base::Code::corrupt);
    EXPECT_FALSE(x_store.current("../x"));
    EXPECT_FALSE(x_store.remove("../x"));
}

TEST_F(RootStoreTest, AFailureSaysWhatMmdebstrapSaidAndLeavesNothing) {
    mmdebstrap("echo 'I: running' >&2; echo 'E: Unable to locate package gcc' >&2; exit 25");
    const auto failed = x_store.prepare(x_request, false);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, base::Code::failed);
    EXPECT_EQ(failed.error().message,
              "mmdebstrap failed (exit status 25); its last lines:\n  I: running\n"
              "  E: Unable to locate package gcc");
    EXPECT_EQ(failed.error().hint, "the whole log is " + (roots() / "tiny/prepare.log").string());
    EXPECT_THAT(base::list_dir(roots() / "tiny").value(),
                testing::UnorderedElementsAre(".lock", "prepare.log"));
    EXPECT_FALSE(x_store.current("tiny").value().has_value());
}

TEST_F(RootStoreTest, AFailedUpdateKeepsTheOldRoot) {
    const auto old = x_store.prepare(x_request, false).value();
    mmdebstrap("head -c 3000 " + (x_folder.path() / "root.tar").string());
    EXPECT_FALSE(x_store.prepare(x_request, true));
    EXPECT_EQ(x_store.current("tiny").value()->record.digest, old.record.digest);
}

TEST_F(RootStoreTest, TriesTheNextAddressOnlyIfOneDoesNotAnswer) {
    mmdebstrap(
        "for w; do case $w in *one.example*) echo 'E: Could not resolve one.example' >&2; "
        "exit 25;; esac; done; exec cat " +
        (x_folder.path() / "root.tar").string());
    const auto root = x_store.prepare(x_request, false);
    ASSERT_TRUE(root) << root.error().text();
    EXPECT_EQ(root->sources[0], "deb http://two.example/debian tiny main");
    EXPECT_THAT(
        x_messages.x_lines,
        testing::Contains("http://one.example/debian does not answer; trying the next address"));

    mmdebstrap("echo 'W: NO_PUBKEY 0123' >&2; exit 25");
    const auto unsigned_archive = x_store.prepare(x_request, true);
    ASSERT_FALSE(unsigned_archive);
    EXPECT_EQ(unsigned_archive.error().code, base::Code::refused);
    EXPECT_THAT(unsigned_archive.error().message,
                testing::StartsWith("the archive's signature is not good"));
    mmdebstrap("echo 'E: Temporary failure resolving x' >&2; exit 25");
    EXPECT_EQ(x_store.prepare(x_request, true).error().code, base::Code::unreachable);
}

TEST_F(RootStoreTest, AStopEndsMmdebstrap) {
    mmdebstrap("kill -INT $PPID; exec sleep 60");
    base::install_stop_handlers();
    const auto stopped = x_store.prepare(x_request, false);
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, base::Code::interrupted);
    EXPECT_FALSE(base::exists(roots() / "tiny/current"));
}

TEST_F(RootStoreTest, WhatAnInterruptedPreparationLeftIsDeleted) {
    ASSERT_TRUE(base::make_dirs(roots() / "tiny/.staging-old/tree/usr"));
    ASSERT_TRUE(x_store.prepare(x_request, false));
    EXPECT_FALSE(base::exists(roots() / "tiny/.staging-old"));
}

TEST_F(RootStoreTest, AShellSeesTheRoot) {
    const auto root = x_store.prepare(x_request, false).value();
    const auto plan = shell_plan(root, {{"/data", "/data", false}});
    EXPECT_EQ(plan.root, root.tree);
    EXPECT_EQ(plan.argv.front(), "/bin/bash");
    EXPECT_TRUE(check_plan(plan));
}

TEST(LastLines, AreFewAndHarmless) {
    EXPECT_EQ(last_lines("a\n\nb\nc\n", 2), "  b\n  c");
    EXPECT_EQ(last_lines("", 2), "");
    EXPECT_EQ(last_lines("x\x1b[2J\n", 5), "  x\\x1b[2J");
}

}  // namespace
}  // namespace sf::sandbox
