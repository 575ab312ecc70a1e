// SPDX-License-Identifier: Apache-2.0
// The suites; or, told so by one of them, a process of theirs: a publisher, or a user of the
// machine who puts links in the way.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <string>
#include <unistd.h>

#include "faults/small_cache.hpp"

namespace {

// Until it is killed: `path` is a folder, nothing, a link to `canary`, in turn.
[[noreturn]] void put_links_in_the_way(const char* path, const char* canary) {
    for (unsigned turn = 0;; ++turn) {
        if (::symlink(canary, path) == 0) {
            if (turn % 3 == 0) ::usleep(turn % 50);
            ::unlink(path);
        }
        if (turn % 2 == 0 && ::mkdir(path, 0755) == 0) ::rmdir(path);
        if (turn % 5 == 0) ::usleep(turn % 200);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::string first = argc > 1 ? argv[1] : "";
    if (argc == 5 && first == "--publish") {
        const sf::base::Status done = sf::test::SmallCache(argv[2], argv[3]).publish(argv[4]);
        if (!done) fmt::print("{}\n", done.error().text());
        return done ? 0 : 1;
    }
    if (argc == 4 && first == "--links") put_links_in_the_way(argv[2], argv[3]);
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
