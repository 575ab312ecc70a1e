// SPDX-License-Identifier: Apache-2.0
#include "cache/revocations.hpp"

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/revocation_memory.hpp"

namespace sf::cache {

using base::Code;
using base::fail_hint;
using base::Result;
using base::Status;
using trust::RevocationList;
using trust::SeenRevocations;

namespace {

constexpr std::int64_t day = 86'400;

struct Read : BelievedRevocations {
    std::string root;  // that of its signers which counts
};

Result<Read> believed(const trust::Verifier& roots, const std::string& signed_text,
                      const std::string& place) {
    SF_TRY(trust::SignedText good, roots.verify_clearsigned(signed_text, place));
    SF_TRY(RevocationList list,
           base::during(trust::revocations_from_text(good.text), "reading " + place));
    return Read{{std::move(list), std::move(good.text), std::move(good.signature.signers)},
                good.signature.primary.text()};
}

// Expired, it says nothing of what was revoked since.
Status check_age(const RevocationList& list, const RevocationOptions& options,
                 const std::string& where, base::Reporter& reporter) {
    const std::int64_t until = options.max_age > 0 ? list.issued + options.max_age : list.expires;
    if (options.now < until) {
        if (options.now >= list.issued + (until - list.issued) / 2)
            reporter.notice("{} is good for {} more days: its root should sign it afresh", where,
                            (until - options.now) / day);
        return {};
    }
    const std::int64_t days = (options.now - until) / day;
    if (options.accept_expired) {
        reporter.warning("{} expired {} days ago", where, days);
        return {};
    }
    return fail_hint(
        Code::refused,
        fmt::format("{} expired {} days ago: newer revocations may be held back", where, days),
        "who holds the root key signs it afresh: slurm-factory key revocations; "
        "--accept-expired takes what is there");
}

}  // namespace

Result<RevocationList> read_revocations(Backend& place, const RevocationOptions& options,
                                        base::Reporter& reporter) {
    if (options.roots == nullptr) return RevocationList{};
    SF_TRY(const std::string key, key_of(FixedName::revocations));
    const std::string where = place.place() + '/' + key;
    // Of a file, which is carried under any name, the root is remembered that signed its list.
    std::optional<RevocationMemory> memory;
    std::optional<base::FileLock> lock;
    if (place.whole()) {
        memory.emplace(options.memory, place.place());
        SF_TRY(lock, memory->hold());
    }
    SF_TRY(const auto there, read_object(place, key, 3 * trust::max_revocations));
    if (!there && !place.whole() && !options.required)
        reporter.warning("{} has no list of revocations", place.place());
    if (!there) {
        std::optional<SeenRevocations> seen;
        if (memory) {
            SF_TRY(seen, memory->seen());
        }
        if (seen)
            return fail_hint(Code::refused,
                             fmt::format("{} is gone: number {} was seen before (remembered in {})",
                                         where, seen->serial, memory->name()),
                             "a mirror may be on its way: try again later; if the cache has none "
                             "any more on purpose, remove that file");
        for (const std::string& root : options.root_fingerprints) {
            if (place.whole()) break;
            const RevocationMemory carried = RevocationMemory::of_root(options.memory, root);
            SF_TRY(const auto before, carried.seen());
            if (before)
                return fail_hint(
                    Code::refused,
                    fmt::format("{} has no list of revocations, and number {} of {} was seen in "
                                "such a file before (remembered in {})",
                                place.place(), before->serial, root, carried.name()),
                    "make the file again, from a cache that has the list");
        }
        if (options.required)
            return fail_hint(Code::refused,
                             place.place() + " has no list of revocations, and must have one here",
                             "slurm-factory key revocations FILE --publish-to PLACE; or list the "
                             "cache without --root");
        return RevocationList{};
    }
    SF_TRY(Read read, believed(*options.roots, there->text, where));
    if (!memory) {
        memory.emplace(RevocationMemory::of_root(options.memory, read.root));
        SF_TRY(lock, memory->hold());
    }
    // Before it is gone by: after a crash it cannot be taken back.
    SF_CHECK(base::during(memory->accept(read, options.now), "reading " + where));
    lock.reset();
    SF_CHECK(check_age(read.list, options, where, reporter));
    return std::move(read.list);
}

Result<bool> put_revocations(Backend& place, const std::string& signed_text,
                             const trust::Verifier& roots, std::int64_t now) {
    SF_TRY(const std::string key, key_of(FixedName::revocations));
    const std::string where = place.place() + '/' + key;
    SF_TRY(const Read ours, believed(roots, signed_text, "the list"));
    SF_TRY(const auto there, read_object(place, key, 3 * trust::max_revocations));
    PutCondition condition{PutCondition::Kind::if_absent, {}};
    std::optional<SeenRevocations> seen;
    if (there) {
        if (there->text == signed_text) return false;
        SF_TRY(const Read theirs, believed(roots, there->text, where));
        seen = SeenRevocations{theirs.list.serial, base::sha256(theirs.text)};
        condition = {PutCondition::Kind::if_etag, there->etag};
    }
    SF_CHECK(base::during(trust::accept(ours.list, ours.text, seen, now), "replacing " + where)
                 .map([](const SeenRevocations&) {}));
    SF_TRY(const PutOutcome outcome,
           put_text(place, key, signed_text, "application/json", condition));
    if (outcome == PutOutcome::written) return true;
    return fail_hint(Code::exhausted, where + " was changed by another meanwhile",
                     "run this again");
}

}  // namespace sf::cache
