// SPDX-License-Identifier: Apache-2.0
#include "pack/gate_libraries.hpp"

#include <algorithm>
#include <array>
#include <elf.h>

#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::pack {

namespace fs = std::filesystem;
using base::Result;
using base::Status;

namespace {

std::string folder_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return std::string(slash == std::string_view::npos ? "" : path.substr(0, slash));
}

std::string name_of(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

bool looks_like_library(std::string_view name) {
    return name.ends_with(".so") || name.find(".so.") != std::string_view::npos;
}

// `path` below `root` with every link resolved as in a chroot; nullopt: nothing there.
std::optional<fs::path> resolve_in_root(const fs::path& root, std::string path) {
    for (unsigned hops = 0; hops < 40; ++hops) {
        std::vector<std::string> done;
        bool again = false;
        const auto parts = base::split(path, '/');
        for (std::size_t i = 0; i < parts.size() && !again; ++i) {
            if (parts[i].empty() || parts[i] == ".") continue;
            if (parts[i] == "..") {
                if (!done.empty()) done.pop_back();
                continue;
            }
            done.push_back(parts[i]);
            const auto here = root / base::join(done, "/");
            std::error_code error;
            const auto type = fs::symlink_status(here, error).type();
            if (error || type == fs::file_type::not_found) return std::nullopt;
            if (type != fs::file_type::symlink) continue;
            const auto target = fs::read_symlink(here, error).native();
            if (error) return std::nullopt;
            done.pop_back();
            const std::vector<std::string> rest(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                                parts.end());
            path = (target.starts_with('/') ? "" : base::join(done, "/") + '/') + target + '/' +
                   base::join(rest, "/");
            again = true;
        }
        if (!again) return root / base::join(done, "/");
    }
    return std::nullopt;
}

// lib before lib/slurm before others.
std::string best_folder(const std::set<std::string>& folders) {
    return *std::min_element(folders.begin(), folders.end(), [](const auto& a, const auto& b) {
        return std::pair(a.size(), a) < std::pair(b.size(), b);
    });
}

std::string from_origin(const std::string& folder, const std::string& target) {
    const auto path = fs::path("/" + target).lexically_relative("/" + folder).generic_string();
    return path == "." ? "$ORIGIN" : "$ORIGIN/" + path;
}

}  // namespace

LibraryNames library_names(const Tree& tree) {
    LibraryNames names;
    for (const auto& [path, entry] : tree) {
        const auto name = name_of(path);
        if (!looks_like_library(name) || entry.part != Part::run) continue;
        const auto end = entry.type == model::EntryType::symlink ? resolve_link(tree, path)
                                                                 : std::optional(path);
        const auto file = end ? tree.find(*end) : tree.end();
        if (file == tree.end() || folder_of(*end) != folder_of(path)) continue;
        if (file->second.elf && file->second.elf->kind == ElfKind::shared) {
            names[name].insert(folder_of(path));
        }
    }
    return names;
}

Result<LibraryNames> library_names(const fs::path& prefix) {
    LibraryNames names;
    std::error_code error;
    fs::recursive_directory_iterator it(prefix, error);
    for (const fs::recursive_directory_iterator end; !error && it != end; it.increment(error)) {
        const auto relative = it->path().lexically_relative(prefix).generic_string();
        if (relative == "lib/debug") it.disable_recursion_pending();
        const auto name = name_of(relative);
        if (!looks_like_library(name)) continue;
        std::error_code gone;  // a link to nothing provides nothing
        const auto real = fs::canonical(it->path(), gone);
        if (gone || real.parent_path() != fs::canonical(it->path().parent_path(), gone)) continue;
        SF_TRY(const auto elf, read_elf(real));
        if (!elf || elf->kind != ElfKind::shared) continue;
        // The linker's name for a library is not shipped.
        const bool link = real.filename() != name;
        if (link && name.ends_with(".so") && !elf->soname.empty() && elf->soname != name) continue;
        names[name].insert(folder_of(relative));
    }
    if (error) {
        return base::fail_errno(error.value(), "read " + base::escape_untrusted(prefix.native()));
    }
    return names;
}

// Folders of other architectures do not count: Debian's multiarch folders are named after theirs,
// and Red Hat's /usr/lib, which holds 32-bit libraries, comes last.
HostLibraries::HostLibraries(fs::path root, std::uint16_t machine) : x_root(std::move(root)) {
    const auto multiarch =
        fmt::format("{}-linux-gnu", machine == EM_AARCH64 ? "aarch64" : "x86_64");
    for (const std::string& folder :
         {"usr/lib/" + multiarch, "lib/" + multiarch, std::string("usr/lib64"),
          std::string("lib64"), std::string("usr/lib"), std::string("lib")}) {
        if (resolve_in_root(x_root, folder)) x_folders.push_back(folder);
    }
}

std::optional<fs::path> HostLibraries::find(std::string_view soname) const {
    for (const auto& folder : x_folders) {
        if (auto path = resolve_in_root(x_root, folder + '/' + std::string(soname))) return path;
    }
    return std::nullopt;
}

