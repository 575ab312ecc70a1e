// SPDX-License-Identifier: Apache-2.0
#include "publish/mirror_push.hpp"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>

#include "base/atomic_file.hpp"
#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/gzip_text.hpp"
#include "cache/layout.hpp"
#include "cache/mirror_part.hpp"
#include "cache/objects.hpp"
#include "cache/source_list.hpp"
#include "cache/spack_archive.hpp"
#include "cache/spec_manifest.hpp"
#include "cache/trusted_snapshot.hpp"
#include "publish/conditions.hpp"

namespace sf::publish {

namespace fs = std::filesystem;
namespace media = cache::media;
using base::Code;
using base::fail;
using base::Result;
using base::Status;
using cache::BlobRecord;
using cache::PutCondition;
using cache::SpecManifest;

namespace {

constexpr std::uint64_t max_manifest = std::uint64_t{4} << 20;
constexpr const char* json_type = "application/json";

BlobRecord record_of(std::string_view media_type, std::string compression, std::string_view bytes) {
    return {std::string(media_type), std::move(compression), bytes.size(), base::sha256(bytes)};
}

// Bytes sent. Other bytes than it says are Code::corrupt.
Result<std::uint64_t> put_origin(cache::Backend& place, const std::string& key,
                                 const OriginFile& file) {
    const PutCondition absent{PutCondition::Kind::if_absent, {}};
    if (file.file.empty()) {
        if (base::sha256(file.content) != file.sha256)
            return fail(Code::corrupt, "{} is not what it should be", file.path);
        SF_TRY(const cache::PutOutcome outcome,
               cache::put_text(place, key, file.content, "application/octet-stream", absent));
        return outcome == cache::PutOutcome::written ? file.size : 0;
    }
    SF_TRY(const base::Fd fd, base::open_file(file.file, O_RDONLY));
    cache::PutRequest put;
    put.key = key;
    put.descriptor = fd.get();
    put.size = file.size;
    put.sha256 = file.sha256;
    put.cache_control = cache::cache_control_of(key);
    put.condition = absent;
    SF_TRY(const cache::PutOutcome outcome, place.put(put));
    return outcome == cache::PutOutcome::written ? file.size : 0;
}

class Push {
public:
    Push(cache::Backend& mirror, const PushRequest& request, base::Reporter& reporter)
        : x_mirror(mirror), x_request(request), x_reporter(reporter) {}

    Result<PushReport> run() {
        SF_CHECK(step("look"));
        SF_CHECK(check_conditions(x_mirror));
        SF_CHECK(check_no_part(x_mirror));
        std::vector<model::Package> closure;
        for (const PushPackage& each : x_request.closure) closure.push_back(*each.package);
        SF_TRY(x_mapping, cache::map_to_spack(closure, x_request.libc));
        for (const PushItem& item : x_request.items)
            SF_CHECK(base::during(add(item), "publishing " + item.store_name));
        SF_CHECK(step("index"));
        IndexAuthority authority;
        authority.signer = x_request.signer;
        authority.verifier = x_request.verifier;
        authority.public_key = x_request.public_key;
        authority.primary = x_request.primary;
        authority.more_keys = x_request.more_keys;
        authority.mirror = x_request.mirror;
        authority.memory = x_request.memory;
        authority.now = x_request.now;
        authority.lifetime = x_request.lifetime;
        MirrorIndex index(x_mirror, std::move(authority), x_reporter);
        SF_TRY(const IndexReport written, index.add(x_builds, x_specs, x_request.bundle));
        x_report.mirror = x_request.mirror;
        x_report.serial = written.serial;
        x_report.snapshot = written.snapshot;
        x_report.renew = written.renew;
        x_report.bytes += written.bytes;
        x_report.changed = x_report.changed || written.changed;
        return std::move(x_report);
    }

private:
    Status step(std::string_view name) {
        SF_CHECK(base::check_stop());
        return x_request.on_step ? x_request.on_step(name) : Status();
    }

