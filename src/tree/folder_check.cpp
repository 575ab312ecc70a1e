// SPDX-License-Identifier: Apache-2.0
#include "tree/folder_check.hpp"

#include <sys/stat.h>

#include <map>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "model/bundle_layout.hpp"
#include "tree/tree_matcher.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Result;
using base::Status;

namespace {

class FolderCheck {
public:
    FolderCheck(const fs::path& folder, const std::vector<model::FileEntry>& expected, bool deep)
        : x_folder(folder), x_deep(deep) {
        for (const model::FileEntry& entry : expected) x_left.emplace(entry.path, &entry);
    }

    Result<std::vector<Difference>> run() {
        const auto type = base::type_of(x_folder);
        if (!type) {
            tell("", type.error().message);
        } else if (*type == fs::file_type::not_found) {
            tell("", "is missing");
        } else if (*type != fs::file_type::directory) {
            tell("", "is not a folder");
        } else {
            check_mode("");
            SF_CHECK(walk(""));
            tell_missing();
        }
        return std::move(x_found);
    }

private:
    void tell(const std::string& path, std::string what) {
        x_found.push_back({path, std::move(what)});
    }

    // Others could put something else in the place of what is in it.
    void check_mode(const std::string& path) {
        struct stat status {};
        if (::lstat((x_folder / path).c_str(), &status) != 0) return;
        if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
            tell(path,
                 fmt::format("has mode {:o}: others can write to it", status.st_mode & 07777U));
    }

    Status walk(const std::string& below) {
        SF_CHECK(base::check_stop());
        const auto names = base::list_dir(x_folder / below);
        if (!names) {
            tell(below, names.error().message);
            // Of what is below nobody knows.
            std::erase_if(x_left, [&](const auto& each) {
                return below.empty() || each.first.starts_with(below + '/');
            });
            return {};
        }
        for (const std::string& name : *names) {
            const std::string path = below.empty() ? name : fmt::format("{}/{}", below, name);
            SF_CHECK(see(path));
        }
        return {};
    }

    Status see(const std::string& path) {
        const auto at = x_left.find(path);
        if (at == x_left.end()) {
            tell(path, "is not in the manifest");
            return {};
        }
        const model::FileEntry& expected = *at->second;
        x_left.erase(at);
        const auto looked = read_entry(x_folder, path, false);
        if (!looked) {
            tell(path, looked.error().message);
            return {};
        }
        model::FileEntry found = *looked;
        found.sha256 = expected.sha256;
        std::string what = model::entry_difference(expected, found);
        // Bytes are read of what is right as far as can be seen.
        if (what.empty() && x_deep && found.type == model::EntryType::file) {
            SF_CHECK(base::check_stop());
            const auto read = read_entry(x_folder, path, true);
            what = read ? model::entry_difference(expected, *read) : read.error().message;
        }
        if (!what.empty()) tell(path, std::move(what));
        if (found.type != model::EntryType::directory) return {};
        check_mode(path);
        return walk(path);
    }

    // A folder that is missing, not each thing in it.
    void tell_missing() {
        std::string above;
        for (const auto& [path, entry] : x_left) {
            if (!above.empty() && path.starts_with(above)) continue;
            tell(path, "is missing");
            above = entry->type == model::EntryType::directory ? path + '/' : std::string();
        }
    }

    const fs::path& x_folder;
    bool x_deep;
    std::map<std::string, const model::FileEntry*> x_left;
    std::vector<Difference> x_found;
};

}  // namespace

Result<std::vector<Difference>> differences(const fs::path& folder,
                                            const std::vector<model::FileEntry>& expected,
                                            bool deep) {
    return FolderCheck(folder, expected, deep).run();
}

}  // namespace sf::tree
