// SPDX-License-Identifier: Apache-2.0
// A process that holds the lock of a file and does nothing else, until it is killed; and whether
// anybody holds one. One thread.
#pragma once

#include <sys/file.h>

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <thread>
#include <utility>

#include "reliability/site.hpp"

namespace sf::test {

[[nodiscard]] inline bool is_held(const base::fs::path& lock) {
    const base::Fd fd(::open(lock.c_str(), O_RDWR | O_CLOEXEC));
    return fd.valid() && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0;
}

class LockHolder {
public:
    // `around`: a program that becomes it, or starts it, and its words.
    LockHolder(Site& site, const base::fs::path& lock, Words around = {})
        : x_running(start(site, lock, std::move(around))) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!is_held(lock) && !x_running.ended() && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        EXPECT_TRUE(is_held(lock)) << x_running.said();
    }
    ~LockHolder() { kill(); }
    LockHolder(const LockHolder&) = delete;
    LockHolder& operator=(const LockHolder&) = delete;

    // To whoever started it as well.
    void signal(int number) const { ::kill(-x_running.pid(), number); }
    void kill() {
        if (std::exchange(x_gone, true)) return;
        if (!x_running.ended()) signal(SIGKILL);
        static_cast<void>(x_running.wait());
    }

private:
    static Running start(Site& site, const base::fs::path& lock, Words words) {
        const Words its{"/usr/bin/flock", "--no-fork", lock.native(), "/bin/sleep", "600"};
        words.insert(words.end(), its.begin(), its.end());
        const base::Environment environment{{"PATH", "/usr/bin:/bin:/usr/sbin:/sbin"}};
        return site.start_program(std::move(words), environment);
    }

    Running x_running;
    bool x_gone = false;
};

}  // namespace sf::test
