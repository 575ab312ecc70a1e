// SPDX-License-Identifier: Apache-2.0
#include "build/package_store.hpp"

namespace sf::build {

using base::Result;
using base::Status;

namespace {

constexpr const char* manifest_file = "manifest.json";
constexpr const char* taken_file = "taken.json";
constexpr const char* made_of_file = "made-of.json";

bool archive_is_there(const std::filesystem::path& folder, const model::ArchiveRecord& record) {
    std::error_code error;
    return std::filesystem::file_size(folder / record.file, error) == record.size && !error;
}

// Puts `staged` in place of `target`, which may exist: moved aside first, deleted after.
Status replace_folder(const std::filesystem::path& staged, const std::filesystem::path& target) {
    SF_CHECK(base::make_dirs(target.parent_path()));
    if (base::exists(target)) {
        SF_TRY(base::TempDir aside, base::TempDir::create(target.parent_path(), ".old-"));
        SF_CHECK(base::rename(target, aside.path() / "it"));
        SF_CHECK(base::rename(staged, target));
    } else {
        SF_CHECK(base::rename(staged, target));
    }
    return base::fsync_dir(target.parent_path());
}

}  // namespace

Result<std::optional<model::Package>> PackageStore::read(const std::string& store_name) const {
    SF_TRY(const auto text, base::read_file_if_exists(folder(store_name) / manifest_file));
    if (!text) return std::optional<model::Package>();
    Result<model::Package> package = model::package_from_json(*text);
    if (!package || package->store_name() != store_name) return std::optional<model::Package>();
    return std::optional(std::move(*package));
}

Result<std::optional<model::Package>> PackageStore::find(const std::string& store_name) const {
    SF_TRY(std::optional<model::Package> package, read(store_name));
    if (!package) return package;
    bool whole =
        base::is_dir(tree(store_name)) && archive_is_there(folder(store_name), package->run);
    if (package->dev) whole = whole && archive_is_there(folder(store_name), *package->dev);
    if (package->dbg) whole = whole && archive_is_there(folder(store_name), *package->dbg);
    if (!whole) return std::optional<model::Package>();
    SF_TRY(const auto doubt, doubt_about(store_name));
    if (doubt) return std::optional<model::Package>();
    return package;
}

std::optional<model::Package> PackageStore::relative_of(const std::string& name,
                                                        const std::string& version) const {
    const std::string prefix = name + "-" + version + "-";
    const Result<std::vector<std::string>> names = base::list_dir(x_state.packages());
    if (!names) return std::nullopt;
    std::optional<model::Package> newest;
    std::filesystem::file_time_type newest_time{};
    for (const std::string& each : *names) {
        if (!each.starts_with(prefix)) continue;
        std::error_code error;
        const auto time = std::filesystem::last_write_time(folder(each) / manifest_file, error);
        if (error || (newest && time <= newest_time)) continue;
        Result<std::optional<model::Package>> package = find(each);
        if (!package || !*package) continue;
        newest = std::move(*package);
        newest_time = time;
    }
    return newest;
}

Status PackageStore::commit(const model::Package& package, const std::filesystem::path& staged_tree,
                            const std::filesystem::path& staged_folder,
                            const std::optional<Taken>& taken, const MadeOf& made_of) const {
    SF_TRY(const std::string json, model::to_json(package));
    SF_CHECK(base::write_file(staged_folder / manifest_file, json));
    if (taken) {
        SF_TRY(const std::string record, to_json(*taken));
        SF_CHECK(base::write_file(staged_folder / taken_file, record));
    }
    if (!made_of.empty()) {
        SF_TRY(const std::string record, to_json(made_of));
        SF_CHECK(base::write_file(staged_folder / made_of_file, record));
    }
    SF_CHECK(base::fsync_tree(staged_tree));
    SF_CHECK(base::fsync_tree(staged_folder));
    const std::string name = package.store_name();
    // The manifest is what makes a package visible, so its folder goes last.
    SF_CHECK(replace_folder(staged_tree, tree(name)));
    return replace_folder(staged_folder, folder(name));
}

Result<std::optional<Taken>> PackageStore::taken(const std::string& store_name) const {
    const std::filesystem::path file = folder(store_name) / taken_file;
    SF_TRY(const auto text, base::read_file_if_exists(file));
    if (!text) return std::optional<Taken>();
    Result<Taken> taken = base::during(taken_from_json(*text), "reading " + file.string());
    if (taken) return std::optional(std::move(*taken));
    base::Error error = std::move(taken).error();
    error.hint = "delete " + folder(store_name).string() + ": the package is brought again";
    return tl::unexpected(std::move(error));
}

Result<MadeOf> PackageStore::made_of(const std::string& store_name) const {
    SF_TRY(std::optional<Taken> from, taken(store_name));
    if (from) {
        SF_TRY(const auto package, read(store_name));
        return package ? MadeOf{taken_package(*package, std::move(*from))} : MadeOf();
    }
    const std::filesystem::path file = folder(store_name) / made_of_file;
    SF_TRY(const auto text, base::read_file_if_exists(file));
    if (!text) return MadeOf();
    return base::during(made_of_from_json(*text), "reading " + file.string());
}

Result<std::optional<std::string>> PackageStore::doubt_about(const std::string& store_name) const {
    if (!x_doubt) return std::optional<std::string>();
    const Result<MadeOf> all = made_of(store_name);
    // A record that cannot be read vouches for nothing.
    if (!all && all.error().code == base::Code::corrupt) return std::optional(all.error().text());
    if (!all) return tl::unexpected(all.error());
    for (const TakenPackage& each : *all) {
        SF_TRY(const auto why, x_doubt(each));
        if (!why) continue;
        return std::optional(fmt::format(
            "{}{}: {}",
            each.store_name == store_name ? "" : fmt::format("built with {}, ", each.store_name),
            taken_text(each.from), *why));
    }
    return std::optional<std::string>();
}

Result<base::FileLock> PackageStore::lock(const std::string& store_name,
                                          const std::function<void()>& waiting) const {
    return base::FileLock::acquire(x_state.locks() / (store_name + ".lock"), waiting);
}

}  // namespace sf::build
