// SPDX-License-Identifier: Apache-2.0
#include "cache/cached_package.hpp"

#include <fcntl.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "pack/archive_reader.hpp"

namespace sf::cache {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Status;

namespace {

// Names of archives come from a manifest: they are ours, or nothing is opened.
bool has_our_names(const model::Package& package) {
    const auto is = [](const std::optional<model::ArchiveRecord>& record, std::string_view name) {
        return !record || record->file == name;
    };
    return package.run.file == "run.tar.zst" && is(package.dev, "dev.tar.zst") &&
           is(package.dbg, "dbg.tar.zst");
}

}  // namespace

std::vector<const model::ArchiveRecord*> archives_of(const model::Package& package) {
    std::vector<const model::ArchiveRecord*> list{&package.run};
    if (package.dev) list.push_back(&*package.dev);
    if (package.dbg) list.push_back(&*package.dbg);
    return list;
}

// The bytes that were signed may be those of another package under this one's name.
Status check_is_of(const model::Package& package, const model::Spec& spec,
                   const std::string& shown) {
    const auto other = [&](std::string_view what, std::string_view got, std::string_view wanted) {
        return fail(Code::corrupt, "{}: is of another package: {} {}, not {}", shown, what,
                    base::escape_untrusted(got), wanted);
    };
    if (package.identity != spec.identity)
        return other("identity", package.identity.hex(), spec.identity.hex());
    if (package.store_name() != spec.store_name())
        return other("name", package.store_name(), spec.store_name());
    if (package.toolchain != spec.toolchain)
        return other("toolchain", package.toolchain, spec.toolchain);
    if (package.target != spec.target) return other("target", package.target, spec.target);
    if (has_our_names(package)) return {};
    return fail(Code::corrupt, "{}: names an archive otherwise than run, dev or dbg.tar.zst",
                shown);
}

Status unpack_parts(const model::Package& package, const fs::path& archives, const fs::path& into) {
    SF_TRY(const base::Fd folder, base::open_file(into, O_RDONLY | O_DIRECTORY));
    const auto one = [&](const model::ArchiveRecord& record, bool into_existing) -> Status {
        const fs::path file = archives / record.file;
        SF_TRY(const base::Fd archive, base::open_file(file, O_RDONLY));
        pack::ArchivePolicy policy;
        policy.top = package.store_name();
        policy.link_roots = package.dependencies;
        policy.record = &record;
        policy.into_existing = into_existing;
        return pack::unpack_archive({archive.get(), file.native()}, policy, folder.get())
            .map([](const auto&) {});
    };
    SF_CHECK(one(package.run, false));
    return package.dev ? one(*package.dev, true) : Status();
}

}  // namespace sf::cache
