// SPDX-License-Identifier: Apache-2.0
#include "reliability/soundness.hpp"

#include <sys/stat.h>

#include "base/text.hpp"

namespace sf::test {

namespace fs = std::filesystem;

namespace {

// Whose bytes are the same whoever installs: not the records with their times.
bool is_compared(const std::string& path) {
    return path.starts_with("store/") || path.starts_with("views/") ||
           path.starts_with("manifests/") || path.starts_with("data/");
}

std::string unit_of(const std::string& path) {
    // "store/<package>", "views/<version>", "data/slurm_assets/<version>": whole, or not there.
    const std::size_t parts = path.starts_with("data/") ? 3 : 2;
    std::size_t end = 0;
    for (std::size_t i = 0; i < parts && end != std::string::npos; ++i)
        end = path.find('/', end + 1);
    return path.substr(0, end);
}

// Of what `cache verify` tells: that Spack's index lacks Slurm of one of these versions.
bool is_late_in_index(std::string_view line, const std::set<std::string>& versions) {
    constexpr std::string_view object = "WRONG: v3/manifests/index/index.manifest.json: slurm ";
    const std::size_t at = line.find(object);
    if (at == line.npos || !line.ends_with(" is not in Spack's index")) return false;
    const std::string_view rest = line.substr(at + object.size());
    return versions.contains(std::string(rest.substr(0, rest.find(' '))));
}

}  // namespace

Tree tree_of(const fs::path& folder) {
    Tree found;
    if (!base::exists(folder)) return found;
    for (auto each = fs::recursive_directory_iterator(folder);
         each != fs::recursive_directory_iterator(); ++each) {
        const std::string path = each->path().lexically_relative(folder).native();
        if (each->is_symlink())
            found[path] = "-> " + fs::read_symlink(each->path()).native();
        else if (each->is_directory())
            found[path] = "/";
        else
            found[path] = base::read_file(each->path()).value_or("(unreadable)");
    }
    return found;
}

Soundness::Soundness(Site& site) : x_site(site) {
    const fs::path prefix = site.at("reference");
    for (const std::string& version : site.versions()) {
        const Said said = site.run(site.install(version, prefix));
        if (said.code != 0) throw std::runtime_error(said.text());
    }
    for (const auto& [path, what] : tree_of(prefix))
        if (is_compared(path)) x_whole.emplace(path, what);
    fs::remove_all(prefix);
}

std::string Soundness::current(const fs::path& prefix) {
    const std::string srun = base::read_file(prefix / "view/bin/srun").value_or("");
    // "srun 25.11.31": the version, and the salt.
    return srun.starts_with("srun ") ? srun.substr(5, srun.size() - 6) : "";
}

bool Soundness::has(const fs::path& prefix, const std::string& version) {
    return base::exists(prefix / "views" / version) &&
           base::exists(prefix / "manifests" / (version + ".json"));
}

void Soundness::check_files(const Tree& found) const {
    std::set<std::string> units;
    for (const auto& [path, what] : found) {
        static const std::set<std::string> tops{
            "store", "views",       "view",      "manifests",   "data",      "modules",
            "lmod",  "generations", ".sf-stage", ".sf-damaged", ".sf-leases"};
        EXPECT_TRUE(tops.contains(path.substr(0, path.find('/')))) << path << " is there";
        if (!is_compared(path)) continue;
        const auto whole = x_whole.find(path);
        if (path == "data/slurm_assets/slurm_install.sh" || path == "data/slurm_assets/templates")
            continue;  // leads to the current version's
        ASSERT_TRUE(whole != x_whole.end()) << path << " belongs to nothing";
        ASSERT_EQ(what, whole->second) << path;
        units.insert(unit_of(path));
    }
    for (const auto& [path, what] : x_whole) {
        if (!units.contains(unit_of(path)) || path.starts_with("manifests/")) continue;
        EXPECT_TRUE(found.contains(path)) << path << " is missing";
    }
}

void Soundness::check_modes(const fs::path& prefix) {
    for (const auto& each : fs::recursive_directory_iterator(prefix)) {
        struct stat status {};
        ASSERT_EQ(::lstat(each.path().c_str(), &status), 0) << each.path();
        if (S_ISLNK(status.st_mode)) {
            if (each.path().native().find("/.sf-stage/") == std::string::npos) {
                EXPECT_TRUE(fs::exists(each.path())) << each.path() << " leads nowhere";
            }
            continue;
        }
        EXPECT_TRUE(S_ISDIR(status.st_mode) || S_ISREG(status.st_mode)) << each.path();
        EXPECT_EQ(status.st_mode & (S_IWGRP | S_IWOTH | S_ISUID | S_ISGID), 0U) << each.path();
    }
}

void Soundness::check(const fs::path& prefix) const {
    SCOPED_TRACE("in " + prefix.native());
    if (!base::exists(prefix)) return;
    check_files(tree_of(prefix));
    check_modes(prefix);
    if (!base::exists(prefix / "manifests")) return;  // nothing was put in place: there is nothing
    const Said verified = x_site.run({"verify", "--deep", "--prefix", prefix.native()});
    const bool any = !fs::is_empty(prefix / "manifests");
    if (any) {
        EXPECT_EQ(verified.code, 0) << verified.text();
    }
    const Said listed = x_site.run({"list", "--prefix", prefix.native()});
    EXPECT_EQ(listed.code, 0) << listed.text();
}

void Soundness::check_has(const fs::path& prefix, const std::string& version, bool current) const {
    const Tree found = tree_of(prefix);
    for (const auto& [path, what] : x_whole) {
        const bool its = path.starts_with("views/" + version + '/') ||
                         path == "manifests/" + version + ".json" ||
                         path == "manifests/" + version + ".json.asc" ||
                         path.starts_with("store/slurm-" + version + '-');
        const bool needed =
            path.starts_with("store/zlib-") || path.starts_with("store/munge-") || its;
        if (!needed) continue;
        const auto there = found.find(path);
        ASSERT_TRUE(there != found.end()) << path << " is missing";
        ASSERT_EQ(there->second, what) << path;
    }
    if (current) {
        EXPECT_EQ(Soundness::current(prefix), version);
    }
}

void Soundness::check_next(const fs::path& prefix, const std::string& version) const {
    const Said said = x_site.run(x_site.install(version, prefix));
    ASSERT_EQ(said.code, 0) << said.text();
    check_has(prefix, version, true);
    const auto stages = base::list_dir(prefix / ".sf-stage").value();
    for (const std::string& name : stages)
        EXPECT_TRUE(name == "lock" || name.starts_with("old-")) << name << " is left";
    check(prefix);
    const Said mended = x_site.run({"fsck", "--prefix", prefix.native()});
    EXPECT_EQ(mended.code, 0) << mended.text();
}

void Soundness::check_cache(const std::vector<std::string>& versions) const {
    const Said verified = x_site.run({"cache", "verify", x_site.cache().native(), "--deep"});
    EXPECT_EQ(verified.code, 0) << verified.text();
    const fs::path fresh = x_site.at("fresh");
    for (const std::string& version : versions) {
        const Said said = x_site.run(x_site.install(version, fresh));
        ASSERT_EQ(said.code, 0) << said.text();
        EXPECT_EQ(current(fresh), version);
    }
    fs::remove_all(fresh);
}

void check_published(Site& site, const std::set<std::string>& died, const fs::path& client) {
    const std::string cache = site.cache().native();
    const Words verify{"cache", "verify", cache, "--deep"};
    const Said told = site.run(verify, client);
    if (told.code == 0) return;
    SCOPED_TRACE(told.text());
    ASSERT_EQ(told.code, 1);
    ASSERT_FALSE(died.empty()) << "nobody has died";
    std::size_t defects = 0;
    for (const std::string_view line : base::split(told.out, '\n')) {
        if (line.find("WRONG: ") == line.npos) continue;
        ++defects;
        EXPECT_TRUE(is_late_in_index(line, died)) << line;
    }
    ASSERT_GT(defects, 0U);
    const Said made = site.run({"cache", "index", cache}, client);
    EXPECT_EQ(made.code, 0) << made.text();
    const Said again = site.run(verify, client);
    EXPECT_EQ(again.code, 0) << again.text();
}

Canary::Canary(fs::path folder) : x_folder(std::move(folder)) {
    fs::create_directories(x_folder / "bin");
    for (const char* name : {"secret", "bin/srun"})
        EXPECT_TRUE(base::write_file(x_folder / name, "nobody's business"));
    x_before = look();
}

Tree Canary::look() const {
    Tree tree = tree_of(x_folder);
    for (auto& [path, what] : tree) {
        struct stat status {};
        ::lstat((x_folder / path).c_str(), &status);
        what += fmt::format(" {:o} {} {}.{}", status.st_mode, status.st_uid, status.st_mtim.tv_sec,
                            status.st_mtim.tv_nsec);
    }
    struct stat status {};
    ::lstat(x_folder.c_str(), &status);
    tree[""] = fmt::format("{:o} {} {}.{}", status.st_mode, status.st_uid, status.st_mtim.tv_sec,
                           status.st_mtim.tv_nsec);
    return tree;
}

void Canary::check() const { EXPECT_EQ(look(), x_before) << "something changed outside"; }

}  // namespace sf::test
