// SPDX-License-Identifier: Apache-2.0
#include "pack/archive_reader.hpp"

#include <array>
#include <unistd.h>
#include <unordered_map>

#include "base/digest.hpp"
#include "base/text.hpp"
#include "pack/compress.hpp"
#include "pack/tar_reader.hpp"

namespace sf::pack {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr std::uint64_t names_limit = std::uint64_t{32} << 20;  // all paths together, in memory

std::string type_violation(char type) {
    switch (type) {
        case tar_file:
        case tar_symlink:
        case tar_directory: return {};
        case tar_hardlink: return "hardlink";
        case '3': return "character device";
        case '4': return "block device";
        case '6': return "FIFO";
        case 'S': return "sparse file";
        case tar_pax_global: return "global pax header";
        default: return "unknown type of entry";
    }
}

std::string mode_violation(const TarHeader& header) {
    if ((header.mode & 04000U) != 0) return "setuid";
    if ((header.mode & 02000U) != 0) return "setgid";
    if ((header.mode & 01000U) != 0) return "sticky bit";
    if (header.type == tar_symlink) return {};
    if ((header.mode & 0002U) != 0) return "writable by everyone";
    if ((header.mode & 0020U) != 0) return "writable by its group";
    const bool normal = header.mode == 0755 || (header.mode == 0644 && header.type == tar_file);
    return normal ? "" : "mode is neither 0644 nor 0755";
}

// The policy's memory of one archive: what has been seen, and how much of it.
class Checker {
public:
    Checker(const ArchivePolicy& policy, std::string name)
        : x_policy(policy), x_name(std::move(name)), x_roots(policy.link_roots) {
        x_roots.push_back(policy.top);
    }

    Result<EntryInfo> check(const TarHeader& header) {
        EntryInfo entry;
        auto rule = type_violation(header.type);
        entry.path = header.path;
        const bool folder = header.type == tar_directory;
        if (folder && entry.path.size() > 1 && entry.path.ends_with('/')) entry.path.pop_back();
        if (rule.empty()) rule = path_violation(entry.path);
        if (rule.empty()) rule = mode_violation(header);
        if (rule.empty()) rule = place_violation(entry.path, folder);
        if (rule.empty() && header.type == tar_symlink) {
            rule = link_violation(entry.path, header.target, x_roots);
        } else if (rule.empty() && !header.target.empty()) {
            rule = "a link target where no link is";
        }
        if (rule.empty() && header.type != tar_file && header.size != 0) {
            rule = "content where no file is";
        }
        if (rule.empty()) rule = count(header.size);
        if (!rule.empty()) return violation(Code::refused, x_name, header.path, rule);

        if (folder) {
            entry.type = model::EntryType::directory;
        } else if (header.type == tar_symlink) {
            entry.type = model::EntryType::symlink;
            entry.target = header.target;
        } else {
            entry.executable = header.mode == 0755;
            entry.size = header.size;
        }
        return entry;
    }

    Result<ArchiveTotals> finish() const {
        const auto* record = x_policy.record;
        if (record != nullptr && (x_totals.entries != record->entries ||
                                  x_totals.unpacked_size != record->unpacked_size)) {
            return violation(Code::refused, x_name, {}, "holds less than its record says");
        }
        return x_totals;
    }

private:
    std::string place_violation(const std::string& path, bool folder) {
        const auto& top = x_policy.top;
        if (!top.empty() && path != top && !path.starts_with(top + '/')) {
            return "outside the package's folder";
        }
        if (path == top && !folder) return "the package's folder is no folder";
        if (const auto slash = path.rfind('/'); slash != std::string::npos) {
            const auto parent = x_seen.find(path.substr(0, slash));
            if (parent == x_seen.end()) return "its folder is not in the archive before it";
            if (!parent->second) return "below something that is no folder";
        }
        if (!x_seen.emplace(path, folder).second) return "given twice";
        x_names += path.size();
        return x_names > names_limit ? "names longer than 32 MiB together" : "";
    }

    std::string count(std::uint64_t size) {
        const auto* record = x_policy.record;
        x_totals.entries += 1;
        x_totals.unpacked_size += size;  // sizes are below 2^62
        if (x_totals.entries > x_policy.limits.entries) return "too many entries";
        if (size > x_policy.limits.unpacked_size ||
            x_totals.unpacked_size > x_policy.limits.unpacked_size) {
            return "unpacks to more than the limit";
        }
        if (record != nullptr && (x_totals.entries > record->entries ||
                                  x_totals.unpacked_size > record->unpacked_size)) {
            return "holds more than its record says";
        }
        return {};
    }

    const ArchivePolicy& x_policy;
    std::string x_name;
    std::vector<std::string> x_roots;
    std::unordered_map<std::string, bool> x_seen;  // path: is it a folder
    std::uint64_t x_names = 0;
    ArchiveTotals x_totals;
};

}  // namespace

Result<Compression> compression_of(std::string_view file_name) {
    struct Ending {
        std::string_view text;
        Compression compression;
    };
    static constexpr std::array<Ending, 8> endings{{{".tar.zst", Compression::zstd},
                                                    {".tar.gz", Compression::gzip},
                                                    {".tgz", Compression::gzip},
                                                    {".tar.xz", Compression::xz},
                                                    {".txz", Compression::xz},
                                                    {".tar.bz2", Compression::bzip2},
                                                    {".tbz2", Compression::bzip2},
                                                    {".tar", Compression::none}}};
    for (const auto& ending : endings) {
        if (file_name.ends_with(ending.text)) return ending.compression;
    }
    return fail(Code::usage, "{}: not a name of a tar archive", base::escape_untrusted(file_name));
}

Status verify_archive(const ArchiveInput& archive, const model::ArchiveRecord& record) {
    const auto name = base::escape_untrusted(archive.name);
    const auto size = ::lseek(archive.descriptor, 0, SEEK_END);
    if (size < 0) return base::fail_errno(errno, "read " + name);
    if (static_cast<std::uint64_t>(size) != record.size) {
        return fail(Code::corrupt, "{}: {} bytes where {} were recorded", name, size, record.size);
    }
    SF_TRY(const auto digest, base::during(base::sha256_fd(archive.descriptor), "reading " + name));
    if (::lseek(archive.descriptor, 0, SEEK_SET) != 0)
        return base::fail_errno(errno, "read " + name);
    if (digest != record.sha256) {
        return fail(Code::corrupt, "{}: SHA-256 is {}, recorded was {}", name, digest.hex(),
                    record.sha256.hex());
    }
    return {};
}

Result<ArchiveTotals> read_archive(const ArchiveInput& archive, const ArchivePolicy& policy,
                                   const EntryVisitor& visitor) {
    SF_TRY(const auto stream, Decompressor::open(archive, policy.limits.ratio));
    TarReader reader(*stream, TarDialect::strict, archive.name);
    Checker checker(policy, archive.name);
    for (;;) {
        SF_TRY(const auto header, reader.next());
        if (!header) break;
        SF_TRY(const auto entry, checker.check(*header));
        SF_CHECK(visitor(entry, reader.content()));
    }
    SF_CHECK(stream->check_end());
    return checker.finish();
}

}  // namespace sf::pack
