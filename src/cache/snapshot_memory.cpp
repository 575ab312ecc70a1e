// SPDX-License-Identifier: Apache-2.0
#include "cache/snapshot_memory.hpp"

#include "base/text.hpp"
#include "cache/snapshot_pins.hpp"

namespace sf::cache {

using base::Code;
using base::Result;
using base::Status;

namespace {

// "https://host/" and "https://host" are one place: a mirror of either is "https://host/…".
std::filesystem::path pins_file(const std::filesystem::path& folder, std::string_view place) {
    while (place.ends_with('/')) place.remove_suffix(1);
    return folder / (base::sha256(place).short_hex(32) + ".pins.json");
}

}  // namespace

SnapshotMemory::SnapshotMemory(const std::filesystem::path& folder, std::string_view place,
                               std::string_view lies_at)
    : x_folder(folder), x_place(lies_at.empty() ? place : lies_at) {
    if (!folder.empty()) x_file = folder / (base::sha256(place).short_hex(32) + ".json");
}

Result<std::optional<SeenSnapshot>> SnapshotMemory::read() const {
    SF_TRY(const auto text, base::read_file_if_exists(x_file));
    if (!text) return std::optional<SeenSnapshot>();
    SF_TRY(SeenSnapshot seen, base::during(seen_from_json(*text),
                                           "reading " + base::escape_untrusted(x_file.native())));
    return std::optional(std::move(seen));
}

Status SnapshotMemory::accept(const Snapshot& snapshot, std::string_view text,
                              std::int64_t now) const {
    if (x_file.empty())
        return cache::accept(snapshot, text, std::nullopt, now).map([](const SeenSnapshot&) {});
    SF_TRY(const std::optional<SeenSnapshot> seen, read());
    SF_TRY(const SeenSnapshot next, judge(snapshot, text, seen, now));
    if (seen == next) return {};
    return write(next);
}

Status SnapshotMemory::check(const Snapshot& snapshot, std::string_view text,
                             std::int64_t now) const {
    std::optional<SeenSnapshot> seen;
    if (!x_file.empty()) {
        SF_TRY(seen, read());
    }
    return judge(snapshot, text, seen, now).map([](const SeenSnapshot&) {});
}

Result<SeenSnapshot> SnapshotMemory::judge(const Snapshot& snapshot, std::string_view text,
                                           const std::optional<SeenSnapshot>& seen,
                                           std::int64_t now) const {
    SF_CHECK(check_pins(snapshot));
    auto next = cache::accept(snapshot, text, seen, now);
    if (next) return next;
    base::Error error = std::move(next).error();
    // What is wrong with it by itself has nothing to do with what is remembered.
    if (seen && cache::accept(snapshot, text, std::nullopt, now)) {
        const std::string file = base::escape_untrusted(x_file.native());
        error.message += fmt::format(" (remembered in {})", file);
        error.hint +=
            fmt::format("; if the cache was made anew, as its publisher says: remove {}", file);
    }
    return tl::unexpected(std::move(error));
}

Status SnapshotMemory::check_pins(const Snapshot& snapshot) const {
    const std::string below = '/' + snapshot.mirror;
    if (x_folder.empty() || !x_place.ends_with(below)) return {};
    const std::string_view whole = x_place;
    const auto file = pins_file(x_folder, whole.substr(0, whole.size() - below.size()));
    SF_TRY(const auto text, base::read_file_if_exists(file));
    if (!text) return {};
    SF_TRY(const PlacePins pins,
           base::during(pins_from_json(*text), "reading " + base::escape_untrusted(file.native())));
    return check_held(snapshot, pins);
}

Status SnapshotMemory::published(const Snapshot& snapshot, std::string_view text) const {
    if (x_file.empty()) return {};
    SF_TRY(const auto lock, hold());
    SF_TRY(const std::optional<SeenSnapshot> seen, read());
    if (seen && seen->serial >= snapshot.serial) return {};
    return write({snapshot.repository, snapshot.serial, base::sha256(text)});
}

Status SnapshotMemory::write(const SeenSnapshot& seen) const {
    SF_CHECK(base::make_dirs(x_file.parent_path()));
    SF_TRY(const std::string record, to_json(seen));
    return base::write_file(x_file, record);
}

Result<std::optional<base::FileLock>> SnapshotMemory::hold() const {
    if (x_file.empty()) return std::optional<base::FileLock>();
    SF_CHECK(base::make_dirs(x_file.parent_path()));
    SF_TRY(base::FileLock lock, base::FileLock::acquire(x_file.native() + ".lock"));
    return std::optional(std::move(lock));
}

Status SnapshotMemory::check_none_seen() const {
    if (x_file.empty()) return {};
    SF_TRY(const std::optional<SeenSnapshot> seen, read());
    if (!seen) return {};
    const std::string file = base::escape_untrusted(x_file.native());
    return base::fail_hint(
        Code::refused,
        fmt::format("its snapshot is gone: number {} was seen before (remembered in {})",
                    seen->serial, file),
        fmt::format("a mirror may be on its way: try again later; if the cache was made anew, as "
                    "its publisher says: remove {}",
                    file));
}

Status hold_to(const std::filesystem::path& folder, std::string_view place, const PlacePins& pins) {
    if (folder.empty()) return {};
    const auto file = pins_file(folder, place);
    if (pins.mirrors.empty()) return base::exists(file) ? base::remove_file(file) : Status();
    SF_TRY(const std::string wanted, to_json(pins));
    SF_TRY(const auto there, base::read_file_if_exists(file));
    if (there == wanted) return {};
    SF_CHECK(base::make_dirs(folder));
    return base::write_file(file, wanted);
}

}  // namespace sf::cache
