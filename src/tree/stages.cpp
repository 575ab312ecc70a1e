// SPDX-License-Identifier: Apache-2.0
#include "tree/stages.hpp"

#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <fcntl.h>

#include "base/text.hpp"
#include "tree/public_folder.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Code;
using base::Result;
using base::Status;

namespace {

constexpr std::string_view lock_name = "lock";
constexpr std::string_view trash_stage = "trash-";
constexpr std::chrono::seconds retired_kept_for{60};
constexpr std::chrono::hours unlocked_kept_for{24};

std::string shown(const fs::path& path) { return base::escape_untrusted(path.native()); }

bool younger_than(const fs::path& path, std::chrono::seconds limit) {
    std::error_code error;
    const auto age = fs::file_time_type::clock::now() - fs::last_write_time(path, error);
    // A file server's clock may be ahead of ours: what a living host makes is then of the future.
    return !error && age > -limit && age < limit;
}

// Some file systems take every lock and keep nobody out, or know none.
bool is_locked(const fs::path& path) {
    const auto second = base::open_file(path, O_RDWR);
    return second && ::flock(second->get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

}  // namespace

Result<Stages> Stages::hold(const fs::path& prefix, const std::function<void()>& waiting) {
    fs::path stages = prefix / stage_folder;
    if (::mkdir(stages.c_str(), 0700) != 0 && errno != EEXIST)
        return base::fail_errno(errno, "make folder " + shown(stages));
    SF_CHECK(check_folder(stages));
    SF_TRY(base::FileLock lock, base::FileLock::acquire(stages / lock_name, waiting));
    const bool alone = is_locked(stages / lock_name);
    return Stages(std::move(stages), std::move(lock), alone);
}

Result<std::vector<std::string>> Stages::leftovers() const {
    SF_TRY(std::vector<std::string> names, base::list_dir(x_path));
    std::erase_if(names, [&](const std::string& name) {
        if (name == lock_name) return true;
        if (name.starts_with(retired_stage)) return younger_than(x_path / name, retired_kept_for);
        return !alone() && younger_than(x_path / name, unlocked_kept_for);
    });
    return names;
}

Result<std::vector<std::string>> Stages::remove_leftovers() const {
    SF_TRY(std::vector<std::string> names, leftovers());
    for (const std::string& name : names) {
        if (name.starts_with(trash_stage)) {
            SF_CHECK(base::remove_tree(x_path / name));
            continue;
        }
        SF_TRY(base::TempDir room, base::TempDir::create(x_path, trash_stage));
        const Status moved = base::rename(x_path / name, room.path() / name);
        // Where nobody is kept out another may be at it as well.
        if (!moved && (moved.error().code != Code::absent || base::exists(x_path / name)))
            return tl::unexpected(moved.error());
        SF_CHECK(base::remove_tree(room.path()));
    }
    return names;
}

Result<Trash> Trash::create(const Stages& stages, fs::path prefix) {
    SF_TRY(base::TempDir room, base::TempDir::create(stages.path(), trash_stage));
    return Trash(room.release(), std::move(prefix));
}

Status Trash::take(const std::string& path) {
    const fs::path from = x_prefix / path;
    SF_TRY(const bool there, base::is_there(from));
    if (!there) return {};
    const fs::path to = place_of(path);
    SF_CHECK(base::make_dirs(to.parent_path()));
    if (Status moved = base::rename(from, to); !moved) {
        // Where nobody is kept out another may have taken it meanwhile.
        if (moved.error().code != Code::absent) return moved;
        SF_TRY(const bool still, base::is_there(from));
        return still ? moved : Status();
    }
    x_taken.push_back(path);
    return base::fsync_dir(from.parent_path());
}

Status Trash::give_back() {
    Status all;
    // Twice: what was another's at first he may have taken away, while the rest of it came back.
    for (int turn = 0; turn < 2; ++turn) {
        for (auto path = x_taken.rbegin(); path != x_taken.rend(); ++path) {
            const Status given = give_back(*path);
            if (all && !given) all = given;
        }
    }
    return all;
}

Status Trash::give_back(const std::string& path) const {
    const fs::path to = x_prefix / path;
    SF_TRY(bool there, base::is_there(to));
    SF_TRY(const bool here, base::is_there(place_of(path)));
    if (there || !here) return {};
    const Status moved = base::rename(place_of(path), to);
    if (moved) return base::fsync_dir(to.parent_path());
    SF_TRY(there, base::is_there(to));
    return there ? Status() : moved;
}

Status Trash::empty() {
    x_taken.clear();
    return base::remove_tree(x_folder);
}

}  // namespace sf::tree
