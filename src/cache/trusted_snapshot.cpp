// SPDX-License-Identifier: Apache-2.0
#include "cache/trusted_snapshot.hpp"

#include "cache/kept_objects.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/snapshot_memory.hpp"

namespace sf::cache {

using base::Result;

namespace {

Result<trust::MaybeSigned> judged(const SnapshotReading& reading, const std::string& text,
                                  const std::string& place) {
    if (reading.accept_unsigned) return reading.verifier->read_maybe_signed(text, place);
    SF_TRY(trust::SignedText good, reading.verifier->verify_clearsigned(text, place));
    return trust::MaybeSigned{std::move(good.signature), std::move(good.text)};
}

}  // namespace

Result<std::optional<TrustedSnapshot>> read_snapshot(Backend& mirror,
                                                     const SnapshotReading& reading) {
    SF_TRY(const std::string key, key_of(FixedName::snapshot));
    const std::string place = mirror.place() + '/' + key;
    const std::string doing = "reading " + place;
    // Files are carried under any name: there it is the cache that is remembered. Nobody changes
    // one while it is read, so that it is not known yet to be which does no harm.
    std::optional<SnapshotMemory> memory;
    std::optional<base::FileLock> lock;
    if (mirror.whole()) {
        memory.emplace(reading.memory, mirror.place());
        SF_TRY(lock, memory->hold());
    }
    const KeptObjects kept(reading.keep ? reading.memory : std::filesystem::path());
    SF_TRY(auto there, kept.read_again(mirror, key, max_snapshot));
    if (!there) {
        if (memory) SF_CHECK(base::during(memory->check_none_seen(), doing));
        return std::optional<TrustedSnapshot>();
    }
    SF_TRY(trust::MaybeSigned good, judged(reading, there->text, place));
    TrustedSnapshot read;
    SF_TRY(read.snapshot, base::during(snapshot_from_text(good.text), doing));
    if (read.snapshot.mirror != reading.mirror)
        return base::fail(base::Code::refused, "{} was signed for {}, not for {}", place,
                          read.snapshot.mirror, reading.mirror);
    if (!memory) {
        memory.emplace(reading.memory, "offline:" + read.snapshot.repository + '/' + reading.mirror,
                       mirror.place());
        SF_TRY(lock, memory->hold());
    }
    // Before it is gone by: after a crash it cannot be taken back.
    const auto accepted = good.signature ? memory->accept(read.snapshot, good.text, reading.now)
                                         : memory->check(read.snapshot, good.text, reading.now);
    SF_CHECK(base::during(accepted, doing));
    kept.keep(mirror, key, *there);
    read.text = std::move(good.text);
    read.stored = std::move(there->text);
    read.etag = std::move(there->etag);
    if (good.signature) read.signer = good.signature->primary.text();
    read.signature = std::move(good.signature);
    return std::optional(std::move(read));
}

}  // namespace sf::cache
