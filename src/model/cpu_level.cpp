// SPDX-License-Identifier: Apache-2.0
#include "model/cpu_level.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>
#include <vector>

#include "base/text.hpp"

namespace sf::model {

namespace {

// What each level of the x86-64 psABI adds, by the names Linux gives the features.
using Level = std::pair<const char*, std::vector<const char*>>;
const std::array<Level, 4>& levels() {
    static const std::array<Level, 4> table{
        Level{"x86_64", {"lm", "cx8", "cmov", "fpu", "fxsr", "mmx", "syscall", "sse2"}},
        Level{"x86_64_v2", {"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"}},
        Level{"x86_64_v3", {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}},
        Level{"x86_64_v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}}};
    return table;
}

// The words of the first line "flags : ...".
std::set<std::string> flags_of(std::string_view cpuinfo) {
    for (const std::string& line : base::split(cpuinfo, '\n')) {
        const std::size_t colon = line.find(':');
        if (colon == std::string::npos) continue;
        if (base::trim(std::string_view(line).substr(0, colon)) != "flags") continue;
        const std::vector<std::string> words = base::split(line.substr(colon + 1), ' ');
        return {words.begin(), words.end()};
    }
    return {};
}

}  // namespace

std::string cpu_level(std::string_view cpuinfo, bool lzcnt_works) {
    std::set<std::string> flags = flags_of(cpuinfo);
    if (lzcnt_works) flags.insert("abm");
    std::string level;
    for (const auto& [name, needed] : levels()) {
        const bool all = std::all_of(needed.begin(), needed.end(),
                                     [&](const char* flag) { return flags.contains(flag); });
        if (!all) break;
        level = name;
    }
    return level;
}

bool cpu_runs(std::string_view have, std::string_view wanted) {
    const auto level = [](std::string_view name) {
        const auto found = std::ranges::find(levels(), name, &Level::first);
        return found - levels().begin();
    };
    const auto known = static_cast<std::ptrdiff_t>(levels().size());
    return level(wanted) < known && level(have) < known && level(have) >= level(wanted);
}

}  // namespace sf::model
