// SPDX-License-Identifier: Apache-2.0
// Test support: archives that must be refused, each with the one line it is refused with. Packages
// for our own strict reader, sources for the one that takes what upstreams publish; the latter, and
// the worst of the former, in each dialect of tar. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sf::test {

struct HostileTar {
    std::string title;
    std::string bytes;    // of the tar stream
    std::string message;  // behind "<name of the file>: "
};

// How a stream becomes a file: `ending` of its name says the same, in fewer words.
struct Framing {
    std::string title;   // "gzip in members"
    std::string ending;  // ".tar.gz"
    std::string (*bytes)(const std::string& stream);
};
// zstd, zstd in frames, gzip, gzip in members, none.
[[nodiscard]] const std::vector<Framing>& framings();

// Packages whose folder is `top`. The limits that the messages are for: 1000 entries, 1 MiB.
inline constexpr std::uint64_t hostile_entries = 1000;
inline constexpr std::uint64_t hostile_size = std::uint64_t{1} << 20U;
[[nodiscard]] std::vector<HostileTar> hostile_packages(const std::string& top);
// The worst of them once more as v7, GNU and pax tars, with a file named "behind" after what is
// refused: nobody should come so far.
[[nodiscard]] std::vector<HostileTar> hostile_packages_in_dialects(const std::string& top);
// Of upstream, in one folder "s", as ustar, v7, GNU and pax tars, with "s/behind" after what is
// refused.
[[nodiscard]] std::vector<HostileTar> hostile_sources();

// One file of all these.
struct HostileArchive {
    std::string title;
    std::string name;     // its ending says how it is compressed
    bool source = false;  // of upstream; else a package
    std::string message;  // behind "<name>: "
    bool begins = false;  // only the beginning of it: the rest are words of a library
    // What is signed of a package: no more may be written.
    std::uint64_t size = hostile_size;
    std::function<std::string()> bytes;
};
// Packages whose stream is hostile itself: bombs, windows larger than a machine's memory. The
// messages are for a signed record of `size` and hostile_entries.
[[nodiscard]] std::vector<HostileArchive> hostile_streams(const std::string& top);
// These first, then every tar above in every framing; with the messages for such a record. Packages
// are called "run.tar.zst" and the like.
[[nodiscard]] std::vector<HostileArchive> hostile_archives(const std::string& top);

}  // namespace sf::test
