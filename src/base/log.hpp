// SPDX-License-Identifier: Apache-2.0
// What the program says while it works: one seam, so that a terminal, a pipe, JSON events and tests
// each get what they need. Implementations are thread-safe.
#pragma once

#include <fmt/format.h>

#include <string>

namespace sf::base {

enum class Level { debug, info, notice, warning };

class Reporter {
public:
    virtual ~Reporter() = default;
    virtual void message(Level level, const std::string& text) = 0;

    template <class... Args>
    void info(fmt::format_string<Args...> format, Args&&... args) {
        message(Level::info, fmt::format(format, std::forward<Args>(args)...));
    }
    template <class... Args>
    void debug(fmt::format_string<Args...> format, Args&&... args) {
        message(Level::debug, fmt::format(format, std::forward<Args>(args)...));
    }
    template <class... Args>
    void notice(fmt::format_string<Args...> format, Args&&... args) {
        message(Level::notice, fmt::format(format, std::forward<Args>(args)...));
    }
    template <class... Args>
    void warning(fmt::format_string<Args...> format, Args&&... args) {
        message(Level::warning, fmt::format(format, std::forward<Args>(args)...));
    }
};

}  // namespace sf::base