    Result<const PushPackage*> find(const std::string& store_name) const {
        const auto found = std::ranges::find_if(x_request.closure, [&](const PushPackage& each) {
            return each.package->store_name() == store_name;
        });
        if (found != x_request.closure.end()) return &*found;
        return fail(Code::absent, "{} is not among what is published", store_name);
    }

    Status add(const PushItem& item) {
        SF_TRY(const PushPackage* const package, find(item.store_name));
        SF_TRY(const cache::SpackSpec spec, x_mapping.spec_of(item.store_name));
        SF_TRY(SpecManifest manifest, cache::manifest_for(*package->package, spec));
        std::vector<ExtraBlob> extras = item.extra;
        std::vector<OriginFile> sources;
        if (x_request.origins != nullptr) {
            sources = files_of(*x_request.origins, item.store_name);
            SF_TRY(std::string list, list_of(*package->package, sources));
            extras.push_back({std::string(media::sources), "none", std::move(list)});
        }
        for (const ExtraBlob& extra : extras)
            manifest.others.push_back(
                record_of(extra.media_type, extra.compression, extra.content));
        std::ranges::sort(manifest.others, {}, &BlobRecord::media_type);
        SF_TRY(const std::string key, cache::key_of(manifest));
        SF_TRY(const auto there, cache::read_object(x_mirror, key, max_manifest));
        cache::Ref stored;
        bool renewed = false;
        bool litter = false;
        if (there) {
            SF_TRY(litter, is_litter(key, manifest));
        }
        if (there && !litter) {
            SF_CHECK(base::during(check_there(*there, key, manifest, extras),
                                  "reading " + x_mirror.place() + '/' + key));
            SF_CHECK(x_request.signer->admit(trust::Evidence::manifest, there->text));
            stored = {base::sha256(there->text), there->text.size()};
            x_report.there.push_back(item.store_name);
        } else if (package->taken) {
            return not_vouched_for(x_mirror.place(), item.store_name);
        } else {
            SF_CHECK(step("sources " + item.store_name));
            for (const OriginFile& file : sources)
                SF_CHECK(base::during(put_source(file), "publishing " + file.path));
            SF_TRY(stored, upload(extras, *package, spec, manifest, key,
                                  there ? PutCondition{PutCondition::Kind::if_etag, there->etag}
                                        : PutCondition{PutCondition::Kind::if_absent, {}}));
            x_report.added.push_back(item.store_name);
            x_report.changed = true;
            renewed = true;
        }
        const model::Package& its = *package->package;
        x_builds.push_back({its.name,
                            its.version,
                            {manifest.hash, its.toolchain, its.target, its.identity, stored, 0},
                            renewed});
        const auto mapped = std::ranges::find(x_mapping.packages, item.store_name,
                                              &cache::SpackPackage::store_name);
        if (!mapped->kept_private) x_specs.push_back(spec);
        return {};
    }

    [[nodiscard]] bool is_old(const cache::ObjectInfo& object) const {
        constexpr std::int64_t patience = std::int64_t{reuse_days} * 86'400;
        return object.modified && *object.modified < x_request.now - patience;
    }

    // Old, and named by nothing: a killed publisher's, which `cache prune` may be taking away now.
    Result<bool> is_litter(const std::string& key, const SpecManifest& manifest) {
        SF_TRY(const auto object, x_mirror.look(key));
        if (!object || !is_old(*object)) return false;
        if (!x_looked) {
            SF_TRY(x_before, cache::read_snapshot(x_mirror, {x_request.verifier, x_request.mirror,
                                                             x_request.memory, x_request.now}));
            x_looked = true;
        }
        if (!x_before) return true;
        const cache::PackageIndex index(
            x_before->snapshot, [this](const cache::Ref& ref) -> Result<std::string> {
                SF_TRY(const std::string node, cache::key_of(cache::IndexNodeName{ref.sha256}));
                return cache::read_ref(x_mirror, node, ref);
            });
        SF_TRY(const auto builds, index.builds(manifest.name, manifest.version));
        return std::ranges::find(builds, manifest.hash, &cache::Build::hash) == builds.end();
    }

