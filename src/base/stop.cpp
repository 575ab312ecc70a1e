// SPDX-License-Identifier: Apache-2.0
#include "base/stop.hpp"

#include <atomic>
#include <csignal>
#include <cstring>

namespace sf::base {

namespace {

std::atomic<int> requested{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler stores it");

extern "C" void on_stop(int signal) { requested.store(signal); }

}  // namespace

void install_stop_handlers() {
    struct sigaction action {};
    action.sa_handler = on_stop;  // no SA_RESTART: blocking calls return and look
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, nullptr);
}

bool stop_requested() { return requested.load() != 0; }
int stop_signal() { return requested.load(); }
void request_stop(int signal) { requested.store(signal); }
void clear_stop() { requested.store(0); }

Status check_stop() {
    if (const int signal = stop_signal(); signal != 0)
        return fail(Code::interrupted, "stopped by {} as asked", ::strsignal(signal));
    return {};
}

}  // namespace sf::base
