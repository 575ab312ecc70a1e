// SPDX-License-Identifier: Apache-2.0
// Plays stored inputs to a fuzz target that is built without libFuzzer: what was found once must
// never come back. An input that takes a second, or a process that grows over 512 MiB (more under
// sanitizers), fails too. One thread.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <vector>

#include "fuzz/fuzz.hpp"

namespace {

using Clock = std::chrono::steady_clock;

constexpr double slowest_seconds = 1.0;
#ifndef SF_LARGEST_MIB
#define SF_LARGEST_MIB 512
#endif
constexpr long largest_kib = SF_LARGEST_MIB * 1024L;  // Linux counts ru_maxrss in KiB

double processor_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

bool play(const std::string& name, const std::string& bytes) {
    // Said before: if it crashes, this line tells which it was.
    static_cast<void>(std::fprintf(stderr, "%s (%zu bytes)\n", name.c_str(), bytes.size()));
    const double before = processor_seconds();  // not the clock's: the machine may be busy
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    const double took = processor_seconds() - before;
    if (took < slowest_seconds) return true;
    static_cast<void>(std::fprintf(stderr, "%s: too slow: %.1f s\n", name.c_str(), took));
    return false;
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::filesystem::path> files;
    for (int i = 1; i < argc; ++i)
        for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i]))
            if (entry.is_regular_file()) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    if (files.empty()) {
        static_cast<void>(std::fprintf(stderr, "no stored input: nothing was tested\n"));
        return 1;
    }
    bool good = play("(nothing)", "");
    for (const auto& file : files)
        good = play(file.string(), sf::fuzz::need(sf::base::read_file(file))) && good;
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    static_cast<void>(
        std::fprintf(stderr, "%zu inputs, %ld KiB at most\n", files.size(), usage.ru_maxrss));
    return good && usage.ru_maxrss < largest_kib ? 0 : 1;
}
