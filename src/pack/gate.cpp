// SPDX-License-Identifier: Apache-2.0
#include "pack/gate.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <set>
#include <unistd.h>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "model/names.hpp"
#include "pack/gate_layout.hpp"
#include "pack/gate_libraries.hpp"
#include "pack/placeholder.hpp"

namespace sf::pack {

namespace fs = std::filesystem;
using base::Result;
using base::Status;

namespace {

std::string folder_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return std::string(slash == std::string_view::npos ? "" : path.substr(0, slash));
}

bool versioned_library(std::string_view soname) {
    return soname.starts_with("lib") && soname.find(".so.") != std::string_view::npos;
}

class Gate {
public:
    explicit Gate(const GateRequest& request) : x_request(request) {}

    Result<GateReport> run() {
        const auto installed_at =
            fmt::format("{}/{}", model::placeholder_root, x_request.store_name);
        std::vector<std::string> siblings;
        for (const auto& dependency : x_request.dependencies) {
            siblings.push_back(dependency.store_name);
        }
        SF_TRY(x_tree, read_tree(x_request.prefix, x_request.store_name, installed_at, siblings,
                                 x_findings));
        take_links_out();
        SF_CHECK(read_elf_files());
        divide(x_tree, opened_by_name());
        check_expected();
        SF_CHECK(check_links());
        SF_CHECK(check_libraries());
        SF_CHECK(link_dependencies());
        SF_CHECK(read_contents());
        SF_CHECK(x_findings.status(x_request.store_name));
        list_folders();
        return std::move(x_report);
    }

private:
    // What is below .sf is ours, left by the gate of before if by anybody: see link_dependencies().
    void take_links_out() {
        const std::string top(dependency_links.substr(0, dependency_links.find('/')));
        const auto take = [&](Tree::iterator at) {
            const auto& [path, entry] = *at;
            const bool folder = path == top || path == dependency_links;
            if (!folder || entry.type != model::EntryType::directory)
                x_old_links.emplace(path, entry.target);  // no target: no link
            return x_tree.erase(at);
        };
        // Other names (".sf+") sort between the folder and what is in it.
        if (const auto at = x_tree.find(top); at != x_tree.end()) take(at);
        for (auto at = x_tree.lower_bound(top + '/');
             at != x_tree.end() && at->first.starts_with(top + '/');)
            at = take(at);
    }

    // The link goes into an archive, whose links lead to declared dependencies only.
    void link(const std::string& path, const std::string& soname, std::size_t index) {
        const auto& dependency = x_request.dependencies[index];
        if (!dependency.direct) {
            x_findings.add(path,
                           fmt::format("needs {} of {}, which the recipe does not name as a "
                                       "link dependency",
                                       base::escape_untrusted(soname), dependency.store_name));
        }
        x_linked.insert(index);
    }

    // Makes the links that RUNPATHs go through. All that is there already has to be these: nothing
    // is written where upstream's code may have put a link.
    Status link_dependencies() {
        std::map<std::string, std::string> wanted;
        for (const std::size_t each : x_linked) {
            const auto& dependency = x_request.dependencies[each];
            // .sf/deps, the package's folder, the store.
            wanted.emplace(fmt::format("{}/{}", dependency_links, dependency.name),
                           "../../../" + dependency.store_name);
        }
        bool foreign = false;
        for (const auto& [path, target] : x_old_links) {
            const auto known = wanted.find(path);
            if (known != wanted.end() && known->second == target) continue;
            x_findings.add(path, "reserved name");
            foreign = true;
        }
        if (foreign || wanted.empty()) return {};
        const fs::path& prefix = x_request.prefix;
        SF_CHECK(make_folder(prefix / fs::path(dependency_links).parent_path()));
        SF_CHECK(make_folder(prefix / dependency_links));
        for (const auto& [path, target] : wanted) {
            if (!x_old_links.contains(path) &&
                ::symlink(target.c_str(), (prefix / path).c_str()) != 0) {
                return base::fail_errno(errno, "make symlink " + (prefix / path).native());
            }
            TreeEntry entry;
            entry.type = model::EntryType::symlink;
            entry.target = target;
            x_tree.insert_or_assign(path, std::move(entry));
        }
        return {};
    }
    static Status make_folder(const fs::path& path) {
        if (::mkdir(path.c_str(), 0755) != 0 && (errno != EEXIST || !base::is_dir(path))) {
            return base::fail_errno(errno, "make folder " + path.native());
        }
        if (::chmod(path.c_str(), 0755) == 0) return {};
        return base::fail_errno(errno, "set the mode of " + path.native());
    }