    // What another push put there is what ours would be, or nothing is done.
    Status check_there(const cache::StoredText& there, const std::string& key,
                       const SpecManifest& ours, const std::vector<ExtraBlob>& extras) const {
        SF_TRY(const trust::SignedText good,
               x_request.verifier->verify_clearsigned(there.text, key));
        SF_TRY(const SpecManifest theirs, cache::spec_manifest_from_json(good.text, key));
        if (theirs.identity != ours.identity || theirs.run.sha256 != ours.run.sha256)
            return base::fail_hint(
                Code::refused, "it is published already, with other bytes for the same inputs",
                "two builds of the same inputs should be the same: compare them, and publish "
                "neither");
        // But for the signature, which holds a time.
        for (const std::string_view kind : {media::bundle, media::assets}) {
            SF_TRY(const bool same, holds_same(theirs, ours, kind, extras));
            if (!same)
                return base::fail_hint(
                    Code::refused,
                    "it is published already, with other files of ours (installer, templates, "
                    "module files)",
                    "what was published never changes: they come with the next build of Slurm");
        }
        return {};
    }
    static const BlobRecord* record_in(const SpecManifest& manifest, std::string_view kind) {
        const auto found = std::ranges::find(manifest.others, kind, &BlobRecord::media_type);
        return found == manifest.others.end() ? nullptr : &*found;
    }
    // The same text is the same, though another zlib has packed it.
    Result<bool> holds_same(const SpecManifest& theirs, const SpecManifest& ours,
                            std::string_view kind, const std::vector<ExtraBlob>& extras) const {
        const BlobRecord* there = record_in(theirs, kind);
        const BlobRecord* here = record_in(ours, kind);
        if (there == nullptr || here == nullptr) return there == here;
        if (there->sha256 == here->sha256) return true;
        if (there->compression != "gzip" || there->size > cache::max_text) return false;
        SF_TRY(const std::string key, cache::key_of(cache::BlobName{there->sha256}));
        SF_TRY(std::string stored, cache::read_ref(x_mirror, key, {there->sha256, there->size}));
        SF_TRY(const std::string text, cache::text_of(*there, std::move(stored)));
        const auto extra = std::ranges::find(extras, kind, &ExtraBlob::media_type);
        SF_TRY(const std::string own, cache::text_of(*here, extra->content));
        return text == own;
    }

    static Result<std::string> list_of(const model::Package& package,
                                       const std::vector<OriginFile>& sources) {
        cache::SourceList list{package.name, package.version, package.identity, {}};
        for (const OriginFile& file : sources)
            list.files.push_back({file.path, file.executable, file.sha256, file.size});
        return cache::to_json(list);
    }

    // Many packages share some of them.
    Status put_source(const OriginFile& file) {
        SF_TRY(const std::string key, cache::key_of(cache::SourceName{file.sha256}));
        SF_TRY(const auto there, x_request.place->look(key));
        if (there && there->size == file.size) return {};
        if (there)
            return base::fail_hint(
                Code::corrupt,
                fmt::format("{}/{} has {} bytes, not {}", x_request.place->place(), key,
                            there->size, file.size),
                "remove it, and publish again");
        SF_TRY(const std::uint64_t sent, put_origin(*x_request.place, key, file));
        x_report.bytes += sent;
        return {};
    }

