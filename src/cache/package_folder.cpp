// SPDX-License-Identifier: Apache-2.0
#include "cache/package_folder.hpp"

#include <chrono>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

#include "base/files.hpp"
#include "base/regular_file.hpp"
#include "base/text.hpp"

namespace sf::cache {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr const char* manifest_file = "manifest.json";
constexpr const char* signature_file = "manifest.json.asc";
constexpr const char* unfinished = ".new-";
constexpr std::uint64_t max_signature = std::uint64_t{64} << 10;
constexpr auto unfinished_kept_for = std::chrono::hours(24);

std::string shown(const fs::path& path) { return base::escape_untrusted(path.native()); }

// One archive, hashed on its way; the copy is never longer than the record says.
Status copy_archive(const fs::path& from, const fs::path& to, const model::ArchiveRecord& record) {
    SF_TRY(const base::Fd in, base::open_file(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    SF_TRY(const base::Fd out, base::open_file(to, O_RDWR | O_CREAT | O_EXCL, 0644));
    base::FdSource source(in.get(), from);
    std::vector<std::byte> room(std::size_t{256} << 10);
    std::uint64_t size = 0;
    base::Sha256 hash;
    for (;;) {
        SF_TRY(const std::size_t got, source.read(room));
        if (got == 0) break;
        size += got;
        if (size > record.size) break;
        const base::Bytes bytes(room.data(), got);
        SF_CHECK(hash.write(bytes));
        SF_CHECK(base::write_all(out.get(), bytes, to));
    }
    if (size == record.size && hash.finish() == record.sha256) return {};
    return fail(Code::corrupt,
                "{}: is not the archive that the signed manifest names ({} bytes, "
                "sha256 {})",
                shown(from), record.size, record.sha256.hex());
}

// What killed writers left, once it is old enough to be nobody's.
void sweep(const fs::path& packages) {
    const auto names = base::list_dir(packages);
    if (!names) return;
    const auto now = fs::file_time_type::clock::now();
    for (const std::string& name : *names) {
        if (!name.starts_with(unfinished)) continue;
        std::error_code error;
        const auto time = fs::last_write_time(packages / name, error);
        // Litter that cannot be deleted is still only litter.
        if (!error && now - time > unfinished_kept_for)
            static_cast<void>(base::remove_tree(packages / name));
    }
}

}  // namespace

Status PackageFolder::prepare() const {
    const fs::path packages = x_folder / "packages";
    SF_CHECK(base::make_dirs(packages));
    if (::access(packages.c_str(), R_OK | W_OK | X_OK) != 0) {
        return base::fail_hint(Code::usage,
                               fmt::format("{}: this user may not write there", shown(packages)),
                               "name another folder with --local-cache, or become its owner");
    }
    return {};
}

Result<std::optional<CachedPackage>> PackageFolder::take(const model::Spec& spec,
                                                         const trust::Verifier& verifier,
                                                         const fs::path& into) const {
    const fs::path folder = package_folder(spec.store_name());
    const fs::path file = folder / manifest_file;
    SF_TRY(const auto text, base::read_regular_file(file));
    if (!text) return std::optional<CachedPackage>();
    SF_TRY(const auto armored, base::read_regular_file(folder / signature_file, max_signature));
    SF_TRY(trust::GoodSignature signer,
           verifier.verify_bytes(*text, armored.value_or(""), file.native()));
    SF_TRY(model::Package package,
           base::during(model::package_from_json(*text), "reading " + shown(file)));
    SF_CHECK(check_is_of(package, spec, shown(file)));
    const fs::path archives = into / "archives";
    const fs::path trees = into / "trees";
    SF_CHECK(base::make_dirs(archives));
    SF_CHECK(base::make_dirs(trees));
    for (const model::ArchiveRecord* record : archives_of(package))
        SF_CHECK(copy_archive(folder / record->file, archives / record->file, *record));
    SF_CHECK(base::during(unpack_parts(package, archives, trees), "unpacking " + shown(folder)));
    fs::path tree = trees / package.store_name();
    return std::optional(
        CachedPackage{std::move(package), std::move(signer), archives, std::move(tree)});
}

Result<PackagePut> PackageFolder::put(const model::Package& package, const fs::path& from,
                                      const trust::Signer& signer) const {
    const fs::path packages = x_folder / "packages";
    const fs::path target = package_folder(package.store_name());
    const auto what_is_there = [&]() -> Result<std::optional<PackagePut>> {
        if (!base::exists(target)) return std::optional<PackagePut>();
        SF_TRY(const auto text, base::read_regular_file(target / manifest_file));
        const Result<model::Package> other = model::package_from_json(text.value_or(""));
        const bool same =
            other && other->identity == package.identity && other->run.sha256 == package.run.sha256;
        return std::optional(same ? PackagePut::there : PackagePut::different);
    };
    SF_TRY(std::optional<PackagePut> there, what_is_there());
    if (there) return *there;

    sweep(packages);
    SF_TRY(base::TempDir stage, base::TempDir::create(packages, unfinished));
    SF_TRY(const std::string text, model::to_json(package));
    SF_TRY(const std::string armored, signer.sign(trust::Paper::package, text));
    for (const model::ArchiveRecord* record : archives_of(package))
        SF_CHECK(copy_archive(from / record->file, stage.path() / record->file, *record));
    SF_CHECK(base::write_file(stage.path() / manifest_file, text));
    SF_CHECK(base::write_file(stage.path() / signature_file, armored));
    std::error_code error;
    fs::permissions(stage.path(), fs::perms(0755), error);  // others may read what is signed
    if (error) return base::fail_errno(error.value(), "open to readers: " + shown(stage.path()));
    SF_CHECK(base::fsync_tree(stage.path()));
    // Another writer may have been quicker: rename replaces no folder that holds something.
    if (const Status moved = base::rename(stage.path(), target); !moved) {
        SF_TRY(there, what_is_there());
        if (there) return *there;
        return tl::unexpected(base::Error{moved.error()});
    }
    stage.release();
    SF_CHECK(base::fsync_dir(packages));
    return PackagePut::added;
}

}  // namespace sf::cache
