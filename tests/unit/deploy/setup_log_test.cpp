// SPDX-License-Identifier: Apache-2.0
#include "deploy/setup_log.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "support/recording_host.hpp"

namespace sf::deploy {
namespace {

class SetupLogTest : public ::testing::Test {
protected:
    [[nodiscard]] std::filesystem::path at(const char* name) const { return x_room.path() / name; }
    // Without the times.
    static std::string said(const std::filesystem::path& file) {
        std::string text;
        for (const std::string& line : base::split(base::read_file(file).value(), '\n'))
            if (!line.empty()) text += line.substr(line.find(' ') + 1) + '\n';
        return text;
    }
    base::TempDir x_room = base::TempDir::create("/tmp", "sft-").value();
    test::Listener listener;
};

TEST_F(SetupLogTest, HoldsWhatWasToldBeforeAndAfter) {
    {
        SetupLog log(listener);
        log.info("verified: {}", "all");
        log.debug("not for people");
        EXPECT_FALSE(base::exists(at("log"))) << "nothing was changed yet";
        log.begin("slurm_install.sh --full-init", at("log"));
        log.notice("two\nlines");
        log.warning("late");
        log.failed({base::Code::failed, "slurmd ended", {}, "look there"});
    }
    const std::string first =
        "slurm_install.sh --full-init\nverified: all\nnote: two; lines\nwarning: late\n"
        "failed: slurmd ended; next: look there\n";
    EXPECT_EQ(said(at("log")), first);
    EXPECT_NE(listener.heard.find("verified: all"), std::string::npos);
    struct stat status {};
    ASSERT_EQ(::stat(at("log").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0640U);
    SetupLog again(listener);
    again.begin("slurm_install.sh --uninstall", at("log"));
    EXPECT_EQ(said(at("log")), first + "slurm_install.sh --uninstall\n");
}

TEST_F(SetupLogTest, WhereNothingWasChangedNothingIsWritten) {
    SetupLog log(listener);
    log.info("verified");
    log.failed({base::Code::refused, "no", {}, {}});
    EXPECT_TRUE(std::filesystem::is_empty(x_room.path()));
}

TEST_F(SetupLogTest, WhatSomebodyPlantedIsNotWrittenTo) {
    ASSERT_TRUE(base::write_file(at("theirs"), "kept"));
    ASSERT_EQ(::symlink("theirs", at("link").c_str()), 0);
    ASSERT_EQ(::link(at("theirs").c_str(), at("second").c_str()), 0);
    ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0644), 0);
    for (const char* name : {"link", "second", "pipe", "none/log"}) {
        SCOPED_TRACE(name);
        listener.heard.clear();
        SetupLog log(listener);
        log.begin("call", at(name));
        log.info("goes on");
        EXPECT_NE(listener.heard.find("what is done here is not logged"), std::string::npos);
        EXPECT_NE(listener.heard.find("goes on"), std::string::npos);
    }
    EXPECT_EQ(base::read_file(at("theirs")).value(), "kept");
}

}  // namespace
}  // namespace sf::deploy