    Result<cache::Ref> upload(const std::vector<ExtraBlob>& extras, const PushPackage& package,
                              const cache::SpackSpec& spec, SpecManifest& manifest,
                              const std::string& key, const PutCondition& condition) {
        const std::string store_name = package.package->store_name();
        SF_CHECK(step("archive " + store_name));
        SF_TRY(const model::ArchiveRecord install, spack_archive(package, spec));
        manifest.install = {std::string(media::spack_install), "gzip", install.size,
                            install.sha256};
        SF_TRY(const std::string spec_text, cache::to_json(spec));
        SF_TRY(const std::string spec_blob, cache::gzip(spec_text));
        manifest.spec = record_of(media::spack_spec, "gzip", spec_blob);
        SF_TRY(const std::string package_text, model::to_json(*package.package));
        manifest.package = record_of(media::package, "none", package_text);
        SF_CHECK(step("blobs " + store_name));
        SF_CHECK(admit(x_request.work / install.file));
        SF_CHECK(x_request.signer->admit(trust::Evidence::spec, spec_blob));
        SF_CHECK(put_file(x_request.work / install.file, install));
        SF_CHECK(base::remove_file(x_request.work / install.file));
        SF_CHECK(put_blob(spec_blob));
        SF_CHECK(put_blob(package_text));
        SF_CHECK(put_file(package.folder / manifest.run.file, manifest.run));
        if (manifest.dev) SF_CHECK(put_file(package.folder / manifest.dev->file, *manifest.dev));
        if (manifest.dbg) SF_CHECK(put_file(package.folder / manifest.dbg->file, *manifest.dbg));
        for (const ExtraBlob& extra : extras) {
            SF_CHECK(x_request.signer->admit(trust::Evidence::blob, extra.content));
            SF_CHECK(put_blob(extra.content));
        }

        SF_CHECK(step("manifest " + store_name));
        SF_TRY(const std::string text, cache::to_json(manifest));
        SF_TRY(const std::string signed_text,
               x_request.signer->sign(trust::Paper::spec_manifest, text));
        SF_TRY(const cache::PutOutcome outcome,
               cache::put_text(x_mirror, key, signed_text, json_type, condition));
        if (outcome == cache::PutOutcome::written) {
            x_report.bytes += signed_text.size();
            return cache::Ref{base::sha256(signed_text), signed_text.size()};
        }
        // Somebody was faster: theirs is the one that counts.
        SF_TRY(const auto there, cache::read_object(x_mirror, key, max_manifest));
        if (!there) return fail(Code::failed, "{} was there, and is there no more", key);
        SF_CHECK(check_there(*there, key, manifest, extras));
        SF_CHECK(x_request.signer->admit(trust::Evidence::manifest, there->text));
        return cache::Ref{base::sha256(there->text), there->text.size()};
    }

    [[nodiscard]] Status admit(const fs::path& file) const {
        SF_TRY(const base::Fd fd, base::open_file(file, O_RDONLY | O_NOFOLLOW));
        return x_request.signer->admit_file(fd.get());
    }

    Result<model::ArchiveRecord> spack_archive(const PushPackage& package,
                                               const cache::SpackSpec& spec) {
        std::vector<base::Fd> open;
        const auto part = [&](const PushPackage& each) -> Result<cache::SpackArchivePart> {
            const fs::path file = each.folder / each.package->run.file;
            SF_TRY(base::Fd fd, base::open_file(file, O_RDONLY | O_NOFOLLOW));
            open.push_back(std::move(fd));
            return cache::SpackArchivePart{each.package, {open.back().get(), file.native()}};
        };
        cache::SpackArchiveRequest request;
        request.spec = spec;
        SF_TRY(request.package, part(package));
        const auto mapped = std::ranges::find(x_mapping.packages, package.package->store_name(),
                                              &cache::SpackPackage::store_name);
        for (const std::string& name : mapped->bundled) {
            SF_TRY(const PushPackage* const inside, find(name));
            SF_TRY(cache::SpackArchivePart one, part(*inside));
            request.bundled.push_back(std::move(one));
        }
        SF_TRY(auto file, base::AtomicFile::create(x_request.work / "install.tar.gz"));
        SF_TRY(const model::ArchiveRecord record, cache::write_spack_archive(file, request));
        SF_CHECK(file.commit());
        return record;
    }

