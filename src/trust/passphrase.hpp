// SPDX-License-Identifier: Apache-2.0
// How a secret key is unlocked: never by a value, since what is in argv or the environment can be
// read by others. Knows nothing of keys. One thread.
#pragma once

#include <filesystem>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace sf::trust {

struct Passphrase {
    enum class From { nothing, descriptor, file, agent };
    From from = From::nothing;
    int descriptor = -1;         // borrowed; read to its first line feed
    std::filesystem::path file;  // a regular file, ours, mode 0600 or 0400
};

// Refuses a file that others can read.
[[nodiscard]] base::Result<base::Fd> open_passphrase_file(const std::filesystem::path& path);

// The first line of `passphrase`'s descriptor, in memory: a pipe can be read once, and one run
// makes several signatures. Rewind it before each use.
[[nodiscard]] base::Result<base::Fd> hold_passphrase(const Passphrase& passphrase);

// For a key that is made: the first line of `passphrase`'s file or descriptor, in memory, for gpg
// to read instead. gpg takes an empty one, or what stands before a NUL byte, without a word as "no
// protection"; here both are refused, and what its agent cannot take is said in words.
[[nodiscard]] base::Result<base::Fd> passphrase_for_new_key(const Passphrase& passphrase);

}  // namespace sf::trust
