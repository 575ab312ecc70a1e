// SPDX-License-Identifier: Apache-2.0
// <prefix>/.sf-stage: where things are put together before they are renamed into place, and where
// they are taken to before they are deleted. Whoever holds its lock works alone in the prefix; on a
// file system without locks nothing here becomes wrong, because nothing is deleted where it stands.
// Knows nothing of what the things are. One thread for each object.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.hpp"
#include "base/result.hpp"

namespace sf::tree {

inline constexpr std::string_view stage_folder = ".sf-stage";
// What was exchanged, and is kept for a minute: somebody may still be on the way through it.
inline constexpr std::string_view retired_stage = "old-";

class Stages {
public:
    // Makes the folder (0700); waits for who is at work, calling `waiting` once.
    [[nodiscard]] static base::Result<Stages> hold(const std::filesystem::path& prefix,
                                                   const std::function<void()>& waiting = {});
    [[nodiscard]] const std::filesystem::path& path() const { return x_path; }
    // Everybody else is kept out: what lies here is nobody's.
    [[nodiscard]] bool alone() const { return x_alone; }

    // What the dead left here, by name; what is there still in use, or may be, is not among them:
    // without locks that is all of less than a day.
    [[nodiscard]] base::Result<std::vector<std::string>> leftovers() const;
    // Removes them. One that belongs to a living installer after all is out of its reach in one
    // step, so that it fails, and never puts half of it in place.
    [[nodiscard]] base::Result<std::vector<std::string>> remove_leftovers() const;

private:
    Stages(std::filesystem::path path, base::FileLock lock, bool alone)
        : x_path(std::move(path)), x_lock(std::move(lock)), x_alone(alone) {}
    std::filesystem::path x_path;
    base::FileLock x_lock;
    bool x_alone;
};

// Takes things out of a prefix: out of everybody's sight by a rename, deleted together at the end.
// What was taken and not deleted when the process dies is a leftover of the stages.
class Trash {
public:
    [[nodiscard]] static base::Result<Trash> create(const Stages& stages,
                                                    std::filesystem::path prefix);
    // `path` below the prefix; the folder above it is synced. Absent is success.
    [[nodiscard]] base::Status take(const std::string& path);
    // Where something that was taken lies now; names that begin with a dot are free.
    [[nodiscard]] std::filesystem::path place_of(const std::string& path) const {
        return x_folder / path;
    }
    // All of it, the last first; but what another has put in its place meanwhile is his. What
    // cannot be given back keeps nothing else away.
    [[nodiscard]] base::Status give_back();
    [[nodiscard]] base::Status empty();

private:
    Trash(std::filesystem::path folder, std::filesystem::path prefix)
        : x_folder(std::move(folder)), x_prefix(std::move(prefix)) {}
    [[nodiscard]] base::Status give_back(const std::string& path) const;
    std::filesystem::path x_folder;
    std::filesystem::path x_prefix;
    std::vector<std::string> x_taken;
};

}  // namespace sf::tree
