// SPDX-License-Identifier: Apache-2.0
#include "install/mirror_audit.hpp"

#include <optional>
#include <set>

#include "base/json.hpp"
#include "base/synced.hpp"
#include "base/task_pool.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/mirror_walk.hpp"
#include "cache/named_keys.hpp"
#include "cache/objects.hpp"
#include "cache/place_files.hpp"
#include "cache/spack_index.hpp"
#include "cache/trusted_snapshot.hpp"

namespace sf::install {

using base::Code;
using base::Result;
using base::Status;

namespace {

constexpr std::uint64_t max_unsigned_manifest = std::uint64_t{64} << 10;
constexpr std::uint64_t max_spack_index = std::uint64_t{256} << 20;
constexpr const char* make_anew = "make what Spack reads anew: slurm-factory cache index PLACE";

class Audit {
public:
    Audit(cache::Backend& mirror, const trust::Verifier& verifier, const AuditOptions& options)
        : x_mirror(mirror), x_verifier(verifier), x_options(options) {}

    Result<AuditReport> run() {
        SF_TRY(auto there, cache::read_snapshot(x_mirror, {&x_verifier, x_options.mirror,
                                                           x_options.memory, x_options.now}));
        if (!there)
            return base::fail_hint(
                Code::absent, "nothing was published to " + x_mirror.place(),
                "see whether toolchain and series are those that were published");
        x_report.snapshot = std::move(there->snapshot);
        x_report.signer = std::move(there->signer);
        check_age();
        SF_CHECK(read_part());
        SF_TRY(const cache::WalkedMirror walked,
               cache::walk_mirror(
                   x_mirror, x_verifier, x_report.snapshot,
                   [this](const std::string& object, base::Error error) {
                       defect(object, std::move(error));
                       return Status();
                   },
                   choice()));
        x_report.packages = walked.packages.size();
        x_report.objects = 1 + walked.nodes.size() + walked.packages.size();
        SF_CHECK(check_blobs(walked));
        if (x_options.dependencies != nullptr) SF_CHECK(check_closures(walked));
        SF_CHECK(check_spack(walked));
        // What a package that cannot be read names is not known.
        if (x_report.defects.empty() && !x_report.part) SF_CHECK(look_for_unnamed(walked));
        auto found = x_defects.lock();
        x_report.defects.insert(x_report.defects.end(), found->begin(), found->end());
        return std::move(x_report);
    }

private:
    void defect(std::string object, base::Error error) {
        x_report.defects.push_back({std::move(object), std::move(error)});
    }
    void defect(std::string object, Code code, std::string message, std::string hint) {
        defect(std::move(object), {code, std::move(message), {}, std::move(hint)});
    }

    Status read_part() {
        auto part = cache::read_part(x_mirror);
        if (part) {
            x_report.part = std::move(*part);
            return {};
        }
        // A bucket that may not be listed, or what stands before one, says so of what is not there
        // too. All of it has to be there then, which asks for more than a part does.
        if (part.error().code == Code::refused && !x_mirror.writable()) {
            x_report.notes.push_back(
                fmt::format("the server does not say whether this is a copy of a part, so all that "
                            "the snapshot names is looked for: {}",
                            part.error().text()));
            return {};
        }
        if (part.error().code != Code::corrupt) return tl::unexpected(std::move(part).error());
        defect(cache::key_of(cache::FixedName::part).value(), part.error().code,
               part.error().text(), "copy again: slurm-factory cache mirror FROM PLACE");
        return {};
    }

    // A copy of a part: what it says that it holds has to be there.
    cache::WalkChoice choice() {
        cache::WalkChoice all;
        if (!x_report.part) return all;
        all.build = [this](const std::string&, const cache::Build& build) {
            const bool held = x_report.part->builds.contains(build.hash);
            if (!held) x_report.left_out += 1;
            return held;
        };
        return all;
    }

