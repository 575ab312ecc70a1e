// SPDX-License-Identifier: Apache-2.0
#include "cache/closure.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "cache/blob_record.hpp"
#include "cache/bundle_files.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/trusted_snapshot.hpp"
#include "model/names.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::fail_hint;
using base::Result;
using base::Status;

namespace {

class Walk {
public:
    Walk(Backend& place, const ClosureWish& wish, const ClosureReading& reading)
        : x_place(place), x_wish(wish), x_reading(reading) {}

    Result<Closure> run() {
        SF_TRY(const std::string main,
               folder_of({x_wish.toolchain, model::series_of(x_wish.version)}));
        SF_TRY(const std::string deps, folder_of({x_wish.toolchain, ""}));
        SF_TRY(Snapshot snapshot, read_snapshot_of(main));
        SF_CHECK(take_main(main, snapshot));
        SF_CHECK(take_papers(snapshot));
        SF_TRY(Snapshot below, read_snapshot_of(deps));
        SF_CHECK(take_dependencies(deps, below));
        x_closure.mirrors.push_back({deps, std::move(below)});
        x_closure.mirrors.push_back({main, std::move(snapshot)});
        return std::move(x_closure);
    }

private:
    Result<Snapshot> read_snapshot_of(const std::string& folder) {
        SubBackend mirror(x_place, folder);
        SF_TRY(auto read, cache::read_snapshot(mirror, {x_reading.verifier, folder,
                                                        x_reading.memory, x_reading.now}));
        if (!read)
            return fail_hint(Code::absent, "nothing was published to " + mirror.place(),
                             "see whether toolchain and series are those that were published");
        SF_TRY(const std::string key, key_of(FixedName::snapshot));
        x_closure.texts.emplace(folder + '/' + key, std::move(read->stored));
        x_closure.signers.insert(read->signer);
        return std::move(read->snapshot);
    }

    Result<WalkedMirror> walk(const std::string& folder, const Snapshot& snapshot,
                              const std::set<std::string>& names, const WalkChoice& choice) {
        Snapshot part = snapshot;
        std::erase_if(part.names, [&](const auto& each) { return !names.contains(each.first); });
        SubBackend mirror(x_place, folder);
        SF_TRY(WalkedMirror walked, walk_mirror(mirror, *x_reading.verifier, part, {}, choice));
        const std::string below = folder + '/';
        for (auto& [key, node] : walked.nodes)
            x_closure.texts.emplace(below + key, std::move(node));
        return walked;
    }

    void add_text(const std::string& folder, const MirrorPackage& package) {
        x_closure.texts.emplace(folder + '/' + package.key, package.stored);
        x_closure.signers.insert(package.signer);
    }

    Status add_blob(const std::string& folder, const Ref& ref) {
        SF_TRY(const std::string key, key_of(BlobName{ref.sha256}));
        x_closure.objects.emplace(folder + '/' + key, ref);
        return {};
    }

    Status add(const std::string& folder, const MirrorPackage& package) {
        add_text(folder, package);
        const SpecManifest& manifest = package.manifest;
        SF_CHECK(add_blob(folder, {manifest.spec.sha256, manifest.spec.size}));
        SF_CHECK(add_blob(folder, {manifest.package.sha256, manifest.package.size}));
        SF_CHECK(add_blob(folder, {manifest.run.sha256, manifest.run.size}));
        for (const BlobRecord& other : manifest.others)
            SF_CHECK(add_blob(folder, {other.sha256, other.size}));
        return {};
    }

    Status take_main(const std::string& folder, const Snapshot& snapshot) {
        WalkChoice choice;
        choice.version = [&](const std::string&, const std::string& version) {
            return version == x_wish.version;
        };
        choice.build = [&](const std::string&, const Build& build) {
            return build.hash == x_wish.hash;
        };
        SF_TRY(WalkedMirror walked, walk(folder, snapshot, {x_wish.name}, choice));
        if (walked.packages.size() != 1 || !walked.packages.front().bundle)
            return fail(Code::absent, "{}/{} has no {} {} ({}) that is installed by name",
                        x_place.place(), folder, x_wish.name, x_wish.version, x_wish.hash);
        x_closure.package = std::move(walked.packages.front());
        return add(folder, x_closure.package);
    }

    Status take_papers(const Snapshot& snapshot) {
        const model::Bundle& bundle = *x_closure.package.bundle;
        SF_TRY(const auto named,
               find_bundle(snapshot, bundle.version, bundle.toolchain, bundle.architecture));
        if (!named) return {};
        for (const BundlePart part : {BundlePart::sbom, BundlePart::provenance}) {
            SF_TRY(const std::string key,
                   key_of(BundleName{named->version, named->toolchain, named->architecture, part}));
            x_closure.objects.emplace(key, named->parts.at(part));
        }
        return {};
    }

    // Each by its identity, in the mirror of dependencies. Of two builds that have one the archive
    // tells which is meant.
    Status take_dependencies(const std::string& folder, const Snapshot& snapshot) {
        std::map<std::pair<std::string, base::Digest>, const model::Package*> missing;
        std::set<std::string> names;
        std::set<std::pair<std::string, std::string>> versions;
        for (const model::Package& package : x_closure.package.bundle->packages) {
            if (package.identity == x_closure.package.manifest.identity) continue;
            missing.emplace(std::pair(package.name, package.identity), &package);
            names.insert(package.name);
            versions.emplace(package.name, package.version);
        }
        WalkChoice choice;
        choice.version = [&](const std::string& name, const std::string& version) {
            return versions.contains({name, version});
        };
        choice.build = [&](const std::string& name, const Build& build) {
            return missing.contains({name, build.identity});
        };
        SF_TRY(const WalkedMirror walked, walk(folder, snapshot, names, choice));
        for (const MirrorPackage& package : walked.packages) {
            const auto wanted = missing.find({package.manifest.name, package.manifest.identity});
            if (wanted == missing.end() ||
                wanted->second->run.sha256 != package.manifest.run.sha256)
                continue;
            SF_CHECK(add(folder, package));
            missing.erase(wanted);
        }
        if (missing.empty()) return {};
        return fail_hint(
            Code::corrupt,
            fmt::format("{}/{} has no {}, which {} {} needs", x_place.place(), folder,
                        missing.begin()->second->store_name(), x_wish.name, x_wish.version),
            "ask who publishes this cache; cache verify says what is wrong");
    }

    Backend& x_place;
    const ClosureWish& x_wish;
    const ClosureReading& x_reading;
    Closure x_closure;
};

}  // namespace

Result<Closure> walk_closure(Backend& place, const ClosureWish& wish,
                             const ClosureReading& reading) {
    return base::during(Walk(place, wish, reading).run(),
                        fmt::format("reading {} {} of {}", wish.name, wish.version, place.place()));
}

}  // namespace sf::cache
