// SPDX-License-Identifier: Apache-2.0
#include "build/target.hpp"

#include <array>
#include <charconv>

#include "base/text.hpp"
#include "model/toolchain.hpp"

namespace sf::build {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr int first_with_levels = 11;  // GCC 11's release notes: "-march=x86-64-v[234]"

struct Level {
    const char* target;
    const char* name;      // of GCC
    const char* features;  // what it adds to the level before, of GCC
};

constexpr std::array<Level, 4> levels{{
    {"x86_64", "x86-64", ""},
    {"x86_64_v2", "x86-64-v2", " -mcx16 -msahf -mpopcnt -msse3 -msse4.1 -msse4.2 -mssse3"},
    {"x86_64_v3", "x86-64-v3", " -mavx -mavx2 -mbmi -mbmi2 -mf16c -mfma -mlzcnt -mmovbe -mxsave"},
    {"x86_64_v4", "x86-64-v4", " -mavx512f -mavx512bw -mavx512cd -mavx512dq -mavx512vl"},
}};

Result<int> gcc_major(const std::string& compiler) {
    SF_TRY(const std::string version, model::gcc_version(compiler));
    int major = 0;
    const char* const end = version.data() + version.size();
    const auto [at, error] = std::from_chars(version.data(), end, major);
    if (error == std::errc() && (at == end || *at == '.')) return major;
    return fail(Code::failed, "{} is no version of gcc", base::escape_untrusted(version));
}

}  // namespace

Status check_target(const std::string& target) {
    std::vector<std::string> names;
    names.reserve(levels.size());
    for (const Level& level : levels) {
        if (target == level.target) return {};
        names.emplace_back(level.target);
    }
    return fail(Code::usage, "unknown target '{}'; there are: {}", base::escape_untrusted(target),
                base::join(names, ", "));
}

Result<std::string> target_flags(const std::string& target, const std::string& compiler) {
    SF_CHECK(check_target(target));
    int major = first_with_levels;
    if (!compiler.empty()) {
        SF_TRY(major, gcc_major(compiler));
    }
    std::string features;
    for (const Level& level : levels) {
        features += level.features;
        if (target != level.target) continue;
        if (major >= first_with_levels) return std::string("-march=") + level.name;
        break;
    }
    return "-march=x86-64" + features;
}

}  // namespace sf::build
