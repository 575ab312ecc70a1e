// SPDX-License-Identifier: Apache-2.0
// A publisher of small packages, for tests that need many of them, as on machines of their own:
//
//   small_publisher make FOLDER                            the publisher's key and its papers
//   small_publisher publish FOLDER MACHINE VERSION PLACE   a whole publication of that version
//
// PLACE: a folder or s3://bucket/prefix, with region, endpoint and keys as AWS's own tools find
// them. MACHINE: a home with copies of the keys, made if it is not there.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "cache/open_backend.hpp"
#include "faults/small_cache.hpp"

namespace {

namespace fs = std::filesystem;
namespace base = sf::base;
namespace cache = sf::cache;
using sf::test::SmallCache;

base::Status publish(const fs::path& folder, const fs::path& machine, const std::string& version,
                     const std::string& place) {
    if (!base::exists(machine)) {
        // Whole, or not at all: who is killed meanwhile will come again.
        const fs::path fresh = machine.native() + ".new";
        SF_CHECK(base::remove_tree(fresh));
        SF_CHECK(SmallCache(folder).copy_keys(fresh));
        SF_CHECK(base::rename(fresh, machine));
    }
    SF_TRY(const std::unique_ptr<cache::Backend> there, cache::open_backend(place));
    return SmallCache(folder, machine).publish_to(*there, version);
}

base::Status run(const std::vector<std::string>& words) {
    if (words.size() == 2 && words[0] == "make") return SmallCache(words[1]).make();
    if (words.size() == 5 && words[0] == "publish")
        return publish(words[1], words[2], words[3], words[4]);
    return base::fail(base::Code::usage, "make FOLDER, or publish FOLDER MACHINE VERSION PLACE");
}

}  // namespace

int main(int argc, char** argv) {
    const base::Status done = run({argv + 1, argv + argc});
    if (done) return 0;
    fmt::print(stderr, "{}\n", done.error().text());
    if (!done.error().hint.empty()) fmt::print(stderr, "  next: {}\n", done.error().hint);
    return 1;
}
