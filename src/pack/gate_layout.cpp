// SPDX-License-Identifier: Apache-2.0
#include "pack/gate_layout.hpp"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "base/atomic_file.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "pack/archive_reader.hpp"

namespace sf::pack {

namespace fs = std::filesystem;
using base::Code;
using base::Result;
using base::Status;

namespace {

std::string normalised(std::string_view path) {
    std::vector<std::string> parts;
    for (auto& part : base::split(path, '/')) {
        if (part.empty() || part == ".") continue;
        if (part == ".." && !parts.empty() && parts.back() != "..") {
            parts.pop_back();
        } else {
            parts.push_back(std::move(part));
        }
    }
    return base::join(parts, "/");
}

std::string folder_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return std::string(slash == std::string_view::npos ? "" : path.substr(0, slash));
}

// From the folder `folder` to `path`, both below the same top.
std::string relative_to(const std::string& folder, const std::string& path) {
    const auto text = fs::path("/" + path).lexically_relative("/" + folder).generic_string();
    return text.empty() ? "." : text;
}

class Walk {
public:
    Walk(const fs::path& prefix, const std::string& store_name, const std::string& installed_at,
         const std::vector<std::string>& dependencies, Findings& findings)
        : x_prefix(prefix),
          x_store_name(store_name),
          x_installed_at(installed_at),
          x_roots(dependencies),
          x_findings(findings) {
        x_roots.push_back(store_name);
    }

    Status below(const std::string& folder) {
        SF_TRY(const auto names, base::list_dir(x_prefix / folder));
        const auto front = folder.empty() ? "" : folder + '/';
        for (const auto& name : names) SF_CHECK(visit(front + name));
        return {};
    }

    Tree take() { return std::move(x_tree); }

private:
    Status visit(const std::string& path) {
        const auto disk = x_prefix / path;
        if (const auto rule = path_violation(x_store_name + '/' + path); !rule.empty()) {
            x_findings.add(path, rule);
            return {};
        }
        struct stat status {};
        if (::lstat(disk.c_str(), &status) != 0) {
            return base::fail_errno(errno, "read " + base::escape_untrusted(disk.native()));
        }
        SF_CHECK(check_attributes(path, disk));
        TreeEntry entry;
        switch (status.st_mode & S_IFMT) {
            case S_IFDIR:
                entry.type = model::EntryType::directory;
                SF_CHECK(set_mode(disk, status.st_mode, 0755));
                x_tree.emplace(path, std::move(entry));
                return below(path);
            case S_IFLNK: return visit_link(path, disk);
            case S_IFREG: break;
            case S_IFCHR: x_findings.add(path, "character device"); return {};
            case S_IFBLK: x_findings.add(path, "block device"); return {};
            case S_IFIFO: x_findings.add(path, "FIFO"); return {};
            default: x_findings.add(path, "socket"); return {};
        }
        if ((status.st_mode & (S_ISUID | S_ISGID)) != 0) {
            x_findings.add(path, (status.st_mode & S_ISUID) != 0 ? "setuid" : "setgid");
            return {};
        }
        entry.executable = (status.st_mode & S_IXUSR) != 0;
        entry.size = static_cast<std::uint64_t>(status.st_size);
        SF_CHECK(set_mode(disk, status.st_mode, entry.executable ? 0755 : 0644));
        // What is written into one name must not appear under another.
        if (status.st_nlink > 1) SF_CHECK(separate(disk, entry.executable ? 0755 : 0644));
        x_tree.emplace(path, std::move(entry));
        return {};
    }

    Status visit_link(const std::string& path, const fs::path& disk) {
        std::error_code error;
        auto target = fs::read_symlink(disk, error).native();
        if (error) {
            return base::fail_errno(error.value(), "read " + base::escape_untrusted(disk.native()));
        }
        const auto wanted = wanted_target(path, target);
        if (const auto rule = link_violation(x_store_name + '/' + path, wanted, x_roots);
            !rule.empty()) {
            x_findings.add(path, fmt::format("{}: {}", rule, base::escape_untrusted(target)));
            return {};
        }
        if (wanted != target) {
            SF_CHECK(base::remove_file(disk));
            fs::create_symlink(wanted, disk, error);
            if (error) {
                return base::fail_errno(error.value(),
                                        "make symlink " + base::escape_untrusted(disk.native()));
            }
        }
        TreeEntry entry;
        entry.type = model::EntryType::symlink;
        entry.target = wanted;
        x_tree.emplace(path, std::move(entry));
        return {};
    }

    // Links into the own prefix or a dependency's become relative, others lose detours. "a/../b" is
    // shortened as text: a recipe whose `a` is itself a link has to say where it means.
    [[nodiscard]] std::string wanted_target(const std::string& path,
                                            const std::string& target) const {
        const auto folder = folder_of(x_store_name + '/' + path);
        const auto store = folder_of(x_installed_at);
        if (target.starts_with(store + '/')) {
            return relative_to(folder, normalised(target.substr(store.size() + 1)));
        }
        if (target.starts_with('/')) return target;
        const auto clean = normalised(target);
        return clean.empty() && !target.empty() ? "." : clean;
    }

    static Status set_mode(const fs::path& disk, mode_t now, mode_t wanted) {
        if ((now & 07777U) == wanted) return {};
        if (::chmod(disk.c_str(), wanted) != 0) {
            return base::fail_errno(errno,
                                    "set the mode of " + base::escape_untrusted(disk.native()));
        }
        return {};
    }

