// SPDX-License-Identifier: Apache-2.0
#include "pack/source_archive.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <vector>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "pack/compress.hpp"
#include "pack/jail.hpp"
#include "pack/tar_reader.hpp"

namespace sf::pack {

using base::Code;
using base::Result;
using base::Status;

namespace {

enum class Kind { directory, file, symlink };

struct Link {
    std::string entry;  // as the archive says, for messages
    std::string path;
    std::string target;
    std::int64_t mtime;
};

// The components of an upstream path: "./" and "//" are common and harmless, ".." never is.
struct Components {
    std::vector<std::string> parts;
    std::string rule;  // broken; "": none
};

Components components_of(std::string_view path) {
    Components result;
    if (path.empty()) result.rule = "empty name";
    if (path.size() > 4095) result.rule = "path longer than 4095 bytes";
    if (path.starts_with('/')) result.rule = "absolute path";
    for (const char c : path) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            result.rule = "control character in a name";
        }
    }
    if (!result.rule.empty()) return result;
    for (auto& part : base::split(path, '/')) {
        if (part.empty() || part == ".") continue;
        if (part == "..") result.rule = "'..' in a path";
        if (part.size() > 255) result.rule = "name longer than 255 bytes";
        result.parts.push_back(std::move(part));
    }
    if (result.parts.size() > 64) result.rule = "more than 64 folders deep";
    return result;
}

class SourceTree {
public:
    SourceTree(const ArchiveInput& archive, const SourcePolicy& policy, int directory)
        : x_name(archive.name), x_policy(policy), x_jail(directory) {}

    Status add(const TarHeader& header, base::Source& content) {
        x_totals.entries += 1;
        x_totals.unpacked_size += header.size;
        const auto rule = rule_broken(header);
        if (!rule.empty()) return refuse(header.path, rule);
        SF_TRY(const auto path, placed(header.path, header.path));
        if (!path) return {};
        x_names += path->size();
        if (x_names > (std::uint64_t{32} << 20)) {
            return refuse(header.path, "names longer than 32 MiB together");
        }
        const auto known = x_kinds.find(*path);
        if (header.type == tar_directory) {
            if (known == x_kinds.end()) return make_folders(*path, header.path);
            if (known->second == Kind::directory) return {};
        }
        if (known != x_kinds.end()) return refuse(header.path, "given twice");
        if (const auto slash = path->rfind('/'); slash != std::string::npos) {
            SF_CHECK(make_folders(path->substr(0, slash), header.path));
        }
        switch (header.type) {
            case tar_symlink:
                x_kinds.emplace(*path, Kind::symlink);
                x_links.push_back({header.path, *path, header.target, header.mtime});
                return {};
            case tar_hardlink: return add_hardlink(*path, header);
            default: x_kinds.emplace(*path, Kind::file); return write_file(*path, header, content);
        }
    }

    Result<ArchiveTotals> finish() {
        for (const auto& link : x_links) {
            const auto rule = link_rule_broken(link);
            if (!rule.empty()) return refuse(link.entry, rule);
        }
        for (const auto& link : x_links) {
            SF_CHECK(x_jail.make_symlink(link.path, link.target));
            SF_CHECK(x_jail.set_link_time(link.path, std::max<std::int64_t>(link.mtime, 0)));
        }
        return x_totals;
    }

private:
    tl::unexpected<base::Error> refuse(std::string_view entry, std::string_view rule) const {
        return violation(Code::refused, x_name, entry, rule);
    }

    std::string rule_broken(const TarHeader& header) const {
        switch (header.type) {
            case tar_file:
            case tar_hardlink:
            case tar_symlink:
            case tar_directory: break;
            case '3': return "character device";
            case '4': return "block device";
            case '6': return "FIFO";
            case 'S': return "sparse file";
            default: return "unknown type of entry";
        }
        if (header.type == tar_file && (header.mode & 06000U) != 0) return "setuid or setgid";
        if (x_totals.entries > x_policy.limits.entries) return "too many entries";
        if (x_totals.unpacked_size > x_policy.limits.unpacked_size) {
            return "unpacks to more than the limit";
        }
        return {};
    }