    void check_age() {
        const cache::Snapshot& snapshot = x_report.snapshot;
        const std::int64_t left = snapshot.expires - x_options.now;
        const std::string key = cache::key_of(cache::FixedName::snapshot).value();
        if (x_options.accept_expired) return;
        switch (cache::freshness(snapshot, x_options.now)) {
            case cache::Freshness::expired:
                return defect(
                    key, Code::refused,
                    fmt::format("the snapshot expired on {}: clients take no package by it",
                                base::utc_date(snapshot.expires)),
                    "whoever publishes signs it afresh: slurm-factory cache refresh PLACE");
            case cache::Freshness::ageing:
                x_report.notes.push_back(
                    fmt::format("the snapshot expires in {} days: whoever publishes should sign it "
                                "afresh (slurm-factory cache refresh)",
                                left / 86'400));
                return;
            case cache::Freshness::fresh: return;
        }
    }

    // Is it there, and as long; deep: is it the same, to the byte?
    Status check(cache::Backend& mirror, const std::string& key, const cache::Ref& ref) const {
        if (x_options.deep) return cache::check_ref(mirror, key, ref);
        return look(mirror, key, ref.size);
    }
    static Status look(cache::Backend& mirror, const std::string& key, std::uint64_t size) {
        SF_TRY(const auto there, mirror.look(key));
        const std::string name = mirror.place() + '/' + key;
        if (!there) return base::fail(Code::absent, "{} is not there", name);
        if (there->size == size) return {};
        return base::fail(Code::corrupt, "{} has {} bytes, not {}", name, there->size, size);
    }

    Status check_blobs(const cache::WalkedMirror& walked) {
        SF_CHECK(check_refs(x_mirror, walked.blobs));
        if (x_options.place == nullptr) return {};
        auto beside = cache::place_files(x_mirror, x_report.snapshot, walked);
        if (!beside && beside.error().code == Code::interrupted)
            return tl::unexpected(std::move(beside).error());
        if (beside && x_report.part) beside = cache::held_files(*x_report.part, *beside);
        if (beside) return check_refs(*x_options.place, *beside);
        defect("the lists of sources", std::move(beside).error());
        return {};
    }

    Status check_refs(cache::Backend& where, const std::map<std::string, cache::Ref>& refs) {
        std::vector<base::Task> tasks;
        for (const auto& each : refs) {
            x_report.objects += 1;
            x_report.bytes += each.second.size;
            tasks.emplace_back([this, &where, &each]() -> Status {
                auto status = check(where, each.first, each.second);
                if (status) return {};
                base::Error& error = status.error();
                if (error.code == Code::interrupted) return status;
                if (error.hint.empty())
                    error.hint =
                        "delete it, then get it from a good copy (slurm-factory cache mirror GOOD "
                        "PLACE), or delete its manifest too and publish again";
                x_defects.lock()->push_back({each.first, std::move(error)});
                return {};
            });
        }
        SF_CHECK(base::run_batch(tasks, x_options.connections));
        if (x_options.deep) x_report.read = x_report.bytes;
        return {};
    }

    // What is installed by name brings what it needs from another mirror.
    Status check_closures(const cache::WalkedMirror& walked) {
        std::set<std::string> seen;
        for (const cache::MirrorPackage& package : walked.packages) {
            if (!package.bundle) continue;
            for (const model::Package& needed : package.bundle->packages) {
                if (needed.identity == package.package.identity) continue;
                if (!seen.insert(needed.run.sha256.hex()).second) continue;
                SF_TRY(const std::string key, cache::key_of(cache::BlobName{needed.run.sha256}));
                Status status = look(*x_options.dependencies, key, needed.run.size);
                if (status) continue;
                if (status.error().code == Code::interrupted) return status;
                defect(fmt::format("{}, which {} needs", needed.store_name(), package.title()),
                       status.error().code, status.error().text(),
                       "publish what it needs as well: slurm-factory build-slurm --publish deps");
            }
        }
        return {};
    }

    struct SpackRead {
        std::optional<cache::SpackIndex> index;  // nullopt: there is none
        std::string foreign;  // why it is not of our form: `spack buildcache update-index` has one
    };
    Result<SpackRead> read_spack_index() {
        const std::string key = cache::key_of(cache::FixedName::index_manifest).value();
        SF_TRY(const auto there, cache::read_object(x_mirror, key, max_unsigned_manifest));
        if (!there) return SpackRead();
        SF_CHECK(base::parse_json(there->text).map([](const base::Json&) {}));
        const auto blob = cache::blob_of_manifest(there->text, cache::media::spack_index);
        if (!blob) return SpackRead{{}, blob.error().text()};
        if (blob->size > max_spack_index)
            return base::fail(Code::corrupt, "an index of {} bytes", blob->size);
        SF_TRY(const std::string blob_key, cache::key_of(cache::BlobName{blob->sha256}));
        SF_TRY(const std::string text,
               cache::read_ref(x_mirror, blob_key, {blob->sha256, blob->size}));
        auto index = cache::spack_index_from_json(text);
        if (!index) return SpackRead{{}, index.error().text()};
        return SpackRead{std::move(*index), {}};
    }

    // Spack believes an unsigned index: what it leaves out cannot be installed by Spack.
    Status check_spack(const cache::WalkedMirror& walked) {
        const std::string key = cache::key_of(cache::FixedName::index_manifest).value();
        const auto read = read_spack_index();
        if (!read) {
            if (read.error().code == Code::interrupted) return tl::unexpected(read.error());
            defect(key, read.error().code, read.error().text(), make_anew);
            return {};
        }
        if (!read->foreign.empty()) {
            x_report.notes.push_back("Spack's index is not of our form, so it is not compared: " +
                                     read->foreign);
            return {};
        }
        const auto& index = read->index;
        if (!index) {
            if (!walked.packages.empty())
                defect(key, Code::absent, "it is not there: Spack sees no package here", make_anew);
            return {};
        }
        for (const cache::MirrorPackage& package : walked.packages) {
            if (package.spec.root().space != "builtin") continue;
            const std::string title = package.title();
            const char* wrong = nullptr;
            const auto found = index->entries.find(package.spec.root().hash);
            if (found == index->entries.end() || !found->second.in_buildcache)
                wrong = "is not in Spack's index";
            else if (found->second.node != package.spec.root())
                wrong = "is another one in Spack's index";
            if (wrong != nullptr) defect(key, Code::corrupt, title + ' ' + wrong, make_anew);
        }
        return {};
    }

    Status look_for_unnamed(const cache::WalkedMirror& walked) {
        auto named = cache::named_keys(x_mirror, x_report.snapshot, walked);
        if (!named) {
            // A web server tells nobody what it has.
            if (named.error().code == Code::refused && !x_mirror.writable()) return {};
            if (named.error().code != Code::corrupt) return tl::unexpected(named.error());
            defect("what Spack reads", named.error());
            return {};
        }
        x_report.listed = true;
        return x_mirror.list("", [&](const cache::ObjectInfo& object) -> Status {
            if (named->contains(object.key) || !cache::is_litter(object.key)) return {};
            x_report.unnamed += 1;
            x_report.unnamed_bytes += object.size;
            return {};
        });
    }

    cache::Backend& x_mirror;
    const trust::Verifier& x_verifier;
    const AuditOptions& x_options;
    AuditReport x_report;
    base::Synced<std::vector<Defect>> x_defects;  // found by several threads
};

}  // namespace

Result<AuditReport> audit(cache::Backend& mirror, const trust::Verifier& verifier,
                          const AuditOptions& options) {
    return base::during(Audit(mirror, verifier, options).run(), "verifying " + mirror.place());
}

}  // namespace sf::install
