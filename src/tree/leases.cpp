// SPDX-License-Identifier: Apache-2.0
#include "tree/leases.hpp"

#include <sys/stat.h>
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
    reader.schema(schema);
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
    SF_CHECK(reader.one_form(text, to_json(lease)));
    return lease;
}

Result<std::string> lease_file(const Lease& lease) {
    SF_CHECK(check(lease));
    return fmt::format("{}-{}{}", lease.host, lease.boot, lease_end);
}

namespace {

// Whoever can write here says what every host runs: root, or who owns the folder, and nobody else.
Status check_writers(const fs::path& path, uid_t owner) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return base::fail_errno(errno, "look at it");
    if (status.st_uid != 0 && status.st_uid != owner)
        return fail(Code::refused, "it belongs to user {}", status.st_uid);
    if ((status.st_mode & 022U) != 0) return fail(Code::refused, "others can write to it");
    return {};
}

Result<std::optional<Lease>> read_lease(const fs::path& file, uid_t owner) {
    SF_TRY(const auto text, base::read_regular_file(file, max_lease));
    if (!text) return std::optional<Lease>();  // taken away meanwhile
    SF_CHECK(check_writers(file, owner));
    SF_TRY(Lease lease, lease_from_json(*text));
    if (lease_file(lease) != file.filename().native())
        return fail(Code::corrupt, "it is the lease of {}", lease.host);
    return std::optional(std::move(lease));
}

// The files of one host, whatever is in them: "<host>-<boot>.json".
Result<std::vector<std::string>> files_of(const fs::path& folder, const std::string& host) {
    std::vector<std::string> found;
    if (!base::is_dir(folder)) return found;
    SF_TRY(const std::vector<std::string> names, base::list_dir(folder));
    for (const std::string& name : names)
        if (name.starts_with(host + '-') && name.ends_with(lease_end) &&
            is_boot_id(std::string_view(name).substr(
                host.size() + 1, name.size() - host.size() - 1 - lease_end.size())))
            found.push_back(name);
    return found;
}

}  // namespace

Result<Leases> read_leases(const fs::path& prefix) {
    Leases found;
    const fs::path folder = prefix / leases_folder;
    struct stat status {};
    if (::lstat(folder.c_str(), &status) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return found;
        return base::fail_errno(errno, "look at " + shown(folder));
    }
    if (const Status safe = check_writers(folder, status.st_uid); !safe)
        found.unreadable.push_back(fmt::format("{}: {}", leases_folder, safe.error().text()));
    SF_TRY(const std::vector<std::string> names, base::list_dir(folder));
    for (const std::string& name : names) {
        if (!name.ends_with(lease_end)) continue;
        auto lease = read_lease(folder / name, status.st_uid);
        if (!lease)
            found.unreadable.push_back(fmt::format(
                "{}/{}: {}", leases_folder, base::escape_untrusted(name), lease.error().text()));
        else if (*lease)
            found.list.push_back(std::move(**lease));
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
    // Whose helper runs, as a supervisor does, is in use as well: it stands for its Slurm.
    std::map<std::string, std::string> helpers;
    for (const InPlace& each : contents.versions) {
        const std::string assets = model::bundle_assets_path(each.version);
        parts.emplace(assets, prefix / assets);
        for (const model::Package& package : each.bundle.packages)
            if (package.name == each.bundle.name) helpers.emplace(assets, package.store_name());
    }
    SF_TRY(const InUse used, processes_using(parts));
    std::set<std::string> packages;
    for (const std::string& part : used.parts()) {
        const auto helper = helpers.find(part);
        if (part.find('/') == std::string::npos)
            packages.insert(part);
        else if (helper != helpers.end())
            packages.insert(helper->second);
    }
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

Status check_lease_can_be_written(const fs::path& prefix) {
    const fs::path folder = prefix / leases_folder;
    SF_CHECK(make_public_folder(folder));
    if (::access(folder.c_str(), W_OK | X_OK) == 0) return {};
    return base::fail_errno(errno, "write to " + shown(folder));
}

Status write_lease(const fs::path& prefix, const Lease& lease) {
    SF_TRY(const std::string text, to_json(lease));
    SF_TRY(const std::string name, lease_file(lease));
    const fs::path folder = prefix / leases_folder;
    SF_CHECK(make_public_folder(folder));
    SF_CHECK(base::write_file(folder / name, text));
    SF_TRY(const std::vector<std::string> all, files_of(folder, lease.host));
    for (const std::string& each : all)
        if (each != name) SF_CHECK(base::remove_file(folder / each));
    return base::fsync_dir(folder);
}

Status drop_leases(const fs::path& prefix, const std::string& host) {
    const fs::path folder = prefix / leases_folder;
    SF_TRY(const std::vector<std::string> all, files_of(folder, host));
    for (const std::string& each : all) SF_CHECK(base::remove_file(folder / each));
    return all.empty() ? Status() : base::fsync_dir(folder);
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
    SF_TRY(const bool marked, base::is_there(prefix / shared_mark));
    if (marked) return fmt::format("{} says that it is shared", shared_mark);
    SF_TRY(const std::string host, host_name());
    for (const Lease& each : leases.list)
        if (each.host != host) return each.host + " has a lease on it";
    return std::string();
}

namespace {

// When something else began to be what is started from the prefix, by the time of the links that
// say so; 0: there are none.
Result<std::int64_t> last_switch(const fs::path& prefix) {
    std::int64_t last = 0;
    for (const char* link : {"current", "view", "generations/current"}) {
        struct stat status {};
        const fs::path path = prefix / link;
        if (::lstat(path.c_str(), &status) == 0)
            last = std::max<std::int64_t>(last, status.st_mtime);
        else if (errno != ENOENT && errno != ENOTDIR)
            return base::fail_errno(errno, "look at " + shown(path));
    }
    return last;
}

}  // namespace

Status check_evidence(const fs::path& prefix, const Leases& leases, std::int64_t now) {
    SF_TRY(const std::string shared, why_shared(prefix, leases));
    if (shared.empty()) return {};
    SF_TRY(const std::string host, host_name());
    SF_TRY(const std::int64_t switched, last_switch(prefix));
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
            missing.push_back(fmt::format(
                "the lease of {} is of {}, and since something else became current here leases "
                "count from {} on",
                each.host, base::utc_stamp(each.made),
                base::utc_stamp(switched + clock_tolerance)));
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
