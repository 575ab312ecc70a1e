// SPDX-License-Identifier: Apache-2.0
// C3 of the threat model: what is honest is not refused. Packages of the distribution, as they lie
// on this machine, are packed by our own writer and read by our strict reader, and packed by the
// machine's own tar and read as upstream's. What the rules refuse on purpose is named, each with
// its rule; everything else is taken, and comes out as it went in. What those rules are is worked
// out here once more, from docs/formats/package.md and not by the code that keeps them.
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/atomic_file.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "model/path_rules.hpp"
#include "pack/archive_reader.hpp"
#include "pack/archive_writer.hpp"
#include "pack/source_archive.hpp"
#include "reliability/suite.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;

const std::string top = "p-1-00000000";

std::string said_by(std::vector<std::string> words) {
    base::Command command;
    command.argv = std::move(words);
    const base::Finished done = base::run(command).value();
    if (!done.exit.ok())
        throw std::runtime_error(command.argv[0] + ": " + done.exit.text() + ": " + done.err);
    return done.out;
}

// Path to what is there: "/" for a folder, "-> target", and of a file whether its owner may execute
// it, and its digest.
using Shape = std::map<std::string, std::string>;
Shape shape_of(const fs::path& folder) {
    Shape found;
    for (const auto& each : fs::recursive_directory_iterator(folder)) {
        std::string what = "/";
        if (each.is_symlink()) {
            what = "-> " + fs::read_symlink(each.path()).native();
        } else if (!each.is_directory()) {
            struct stat status {};
            if (::lstat(each.path().c_str(), &status) != 0)
                throw std::runtime_error(each.path().native() + " is gone");
            what = ((status.st_mode & 0100U) != 0 ? "x " : "- ") +
                   base::sha256_file(each.path()).value().hex();
        }
        found.emplace(each.path().lexically_relative(folder).native(), what);
    }
    return found;
}

// "": none.
std::string difference(const Shape& expected, const Shape& found) {
    for (const auto& [path, what] : expected) {
        const auto there = found.find(path);
        if (there == found.end()) return path + " is missing";
        if (there->second != what) return path + ": " + there->second + ", not " + what;
    }
    for (const auto& [path, what] : found)
        if (!expected.contains(path)) return path + " is there";
    return {};
}

std::vector<std::string> parts_of(const std::string& path) {
    std::vector<std::string> parts;
    for (const std::string& part : base::split(path, '/'))
        if (!part.empty() && part != ".") parts.push_back(part);
    return parts;
}

std::vector<std::string> folders_above(const std::string& path) {
    std::vector<std::string> folders = parts_of(path);
    folders.pop_back();
    return folders;
}

// Where a relative link ends if no other is on its way; nullopt: outside.
std::optional<std::vector<std::string>> end_of(const std::string& link, const std::string& target) {
    std::vector<std::string> at = folders_above(link);
    for (const std::string& part : parts_of(target)) {
        if (part != "..") {
            at.push_back(part);
        } else if (at.empty()) {
            return std::nullopt;
        } else {
            at.pop_back();
        }
    }
    return at;
}

// The same link relative and normal, as the gate makes those of our own packages.
std::string normal_target(const std::string& link, const std::vector<std::string>& end) {
    const std::vector<std::string> from = folders_above(link);
    const auto differ = std::ranges::mismatch(from, end);
    std::vector<std::string> parts(static_cast<std::size_t>(from.end() - differ.in1), "..");
    parts.insert(parts.end(), differ.in2, end.end());
    return parts.empty() ? "." : base::join(parts, "/");
}

class HonestPackages : public ::testing::Test {
protected:
    HonestPackages() : x_room(base::TempDir::create(room_for_tests(), "sfr-").value()) {}
    [[nodiscard]] const fs::path& room() const { return x_room.path(); }

    // Those on this machine that take no more room than that, by chance.
    static std::vector<std::string> installed(Random& random, std::uint64_t most_kib) {
        const std::string listed =
            said_by({"dpkg-query", "-W", "-f", "${binary:Package} ${Installed-Size}\n"});
        std::vector<std::string> names;
        for (const std::string& line : base::split(listed, '\n')) {
            const std::size_t blank = line.find(' ');
            if (blank == std::string::npos || blank + 1 == line.size()) continue;
            if (std::strtoull(line.c_str() + blank, nullptr, 10) <= most_kib)
                names.push_back(line.substr(0, blank));
        }
        std::shuffle(names.begin(), names.end(), random);
        return names;
    }

    void try_package(const std::string& package) {
        copy(package);
        const std::uint64_t entries = shape_of(tree()).size();
        if (entries != 0) {
            x_entries += entries;
            as_source(package);
            if (!HasFailure()) as_package(package);
            ++x_packages;
        }
        ASSERT_TRUE(base::remove_tree(tree()));
    }

