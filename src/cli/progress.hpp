// SPDX-License-Identifier: Apache-2.0
// What people see of a build: on a terminal a line for each running package with its step and time,
// and a total with an estimate; otherwise plain lines, of what begins and ends and once a minute of
// what is going on; events with --json. Thread-safe.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <thread>

#include "base/synced.hpp"
#include "build/observer.hpp"
#include "cli/session.hpp"

namespace sf::cli {

class Progress : public build::BuildObserver {
public:
    // `expected`: CPU seconds by store name, of all packages; `jobs`: at once.
    Progress(Session& session, std::map<std::string, double> expected, unsigned jobs);
    ~Progress() override;

    void package_reused(const model::Package& package) override;
    void package_started(const std::string& store_name, const std::string& reason) override;
    void step_started(const std::string& store_name, const std::string& step) override;
    void package_built(const model::Package& package,
                       const std::map<std::string, build::StepTime>& steps) override;
    void package_failed(const std::string& store_name, const base::Error& error) override;
    void package_skipped(const std::string& store_name) override;
    void waiting_for_lock(const std::string& store_name) override;

private:
    using Clock = std::chrono::steady_clock;
    struct Running {
        std::string step;
        Clock::time_point started;
    };
    struct State {
        std::map<std::string, Running> running;
        std::map<std::string, double> left;  // expected seconds of what is not done
        std::size_t done = 0;
        std::size_t drawn_lines = 0;
        bool paused = false;
    };
    void finished(const std::string& store_name, const std::string& line);
    void draw(State& state) const;
    void report_at_times(const std::stop_token& stop);
    [[nodiscard]] std::string total(const State& state) const;
    static void erase(State& state);

    Session& x_session;
    std::size_t x_total;
    unsigned x_jobs;
    bool x_live;
    Clock::time_point x_start = Clock::now();
    base::Synced<State> x_state;
    std::jthread x_painter;
};

}  // namespace sf::cli
