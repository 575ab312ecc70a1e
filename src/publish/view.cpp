// SPDX-License-Identifier: Apache-2.0
#include "publish/view.hpp"

#include <array>
#include <map>

#include "base/text.hpp"
#include "model/bundle_layout.hpp"

namespace sf::publish {

namespace {

using model::EntryType;
using model::FileEntry;

constexpr std::array<std::string_view, 2> program_folders{"bin", "sbin"};
constexpr std::array<std::string_view, 2> whole_folders{"lib", "libexec"};
constexpr std::string_view data_folder = "share";

bool looks_like_shared_object(std::string_view path) {
    const std::string_view name = path.substr(path.rfind('/') + 1);
    return name.ends_with(".so") || name.find(".so.") != std::string_view::npos;
}

class View {
public:
    base::Status add_program(const model::Package& package, const FileEntry& entry) {
        if (const auto found = x_entries.find(entry.path); found != x_entries.end()) {
            return base::fail(base::Code::failed, "{} and another package both bring {}",
                              package.store_name(), base::escape_untrusted(entry.path));
        }
        add_folder(entry.path.substr(0, entry.path.find('/')));
        add_link(package, entry.path);
        return {};
    }

    void add_data(const model::Package& package, const FileEntry& entry) {
        // Real folders, so that several packages' man pages lie side by side.
        for (std::size_t slash = entry.path.find('/'); slash != std::string::npos;
             slash = entry.path.find('/', slash + 1)) {
            if (!add_folder(entry.path.substr(0, slash))) return;
        }
        add_link(package, entry.path);
    }

    void add_whole(const model::Package& package, std::string_view folder) {
        for (const FileEntry& entry : package.files) {
            if (entry.path.starts_with(folder) && entry.path.size() > folder.size() &&
                entry.path[folder.size()] == '/') {
                add_link(package, std::string(folder));
                return;
            }
        }
    }

    std::vector<FileEntry> take() {
        std::vector<FileEntry> entries;
        for (auto& [path, entry] : x_entries) entries.push_back(std::move(entry));
        return entries;
    }

private:
    // False if something else is there.
    bool add_folder(const std::string& path) {
        FileEntry entry;
        entry.path = path;
        entry.type = EntryType::directory;
        entry.mode = 0755;
        return x_entries.emplace(path, std::move(entry)).first->second.type == EntryType::directory;
    }

    void add_link(const model::Package& package, const std::string& path) {
        FileEntry link;
        link.path = path;
        link.type = EntryType::symlink;
        link.mode = 0777;
        // From views/<exact>/<folders above path> up to the top.
        for (std::size_t up = 1 + base::split(path, '/').size(); up > 0; --up) link.target += "../";
        link.target += model::bundle_store_path(package.store_name()) + '/' + path;
        x_entries.emplace(path, std::move(link));
    }

    std::map<std::string, FileEntry> x_entries;
};

}  // namespace

base::Result<std::vector<FileEntry>> plan_view(const std::vector<const model::Package*>& packages) {
    View view;
    for (const model::Package* package : packages) {
        for (const FileEntry& entry : package->files) {
            if (entry.type == EntryType::directory || looks_like_shared_object(entry.path))
                continue;
            const std::vector<std::string> parts = base::split(entry.path, '/');
            for (std::string_view folder : program_folders) {
                if (parts.size() == 2 && parts[0] == folder) {
                    SF_CHECK(view.add_program(*package, entry));
                }
            }
            if (parts.size() > 1 && parts[0] == data_folder) view.add_data(*package, entry);
        }
    }
    if (!packages.empty()) {
        for (std::string_view folder : whole_folders) view.add_whole(*packages.front(), folder);
    }
    return view.take();
}

}  // namespace sf::publish