    [[nodiscard]] std::string figures() const {
        return fmt::format(
            "{} packages, {} files, folders and links, none refused but on purpose: of packages {} "
            "links ({} were made normal), of sources {} entries; {} were not on this machine, {} "
            "could not be read",
            x_packages, x_entries, x_links, x_normal, x_source_entries, x_absent, x_unreadable);
    }
    std::uint64_t x_packages = 0;

private:
    // What upstream's archives have at the top.
    [[nodiscard]] fs::path tree() const { return room() / "s"; }

    void copy(const std::string& package) {
        std::vector<std::string> paths;
        std::set<std::string> folders;  // with something in them, whatever they are here
        const std::string listed = said_by({"dpkg-query", "-L", package});
        for (const std::string& line : base::split(listed, '\n')) {
            if (line.size() < 2 || line[0] != '/' || line == "/.") continue;
            paths.push_back(line.substr(1));
            for (std::size_t slash = line.find('/', 1); slash != std::string::npos;
                 slash = line.find('/', slash + 1))
                folders.insert(line.substr(1, slash - 1));
        }
        fs::create_directory(tree());
        x_copied.clear();
        std::vector<std::pair<fs::path, mode_t>> modes;
        for (const std::string& path : paths) {
            struct stat status {};
            const fs::path from = fs::path("/") / path;
            // Where /lib has become a link to /usr/lib since, it is a folder of the package's.
            const bool folder = folders.contains(path);
            if ((folder ? ::stat(from.c_str(), &status) : ::lstat(from.c_str(), &status)) != 0) {
                ++x_absent;
            } else if (S_ISDIR(status.st_mode)) {
                fs::create_directories(tree() / path);
                modes.emplace_back(tree() / path, status.st_mode);
            } else {
                copy_file(from, path, status);
            }
        }
        for (const auto& [folder, mode] : modes)
            EXPECT_EQ(::chmod(folder.c_str(), (mode & 07777U) | 0700U), 0) << folder;
    }

    void copy_file(const fs::path& from, const std::string& path, const struct stat& status) {
        const fs::path to = tree() / path;
        if (base::exists(to)) return;
        fs::create_directories(to.parent_path());
        if (S_ISLNK(status.st_mode)) {
            fs::create_symlink(fs::read_symlink(from), to);
            return;
        }
        if (!S_ISREG(status.st_mode) || ::access(from.c_str(), R_OK) != 0) {
            ++x_unreadable;
            return;
        }
        const auto [first, is_new] = x_copied.emplace(std::pair(status.st_dev, status.st_ino), to);
        if (!is_new) {
            fs::create_hard_link(first->second, to);
            return;
        }
        fs::copy_file(from, to);
        EXPECT_EQ(::chmod(to.c_str(), (status.st_mode & 07777U) | 0400U), 0) << to;
    }

    // "": it may stand in an archive of upstream's.
    [[nodiscard]] std::string source_rule(const std::string& path) const {
        struct stat status {};
        if (::lstat((tree() / path).c_str(), &status) != 0) return "it is gone";
        if (S_ISREG(status.st_mode))
            return (status.st_mode & (S_ISUID | S_ISGID)) != 0 ? "setuid or setgid" : "";
        if (!S_ISLNK(status.st_mode)) return {};
        const std::string target = fs::read_symlink(tree() / path).native();
        if (target.starts_with('/')) return "symlink to an absolute path";
        // Behind something that is no folder of this very archive nobody knows what ".." is.
        std::vector<std::string> at = folders_above(path);
        bool sure = true;
        for (const std::string& part : parts_of(target)) {
            if (part == ".." && (at.empty() || !sure)) return "symlink points outside";
            if (part == "..") {
                at.pop_back();
                continue;
            }
            at.push_back(part);
            sure = sure && base::is_dir(tree() / base::join(at, "/"));
        }
        return {};
    }

    // As the machine's tar packs it, in one format and compression after the other.
    std::string pack_source(const std::set<std::string>& paths) {
        constexpr const char* formats[] = {"gnu", "posix", "oldgnu"};
        constexpr const char* endings[] = {".tar.gz", ".tar.zst", ".tar"};
        std::string list;
        for (const std::string& path : paths) list += "s/" + path + '\n';
        EXPECT_TRUE(base::write_file(room() / "list", list));
        std::string name = std::string("s") + endings[x_packages % 3];
        static_cast<void>(
            said_by({"tar", std::string("--format=") + formats[x_packages / 3 % 3], "-C",
                     room().native(), "--no-unquote", "--verbatim-files-from", "--no-recursion",
                     "-T", (room() / "list").native(), "-caf", (room() / name).native()}));
        return name;
    }

    // What came of it; unpacked to "out".
    std::string unpack_source(const std::string& name) const {
        fs::create_directory(room() / "out");
        const base::Fd file = base::open_file(room() / name, O_RDONLY).value();
        const base::Fd folder = base::open_file(room() / "out", O_RDONLY | O_DIRECTORY).value();
        const auto done = pack::unpack_source({file.get(), name}, {}, folder.get());
        return done ? "accepted" : done.error().text();
    }

