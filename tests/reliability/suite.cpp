// SPDX-License-Identifier: Apache-2.0
#include "reliability/suite.hpp"

#include <fmt/format.h>
#include <sys/statfs.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::test {

namespace {

std::uint64_t percent() {
    const char* const text = std::getenv("SF_RELIABILITY");
    return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
}

std::uint64_t seed() {
    static const std::uint64_t chosen = [] {
        const char* const text = std::getenv("SF_SEED");
        return text == nullptr ? std::uint64_t{std::random_device{}()}
                               : std::strtoull(text, nullptr, 10);
    }();
    return chosen;
}

std::string file_system(const std::filesystem::path& folder) {
    const std::map<long, const char*> names{{0xEF53, "ext4"},
                                            {0x58465342, "xfs"},
                                            {0x9123683E, "btrfs"},
                                            {0x01021994, "tmpfs"},
                                            {0x794c7630, "overlayfs"}};
    struct statfs status {};
    if (::statfs(folder.c_str(), &status) != 0) return "?";
    const auto found = names.find(status.f_type);
    return found == names.end() ? fmt::format("{:#x}", status.f_type) : found->second;
}

std::string sysctl(const std::string& name) {
    return std::string(base::trim(base::read_file("/proc/sys/fs/" + name).value_or("not there")));
}

}  // namespace

std::uint64_t rounds(std::uint64_t quick, std::uint64_t nightly) {
    return std::max(quick, nightly * percent() / 100);
}

std::filesystem::path room_for_tests() {
    const char* const said = std::getenv("SF_RELIABILITY_DIR");
    return said == nullptr ? "/tmp" : said;
}

std::filesystem::path room_in_memory() {
    return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : room_for_tests();
}

bool is_nightly() { return percent() > 0; }

Random begin_suite(const std::string& id, const std::string& count,
                   const std::filesystem::path& folder) {
    utsname name{};
    ::uname(&name);
    fmt::print(
        "{}: N = {}; SF_SEED={}; Linux {}, {} at {}, protected_symlinks {}, "
        "protected_regular {}\n",
        id, count, seed(), name.release, file_system(folder), folder.native(),
        sysctl("protected_symlinks"), sysctl("protected_regular"));
    std::fflush(stdout);
    // Each suite its own numbers, whichever others run.
    std::seed_seq both{seed(), std::uint64_t{std::hash<std::string>{}(id)}};
    return Random(both);
}

void say(const std::string& id, const std::string& figures) {
    fmt::print("{}: {}\n", id, figures);
    std::fflush(stdout);
}

}  // namespace sf::test
