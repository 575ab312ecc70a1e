// SPDX-License-Identifier: Apache-2.0
// One budget of jobs over all packages that are being built (GNU make's jobserver protocol, "POSIX
// jobserver": https://www.gnu.org/software/make/manual/html_node/POSIX-Jobserver.html).
//
// Each package build is a share: it owns one job by itself, and a pipe of its own from which its
// make takes further ones. A broker moves tokens between the pipes: a token nobody reads is idle
// and goes to a build that waits to start, else to the share with an empty pipe and the highest
// priority. One pipe each, never one for all: a make that is killed takes its tokens with it, and a
// sandbox can write tokens it does not have; both harm only that share, whose whole allotment comes
// back when it ends. Thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "base/synced.hpp"

namespace sf::build {

class JobBudget {
public:
    explicit JobBudget(unsigned jobs);
    ~JobBudget();  // all shares must be gone
    JobBudget(const JobBudget&) = delete;
    JobBudget& operator=(const JobBudget&) = delete;

    class Share {
    public:
        ~Share();
        // The ends for the sandbox (borrowed): make reads the first and writes the second.
        [[nodiscard]] int read_end() const;
        [[nodiscard]] int write_end() const;
        // Jobs for a step that speaks no jobserver: what is free now, at least 1, at most `most`.
        // Held until release_fixed() or the end of the share.
        [[nodiscard]] unsigned hold_fixed(unsigned most);
        void release_fixed();
        // Nothing is offered to the pipe while false: steps that do not compile.
        void set_hungry(bool hungry);

    private:
        friend class JobBudget;
        struct State;
        Share(JobBudget& budget, std::shared_ptr<State> state);
        JobBudget& x_budget;
        std::shared_ptr<State> x_state;
    };

    // Waits for a free job; waiters are served by priority. Fails only on a stop request or when no
    // pipe can be made.
    [[nodiscard]] base::Result<std::unique_ptr<Share>> join(double priority);

    [[nodiscard]] unsigned jobs() const { return x_jobs; }
    [[nodiscard]] unsigned free_jobs();   // neither held nor offered
    [[nodiscard]] std::size_t waiting();  // joiners that wait for a job now

private:
    struct Books {
        unsigned free = 0;
        std::vector<std::shared_ptr<Share::State>> shares;
        std::vector<double> waiting;  // priorities
    };
    void broker(const std::stop_token& stop);
    static void settle(Books& books);

    unsigned x_jobs;
    base::Synced<Books> x_books;
    std::jthread x_broker;
};

}  // namespace sf::build
