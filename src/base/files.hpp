// SPDX-License-Identifier: Apache-2.0
// Files and folders, with errors that name them. No global state; any thread, but two threads
// working on one path must agree among themselves. The only place that deletes trees.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "base/stream.hpp"

namespace sf::base {

namespace fs = std::filesystem;

// Opens with O_CLOEXEC. `flags` and `mode` as open(2).
[[nodiscard]] Result<Fd> open_file(const fs::path& path, int flags, unsigned mode = 0644);

// A whole small file (configuration, manifests); larger than `limit` bytes is Code::corrupt.
[[nodiscard]] Result<std::string> read_file(const fs::path& path,
                                            std::uint64_t limit = std::uint64_t{64} << 20);
// Absent is not an error here: nullopt.
[[nodiscard]] Result<std::optional<std::string>> read_file_if_exists(
    const fs::path& path, std::uint64_t limit = std::uint64_t{64} << 20);

// Appears whole and durable, or not at all (AtomicFile).
[[nodiscard]] Status write_file(const fs::path& path, std::string_view content,
                                unsigned mode = 0644);
// Appears whole, or not at all, and is durable once the folder it is in is synced as a whole
// (fsync_tree, SyncPoint): for what is staged.
[[nodiscard]] Status write_staged(const fs::path& path, std::string_view content,
                                  unsigned mode = 0644);

[[nodiscard]] Status write_all(int descriptor, Bytes bytes, const fs::path& path_for_errors);
// From where `from` stands to its end, `limit` bytes at most; the paths are for errors.
[[nodiscard]] Status copy_bytes(int from, const fs::path& from_path, int to,
                                const fs::path& to_path, std::uint64_t limit);

[[nodiscard]] Status make_dirs(const fs::path& path, unsigned mode = 0755);
[[nodiscard]] bool exists(const fs::path& path);  // without following a last symlink
[[nodiscard]] bool is_dir(const fs::path& path);  // likewise
// The same where much hangs on it: a disk or a server that does not answer says nothing about it.
[[nodiscard]] Result<fs::file_type> type_of(const fs::path& path);  // not_found: certainly
[[nodiscard]] Result<bool> is_there(const fs::path& path);
// What a symlink leads to; nullopt: there is none.
[[nodiscard]] Result<std::optional<fs::path>> read_link(const fs::path& path);
[[nodiscard]] Result<std::vector<std::string>> list_dir(const fs::path& path);  // names, sorted
// None where there is no such folder.
[[nodiscard]] Result<std::vector<std::string>> list_dir_if_exists(const fs::path& path);

// Deletes a tree without following symlinks, making folders writable on the way. Absent is success.
[[nodiscard]] Status remove_tree(const fs::path& path);
[[nodiscard]] Status remove_file(const fs::path& path);  // absent is success
[[nodiscard]] Status rename(const fs::path& from, const fs::path& to);
// 0, or the errno of rename(2).
[[nodiscard]] int rename_errno(const fs::path& from, const fs::path& to);
// The error that names both.
[[nodiscard]] tl::unexpected<Error> fail_rename(int error, const fs::path& from,
                                                const fs::path& to);
// One that is there and leads to `target` is success: see files.cpp on lost answers.
[[nodiscard]] Status make_symlink(const fs::path& target, const fs::path& link);
// Says what became of what was written, as far as the file system says so now (NFS does): for files
// that are not synced by this descriptor.
[[nodiscard]] Status close_file(Fd file, const fs::path& path);
[[nodiscard]] Status fsync_dir(const fs::path& path);
// fsync of every file and folder below `path`, by several threads.
[[nodiscard]] Status fsync_tree(const fs::path& path);

// Bytes on disk (st_blocks) of a tree; files that vanish meanwhile count nothing.
[[nodiscard]] std::uint64_t disk_usage(const fs::path& path);
[[nodiscard]] Result<std::uint64_t> free_space(const fs::path& path);

// A new folder `<parent>/<prefix>XXXXXX`, mode 0700, deleted with the object unless released.
class TempDir {
public:
    [[nodiscard]] static Result<TempDir> create(const fs::path& parent, std::string_view prefix);
    TempDir(TempDir&& other) noexcept : x_path(std::exchange(other.x_path, {})) {}
    TempDir& operator=(TempDir&& other) noexcept;
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir();
    [[nodiscard]] const fs::path& path() const { return x_path; }
    fs::path release() { return std::exchange(x_path, {}); }

private:
    explicit TempDir(fs::path path) : x_path(std::move(path)) {}
    fs::path x_path;
};

// An exclusive lock on `<path>` (created if absent), held by this process until destroyed; released
// by the kernel when the process dies. Locks only save duplicate work: correctness rests on rename.
class FileLock {
public:
    // Waits; calls `waiting` once if someone else holds it. A file system without locks succeeds.
    [[nodiscard]] static Result<FileLock> acquire(const fs::path& path,
                                                  const std::function<void()>& waiting = {});

private:
    explicit FileLock(Fd fd) : x_fd(std::move(fd)) {}
    Fd x_fd;
};

class FdSink : public Sink {
public:
    FdSink(int descriptor, fs::path path) : x_descriptor(descriptor), x_path(std::move(path)) {}
    Status write(Bytes bytes) override { return write_all(x_descriptor, bytes, x_path); }

private:
    int x_descriptor;
    fs::path x_path;
};

class FdSource : public Source {
public:
    FdSource(int descriptor, fs::path path) : x_descriptor(descriptor), x_path(std::move(path)) {}
    Result<std::size_t> read(std::span<std::byte> room) override;

private:
    int x_descriptor;
    fs::path x_path;
};

}  // namespace sf::base