    Status read_elf_files() {
        for (auto& [path, entry] : x_tree) {
            if (entry.type != model::EntryType::file || path.starts_with("lib/debug/")) continue;
            SF_CHECK(base::check_stop());
            auto elf = read_elf(x_request.prefix / path);
            if (elf) {
                entry.elf = std::move(*elf);
            } else if (elf.error().code == base::Code::corrupt) {
                x_findings.add(path, without_path(elf.error(), path));
            } else {
                return tl::unexpected(std::move(elf).error());
            }
        }
        return {};
    }

    // Errors about a file name it in full; findings name it below the prefix.
    [[nodiscard]] std::string without_path(const base::Error& error,
                                           const std::string& path) const {
        const auto front = base::escape_untrusted((x_request.prefix / path).native()) + ": ";
        auto text = error.text();
        return text.starts_with(front) ? text.substr(front.size()) : text;
    }

    [[nodiscard]] std::set<std::string> opened_by_name() const {
        std::set<std::string> names;
        for (const auto& dlopen : x_request.dlopens) {
            names.insert(dlopen.sonames.begin(), dlopen.sonames.end());
        }
        return names;
    }

    void check_expected() {
        std::vector<std::string> missing;
        for (const auto& pattern : x_request.expected) {
            const bool found = x_tree.contains(pattern) ||
                               std::any_of(x_tree.begin(), x_tree.end(), [&](const auto& item) {
                                   return base::glob_match(pattern, item.first);
                               });
            if (!found) missing.push_back(pattern);
        }
        if (!missing.empty()) {
            x_findings.add("expected but not installed: " + base::join(missing, ", "));
        }
    }

    Status check_links() {
        for (const auto& [path, entry] : x_tree) {
            if (entry.type != model::EntryType::symlink) continue;
            const auto end = resolve_link(x_tree, path);
            bool there = end.has_value();
            if (end && end->starts_with("../")) {
                const auto sibling = end->substr(3);
                const auto slash = std::min(sibling.find('/'), sibling.size());
                there = false;
                for (const auto& dependency : x_request.dependencies) {
                    if (dependency.store_name != sibling.substr(0, slash)) continue;
                    const auto rest = slash < sibling.size() ? sibling.substr(slash + 1) : "";
                    there = base::exists(dependency.path / rest);
                }
            }
            if (!there) {
                x_findings.add(path, fmt::format("symlink to nothing: {}",
                                                 base::escape_untrusted(entry.target)));
            }
            // It may end at what is shipped, and still pass through what is not.
            const auto next =
                (fs::path(path).parent_path() / entry.target).lexically_normal().generic_string();
            const auto step = x_tree.find(next);
            if (entry.part == Part::run && step != x_tree.end() &&
                step->second.type != model::EntryType::directory &&
                step->second.part != Part::run) {
                x_findings.add(path, fmt::format("symlink through {}, which is not in the run part",
                                                 base::escape_untrusted(next)));
            }
        }
        return {};
    }

    Status check_libraries() {
        SF_TRY(const auto resolver, Resolver::create(x_request, x_tree));
        std::map<std::string, std::set<std::string>> host;
        std::vector<std::string> all_needed;
        std::vector<bool> matched(x_request.dlopens.size(), false);
        for (auto& [path, entry] : x_tree) {
            if (entry.part != Part::run || !entry.elf) continue;
            SF_CHECK(base::check_stop());
            check_properties(path, *entry.elf, resolver);
            auto needed = entry.elf->needed;
            for (std::size_t i = 0; i < x_request.dlopens.size(); ++i) {
                const auto& dlopen = x_request.dlopens[i];
                if (!base::glob_match(dlopen.files, path)) continue;
                matched[i] = true;
                needed.insert(needed.end(), dlopen.sonames.begin(), dlopen.sonames.end());
            }
            std::vector<Provider> providers;
            for (const auto& soname : needed) {
                auto provider = resolver.find(soname);
                if (!provider) {
                    x_findings.add(path, provider.error());
                    continue;
                }
                if (provider->origin == Origin::host) {
                    host[soname];
                } else {
                    if (provider->origin == Origin::dependency)
                        link(path, soname, provider->dependency);
                    providers.push_back(std::move(*provider));
                }
            }
            for (const auto& need : entry.elf->version_needs) {
                const auto known = host.find(need.soname);
                if (known == host.end()) continue;
                known->second.insert(need.versions.begin(), need.versions.end());
            }
            all_needed.insert(all_needed.end(), needed.begin(), needed.end());
            set_runpath(path, *entry.elf, resolver.runpath(folder_of(path), providers),
                        !providers.empty());
        }
        for (std::size_t i = 0; i < matched.size(); ++i) {
            if (!matched[i]) {
                x_findings.add(
                    fmt::format("dlopens: no ELF file matches {}", x_request.dlopens[i].files));
            }
        }
        for (const auto& [soname, versions] : host) {
            x_report.host_requirements.push_back({soname, {versions.begin(), versions.end()}});
        }
        std::sort(x_report.sonames.begin(), x_report.sonames.end());
        x_report.sonames.erase(std::unique(x_report.sonames.begin(), x_report.sonames.end()),
                               x_report.sonames.end());
        return resolver.check_overlap(all_needed, x_findings);
    }

