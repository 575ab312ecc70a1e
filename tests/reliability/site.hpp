// SPDX-License-Identifier: Apache-2.0
// A signed cache of small packages and a machine of a site that trusts its signer: the real
// program, built here, is started on it in processes of its own. Real GnuPG. One thread, but for
// start().
#pragma once

#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/process.hpp"
#include "faults/small_cache.hpp"
#include "reliability/suite.hpp"

namespace sf::test {

struct Said {
    int code = -1;  // 128 + signal
    int signal = 0;
    bool hung = false;  // and was killed for it
    std::string out;
    std::string err;
    double seconds = 0;
    [[nodiscard]] std::string text() const;
};

// A process that was started.
class Running {
public:
    [[nodiscard]] pid_t pid() const { return x_child.pid(); }
    // To the program alone: what it has started is left without it.
    void signal(int number) const { x_child.kill_alone(number); }
    [[nodiscard]] bool ended();
    // What hangs is killed with all that it has started.
    [[nodiscard]] Said wait(std::chrono::seconds patience = std::chrono::seconds(300));
    // What it has said on its standard error until now.
    [[nodiscard]] std::string said() const;
    [[nodiscard]] double seconds() const;

private:
    friend class Site;
    Running(base::Child child, std::filesystem::path out, std::filesystem::path err)
        : x_child(std::move(child)), x_out(std::move(out)), x_err(std::move(err)) {}
    base::Child x_child;
    std::filesystem::path x_out;
    std::filesystem::path x_err;
    std::chrono::steady_clock::time_point x_begin = std::chrono::steady_clock::now();
};

// Of many that run at once, one that is to be killed.
struct Victim {
    Running* process;
    double after;  // seconds of its own; 0: it is left alone
};
// Returns once each has been, or had ended by then.
void kill_each(std::vector<Victim> victims);

// The last of the errors that a program has said, in one line.
[[nodiscard]] std::string last_error(const std::string& err);

// Strikes processes somewhere on their way, until as many as wanted have met their end by it. A
// machine is busier at one time than at another, and some have less to do: after each that was done
// before the blow the next blows come a little earlier, until one has met its end again.
class Strikes {
public:
    // `alone`: seconds that one of them took.
    Strikes(Random& random, std::uint64_t wanted, double alone)
        : x_random(random), x_wanted(wanted), x_alone(alone) {}
    // Not for ever: ten times as many as wanted.
    [[nodiscard]] bool go_on() const { return x_met < x_wanted && x_struck < x_wanted * 10; }
    [[nodiscard]] Said strike(Running& process, int number = SIGKILL);
    // Seconds from the last blow to the end.
    [[nodiscard]] double took() const { return x_took; }
    [[nodiscard]] std::uint64_t struck() const { return x_struck; }
    // As many as wanted; who was done before does not count.
    void check() const;
    [[nodiscard]] std::string text() const;

private:
    Random& x_random;
    std::uint64_t x_wanted;
    double x_alone;
    double x_took = 0;
    int x_missed = 0;  // one after the other
    std::uint64_t x_struck = 0;
    std::uint64_t x_met = 0;
};

using Words = std::vector<std::string>;

class Site {
public:
    // Below `parent`; with `versions` of Slurm in the cache.
    explicit Site(const std::vector<std::string>& versions,
                  const base::fs::path& parent = room_for_tests());

    [[nodiscard]] const base::fs::path& folder() const { return x_folder.path(); }
    [[nodiscard]] base::fs::path at(const std::string& name) const { return folder() / name; }
    [[nodiscard]] base::fs::path cache() const { return small().cache(); }
    [[nodiscard]] SmallCache small() const { return SmallCache(folder() / "site"); }
    [[nodiscard]] const std::vector<std::string>& versions() const { return x_versions; }
    void now_has(const std::string& version) { x_versions.push_back(version); }

    // A client's memory and trust of its own: another machine.
    base::fs::path new_client(const std::string& name);

    // The words of an installation from the cache; `from`: another place.
    [[nodiscard]] Words install(const std::string& version, const base::fs::path& prefix,
                                const std::string& from = {}) const;
    [[nodiscard]] Running start(const Words& words, const base::fs::path& client = {},
                                const base::Limits& limits = {});
    [[nodiscard]] Said run(const Words& words, const base::fs::path& client = {}) {
        return start(words, client).wait();
    }
    // Any other program, for instance this one.
    [[nodiscard]] Running start_program(std::vector<std::string> argv,
                                        const base::Environment& environment,
                                        const base::Limits& limits = {});

private:
    base::TempDir x_folder;
    std::vector<std::string> x_versions;
    int x_started = 0;
};

// This test program, told to do one thing (main.cpp).
[[nodiscard]] std::string own_program();
[[nodiscard]] std::string program();

}  // namespace sf::test
