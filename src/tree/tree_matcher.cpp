// SPDX-License-Identifier: Apache-2.0
#include "tree/tree_matcher.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <fcntl.h>
#include <set>
#include <unistd.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

Status walk(const fs::path& folder, const std::string& below, TreeMatcher& matcher) {
    SF_TRY(const std::vector<std::string> names,
           base::list_dir(below.empty() ? folder : folder / below));
    for (const std::string& name : names) {
        SF_CHECK(base::check_stop());
        const std::string path = below.empty() ? name : fmt::format("{}/{}", below, name);
        SF_TRY(const model::FileEntry entry, read_entry(folder, path));
        SF_CHECK(matcher.see(entry));
        if (entry.type == model::EntryType::directory) SF_CHECK(walk(folder, path, matcher));
    }
    return {};
}

}  // namespace

TreeMatcher::TreeMatcher(const std::vector<model::FileEntry>& expected)
    : x_missing(expected.size()) {
    for (const model::FileEntry& entry : expected) x_expected[entry.path].entry = entry;
}

Status TreeMatcher::see(const model::FileEntry& found) {
    const auto at = x_expected.find(found.path);
    const std::string path = base::escape_untrusted(found.path);
    if (at == x_expected.end()) {
        return fail(Code::refused, "{} is not in the manifest", path);
    }
    if (at->second.seen) return fail(Code::refused, "{} is there twice", path);
    const std::string difference = model::entry_difference(at->second.entry, found);
    if (!difference.empty()) {
        return fail(Code::refused, "{} is not what the manifest says: it {}", path, difference);
    }
    at->second.seen = true;
    --x_missing;
    return {};
}

Status TreeMatcher::finish() const {
    if (x_missing == 0) return {};
    for (const auto& [path, expected] : x_expected) {
        if (!expected.seen) {
            return fail(Code::refused, "{} is missing (and {} more)", base::escape_untrusted(path),
                        x_missing - 1);
        }
    }
    return {};
}

std::vector<model::FileEntry> with_folders(const std::vector<model::FileEntry>& entries) {
    std::vector<model::FileEntry> all = entries;
    std::set<std::string> known;
    for (const model::FileEntry& entry : entries) known.insert(entry.path);
    for (const model::FileEntry& entry : entries) {
        for (fs::path above = fs::path(entry.path).parent_path(); !above.empty();
             above = above.parent_path()) {
            if (!known.insert(above.native()).second) continue;
            model::FileEntry folder;
            folder.path = above.native();
            folder.type = model::EntryType::directory;
            all.push_back(std::move(folder));
        }
    }
    return all;
}

Result<std::vector<model::FileEntry>> entries_below(const std::vector<model::FileEntry>& entries,
                                                    std::string_view folder) {
    std::vector<model::FileEntry> below;
    const std::string top = std::string(folder) + '/';
    for (model::FileEntry entry : entries) {
        if (entry.path == folder) {
            return fail(Code::corrupt, "{} is not a folder in the manifest",
                        base::escape_untrusted(entry.path));
        }
        if (!entry.path.starts_with(top)) continue;
        entry.path.erase(0, top.size());
        below.push_back(std::move(entry));
    }
    return with_folders(below);
}

Result<model::FileEntry> read_entry(const fs::path& top, const std::string& path, bool content) {
    const fs::path disk = top / path;
    model::FileEntry entry;
    entry.path = path;
    struct stat status {};
    if (::lstat(disk.c_str(), &status) != 0) {
        return base::fail_errno(errno, "read " + base::escape_untrusted(disk.native()));
    }
    if (S_ISDIR(status.st_mode)) {
        entry.type = model::EntryType::directory;
    } else if (S_ISLNK(status.st_mode)) {
        entry.type = model::EntryType::symlink;
        std::error_code error;
        entry.target = fs::read_symlink(disk, error).native();
        if (error) {
            return base::fail_errno(error.value(), "read " + base::escape_untrusted(disk.native()));
        }
    } else if (S_ISREG(status.st_mode)) {
        entry.mode = status.st_mode & 07777U;
        entry.size = static_cast<std::uint64_t>(status.st_size);
        if (!content) return entry;
        SF_TRY(const base::Fd fd, base::open_file(disk, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        SF_TRY(entry.sha256, base::during(base::sha256_fd(fd.get()),
                                          "reading " + base::escape_untrusted(disk.native())));
    } else {
        return fail(Code::refused, "{} is no file, folder or symlink",
                    base::escape_untrusted(disk.native()));
    }
    return entry;
}

Status match_entry(const fs::path& top, const model::FileEntry& expected) {
    SF_TRY(const model::FileEntry found, read_entry(top, expected.path));
    const std::string difference = model::entry_difference(expected, found);
    if (difference.empty()) return {};
    return fail(Code::refused, "{} is not what the manifest says: it {}",
                base::escape_untrusted(expected.path), difference);
}

Status match_folder(const fs::path& folder, const std::vector<model::FileEntry>& expected) {
    SF_TRY(const fs::file_type type, base::type_of(folder));
    if (type != fs::file_type::directory) {
        return fail(Code::refused, "{} is not a folder", base::escape_untrusted(folder.native()));
    }
    TreeMatcher matcher(expected);
    SF_CHECK(walk(folder, "", matcher));
    return matcher.finish();
}

}  // namespace sf::tree
