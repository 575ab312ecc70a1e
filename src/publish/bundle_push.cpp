// SPDX-License-Identifier: Apache-2.0
#include "publish/bundle_push.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/snapshot_memory.hpp"
#include "model/names.hpp"
#include "publish/conditions.hpp"
#include "publish/mirror_index.hpp"
#include "publish/mirror_push.hpp"

namespace sf::publish {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Result;
using base::Status;
using cache::BundlePart;
using cache::NamedBundle;
using cache::PutCondition;
using cache::PutOutcome;
using cache::Ref;

namespace {

struct Paper {
    BundlePart part;
    const char* ending;
    const char* content_type;
};
// What speaks of a bundle, in the order in which it is sent: the last names the others' digests.
constexpr std::array<Paper, 4> all_papers{
    {{BundlePart::signature, ".asc", "application/pgp-signature"},
     {BundlePart::sha256, ".sha256", "text/plain"},
     {BundlePart::sbom, ".spdx.json", "application/spdx+json"},
     {BundlePart::provenance, ".intoto.jsonl", "application/jsonl"}}};
constexpr const char* archive_type = "application/gzip";
constexpr std::uint64_t max_paper = std::uint64_t{64} << 20;
constexpr const char* immutable_hint =
    "what was published never changes: publish the packages alone (--publish spack), or a release "
    "with another number";

const Paper& paper_of(BundlePart part) {
    return *std::ranges::find(all_papers, part, &Paper::part);
}

PutCondition absent() { return {PutCondition::Kind::if_absent, {}}; }
PutCondition unchanged(const std::optional<cache::ObjectInfo>& there) {
    if (!there) return absent();
    return {PutCondition::Kind::if_etag, there->etag};
}

}  // namespace

// One whole file of a bundle, open.
struct BundlePush::File {
    base::Fd descriptor;
    Ref ref;
    const char* content_type = archive_type;
};

Status BundlePush::step(std::string_view name) const {
    SF_CHECK(base::check_stop());
    return x_request.on_step ? x_request.on_step(name) : Status();
}

fs::path BundlePush::local(BundlePart part) const {
    if (part == BundlePart::archive) return x_request.bundle;
    return x_request.bundle.native() + paper_of(part).ending;
}

Result<std::string> BundlePush::key(BundlePart part) const {
    return cache::key_of(
        cache::BundleName{x_request.version, x_request.toolchain, x_request.architecture, part});
}

Result<std::optional<cache::Snapshot>> BundlePush::read_snapshot() const {
    SF_TRY(const std::string folder,
           cache::folder_of({x_request.toolchain, model::series_of(x_request.version)}));
    cache::SubBackend mirror(x_place, folder);
    SF_TRY(const std::string name, cache::key_of(cache::FixedName::snapshot));
    const cache::SnapshotMemory memory(x_request.memory, mirror.place());
    SF_TRY(const auto lock, memory.hold());
    SF_TRY(const auto there, cache::read_object(mirror, name, cache::max_snapshot));
    if (!there) return std::optional<cache::Snapshot>();
    const std::string doing = "reading " + mirror.place() + '/' + name;
    SF_TRY(const trust::SignedText good, x_request.verifier->verify_clearsigned(there->text, name));
    SF_TRY(cache::Snapshot snapshot, base::during(cache::snapshot_from_text(good.text), doing));
    if (snapshot.mirror != folder)
        return fail(Code::refused, "{}/{} was signed for {}, not for {}", mirror.place(), name,
                    snapshot.mirror, folder);
    SF_CHECK(base::during(memory.accept(snapshot, good.text, x_request.now), doing));
    return std::optional(std::move(snapshot));
}

Result<BundlePush::File> BundlePush::open_local(BundlePart part) const {
    const fs::path path = local(part);
    File file;
    SF_TRY(file.descriptor, base::open_file(path, O_RDONLY | O_NOFOLLOW));
    struct stat status {};
    if (::fstat(file.descriptor.get(), &status) != 0)
        return base::fail_errno(errno, "read " + path.string());
    file.ref.size = static_cast<std::uint64_t>(status.st_size);
    SF_TRY(file.ref.sha256, base::during(base::sha256_fd(file.descriptor.get()),
                                         "reading " + base::escape_untrusted(path.native())));
    if (part != BundlePart::archive) file.content_type = paper_of(part).content_type;
    return file;
}

Status BundlePush::send(const std::string& key, const File& file, PutCondition condition,
                        PutOutcome& outcome) {
    cache::PutRequest put;
    put.key = key;
    put.descriptor = file.descriptor.get();
    put.size = file.ref.size;
    put.sha256 = file.ref.sha256;
    put.content_type = file.content_type;
    put.cache_control = cache::cache_control_of(key);
    put.condition = std::move(condition);
    SF_TRY(outcome, x_place.put(put));
    if (outcome != PutOutcome::written) return {};
    x_bytes += file.ref.size;
    return {};
}

Status BundlePush::look() {
    SF_CHECK(step("look"));
    SF_TRY(const std::string folder,
           cache::folder_of({x_request.toolchain, model::series_of(x_request.version)}));
    cache::SubBackend mirror(x_place, folder);
    SF_CHECK(check_no_part(mirror));
    SF_TRY(const auto snapshot, read_snapshot());
    if (!snapshot) return {};
    SF_TRY(const auto newest, cache::newest_bundle(*snapshot));
    if (newest && !x_request.older &&
        base::compare_versions(x_request.version, newest->version) < 0)
        return base::fail_hint(
            Code::refused,
            fmt::format("{} has Slurm {} for {} already, which is newer than {}", x_place.place(),
                        newest->version, x_request.toolchain, x_request.version),
            "--allow-older publishes it beside the newer one, which stays what the series means");
    SF_TRY(const auto named, cache::find_bundle(*snapshot, x_request.version, x_request.toolchain,
                                                x_request.architecture));
    if (!named) return {};
    return check_same_build(*named);
}

Status BundlePush::check_same_build(const NamedBundle& named) const {
    SF_TRY(const File ours, open_local(BundlePart::archive));
    if (named.parts.at(BundlePart::archive) == ours.ref) return {};
    SF_TRY(const std::string name, key(BundlePart::provenance));
    SF_TRY(const std::string text,
           cache::read_ref(x_place, name, named.parts.at(BundlePart::provenance)));
    SF_TRY(const Attested said, base::during(read_provenance(text, *x_request.verifier, name),
                                             "reading " + x_place.place() + '/' + name));
    if (said.manifest == x_request.manifest) return {};
    return base::fail_hint(Code::refused,
                           fmt::format("{} has another bundle of Slurm {} for {}: other packages, "
                                       "or other files of ours",
                                       x_place.place(), x_request.version, x_request.toolchain),
                           immutable_hint);
}

Result<NamedBundle> BundlePush::put() {
    SF_CHECK(step("bundle"));
    SF_CHECK(check_conditions(x_place));
    SF_TRY(const auto snapshot, read_snapshot());
    if (snapshot) {
        SF_TRY(auto named, cache::find_bundle(*snapshot, x_request.version, x_request.toolchain,
                                              x_request.architecture));
        if (named) {
            SF_CHECK(check_same_build(*named));
            SF_CHECK(mend(*named));
            return *std::move(named);
        }
    }
    SF_TRY(const std::string name, key(BundlePart::archive));
    SF_TRY(File archive, open_local(BundlePart::archive));
    PutOutcome outcome{};
    SF_CHECK(send(name, archive, absent(), outcome));
    bool ours = true;
    if (outcome == PutOutcome::written) {
        x_there = false;
    } else {
        // Of a publisher that died, or of one that is at it just now.
        SF_TRY(const auto there, x_place.look(name));
        if (!there) return fail(Code::failed, "{} was there, and is there no more", name);
        SF_TRY(File theirs, fetch_archive(there->size));
        ours = theirs.ref == archive.ref;
        if (!ours) archive = std::move(theirs);
    }
    NamedBundle bundle{x_request.version, x_request.toolchain, x_request.architecture, {}};
    SF_TRY(bundle.parts, base::during(papers(archive, ours), "publishing what speaks of " + name));
    bundle.parts[BundlePart::archive] = archive.ref;
    return bundle;
}

Status BundlePush::mend(const NamedBundle& named) {
    for (const auto& [part, ref] : named.parts) {
        SF_TRY(const std::string name, key(part));
        SF_TRY(const auto there, x_place.look(name));
        if (there && there->size == ref.size) continue;
        SF_TRY(const File ours, open_local(part));
        if (there || ours.ref != ref)
            return base::fail_hint(
                Code::corrupt,
                fmt::format("{}/{} is not what the snapshot names", x_place.place(), name),
                there ? "remove it, and publish again" : "bring it back from a copy of the cache");
        PutOutcome outcome{};
        SF_CHECK(send(name, ours, absent(), outcome));
        x_there = false;
    }
    return {};
}

Result<BundlePush::File> BundlePush::fetch_archive(std::uint64_t size) const {
    SF_TRY(const std::string name, key(BundlePart::archive));
    const fs::path path = x_request.work / "their-bundle";
    File file;
    SF_TRY(file.descriptor, base::open_file(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
    SF_CHECK(base::remove_file(path));  // the descriptor is enough
    SF_CHECK(cache::fetch_object(x_place, name, size, file.descriptor.get()));
    SF_TRY(file.ref.sha256,
           base::during(base::sha256_fd(file.descriptor.get()), "reading the copy of " + name));
    file.ref.size = size;
    return file;
}

Result<std::string> BundlePush::read_paper(BundlePart part) const {
    SF_TRY(const std::string name, key(part));
    SF_TRY(const auto there, cache::read_object(x_place, name, max_paper));
    if (there) return there->text;
    return fail(Code::absent, "{} has no {}", x_place.place(), name);
}

// It comes last: when it is there, all is.
Result<std::string> BundlePush::await_provenance() const {
    for (int round = 0; round < x_request.patience; ++round) {
        SF_CHECK(base::check_stop());
        auto text = read_paper(BundlePart::provenance);
        if (text || text.error().code != Code::absent) return text;
        std::this_thread::sleep_for(std::chrono::milliseconds(std::min(500, 20 * (round + 1))));
    }
    SF_TRY(const std::string name, key(BundlePart::archive));
    return base::fail_hint(
        Code::refused,
        fmt::format("{}/{} is another bundle than this one, and nobody vouches for it",
                    x_place.place(), name),
        "a publisher died on the way: let it publish again, or remove that file");
}

// What is so old and named by nothing `cache prune` may be taking away now: it is put there once
// more, and never over what another publisher has put there meanwhile.
Status BundlePush::make_young(const std::string& name, const Ref& ref, const PutAgain& put_again) {
    constexpr std::int64_t patience = std::int64_t{reuse_days} * 86'400;
    constexpr int rounds = 5;
    for (int i = 0; i < rounds; ++i) {
        SF_CHECK(base::check_stop());
        SF_TRY(const auto there, x_place.look(name));
        const bool old = there && there->modified && *there->modified < x_request.now - patience;
        if (there && !old) return i == 0 ? Status() : cache::check_ref(x_place, name, ref);
        SF_TRY(const PutOutcome outcome, put_again(unchanged(there)));
        if (outcome != PutOutcome::written) continue;
        x_there = false;
        return {};
    }
    return base::fail_hint(
        Code::exhausted,
        fmt::format("other publishers changed {}/{} meanwhile", x_place.place(), name),
        "run this again: what was sent stays");
}

// `archive`: what lies there. If it is not ours, nothing of ours is sent: what is there is judged.
Result<cache::BundleRefs> BundlePush::papers(const File& archive, bool ours) {
    if (!ours) SF_CHECK(await_provenance().map([](const std::string&) {}));
    std::map<BundlePart, std::string> texts;
    cache::BundleRefs refs;
    for (const Paper& paper : all_papers) {
        SF_TRY(const std::string name, key(paper.part));
        SF_CHECK(step(name));
        if (ours) {
            SF_TRY(const File file, open_local(paper.part));
            PutOutcome outcome{};
            SF_CHECK(send(name, file, absent(), outcome));
            if (outcome == PutOutcome::written) x_there = false;
        }
        SF_TRY(texts[paper.part], read_paper(paper.part));
        refs[paper.part] = {base::sha256(texts[paper.part]), texts[paper.part].size()};
    }
    const std::string file = x_request.bundle.filename().string();
    SF_TRY(const Attested said,
           read_provenance(texts[BundlePart::provenance], *x_request.verifier, file));
    SF_CHECK(
        x_request.verifier->verify(archive.descriptor.get(), texts[BundlePart::signature], file)
            .map([](const trust::GoodSignature&) {}));
    if (said.file != file || said.archive != archive.ref.sha256 ||
        said.sbom != refs[BundlePart::sbom].sha256 ||
        texts[BundlePart::sha256] != fmt::format("{}  {}\n", archive.ref.sha256.hex(), file))
        return base::fail_hint(Code::corrupt, "what lies beside it is of another bundle",
                               "remove these files, and publish again");
    if (said.manifest != x_request.manifest)
        return base::fail_hint(Code::refused, "it is another bundle: of other packages",
                               immutable_hint);
    SF_TRY(const std::string archive_name, key(BundlePart::archive));
    const auto archive_again = [&](PutCondition condition) -> Result<PutOutcome> {
        PutOutcome outcome{};
        SF_CHECK(send(archive_name, archive, std::move(condition), outcome));
        return outcome;
    };
    SF_CHECK(make_young(archive_name, archive.ref, archive_again));
    for (const Paper& paper : all_papers) {
        const std::string& text = texts[paper.part];
        SF_TRY(const std::string name, key(paper.part));
        const auto paper_again = [&](PutCondition condition) -> Result<PutOutcome> {
            SF_TRY(const PutOutcome outcome,
                   cache::put_text(x_place, name, text, paper.content_type, std::move(condition)));
            if (outcome == PutOutcome::written) x_bytes += text.size();
            return outcome;
        };
        SF_CHECK(make_young(name, refs[paper.part], paper_again));
    }
    if (x_request.signer == nullptr) return refs;
    SF_CHECK(x_request.signer->admit_file(archive.descriptor.get()));
    for (const auto& [part, text] : texts)
        SF_CHECK(x_request.signer->admit(
            part == BundlePart::provenance ? trust::Evidence::provenance : trust::Evidence::blob,
            text));
    return refs;
}

Status BundlePush::put_alias() {
    if (x_request.architecture != "amd64") return {};  // the name has none
    SF_CHECK(step("alias"));
    constexpr int rounds = 60;
    for (int i = 0; i < rounds; ++i) {
        SF_CHECK(base::check_stop());
        SF_TRY(const bool done, try_alias());
        if (done) return {};
        std::this_thread::sleep_for(std::chrono::milliseconds(std::min(500, 20 * (i + 1))));
    }
    return base::fail_hint(Code::exhausted, "other publishers changed the alias meanwhile",
                           "run this again: what was sent stays");
}

// First what lies there, then the snapshot, then writing on the condition that it lies there still:
// whoever goes by an older snapshot is too late to write. True: it is what the snapshot says.
Result<bool> BundlePush::try_alias() {
    const cache::BundleAliasName alias{model::series_of(x_request.version), x_request.toolchain};
    SF_TRY(const std::string name, cache::key_of(alias));
    cache::BundleAliasName its_signature = alias;
    its_signature.part = BundlePart::signature;
    SF_TRY(const std::string signature_name, cache::key_of(its_signature));
    SF_TRY(const auto there, x_place.look(name));
    SF_TRY(const auto signature_there, x_place.look(signature_name));
    std::string signature;
    if (signature_there) {
        SF_TRY(const auto text, cache::read_object(x_place, signature_name, max_paper));
        if (text) signature = text->text;
    }
    SF_TRY(const auto snapshot, read_snapshot());
    if (!snapshot) return fail(Code::refused, "{} has no snapshot any more", x_place.place());
    SF_TRY(const auto newest, cache::newest_bundle(*snapshot));
    if (!newest) return true;
    const Ref& wanted = newest->parts.at(BundlePart::archive);
    const Ref& wanted_signature = newest->parts.at(BundlePart::signature);
    // The archive is written first, and no two signatures are alike.
    if (there && there->size == wanted.size &&
        Ref{base::sha256(signature), signature.size()} == wanted_signature)
        return true;
    SF_TRY(const std::string twin, cache::key_of(cache::BundleName{
                                       newest->version, newest->toolchain, newest->architecture}));
    SF_TRY(const std::string twin_signature,
           cache::key_of(cache::BundleName{newest->version, newest->toolchain, newest->architecture,
                                           BundlePart::signature}));
    SF_TRY(const std::string text, cache::read_ref(x_place, twin_signature, wanted_signature));
    File file;
    if (newest->version == x_request.version) {
        SF_TRY(file, open_local(BundlePart::archive));
    }
    if (file.ref != wanted) {
        const fs::path path = x_request.work / "newest-bundle";
        SF_TRY(file.descriptor, base::open_file(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
        SF_CHECK(base::remove_file(path));
        SF_CHECK(cache::fetch_ref(x_place, twin, wanted, file.descriptor.get()));
        file.ref = wanted;
    }
    PutOutcome outcome{};
    SF_CHECK(send(name, file, unchanged(there), outcome));
    if (outcome != PutOutcome::written) return false;
    SF_CHECK(step("alias signature"));
    SF_TRY(outcome, cache::put_text(x_place, signature_name, text,
                                    paper_of(BundlePart::signature).content_type,
                                    unchanged(signature_there)));
    if (outcome == PutOutcome::written) x_bytes += text.size();
    return false;  // once more, to see that it stayed
}

}  // namespace sf::publish