    // Where the entry goes, after strip; nullopt: nowhere.
    Result<std::optional<std::string>> placed(const std::string& path,
                                              const std::string& entry) const {
        auto [parts, rule] = components_of(path);
        if (!rule.empty()) return refuse(entry, rule);
        if (parts.size() <= x_policy.strip) return std::nullopt;
        parts.erase(parts.begin(), parts.begin() + x_policy.strip);
        return base::join(parts, "/");
    }

    Status make_folders(const std::string& path, const std::string& entry) {
        for (std::size_t at = 0; at != std::string::npos;) {
            at = path.find('/', at + 1);
            const auto folder = path.substr(0, at);
            const auto [known, fresh] = x_kinds.emplace(folder, Kind::directory);
            if (fresh) SF_CHECK(x_jail.make_directory(folder));
            if (known->second != Kind::directory) {
                return refuse(entry, "below something that is no folder");
            }
        }
        return {};
    }

    Status add_hardlink(const std::string& path, const TarHeader& header) {
        SF_TRY(const auto existing, placed(header.target, header.path));
        const auto known = existing ? x_kinds.find(*existing) : x_kinds.end();
        if (known == x_kinds.end() || known->second != Kind::file) {
            return refuse(header.path, "hardlink to something that is no file before it");
        }
        x_kinds.emplace(path, Kind::file);
        return x_jail.make_hardlink(*existing, path);
    }

    Status write_file(const std::string& path, const TarHeader& header, base::Source& content) {
        const unsigned mode = (header.mode & 0100U) != 0 ? 0755 : 0644;
        SF_TRY(const auto fd, x_jail.create_file(path, mode));
        base::FdSink sink(fd.get(), path);
        SF_CHECK(base::copy(content, sink).map([](std::size_t) {}));
        const std::int64_t mtime = std::max<std::int64_t>(header.mtime, 0);
        const timespec times[2] = {{mtime, 0}, {mtime, 0}};
        if (::futimens(fd.get(), times) != 0) {
            return base::fail_errno(errno, "set the time of " + base::escape_untrusted(path));
        }
        return {};
    }

    // Follows a target through what the archive holds, as the kernel will. A target may pass
    // through another link, which is held to the same rule; but no '..' may follow then, nor a name
    // the archive does not hold.
    std::string link_rule_broken(const Link& link) const {
        std::string outside = "symlink points outside";
        if (link.target.empty()) return "symlink without a target";
        if (link.target.front() == '/') return "symlink to an absolute path";
        auto at = base::split(link.path, '/');
        at.pop_back();
        bool sure = true;
        for (auto& part : base::split(link.target, '/')) {
            if (part.empty() || part == ".") continue;
            if (part != "..") {
                at.push_back(std::move(part));
                const auto known = x_kinds.find(base::join(at, "/"));
                sure = sure && known != x_kinds.end() && known->second == Kind::directory;
                continue;
            }
            if (at.empty() || !sure) return outside;
            at.pop_back();
        }
        return {};
    }

    std::string x_name;
    const SourcePolicy& x_policy;
    Jail x_jail;
    std::map<std::string, Kind> x_kinds;
    std::vector<Link> x_links;
    std::uint64_t x_names = 0;
    ArchiveTotals x_totals;
};

}  // namespace

Result<ArchiveTotals> unpack_source(const ArchiveInput& archive, const SourcePolicy& policy,
                                    int directory) {
    SF_TRY(const auto stream, Decompressor::open(archive, policy.limits.ratio));
    TarReader reader(*stream, TarDialect::any, archive.name);
    SourceTree tree(archive, policy, directory);
    for (;;) {
        SF_CHECK(base::check_stop());
        SF_TRY(const auto header, reader.next());
        if (!header) break;
        SF_CHECK(tree.add(*header, reader.content()));
    }
    return tree.finish();
}

}  // namespace sf::pack