    static Status separate(const fs::path& disk, unsigned mode) {
        SF_TRY(const auto from, base::open_file(disk, O_RDONLY | O_NOFOLLOW));
        base::FdSource source(from.get(), disk);
        SF_TRY(auto copy, base::AtomicFile::create(disk, mode));
        SF_CHECK(base::copy(source, copy).map([](std::size_t) {}));
        return copy.commit();
    }

    Status check_attributes(const std::string& path, const fs::path& disk) {
        std::array<char, 65536> names;
        const auto n = ::llistxattr(disk.c_str(), names.data(), names.size());
        if (n < 0 && errno == ENOTSUP) return {};
        if (n < 0) {
            return base::fail_errno(
                errno, "read the attributes of " + base::escape_untrusted(disk.native()));
        }
        for (const auto& name : base::split({names.data(), static_cast<std::size_t>(n)}, '\0')) {
            // The security module's own label is the host's business, and is not packed.
            if (name.empty() || name == "security.selinux") continue;
            x_findings.add(path,
                           fmt::format("extended attribute {}", base::escape_untrusted(name)));
        }
        return {};
    }

    fs::path x_prefix;
    std::string x_store_name;
    std::string x_installed_at;
    std::vector<std::string> x_roots;
    Findings& x_findings;
    Tree x_tree;
};

Part part_of_path(const std::string& path) {
    const auto any = [&](std::initializer_list<const char*> globs) {
        return std::any_of(globs.begin(), globs.end(),
                           [&](const char* glob) { return base::glob_match(glob, path); });
    };
    if (path == "lib/debug" || any({"lib/debug/**", "**/*.debug", "*.debug"})) return Part::dbg;
    if (path == "include" ||
        any({"include/**", "**/*.a", "**/*.la", "lib/**/*.o", "lib/*.o", "lib/pkgconfig",
             "lib/pkgconfig/**", "share/pkgconfig", "share/pkgconfig/**", "lib/cmake",
             "lib/cmake/**", "share/cmake", "share/cmake/**", "share/aclocal", "share/aclocal/**",
             "bin/*-config"})) {
        return Part::dev;
    }
    return Part::run;
}

// libx.so for the linker: a link beside the library, or a linker script; not what programs open.
bool is_linker_name(const Tree& tree, const std::string& path, const TreeEntry& entry) {
    const auto name = path.substr(path.rfind('/') + 1);
    if (!name.starts_with("lib") || !name.ends_with(".so")) return false;
    if (entry.type == model::EntryType::file) return !entry.elf;
    if (entry.type != model::EntryType::symlink) return false;
    const auto end = resolve_link(tree, path);
    if (!end) return false;
    const auto library = tree.find(*end);
    return library != tree.end() && library->second.elf && !library->second.elf->soname.empty() &&
           library->second.elf->soname != name && folder_of(*end) == folder_of(path);
}

}  // namespace

void Findings::add(std::string_view path, std::string_view what) {
    x_texts.push_back(fmt::format("{}: {}", base::escape_untrusted(path), what));
}

Status Findings::status(std::string_view store_name) const {
    if (x_texts.empty()) return {};
    if (x_texts.size() == 1) return base::fail(Code::refused, "{}: {}", store_name, x_texts[0]);
    constexpr std::size_t shown = 200;
    auto text = fmt::format("{}: {} findings", store_name, x_texts.size());
    for (std::size_t i = 0; i < std::min(x_texts.size(), shown); ++i) text += "\n  " + x_texts[i];
    if (x_texts.size() > shown) text += fmt::format("\n  and {} more", x_texts.size() - shown);
    return base::fail(Code::refused, "{}", text);
}

Result<Tree> read_tree(const fs::path& prefix, const std::string& store_name,
                       const std::string& installed_at,
                       const std::vector<std::string>& dependencies, Findings& findings) {
    if (!base::is_dir(prefix)) {
        return base::fail(Code::absent, "{}: the build installed nothing", store_name);
    }
    Walk walk(prefix, store_name, installed_at, dependencies, findings);
    SF_CHECK(walk.below(""));
    return walk.take();
}

std::optional<std::string> resolve_link(const Tree& tree, std::string_view path) {
    std::string at(path);
    for (unsigned hops = 0; hops < 40; ++hops) {
        // The first component that is a link is replaced by its target.
        bool replaced = false;
        for (std::size_t slash = 0; slash != std::string::npos && !replaced;) {
            slash = at.find('/', slash + 1);
            const auto known = tree.find(at.substr(0, slash));
            if (known == tree.end()) return std::nullopt;
            if (known->second.type != model::EntryType::symlink) continue;
            const auto rest = slash == std::string::npos ? "" : at.substr(slash);
            at = normalised(folder_of(known->first) + '/' + known->second.target + rest);
            replaced = true;
        }
        if (at.empty() || at.starts_with("../") || !replaced) return at;
    }
    return std::nullopt;
}

void divide(Tree& tree, const std::set<std::string>& kept) {
    for (auto& [path, entry] : tree) {
        entry.part = part_of_path(path);
        const auto name = path.substr(path.rfind('/') + 1);
        if (entry.part == Part::run && !kept.contains(name) && is_linker_name(tree, path, entry)) {
            entry.part = Part::dev;
        }
    }
    // A link to what is not shipped at run time is not either.
    for (auto& [path, entry] : tree) {
        if (entry.type != model::EntryType::symlink || entry.part != Part::run) continue;
        const auto end = resolve_link(tree, path);
        const auto target = end ? tree.find(*end) : tree.end();
        if (target != tree.end() && target->second.type == model::EntryType::file) {
            entry.part = target->second.part;
        }
    }
}

}  // namespace sf::pack