    void as_source(const std::string& package) {
        Shape expected = shape_of(tree());
        std::set<std::string> paths, verdicts;
        for (const auto& [path, what] : shape_of(tree())) {
            paths.insert(path);
            const std::string rule = source_rule(path);
            if (rule.empty()) continue;
            expected.erase(path);
            left_out(package, "source", path, rule);
            ++x_source_entries;
            verdicts.insert("entry 's/" + base::escape_untrusted(path) + "': " + rule);
        }
        if (!verdicts.empty()) {
            const std::string name = pack_source(paths);
            const std::string said = unpack_source(name);
            const std::size_t front = name.size() + 2;  // ": "
            EXPECT_TRUE(said.size() > front && verdicts.contains(said.substr(front))) << said;
            ASSERT_TRUE(base::remove_tree(room() / "out"));
        }
        std::erase_if(paths, [&](const std::string& path) { return !expected.contains(path); });
        if (paths.empty()) return;  // nothing but links to elsewhere
        const std::string said = unpack_source(pack_source(paths));
        EXPECT_EQ(said, "accepted");
        if (said == "accepted") {
            EXPECT_EQ(difference(expected, shape_of(room() / "out")), "");
        }
        ASSERT_TRUE(base::remove_tree(room() / "out"));
    }

    // The links of the tree as the gate makes them; those that no package may have.
    std::set<std::string> make_links_normal(const std::string& package) {
        std::set<std::string> out;
        for (const auto& [path, what] : shape_of(tree())) {
            if (!what.starts_with("-> ")) continue;
            const std::string target = what.substr(3);
            const auto end = end_of(path, target);
            std::string rule;
            if (!end) rule = "symlink points outside";
            if (target.starts_with('/')) rule = "symlink to an absolute path";
            if (!rule.empty()) {
                // This one rule is asked of the code itself: it stops at the first of an archive.
                const std::string said = model::link_violation(top + '/' + path, target, {top});
                const bool not_normal = said == "symlink target is not normalised";
                EXPECT_TRUE(said == rule || (not_normal && !end)) << path << ": " << said;
                left_out(package, "package", path, rule);
                ++x_links;
                out.insert(path);
                continue;
            }
            const std::string normal = normal_target(path, *end);
            if (normal == target) continue;
            fs::remove(tree() / path);
            fs::create_symlink(normal, tree() / path);
            ++x_normal;
        }
        return out;
    }

    void as_package(const std::string& package) {
        const std::set<std::string> out = make_links_normal(package);
        Shape expected = shape_of(tree());
        for (const std::string& path : out) expected.erase(path);
        auto file = base::AtomicFile::create(room() / "run.tar.zst").value();
        pack::WriterOptions options;
        options.level = 1;
        auto writer = pack::ArchiveWriter::create(file, options).value();
        const base::Status added = writer.add_tree(
            tree(), top, [&](std::string_view path) { return !out.contains(std::string(path)); });
        ASSERT_TRUE(added) << added.error().text();
        const model::ArchiveRecord record = writer.finish("run.tar.zst").value();
        ASSERT_TRUE(file.commit());

        fs::create_directory(room() / "out");
        const base::Fd archive = base::open_file(room() / "run.tar.zst", O_RDONLY).value();
        const base::Fd into = base::open_file(room() / "out", O_RDONLY | O_DIRECTORY).value();
        ASSERT_TRUE(pack::verify_archive({archive.get(), "run.tar.zst"}, record));
        pack::ArchivePolicy policy;
        policy.top = top;
        policy.record = &record;
        const auto made = pack::unpack_archive({archive.get(), "run.tar.zst"}, policy, into.get());
        ASSERT_TRUE(made) << made.error().text();
        EXPECT_EQ(difference(expected, shape_of(room() / "out" / top)), "");
        ASSERT_TRUE(base::remove_tree(room() / "out"));
    }

    static void left_out(const std::string& package, const char* as, const std::string& path,
                         const std::string& rule) {
        fmt::print("  left out of {} as a {}: {}: {}\n", package, as, base::escape_untrusted(path),
                   rule);
    }

    base::TempDir x_room;
    std::map<std::pair<dev_t, ino_t>, fs::path> x_copied;  // of one package: its hard links
    std::uint64_t x_entries = 0, x_links = 0, x_normal = 0, x_source_entries = 0;
    std::uint64_t x_absent = 0, x_unreadable = 0;
};

TEST_F(HonestPackages, C3OfTheDistribution) {
    if (!base::find_program("dpkg-query"))
        SF_NOT_RUN("this machine has no packages of Debian's kind");
    const std::uint64_t wanted = rounds(12, 200);
    Random random =
        begin_suite("C3", fmt::format("{} packages of the distribution", wanted), room());
    constexpr std::uint64_t small = 2 << 10, large = 32 << 10;  // KiB
    const std::vector<std::string> packages = installed(random, is_nightly() ? large : small);
    for (const std::string& package : packages) {
        if (x_packages == wanted || HasFailure()) break;
        SCOPED_TRACE(package);
        try_package(package);
    }
    EXPECT_GE(x_packages, std::min<std::uint64_t>(wanted, 10)) << "this machine has so few";
    say("C3", figures());
}

}  // namespace
}  // namespace sf::test
