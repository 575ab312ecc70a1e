// SPDX-License-Identifier: Apache-2.0
#include "tree/leases.hpp"

#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <map>
#include <unistd.h>

#include "base/files.hpp"
#include "base/json_reader.hpp"
#include "base/regular_file.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "model/names.hpp"
#include "tree/contents.hpp"
#include "tree/generations.hpp"
#include "tree/in_use.hpp"
#include "tree/public_folder.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr int schema = 1;
constexpr std::uint64_t max_lease = std::uint64_t{1} << 20;
constexpr std::string_view lease_end = ".json";
// Of two hosts' clocks. Where they are further apart MUNGE trusts nobody.
constexpr std::int64_t clock_tolerance = 300;

std::string shown(const fs::path& path) { return base::escape_untrusted(path.native()); }

bool is_boot_id(std::string_view text) {
    constexpr std::size_t length = 36;
    return text.size() == length && text.find_first_not_of("0123456789abcdef-") == text.npos;
}

Status check(const Lease& lease) {
    SF_CHECK(model::check_version(lease.host));  // letters, digits, dots and dashes
    if (!is_boot_id(lease.boot))
        return fail(Code::corrupt, "a lease has a boot that is none of Linux");
    if (lease.made < 0 || lease.expires < lease.made)
        return fail(Code::corrupt, "a lease ends before it begins");
    if (!std::ranges::is_sorted(lease.generations) || !std::ranges::is_sorted(lease.packages))
        return fail(Code::corrupt, "a lease is not sorted");
    for (const std::string& name : lease.packages)
        if (name.empty() || name.find('/') != std::string::npos || name.front() == '.')
            return fail(Code::corrupt, "a lease names '{}', which is no package",
                        base::escape_untrusted(name));
    return {};
}

}  // namespace

Result<std::string> to_json(const Lease& lease) {
    SF_CHECK(check(lease));
    return base::canonical_json({{"schema", schema},
                                 {"host", lease.host},
                                 {"boot", lease.boot},
                                 {"made", lease.made},
                                 {"expires", lease.expires},
                                 {"generations", lease.generations},
                                 {"packages", lease.packages}});
}

Result<Lease> lease_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    base::JsonReader reader(json, "a lease");
    Lease lease;
    int said = 0;
    reader.number("schema", said);
    reader.text("host", lease.host);
    reader.text("boot", lease.boot);
    reader.number("made", lease.made);
    reader.number("expires", lease.expires);
    reader.each("generations", [&](const Json& item) -> Status {
        if (!item.is_number_unsigned()) return fail(Code::corrupt, "is not a list of numbers");
        lease.generations.push_back(item.get<std::uint64_t>());
        return {};
    });
    reader.texts("packages", lease.packages);
    SF_CHECK(reader.status());
    if (said != schema)
        return fail(Code::corrupt, "a lease has schema {}, this program reads schema {}", said,
                    schema);
    SF_TRY(const std::string again, to_json(lease));
    if (again == text) return lease;
    return fail(Code::corrupt, "a lease is not in its one text form");
}

Result<std::string> lease_file(const Lease& lease) {
    SF_CHECK(check(lease));
    return fmt::format("{}-{}{}", lease.host, lease.boot, lease_end);
}

Result<Leases> read_leases(const fs::path& prefix) {
    Leases found;
    const fs::path folder = prefix / leases_folder;
    if (!base::is_dir(folder)) return found;
    SF_TRY(const std::vector<std::string> names, base::list_dir(folder));
    for (const std::string& name : names) {
        if (!name.ends_with(lease_end)) continue;
        const std::string path = fmt::format("{}/{}", leases_folder, name);
        const auto text = base::read_regular_file(folder / name, max_lease);
        if (text && !*text) continue;  // taken away meanwhile
        Result<Lease> lease =
            text ? lease_from_json(**text) : Result<Lease>(tl::unexpected(text.error()));
        if (lease && lease_file(*lease) != name)
            lease = fail(Code::corrupt, "it is the lease of {}", lease->host);
        if (lease)
            found.list.push_back(std::move(*lease));
        else
            found.unreadable.push_back(
                fmt::format("{}: {}", base::escape_untrusted(path), lease.error().text()));
    }
    std::ranges::sort(found.list, {}, [](const Lease& each) { return each.host + each.boot; });
    return found;
}

Result<std::string> host_name() {
    std::array<char, HOST_NAME_MAX + 1> room{};
    if (::gethostname(room.data(), room.size() - 1) != 0)
        return base::fail_errno(errno, "find this host's name");
    return std::string(room.data());
}

Result<std::string> boot_id() {
    SF_TRY(const std::string text, base::read_file("/proc/sys/kernel/random/boot_id"));
    return std::string(base::trim(text));
}

Result<Lease> lease_of_this_host(const fs::path& prefix, std::int64_t now, std::int64_t lasts) {
    SF_TRY(const Contents contents, read_contents(prefix));
    Lease lease;
    SF_TRY(lease.host, host_name());
    SF_TRY(lease.boot, boot_id());
    lease.made = now;
    lease.expires = now + lasts;
    std::map<std::string, fs::path> parts;
    for (const std::string& name : contents.packages)
        parts.emplace(name, prefix / model::bundle_store_path(name));
    SF_TRY(const InUse used, processes_using(parts));
    const std::set<std::string> packages = used.parts();
    lease.packages.assign(packages.begin(), packages.end());
    for (const KeptGeneration& kept : contents.generations) {
        const std::uint64_t number = kept.generation.number;
        bool holds = contents.current == number || contents.said == number;
        for (const std::string& name : packages_of(kept.bundle))
            holds = holds || packages.contains(name);
        if (holds) lease.generations.push_back(number);
    }
    return lease;
}

