// SPDX-License-Identifier: Apache-2.0
#include "cache/snapshot_memory.hpp"

#include "base/text.hpp"

namespace sf::cache {

using base::Code;
using base::Result;
using base::Status;

SnapshotMemory::SnapshotMemory(const std::filesystem::path& folder, std::string_view place) {
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
    auto next = cache::accept(snapshot, text, seen, now);
    if (next) return next;
    base::Error error = std::move(next).error();
    if (!x_file.empty())
        error.message +=
            fmt::format(" (remembered in {})", base::escape_untrusted(x_file.native()));
    return tl::unexpected(std::move(error));
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
    return base::fail_hint(
        Code::refused,
        fmt::format("its snapshot is gone: number {} was seen before (remembered in {})",
                    seen->serial, base::escape_untrusted(x_file.native())),
        "a mirror may be on its way: try again later; if the cache was made anew on purpose, "
        "remove that file");
}

}  // namespace sf::cache