    void check_properties(const std::string& path, const Elf& elf, const Resolver& resolver) {
        if (elf.machine != x_request.machine) {
            x_findings.add(
                path, fmt::format("built for machine {}, not {}", elf.machine, x_request.machine));
        }
        if (elf.kind == ElfKind::relocatable) x_findings.add(path, "object file");
        if (elf.kind == ElfKind::core) x_findings.add(path, "core dump");
        if (elf.textrel) x_findings.add(path, "has text relocations");
        if (elf.execstack) x_findings.add(path, "wants an executable stack");
        if (elf.debug_info) x_findings.add(path, "is not stripped");
        if (!elf.interpreter.empty() && elf.interpreter != x_request.interpreter) {
            x_findings.add(
                path, fmt::format("its interpreter is {}, not {}",
                                  base::escape_untrusted(elf.interpreter), x_request.interpreter));
        }
        if (elf.soname.empty() || elf.kind != ElfKind::shared) return;
        x_report.sonames.push_back(elf.soname);
        const auto& keep = x_request.public_sonames;
        if (std::find(keep.begin(), keep.end(), elf.soname) != keep.end()) return;
        const auto shown = base::escape_untrusted(elf.soname);
        if (versioned_library(elf.soname)) {
            if (elf.soname.find("-sf.so.") == std::string::npos) {
                x_findings.add(path, fmt::format("soname {} is neither private (-sf) nor declared "
                                                 "public",
                                                 shown));
            }
        } else if (resolver.host().find(elf.soname)) {
            x_findings.add(path, fmt::format("the host has a library of the soname {} too", shown));
        }
    }

    // Without a RUNPATH and without need of one (host libraries only, or static) there is nothing
    // to write.
    void set_runpath(const std::string& path, const Elf& elf, const std::string& wanted,
                     bool needed) {
        if (!elf.dynamic || elf.kind == ElfKind::relocatable) return;
        if (!elf.runpath && !elf.rpath && !needed) return;
        const auto status = rewrite_runpath(x_request.prefix / path, wanted);
        if (!status) {
            x_findings.add(path, without_path(status.error(), path));
            return;
        }
        x_report.rewritten.push_back(fmt::format("{}: {}", path, wanted));
    }

    // After the last change of the tree: digests, and what is left of the build prefix.
    Status read_contents() {
        const auto& exceptions = x_request.placeholder_exceptions;
        for (const auto& [path, entry] : x_tree) {
            if (entry.type == model::EntryType::directory) continue;
            SF_CHECK(base::check_stop());
            model::FileEntry file;
            file.path = path;
            file.type = entry.type;
            if (entry.type == model::EntryType::symlink) {
                file.mode = 0777;
                file.target = entry.target;
                list(entry.part).push_back(std::move(file));
                continue;
            }
            file.mode = entry.executable ? 0755 : 0644;
            SF_TRY(const auto hits, read_content(path, entry.part, file));
            list(entry.part).push_back(std::move(file));
            if (hits.empty()) continue;
            if (entry.part == Part::dev) {
                note_dev(path, entry, hits);
            } else if (std::find(exceptions.begin(), exceptions.end(), path) != exceptions.end()) {
                x_report.kept_placeholders.push_back(path);
            } else {
                x_findings.add(path, fmt::format("holds {} of the build prefix at offset {} ({})",
                                                 hits[0].whole ? "the root" : "a fragment",
                                                 hits[0].offset, entry.elf ? "ELF" : "text"));
            }
        }
        return {};
    }

