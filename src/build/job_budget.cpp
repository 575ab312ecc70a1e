// SPDX-License-Identifier: Apache-2.0
#include "build/job_budget.hpp"

#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include "base/stop.hpp"

namespace sf::build {

using namespace std::chrono_literals;

namespace {
constexpr auto broker_interval = 10ms;
constexpr char token = '+';
}  // namespace

struct JobBudget::Share::State {
    base::Fd read;  // what the sandbox gets: blocking, as old makes expect
    base::Fd write;
    base::Fd drain;  // the same pipe opened again, non-blocking: ours alone
    double priority = 0;
    unsigned issued = 0;  // tokens put into the pipe and not taken back
    unsigned fixed = 0;   // jobs held outside the pipe
    bool hungry = true;

    [[nodiscard]] unsigned idle() const {
        int unread = 0;
        if (::ioctl(drain.get(), FIONREAD, &unread) != 0 || unread < 0) return 0;
        return static_cast<unsigned>(unread);
    }
    // A token back from the pipe; only what we issued counts, whatever the sandbox wrote there.
    bool take_back() {
        char byte = 0;
        if (issued == 0 || ::read(drain.get(), &byte, 1) != 1) return false;
        --issued;
        return true;
    }
    bool offer() {
        if (::write(write.get(), &token, 1) != 1) return false;
        ++issued;
        return true;
    }
};

JobBudget::Share::Share(JobBudget& budget, std::shared_ptr<State> state)
    : x_budget(budget), x_state(std::move(state)) {}

JobBudget::Share::~Share() {
    auto books = x_budget.x_books.lock();
    books->free += 1 + x_state->issued + x_state->fixed;
    std::erase(books->shares, x_state);
    x_budget.x_books.notify();
}

int JobBudget::Share::read_end() const { return x_state->read.get(); }
int JobBudget::Share::write_end() const { return x_state->write.get(); }

unsigned JobBudget::Share::hold_fixed(unsigned most) {
    auto books = x_budget.x_books.lock();
    const unsigned extra = std::min(books->free, most > 0 ? most - 1 : 0);
    books->free -= extra;
    x_state->fixed += extra;
    return 1 + x_state->fixed;
}

void JobBudget::Share::release_fixed() {
    auto books = x_budget.x_books.lock();
    books->free += std::exchange(x_state->fixed, 0U);
    x_budget.x_books.notify();
}

void JobBudget::Share::set_hungry(bool hungry) {
    auto books = x_budget.x_books.lock();
    x_state->hungry = hungry;
}

JobBudget::JobBudget(unsigned jobs)
    : x_jobs(std::max(jobs, 1U)), x_broker([this](const std::stop_token& stop) { broker(stop); }) {
    x_books.lock()->free = x_jobs;
}

JobBudget::~JobBudget() {
    x_broker.request_stop();
    x_broker.join();
}

unsigned JobBudget::free_jobs() { return x_books.lock()->free; }
std::size_t JobBudget::waiting() { return x_books.lock()->waiting.size(); }

base::Result<std::unique_ptr<JobBudget::Share>> JobBudget::join(double priority) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return base::fail_errno(errno, "make a jobserver pipe");
    auto state = std::make_shared<Share::State>();
    state->read = base::Fd(ends[0]);
    state->write = base::Fd(ends[1]);
    state->priority = priority;
    const std::string again = "/proc/self/fd/" + std::to_string(ends[0]);
    state->drain = base::Fd(::open(again.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!state->drain.valid()) return base::fail_errno(errno, "open a jobserver pipe again");

    auto books = x_books.lock();
    books->waiting.push_back(priority);
    const auto mine = [&](const Books& now) {
        return now.free > 0 &&
               *std::max_element(now.waiting.begin(), now.waiting.end()) <= priority;
    };
    while (!books.wait_for(100ms, mine)) {
        if (base::stop_requested()) break;
    }
    books->waiting.erase(std::find(books->waiting.begin(), books->waiting.end(), priority));
    SF_CHECK(base::check_stop());
    --books->free;
    books->shares.push_back(state);
    x_books.notify();
    return std::unique_ptr<Share>(new Share(*this, std::move(state)));
}

// One round of the broker: idle tokens come home while somebody wants them, free ones go out.
void JobBudget::settle(Books& books) {
    auto& shares = books.shares;
    const auto starving = [](const auto& share) { return share->hungry && share->idle() == 0; };
    const bool wanted =
        !books.waiting.empty() || std::any_of(shares.begin(), shares.end(), starving);
    for (const auto& share : shares) {
        // A share that is not compiling keeps nothing; one that is may keep one unread token ready.
        const unsigned keep = share->hungry && !wanted ? 1 : 0;
        while (share->idle() > keep && share->take_back()) ++books.free;
    }
    if (!books.waiting.empty()) return;  // free jobs are for those who wait to start
    std::vector<Share::State*> hungry;
    for (const auto& share : shares)
        if (starving(share)) hungry.push_back(share.get());
    std::sort(hungry.begin(), hungry.end(),
              [](const auto* a, const auto* b) { return a->priority > b->priority; });
    for (Share::State* share : hungry)
        if (books.free > 0 && share->offer()) --books.free;
}

void JobBudget::broker(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        {
            auto books = x_books.lock();
            settle(*books);
            if (books->free > 0) x_books.notify();
        }
        std::this_thread::sleep_for(broker_interval);
    }
}

}  // namespace sf::build
