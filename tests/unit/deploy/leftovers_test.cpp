// SPDX-License-Identifier: Apache-2.0
#include "deploy/leftovers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/recording_host.hpp"

namespace sf::deploy {
namespace {

using ::testing::HasSubstr;

TEST(Leftovers, OfAKilledCallNothingStaysInRun) {
    test::RecordingHost host;
    test::Listener listener;
    // Of a question as root, one as user slurm, of the client's and the test's.
    host.put_folder("/run/slurm-setup-aaaa", 0700);
    host.put("/run/slurm-setup-aaaa/slurmdbd.conf", "StoragePass=secretword\n", 0600);
    host.put_folder("/run/slurm-setup-bbbb", 0700, {64030, 64030});
    host.put("/run/slurm-setup-bbbb/slurmdbd.conf", "StoragePass=secretword\n", 0600,
             {64030, 64030});
    host.put("/run/slurm-setup-bbbb/slurmdbd.pid", "1\n", 0644, {64030, 64030});
    host.put("/run/slurm-setup-cccc.cnf", "password=\"secretword\"\n", 0600);
    host.put("/run/slurm-setup-dddd.conf", "SlurmUser=slurm\n", 0600);
    // Killed before it had its name.
    host.put("/run/.sf-0123456789abcdef", "password=\"secretword\"\n", 0600);
    // Not of these.
    host.put("/run/.sf-0123456789abcde", "", 0600);
    host.put("/run/.sf-0123456789abcdef0", "", 0600);
    host.put("/run/.sf-0123456789ABCDEF", "", 0600);
    host.put("/run/.sf-1111111111111111", "", 0644);
    host.put("/run/.sf-2222222222222222", "", 0600, {64030, 64030});
    host.put_folder("/run/.sf-3333333333333333", 0700);
    host.put_link("/run/.sf-4444444444444444", "/etc");
    host.put("/run/slurm/.sf-5555555555555555", "", 0600);
    host.put("/run/slurm-setup.lock", "", 0600);
    host.put_folder("/run/slurm-setup-open", 0755);
    host.put_folder("/run/slurm", 0755, {64030, 64030});
    host.put("/run/slurm/slurm-setup-aaaa", "", 0600, {64030, 64030});
    host.put_link("/run/slurm-setup-link", "/etc");
    remove_leftovers(host, listener);
    EXPECT_EQ(listener.heard, "");
    std::vector<std::string> left;
    for (const auto& [path, node] : host.nodes) left.push_back(path);
    EXPECT_THAT(left, ::testing::UnorderedElementsAre(
                          "/run/.sf-0123456789abcde", "/run/.sf-0123456789abcdef0",
                          "/run/.sf-0123456789ABCDEF", "/run/.sf-1111111111111111",
                          "/run/.sf-2222222222222222", "/run/.sf-3333333333333333",
                          "/run/.sf-4444444444444444", "/run/slurm", "/run/slurm-setup-link",
                          "/run/slurm-setup-open", "/run/slurm-setup.lock",
                          "/run/slurm/.sf-5555555555555555", "/run/slurm/slurm-setup-aaaa"));
}

TEST(Leftovers, WhatCannotBeRemovedKeepsNobody) {
    test::RecordingHost host;
    test::Listener listener;
    host.put("/run/slurm-setup-aaaa.cnf", "", 0600);
    host.put("/run/slurm-setup-bbbb.cnf", "", 0600);
    host.fail_at = "/run/slurm-setup-aaaa.cnf";
    remove_leftovers(host, listener);
    EXPECT_THAT(listener.heard, HasSubstr("/run/slurm-setup-aaaa.cnf, which an interrupted call"));
    EXPECT_EQ(host.text("/run/slurm-setup-bbbb.cnf"), "<absent>");
}

}  // namespace
}  // namespace sf::deploy
