// SPDX-License-Identifier: Apache-2.0
// How long packages and their steps took on this machine: the estimate shown, and the weights of
// the critical path next time. Losing it loses nothing but precision. Thread-safe.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/synced.hpp"

namespace sf::build {

struct StepTime {
    double wall_seconds = 0;
    double cpu_seconds = 0;
};

class History {
public:
    // Reads `file`; an absent or unreadable one is an empty history.
    explicit History(std::filesystem::path file);

    // CPU seconds of a whole package, if it was ever built here (any version).
    [[nodiscard]] std::optional<double> cpu_seconds(const std::string& package);
    void record(const std::string& package, const std::map<std::string, StepTime>& steps);
    [[nodiscard]] base::Status save();

private:
    using Times = std::map<std::string, std::map<std::string, StepTime>>;
    std::filesystem::path x_file;
    base::Synced<Times> x_times;
};

}  // namespace sf::build
