// SPDX-License-Identifier: Apache-2.0
#include "install/offline_verify.hpp"

#include <algorithm>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/object_tar.hpp"
#include "cache/objects.hpp"
#include "model/names.hpp"

namespace sf::install {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

// The record helps to find things, so a wrong one would lead people astray.
Status check_record(const cache::OfflineRecord& record, const cache::Closure& closure) {
    std::vector<cache::OfflineMirror> mirrors;
    for (const cache::ClosureMirror& mirror : closure.mirrors)
        mirrors.push_back({mirror.folder, mirror.snapshot.repository, mirror.snapshot.serial,
                           mirror.snapshot.issued, mirror.snapshot.expires});
    if (record.mirrors == mirrors && record.target == closure.package.manifest.target) return {};
    return fail(Code::corrupt, "its {} says something else than what is signed in it",
                cache::object_tar_first);
}

Status check_objects(cache::Backend& file, const cache::Closure& closure,
                     OfflineVerified& verified) {
    const std::string revocations = cache::key_of(cache::FixedName::revocations).value();
    std::vector<cache::ObjectInfo> there;
    SF_CHECK(file.list("", [&](const cache::ObjectInfo& object) -> Status {
        there.push_back(object);
        return {};
    }));
    for (const cache::ObjectInfo& object : there) {
        SF_CHECK(base::check_stop());
        verified.objects += 1;
        verified.bytes += object.size;
        if (const auto found = closure.objects.find(object.key); found != closure.objects.end()) {
            SF_CHECK(cache::check_ref(file, object.key, found->second));
            continue;
        }
        // The texts were read, and judged.
        if (closure.texts.contains(object.key)) continue;
        if (object.key == revocations) {
            verified.has_revocations = true;
            continue;
        }
        if (!cache::is_companion(object.key, verified.record))
            return fail(Code::refused, "{}/{} is there, and nothing that is signed names it",
                        file.place(), object.key);
        const auto name = cache::name_of(object.key);
        if (name && std::holds_alternative<cache::PublicKeyName>(*name))
            verified.keys.push_back(std::get<cache::PublicKeyName>(*name).fingerprint);
    }
    for (const auto& [key, ref] : closure.objects)
        if (std::ranges::find(there, key, &cache::ObjectInfo::key) == there.end())
            return fail(Code::corrupt, "{}/{} is missing", file.place(), key);
    if (verified.record.tool) {
        SF_TRY(const std::string key, cache::tool_key(verified.record.tool->name));
        SF_CHECK(cache::check_ref(file, key, verified.record.tool->archive));
    }
    return {};
}

Result<OfflineVerified> verify(cache::Backend& file, const trust::Verifier& verifier,
                               ReaderOptions options, base::Reporter& reporter) {
    OfflineVerified verified;
    SF_TRY(verified.record, read_offline_record(file));
    const cache::OfflineRecord& record = verified.record;
    // As an installation does: expired or revoked is refused here.
    SF_TRY(options.mirror, cache::folder_of({record.toolchain, model::series_of(record.version)}));
    cache::SubBackend mirror(file, options.mirror);
    SF_TRY(const MirrorReader reader, MirrorReader::open(mirror, verifier, options, reporter));
    SF_TRY(verified.package,
           reader.resolve({record.name, record.version, record.toolchain, record.target}));
    if (verified.package.build.hash != record.hash)
        return fail(Code::corrupt, "it holds another build than it says");
    SF_TRY(cache::Closure closure,
           cache::walk_closure(file, {record.name, record.version, record.toolchain, record.hash},
                               {&verifier, options.memory, options.now}));
    SF_CHECK(check_record(record, closure));
    SF_CHECK(check_objects(file, closure, verified));
    verified.mirrors = std::move(closure.mirrors);
    return verified;
}

}  // namespace

Result<cache::OfflineRecord> read_offline_record(cache::Backend& file) {
    SF_TRY(const auto text, cache::read_object(file, std::string(cache::object_tar_first),
                                               cache::max_offline_record));
    if (!text) return fail(Code::corrupt, "{} does not say what it is", file.place());
    return base::during(cache::offline_record_from_json(text->text), "reading " + file.place());
}

Result<OfflineVerified> verify_offline(cache::Backend& file, const trust::Verifier& verifier,
                                       const ReaderOptions& options, base::Reporter& reporter) {
    return base::during(verify(file, verifier, options, reporter), "verifying " + file.place());
}

}  // namespace sf::install