    Status put_blob(const std::string& bytes) {
        SF_TRY(const std::string key, cache::key_of(cache::BlobName{base::sha256(bytes)}));
        SF_TRY(const auto kind, to_send(key, bytes.size()));
        if (!kind) return {};
        SF_TRY(const cache::PutOutcome outcome,
               cache::put_text(x_mirror, key, bytes, "application/octet-stream", {*kind, {}}));
        if (outcome == cache::PutOutcome::written) x_report.bytes += bytes.size();
        return {};
    }

    // nullopt: it is there. What has this name has these bytes, or is not whole; what is old is
    // sent all the same, and so young again (reuse_days).
    [[nodiscard]] Result<std::optional<PutCondition::Kind>> to_send(const std::string& key,
                                                                    std::uint64_t size) const {
        SF_TRY(const auto there, x_mirror.look(key));
        if (!there) return std::optional(PutCondition::Kind::if_absent);
        if (there->size == size)
            return is_old(*there) ? std::optional(PutCondition::Kind::always) : std::nullopt;
        return base::fail_hint(
            Code::corrupt,
            fmt::format("{}/{} has {} bytes, not {}", x_mirror.place(), key, there->size, size),
            "remove it, and publish again");
    }

    Status put_file(const fs::path& path, const model::ArchiveRecord& record) {
        SF_TRY(const std::string key, cache::key_of(cache::BlobName{record.sha256}));
        SF_TRY(const auto kind, to_send(key, record.size));
        if (!kind) return {};
        SF_TRY(const base::Fd fd, base::open_file(path, O_RDONLY | O_NOFOLLOW));
        cache::PutRequest put;
        put.key = key;
        put.descriptor = fd.get();
        put.size = record.size;
        put.sha256 = record.sha256;
        put.cache_control = cache::cache_control_of(key);
        put.condition = {*kind, {}};
        SF_TRY(const cache::PutOutcome outcome, x_mirror.put(put));
        if (outcome == cache::PutOutcome::written) x_report.bytes += record.size;
        return {};
    }

    cache::Backend& x_mirror;
    const PushRequest& x_request;
    base::Reporter& x_reporter;
    cache::SpackMapping x_mapping;
    std::vector<cache::NewBuild> x_builds;
    std::vector<cache::SpackSpec> x_specs;
    bool x_looked = false;
    std::optional<cache::TrustedSnapshot> x_before;  // once looked for
    PushReport x_report;
};

}  // namespace

Status check_no_part(cache::Backend& mirror) {
    auto part = cache::read_part(mirror);
    if (part && !*part) return {};
    if (part)
        return base::fail_hint(
            Code::refused,
            mirror.place() +
                " is a copy of a part of a cache, as its _sf/part.json says: nothing is "
                "published to it",
            "publish to the whole one, then copy again: slurm-factory cache mirror FROM TO");
    base::Error error = std::move(part).error();
    if (error.code == Code::corrupt && error.hint.empty())
        error.hint =
            "if it is a copy, copy again: slurm-factory cache mirror FROM TO; if not, remove that "
            "file";
    return tl::unexpected(std::move(error));
}

Status not_vouched_for(const std::string& place, const std::string& store_name) {
    return base::fail_hint(
        Code::refused,
        fmt::format("{} has no {}, which was taken from another cache: who publishes a package "
                    "vouches for it, and it was not built here",
                    place, store_name),
        "build it here (build-slurm --no-cache), publish to the cache it was taken from, or copy "
        "that one as it is: slurm-factory cache mirror");
}

Result<PushReport> push(cache::Backend& mirror, const PushRequest& request,
                        base::Reporter& reporter) {
    return base::during(Push(mirror, request, reporter).run(), "publishing to " + mirror.place());
}

}  // namespace sf::publish
