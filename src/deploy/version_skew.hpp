// SPDX-License-Identifier: Apache-2.0
// Slurm on the other hosts of a cluster: does the version that is to be set up here go with what
// runs there? A daemon talks with those of its own series and of some earlier ones (see
// release_step.hpp), with no later one: slurmdbd goes first, then slurmctld, then all others. Asked
// with Slurm's own tools, before anything is changed here. Who does not answer speaks against
// nothing: whether daemons reach each other is the smoke test's to say. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "deploy/facts.hpp"
#include "deploy/host.hpp"
#include "deploy/options.hpp"

namespace sf::deploy {

struct VersionQuestion {
    std::string tools;       // the folder of scontrol and sacctmgr that are to be set up
    std::string version;     // of them, exact
    bool munge = false;      // munged answers here; else the question bears nobody's name
    std::string controller;  // HOST or HOST:PORT of slurmctld; empty: it is ours, or not used
    std::string dbd;         // the host of slurmdbd; likewise
};

// Of a host with these answers; nobody is named where nobody is to be asked.
[[nodiscard]] VersionQuestion version_question(const Answers& answers, const Facts& facts);

// Whether a plan by these answers may have others asked: known before the machine is looked at.
[[nodiscard]] bool others_may_be_asked(const Answers& answers);

// Code::refused: it does not go with what runs there. The error names who, both versions where they
// are known, and what to do. Within some 20 seconds each.
[[nodiscard]] base::Status goes_with_others(const VersionQuestion& question, Host& host);

// Before an upgrade: who would be left behind.
struct FollowersQuestion {
    // Folders of sinfo and sacctmgr of what runs, the likeliest first: the tree may have been moved
    // under running daemons.
    std::vector<std::string> tools;
    std::string version;         // the one that is to take over, exact
    bool nodes = false;          // slurmctld runs here, and knows what its nodes run
    std::uint16_t dbd_port = 0;  // of slurmdbd, which knows what its clusters run; 0: none is here
};

// Code::refused: some of them are of so early a series that the new daemons talk with them no more.
// Code::absent: those tools are nowhere, so nobody was asked.
[[nodiscard]] base::Status others_follow(const FollowersQuestion& question, Host& host);

}  // namespace sf::deploy
