// SPDX-License-Identifier: Apache-2.0
// Which answers of nfs_shim go wrong, and how many have: chosen by a seed and a share, or one by
// its number. Does not know FUSE. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <string_view>

namespace sf::test {

// What is told and set by the extended attribute of this name, on the mount's top folder.
inline constexpr const char* nfs_attribute = "user.sf_nfs";

// How faults are said, and counted: words with a space between them.
//   seed=N          the numbers from here on
//   KIND=PERMILLE   a share of those that may
//   KIND@N          the N-th from here on, alone
//   locks=0, =1     whether there are any
// KIND: lost   rename, unlink, rmdir, mkdir, link, symlink: done, and said to have failed
//       late   what was written is gone, as close or fsync says once; fsync of a folder fails
//       stale  an open or a look: ESTALE
//       often  how many times one is stale; the kernel asks again once
class NfsFaults {
public:
    // False: not in these words. The counts of a kind that is set begin at 0.
    [[nodiscard]] bool set(std::string_view words);
    // "lost.seen=12 lost.done=1 lost.rename=1 ...": how many could, and did, go wrong.
    [[nodiscard]] std::string text();

    // Whether this one goes wrong; counted, also as `kind`.`what`.
    [[nodiscard]] bool strikes(const std::string& kind, const std::string& what);
    void count(const std::string& what);
    [[nodiscard]] std::uint64_t below(std::uint64_t end);
    [[nodiscard]] bool locks();
    [[nodiscard]] std::uint64_t often();

private:
    struct Kind {
        std::uint64_t share = 0;
        std::uint64_t at = 0;
        std::uint64_t seen = 0;
    };
    [[nodiscard]] bool set_one(std::string_view word);
    std::mutex x_mutex;
    std::mt19937_64 x_random;
    std::map<std::string, Kind> x_kinds{{"lost", {}}, {"late", {}}, {"stale", {}}};
    std::map<std::string, std::uint64_t> x_counts;
    bool x_locks = true;
    std::uint64_t x_often = 1;
};

}  // namespace sf::test
