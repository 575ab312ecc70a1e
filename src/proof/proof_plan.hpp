// SPDX-License-Identifier: Apache-2.0
// How a bundle is proven to run, as data: the two places its tree is put to one after the other,
// and the sandbox in which slurm-setup rehearses a cluster there (deploy/rehearsal.hpp). Also what
// a rehearsal's words mean. Pure, any thread; touches no disk.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.hpp"
#include "sandbox/sandbox_plan.hpp"

namespace sf::proof {

namespace fs = std::filesystem;

// A folder of this machine appears at `target` in the sandbox, with the tree in it or below it.
struct Place {
    fs::path bound;
    std::string target;
    fs::path tree;       // on this machine
    std::string inside;  // the tree's path in the sandbox
};

// The first is a path shorter than the one it was built for, right below the root; the second a
// longer one, with blanks and letters beyond ASCII. `names`: two random words.
[[nodiscard]] std::array<Place, 2> places_of(const fs::path& room,
                                             const std::array<std::string, 2>& names);

struct RehearsalPlace {
    fs::path root;    // the toolchain's, unpacked
    fs::path helper;  // slurm-setup
    fs::path state;   // empty, writable for whoever the sandbox runs as
    fs::path etc;     // holds the files of account_files()
    std::string version;
    bool gpu = false;
    Place place;
};

[[nodiscard]] sandbox::SandboxPlan rehearsal_plan(const RehearsalPlace& rehearsal);

// passwd, group and hosts of the machine that the sandbox is: name and content.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> account_files(base::Identity user);

// Where a rehearsal writes, below its state folder.
inline constexpr const char* logs_folder = "log";

// What a rehearsal printed. Comes from where upstream code ran: escaped, and no more than a report.
struct Rehearsed {
    std::string step;                 // the last that was begun
    std::vector<std::string> proved;  // in order
    std::string failure;              // empty: it told none
};
[[nodiscard]] Rehearsed read_rehearsal(std::string_view printed);

// The daemon whose log tells most of a failure: the one that is named, else the step's own.
[[nodiscard]] std::string telling_daemon(const Rehearsed& rehearsed);

}  // namespace sf::proof
