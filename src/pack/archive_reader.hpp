// SPDX-License-Identifier: Apache-2.0
// Reads tar archives from a descriptor that is already open, under our strict policy: what a
// package of ours may hold, and nothing else (docs/formats/package.md). The first violation ends
// the reading with one line that names archive, entry and rule. Whether the bytes are the signed
// ones is asked before (verify_archive); what the entries mean is not known here. Upstream's own
// archives are read by source_archive.hpp. One thread for each archive.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/stream.hpp"
#include "model/manifest.hpp"
#include "model/path_rules.hpp"

namespace sf::pack {

enum class Compression { zstd, gzip, xz, bzip2, none };

// By the ending of the name: .tar.zst .tar.gz .tgz .tar.xz .txz .tar.bz2 .tbz2 .tar
[[nodiscard]] base::Result<Compression> compression_of(std::string_view file_name);

struct ArchiveInput {
    int descriptor = -1;  // borrowed; a regular file, read from offset 0
    std::string name;     // for messages, and its ending tells the compression
};

// All are limits of what is read, known before the first byte is.
struct ArchiveLimits {
    std::uint64_t entries = 500'000;
    std::uint64_t unpacked_size = std::uint64_t{16} << 30;  // contents of all files together
    std::uint64_t ratio = 500;  // unpacked stream to archive, asked once 16 MiB are unpacked
};

struct ArchivePolicy {
    // Every entry is this folder or below it; "": any.
    std::string top;
    // Symlinks may point to `top` and, beyond it, into these folders beside it (store names of
    // dependencies). With an empty `top`: anywhere below the folder unpacked to.
    std::vector<std::string> link_roots;
    ArchiveLimits limits;

    // Unpacking: folders that are there already are used (the dev part beside the run part of one
    // package); everything else must still be new.
    bool into_existing = false;

    // Limits and exact sizes of a signed record: one entry or byte more is refused while reading,
    // fewer at the end.
    const model::ArchiveRecord* record = nullptr;
};

struct EntryInfo {
    std::string path;  // relative, normalised, no trailing slash
    model::EntryType type = model::EntryType::file;
    bool executable = false;  // files
    std::uint64_t size = 0;   // files
    std::string target;       // symlinks
};

// Called for each entry in order, `content` holding a file's bytes; what the visitor leaves unread
// is skipped. Folders come before what is in them.
using EntryVisitor = std::function<base::Status(const EntryInfo& entry, base::Source& content)>;

struct ArchiveTotals {
    std::uint64_t entries = 0;
    std::uint64_t unpacked_size = 0;
};

// Is this the archive of the record: size and SHA-256 of the whole. The offset is rewound.
[[nodiscard]] base::Status verify_archive(const ArchiveInput& archive,
                                          const model::ArchiveRecord& record);

[[nodiscard]] base::Result<ArchiveTotals> read_archive(const ArchiveInput& archive,
                                                       const ArchivePolicy& policy,
                                                       const EntryVisitor& visitor);

// Creates the entries below the folder `directory` (a descriptor). Nothing is ever followed or
// overwritten: openat2(RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS), or O_NOFOLLOW component by
// component on kernels without it; symlinks are made last. Owner, time and umask of the archive are
// not taken over: files belong to this process, modes are 0644 and 0755 exactly. Returns what was
// made, with each file's SHA-256, sorted by path. Nothing is synced. After an error the caller
// deletes what is there.
[[nodiscard]] base::Result<std::vector<model::FileEntry>> unpack_archive(
    const ArchiveInput& archive, const ArchivePolicy& policy, int directory);

using model::link_violation;
using model::path_violation;

}  // namespace sf::pack
