// SPDX-License-Identifier: Apache-2.0
// The owner of a small cache's key has revoked it, and a client that trusts it learns that from a
// file, as `slurm-factory key import` does. Real GnuPG. One thread.
#pragma once

#include <filesystem>

#include "base/result.hpp"

namespace sf::test {

class RevokedKey {
public:
    // `folder`: of a SmallCache that was made.
    explicit RevokedKey(std::filesystem::path folder) : x_folder(std::move(folder)) {}

    // The client trusts the key, and has the file; the publisher knows nothing of that.
    [[nodiscard]] base::Status prepare() const;
    [[nodiscard]] base::Status learn() const;
    // Does the client know it? Code::corrupt: it trusts another key now, or none.
    [[nodiscard]] base::Result<bool> is_known() const;

private:
    [[nodiscard]] std::filesystem::path trust() const { return x_folder / "trust"; }
    [[nodiscard]] std::filesystem::path file() const { return x_folder / "revoked.asc"; }
    std::filesystem::path x_folder;
};

}  // namespace sf::test
