// SPDX-License-Identifier: Apache-2.0
// A request to stop: SIGINT, SIGTERM or SIGHUP once; whoever waits looks at it. Thread-safe.
#pragma once

#include "base/result.hpp"

namespace sf::base {

void install_stop_handlers();  // once, from main; SIGPIPE is ignored from then on
[[nodiscard]] bool stop_requested();
[[nodiscard]] int stop_signal();    // 0 if none
void request_stop(int signal);      // for tests and for the program itself
void clear_stop();                  // for tests
[[nodiscard]] Status check_stop();  // Code::interrupted once a stop was requested

}  // namespace sf::base