Status write_lease(const fs::path& prefix, const Lease& lease) {
    SF_TRY(const std::string text, to_json(lease));
    SF_TRY(const std::string name, lease_file(lease));
    const fs::path folder = prefix / leases_folder;
    SF_CHECK(make_public_folder(folder));
    SF_CHECK(base::write_file(folder / name, text));
    SF_TRY(const Leases all, read_leases(prefix));
    for (const Lease& each : all.list) {
        if (each.host != lease.host || each.boot == lease.boot) continue;
        SF_TRY(const std::string old, lease_file(each));
        SF_CHECK(base::remove_file(folder / old));
    }
    return base::fsync_dir(folder);
}

Status drop_leases(const fs::path& prefix, const std::string& host) {
    SF_TRY(const Leases all, read_leases(prefix));
    for (const Lease& each : all.list) {
        if (each.host != host) continue;
        SF_TRY(const std::string name, lease_file(each));
        SF_CHECK(base::remove_file(prefix / leases_folder / name));
        SF_CHECK(base::fsync_dir(prefix / leases_folder));
    }
    return {};
}

std::string shared_file_system(unsigned long type) {
    struct Known {
        unsigned long type;
        const char* name;  // null: of one host
    };
    static constexpr std::array known{
        Known{0xEF53, nullptr},      // ext2, ext3, ext4
        Known{0x58465342, nullptr},  // xfs
        Known{0x9123683E, nullptr},  // btrfs
        Known{0x01021994, nullptr},  // tmpfs
        Known{0x858458F6, nullptr},  // ramfs
        Known{0x794C7630, nullptr},  // overlayfs
        Known{0x2FC12FC1, nullptr},  // zfs
        Known{0xF2F52010, nullptr},  // f2fs
        Known{0xCA451A4E, nullptr},  // bcachefs
        Known{0x3153464A, nullptr},  // jfs
        Known{0x52654973, nullptr},  // reiserfs
        Known{0x6969, "NFS"},        Known{0x0BD00BD0, "Lustre"}, Known{0x47504653, "GPFS"},
        Known{0x19830326, "BeeGFS"}, Known{0x00C36400, "CephFS"}, Known{0xFF534D42, "CIFS"},
        Known{0xFE534D42, "SMB"},    Known{0x5346414F, "AFS"},    Known{0x01021997, "9P"},
        Known{0x65735546, "FUSE"},   Known{0x01161970, "GFS2"},   Known{0x7461636F, "OCFS2"},
        Known{0xAAD7AAEA, "PanFS"},
    };
    type &= 0xFFFFFFFFUL;  // f_type is signed on some machines
    const auto found = std::ranges::find(known, type, &Known::type);
    if (found == known.end()) return fmt::format("of type {:#x}", type);
    return found->name == nullptr ? std::string() : found->name;
}

Result<std::string> why_shared(const fs::path& prefix, const Leases& leases) {
    struct statfs status {};
    if (::statfs(prefix.c_str(), &status) != 0)
        return base::fail_errno(errno, "look at the file system of " + shown(prefix));
    const std::string name = shared_file_system(static_cast<unsigned long>(status.f_type));
    if (!name.empty()) return fmt::format("it is on a file system that hosts may share ({})", name);
    if (base::exists(prefix / shared_mark))
        return fmt::format("{} says that it is shared", shared_mark);
    SF_TRY(const std::string host, host_name());
    for (const Lease& each : leases.list)
        if (each.host != host) return each.host + " has a lease on it";
    return std::string();
}

Status check_evidence(const fs::path& prefix, const Leases& leases, std::int64_t now) {
    SF_TRY(const std::string shared, why_shared(prefix, leases));
    if (shared.empty()) return {};
    SF_TRY(const std::string host, host_name());
    const std::int64_t switched = switched_at(prefix);
    std::vector<std::string> missing = leases.unreadable;
    bool others = false;
    for (const Lease& each : leases.list) {
        if (each.host == host) continue;
        others = true;
        if (!each.fresh(now))
            missing.push_back(fmt::format("the lease of {} ended on {}", each.host,
                                          base::utc_date(each.expires)));
        // Until then it may have started something from what was current before.
        else if (each.made < switched + clock_tolerance)
            missing.push_back(
                fmt::format("the lease of {} is of {}, before or when another build became "
                            "current ({})",
                            each.host, base::utc_stamp(each.made), base::utc_stamp(switched)));
    }
    if (!others) missing.emplace_back("no other host has a lease");
    if (!missing.empty())
        return base::fail_hint(
            Code::refused,
            fmt::format("{} may be in use by jobs of other hosts: {}, and {}", shown(prefix),
                        shared, base::join(missing, "; ")),
            "run 'slurm-factory lease' on each of them, or wait until their timers have; take away "
            "the files of those that are gone; or say --no-other-hosts, if nothing runs from it "
            "elsewhere");
    return {};
}

}  // namespace sf::tree
