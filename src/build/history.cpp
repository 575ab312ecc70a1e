// SPDX-License-Identifier: Apache-2.0
#include "build/history.hpp"

#include "base/files.hpp"
#include "base/json.hpp"

namespace sf::build {

using base::Json;

History::History(std::filesystem::path file) : x_file(std::move(file)) {
    const auto text = base::read_file_if_exists(x_file);
    if (!text || !*text) return;
    const auto json = base::parse_json(**text);
    if (!json || !json->is_object()) return;
    auto times = x_times.lock();
    for (const auto& [package, steps] : json->items()) {
        if (!steps.is_object()) continue;
        for (const auto& [step, time] : steps.items())
            if (time.is_array() && time.size() == 2 && time[0].is_number() && time[1].is_number())
                (*times)[package][step] = {time[0].get<double>(), time[1].get<double>()};
    }
}

std::optional<double> History::cpu_seconds(const std::string& package) {
    auto times = x_times.lock();
    const auto found = times->find(package);
    if (found == times->end()) return std::nullopt;
    double sum = 0;
    for (const auto& [step, time] : found->second) sum += time.cpu_seconds;
    return sum;
}

void History::record(const std::string& package, const std::map<std::string, StepTime>& steps) {
    (*x_times.lock())[package] = steps;
}

base::Status History::save() {
    Json json = Json::object();
    {
        auto times = x_times.lock();
        for (const auto& [package, steps] : *times)
            for (const auto& [step, time] : steps)
                json[package][step] = Json::array({time.wall_seconds, time.cpu_seconds});
    }
    SF_CHECK(base::make_dirs(x_file.parent_path()));
    return base::write_file(x_file, json.dump(1));
}

}  // namespace sf::build