Resolver::Resolver(const GateRequest& request, const Tree& tree)
    : x_request(request),
      x_own(library_names(tree)),
      x_host_sonames(request.host_sonames.begin(), request.host_sonames.end()),
      x_host(request.root, request.machine) {
    x_host_sonames.insert(standard_host_sonames().begin(), standard_host_sonames().end());
}

Result<Resolver> Resolver::create(const GateRequest& request, const Tree& tree) {
    Resolver resolver(request, tree);
    for (const auto& dependency : request.dependencies) {
        SF_TRY(auto names, library_names(dependency.path));
        resolver.x_dependencies.push_back(std::move(names));
    }
    return resolver;
}

tl::expected<Provider, std::string> Resolver::find(const std::string& soname) const {
    const auto shown = base::escape_untrusted(soname);
    if (soname.find('/') != std::string::npos) {
        return tl::unexpected(fmt::format("needs {} by its path, not by its soname", shown));
    }
    Provider provider;
    if (const auto own = x_own.find(soname); own != x_own.end()) {
        provider.origin = Origin::own;
        provider.folder = best_folder(own->second);
        provider.file = x_request.prefix / provider.folder / soname;
        return provider;
    }
    std::vector<std::string> holders;
    for (std::size_t i = 0; i < x_dependencies.size(); ++i) {
        const auto known = x_dependencies[i].find(soname);
        if (known == x_dependencies[i].end()) continue;
        const auto& dependency = x_request.dependencies[i];
        holders.push_back(dependency.store_name);
        provider.origin = Origin::dependency;
        provider.dependency = i;
        provider.folder = best_folder(known->second);
        provider.file = dependency.path / provider.folder / soname;
    }
    if (holders.size() == 1) return provider;
    if (holders.size() > 1) {
        return tl::unexpected(
            fmt::format("needs {}, which {} provide", shown, base::join(holders, " and ")));
    }
    const auto on_host = x_host.find(soname);
    if (x_host_sonames.contains(soname)) {
        if (!on_host) {
            return tl::unexpected(fmt::format(
                "needs {}, the host's, which the toolchain's root does not have", shown));
        }
        provider.origin = Origin::host;
        provider.file = *on_host;
        return provider;
    }
    return tl::unexpected(
        fmt::format("needs {}, which neither the package nor its dependencies provide{}", shown,
                    on_host ? "; the host has it, but it is not declared as the host's" : ""));
}

std::string Resolver::runpath(const std::string& folder,
                              const std::vector<Provider>& providers) const {
    std::vector<std::string> entries;
    const auto add = [&](std::string entry) {
        if (std::find(entries.begin(), entries.end(), entry) == entries.end()) {
            entries.push_back(std::move(entry));
        }
    };
    for (const auto& provider : providers) {
        if (provider.origin == Origin::own) add(from_origin(folder, provider.folder));
    }
    for (const auto& provider : providers) {
        if (provider.origin != Origin::dependency) continue;
        const auto& name = x_request.dependencies[provider.dependency].name;
        const auto link = fmt::format("{}/{}", dependency_links, name);
        add(from_origin(folder, provider.folder.empty() ? link : link + '/' + provider.folder));
    }
    // An empty RUNPATH would mean the working directory.
    return entries.empty() ? "$ORIGIN" : base::join(entries, ":");
}

Status Resolver::check_overlap(const std::vector<std::string>& needed, Findings& findings) const {
    std::set<std::string> ours;
    std::map<std::string, std::string> hosts;  // soname: the host library that asks for it
    std::set<std::pair<bool, std::string>> seen;
    struct Ask {
        std::string soname;
        bool by_host;
        std::string asker;
    };
    std::vector<Ask> asks;
    asks.reserve(needed.size());
    for (const auto& soname : needed) asks.push_back({soname, false, {}});
    while (!asks.empty()) {
        const auto ask = std::move(asks.back());
        asks.pop_back();
        if (!seen.emplace(ask.by_host, ask.soname).second) continue;
        fs::path file;
        bool is_host = ask.by_host;
        if (ask.by_host) {
            // What is not in the usual folders the host library finds by a RUNPATH of its own.
            const auto found = x_host.find(ask.soname);
            hosts.emplace(ask.soname, ask.asker);
            if (!found) continue;
            file = *found;
        } else {
            const auto provider = find(ask.soname);
            if (!provider) continue;  // reported for the file that needs it
            is_host = provider->origin == Origin::host;
            if (is_host) {
                hosts.emplace(ask.soname, ask.soname);
            } else {
                ours.insert(ask.soname);
            }
            file = provider->file;
        }
        // Links of the tree were resolved; read_elf does not follow any.
        std::error_code error;
        const auto real = fs::canonical(file, error);
        if (error) return base::fail_errno(error.value(), "read " + file.native());
        SF_TRY(const auto elf, read_elf(real));
        if (!elf) continue;  // a linker script
        for (const auto& next : elf->needed) asks.push_back({next, is_host, ask.soname});
    }
    for (const auto& soname : ours) {
        const auto host = hosts.find(soname);
        if (host == hosts.end()) continue;
        findings.add(fmt::format("{}: is loaded from a package and, for {}, from the host",
                                 base::escape_untrusted(soname),
                                 base::escape_untrusted(host->second)));
    }
    return {};
}

}  // namespace sf::pack
