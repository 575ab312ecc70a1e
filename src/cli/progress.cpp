// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.hpp"

#include <sys/ioctl.h>

#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <unistd.h>

#include "base/text.hpp"
#include "cli/standard_streams.hpp"

namespace sf::cli {

using namespace std::chrono_literals;

namespace {

constexpr auto repaint_interval = 200ms;
constexpr auto report_interval = 60s;  // where nothing can be repainted: logs of CI and the like

double seconds(std::chrono::steady_clock::duration time) {
    return std::chrono::duration<double>(time).count();
}

std::size_t terminal_width() {
    winsize size{};
    if (::ioctl(2, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
    return size.ws_col;
}

// False at once when a stop is requested: nobody waits for a display at the end.
bool pause(const std::stop_token& stop, std::chrono::milliseconds time) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any bell;
    bell.wait_for(lock, stop, time, [] { return false; });
    return !stop.stop_requested();
}

double total_seconds(const std::map<std::string, build::StepTime>& steps) {
    double sum = 0;
    for (const auto& [step, time] : steps) sum += time.wall_seconds;
    return sum;
}

}  // namespace

Progress::Progress(Session& session, std::map<std::string, double> expected, unsigned jobs)
    : x_session(session), x_total(expected.size()), x_jobs(jobs) {
    const char* terminal = ::getenv("TERM");
    x_live = ::isatty(2) == 1 && !session.options.quiet && !session.options.json &&
             terminal != nullptr && std::string_view(terminal) != "dumb";
    x_state.lock()->left = std::move(expected);
    if (!x_live) {
        x_painter = std::jthread([this](const std::stop_token& stop) { report_at_times(stop); });
        return;
    }
    x_session.voice.set_interlude(
        [this] {
            auto state = x_state.lock();
            erase(*state);
            state->paused = true;
        },
        [this] { x_state.lock()->paused = false; });
    x_painter = std::jthread([this](const std::stop_token& stop) {
        do {
            auto state = x_state.lock();
            if (!state->paused) draw(*state);
        } while (pause(stop, repaint_interval));
        erase(*x_state.lock());
    });
}

Progress::~Progress() {
    x_painter.request_stop();
    x_painter.join();
    if (x_live) x_session.voice.set_interlude({}, {});
}

void Progress::report_at_times(const std::stop_token& stop) {
    while (pause(stop, report_interval)) {
        std::string text;
        {
            auto state = x_state.lock();
            for (const auto& [name, running] : state->running)
                text += fmt::format("{} ({}, {}), ", name, running.step,
                                    base::human_seconds(seconds(Clock::now() - running.started)));
            text += total(*state);
        }
        x_session.voice.info("        {}", text);
    }
}

// "3/15 done, … so far, about … left"
std::string Progress::total(const State& state) const {
    const Clock::time_point now = Clock::now();
    double left = 0;
    for (const auto& [name, expected] : state.left) {
        const auto running = state.running.find(name);
        const double spent =
            running == state.running.end() ? 0 : seconds(now - running->second.started);
        left += std::max(expected - spent, 0.0);
    }
    const std::string so_far = fmt::format("{}/{} done, {} so far", state.done, x_total,
                                           base::human_seconds(seconds(now - x_start)));
    if (left <= 0 && !state.running.empty()) return so_far + ", longer than expected";
    return fmt::format("{}, about {} left", so_far,
                       base::human_seconds(left / std::max(x_jobs, 1U)));
}

void Progress::erase(State& state) {
    // A display that cannot be drawn is no reason to stop building.
    if (state.drawn_lines > 0)
        static_cast<void>(write_text(stderr, fmt::format("\033[{}A\033[J", state.drawn_lines)));
    state.drawn_lines = 0;
}

void Progress::draw(State& state) const {
    std::string text;
    const std::size_t width = terminal_width() - 1;
    std::size_t lines = 0;
    const auto add = [&](const std::string& line) {
        text += line.substr(0, width) + "\n";
        ++lines;
    };
    const Clock::time_point now = Clock::now();
    for (const auto& [name, running] : state.running)
        add(fmt::format("  {:<32} {:<14} {:>12}", name, running.step,
                        base::human_seconds(seconds(now - running.started))));
    add("  " + total(state));
    erase(state);
    static_cast<void>(write_text(stderr, text));
    state.drawn_lines = lines;
}

void Progress::finished(const std::string& store_name, const std::string& line) {
    std::size_t done = 0;
    {
        auto state = x_state.lock();
        state->running.erase(store_name);
        state->left.erase(store_name);
        done = ++state->done;
    }
    x_session.voice.info("[{:>2}/{}] {}", done, x_total, line);
}

void Progress::package_reused(const model::Package& package) {
    x_session.voice.event("package_reused", {{"package", package.store_name()}});
    finished(package.store_name(), package.store_name() + ": in the store");
}

void Progress::package_started(const std::string& store_name, const std::string& reason) {
    x_session.voice.event("package_started", {{"package", store_name}, {"reason", reason}});
    x_state.lock()->running[store_name] = {"start", Clock::now()};
    if (!x_live) x_session.voice.info("        {}: building ({})", store_name, reason);
}

void Progress::step_started(const std::string& store_name, const std::string& step) {
    x_session.voice.event("step_started", {{"package", store_name}, {"step", step}});
    {
        auto state = x_state.lock();
        const auto running = state->running.find(store_name);
        if (running != state->running.end()) running->second.step = step;
    }
    if (!x_live) x_session.voice.debug("        {}: {}", store_name, step);
}

void Progress::package_built(const model::Package& package,
                             const std::map<std::string, build::StepTime>& steps) {
    base::Json times = base::Json::object();
    for (const auto& [step, time] : steps)
        times[step] = {{"wall", time.wall_seconds}, {"cpu", time.cpu_seconds}};
    x_session.voice.event("package_built", {{"package", package.store_name()},
                                            {"run_sha256", package.run.sha256.hex()},
                                            {"run_size", package.run.size},
                                            {"steps", times}});
    finished(package.store_name(), fmt::format("{}: built in {}, {}", package.store_name(),
                                               base::human_seconds(total_seconds(steps)),
                                               base::human_bytes(package.run.size)));
}

void Progress::package_failed(const std::string& store_name, const base::Error& error) {
    x_session.voice.event("package_failed", {{"package", store_name}, {"message", error.text()}});
    finished(store_name, store_name + ": FAILED");
}

void Progress::package_skipped(const std::string& store_name) {
    x_session.voice.event("package_skipped", {{"package", store_name}});
    auto state = x_state.lock();
    state->running.erase(store_name);
    state->left.erase(store_name);
}

void Progress::waiting_for_lock(const std::string& store_name) {
    x_session.voice.event("waiting", {{"package", store_name}});
    x_session.voice.info("        {}: another build of it is running here; waiting for it",
                         store_name);
}

}  // namespace sf::cli