    Result<std::vector<PlaceholderHit>> read_content(const std::string& path, Part part,
                                                     model::FileEntry& file) {
        const auto disk = x_request.prefix / path;
        SF_TRY(const auto fd, base::open_file(disk, O_RDONLY | O_NOFOLLOW));
        base::FdSource source(fd.get(), disk);
        base::Sha256 hash;
        PlaceholderScanner scanner;
        x_room.resize(std::size_t{256} << 10);
        for (;;) {
            SF_TRY(const auto n, source.read(x_room));
            if (n == 0) break;
            SF_CHECK(hash.write(base::Bytes(x_room).first(n)));
            if (part != Part::dbg) {
                scanner.scan({reinterpret_cast<const char*>(x_room.data()), n});
            }
            file.size += n;
        }
        file.sha256 = hash.finish();
        return scanner.finish();
    }

    // Archives and object files of the dev part are not rewritten: who links them finds their own
    // paths. Text is, so there the whole root is what counts.
    void note_dev(const std::string& path, const TreeEntry& entry,
                  const std::vector<PlaceholderHit>& hits) {
        if (entry.elf || path.ends_with(".a")) return;
        TextOffsets text{path, {}};
        for (const auto& hit : hits) {
            if (hit.whole) text.offsets.push_back(hit.offset);
        }
        if (!text.offsets.empty()) x_report.dev_placeholders.push_back(std::move(text));
    }

    std::vector<model::FileEntry>& list(Part part) {
        switch (part) {
            case Part::dev: return x_report.dev;
            case Part::dbg: return x_report.dbg;
            case Part::run: break;
        }
        return x_report.run;
    }

    // Each part gets the folders above what is in it; an empty folder goes where its path says.
    void list_folders() {
        for (const auto part : {Part::run, Part::dev, Part::dbg}) {
            auto& files = list(part);
            std::set<std::string> folders;
            const auto add_above = [&](const std::string& path) {
                for (auto at = folder_of(path); !at.empty(); at = folder_of(at)) folders.insert(at);
            };
            for (const auto& file : files) add_above(file.path);
            for (const auto& [path, entry] : x_tree) {
                if (entry.type != model::EntryType::directory || entry.part != part) continue;
                const auto child = x_tree.lower_bound(path + '/');
                if (child != x_tree.end() && child->first.starts_with(path + '/')) continue;
                folders.insert(path);
                add_above(path);
            }
            for (const auto& folder : folders) add_folder(files, folder);
            std::sort(files.begin(), files.end(),
                      [](const auto& left, const auto& right) { return left.path < right.path; });
        }
    }

    static void add_folder(std::vector<model::FileEntry>& files, const std::string& path) {
        model::FileEntry entry;
        entry.path = path;
        entry.type = model::EntryType::directory;
        entry.mode = 0755;
        files.push_back(std::move(entry));
    }

    const GateRequest& x_request;
    Tree x_tree;
    Findings x_findings;
    GateReport x_report;
    std::set<std::size_t> x_linked;                  // dependencies whose libraries are loaded
    std::map<std::string, std::string> x_old_links;  // below .sf when the gate began
    std::vector<std::byte> x_room;
};

}  // namespace

const std::vector<std::string>& standard_host_sonames() {
    static const std::vector<std::string> sonames{"ld-linux-x86-64.so.2",
                                                  "libanl.so.1",
                                                  "libatomic.so.1",
                                                  "libc.so.6",
                                                  "libdl.so.2",
                                                  "libgcc_s.so.1",
                                                  "libgfortran.so.5",
                                                  "libgomp.so.1",
                                                  "libm.so.6",
                                                  "libmvec.so.1",
                                                  "libpthread.so.0",
                                                  "libquadmath.so.0",
                                                  "libresolv.so.2",
                                                  "librt.so.1",
                                                  "libstdc++.so.6",
                                                  "libutil.so.1"};
    return sonames;
}

void GateReport::fill(model::Package& package) const {
    package.files = run;
    package.sonames = sonames;
    package.host_requirements = host_requirements;
}

Result<GateReport> run_gate(const GateRequest& request) { return Gate(request).run(); }

}  // namespace sf::pack
