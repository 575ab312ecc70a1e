// SPDX-License-Identifier: Apache-2.0
#include "install/cache_install.hpp"

#include <algorithm>
#include <fcntl.h>
#include <functional>

#include "base/atomic_file.hpp"
#include "base/files.hpp"
#include "base/synced.hpp"
#include "base/task_pool.hpp"
#include "base/text.hpp"
#include "base/unnamed_file.hpp"
#include "cache/layout.hpp"
#include "cache/mirror_part.hpp"
#include "cache/objects.hpp"
#include "model/bundle_layout.hpp"
#include "pack/archive_reader.hpp"
#include "tree/refill.hpp"

namespace sf::install {

namespace fs = std::filesystem;
using base::Code;
using base::Result;
using base::Status;

namespace {

class Fill {
public:
    Fill(const Resolved& resolved, const CacheMirrors& mirrors, fs::path stage,
         FetchReport& fetched)
        : x_resolved(resolved), x_mirrors(mirrors), x_stage(std::move(stage)), x_fetched(fetched) {}

    Result<std::vector<model::FileEntry>> run(const tree::Wanted& wanted,
                                              const std::vector<model::FileEntry>& whole) {
        const model::Bundle& bundle = x_resolved.bundle;
        // Folders, links and manifests need nothing from the cache.
        std::vector<model::FileEntry> made;
        tree::Wanted own = wanted;
        own.packages.clear();
        own.assets = false;
        for (const model::FileEntry& entry : tree::wanted_entries(bundle, whole, own)) {
            SF_TRY(model::FileEntry found, tree::refill(x_stage, entry, text_of(entry.path)));
            made.push_back(std::move(found));
        }
        std::vector<const model::Package*> missing;
        for (const model::Package& package : bundle.packages)
            if (wanted.packages.contains(package.store_name())) missing.push_back(&package);
        // The largest first, or all wait for it at the end.
        std::ranges::stable_sort(missing, std::greater(),
                                 [](const model::Package* package) { return package->run.size; });
        std::vector<base::Task> tasks;
        tasks.reserve(missing.size() + 1);
        for (const model::Package* package : missing)
            tasks.emplace_back([this, package] {
                return base::during(get_package(*package), "fetching " + package->store_name());
            });
        if (wanted.assets && !bundle.assets.empty())
            tasks.emplace_back([this] { return base::during(get_assets(), "fetching its files"); });
        if (!wanted.packages.empty()) {
            model::FileEntry store;
            store.path = model::bundle_store_folder;
            store.type = model::EntryType::directory;
            SF_TRY(model::FileEntry found, tree::refill(x_stage, store, {}));
            made.push_back(std::move(found));
        }
        SF_CHECK(base::run_batch(tasks, x_mirrors.connections));
        auto others = x_made.lock();
        made.insert(made.end(), others->begin(), others->end());
        return made;
    }

private:
    [[nodiscard]] std::string_view text_of(const std::string& path) const {
        const std::string& version = x_resolved.bundle.version;
        if (path == model::bundle_manifest_path(version)) return x_resolved.bundle_text;
        if (path == model::bundle_manifest_signature_path(version))
            return x_resolved.bundle_signature;
        return {};
    }

    Status get_package(const model::Package& package) {
        const bool main = package.identity == x_resolved.manifest.identity;
        cache::Backend& from = main ? *x_mirrors.main : *x_mirrors.dependencies;
        pack::ArchivePolicy policy;
        policy.top = package.store_name();
        policy.link_roots = package.dependencies;
        policy.record = &package.run;
        return get(from, {package.run.sha256, package.run.size}, policy, package.run.file,
                   std::string(model::bundle_store_folder));
    }

    Status get_assets() {
        pack::ArchivePolicy policy;
        policy.into_existing = true;
        return get(*x_mirrors.main, x_resolved.assets, policy, "assets.tar.zst", "");
    }

    Status get(cache::Backend& from, const cache::Ref& ref, const pack::ArchivePolicy& policy,
               const std::string& file, const std::string& below) {
        SF_TRY(const std::string key, cache::key_of(cache::BlobName{ref.sha256}));
        // On the file system that is unpacked to.
        SF_TRY(const base::Fd fd, base::unnamed_file(x_stage));
        Status got = cache::fetch_ref(from, key, ref, fd.get());
        if (!got && got.error().code == Code::absent)
            return tl::unexpected(cache::explain_hole(from, std::move(got).error()));
        if (!got) return got;
        SF_TRY(const base::Fd into,
               base::open_file(x_stage / below, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        SF_TRY(std::vector<model::FileEntry> made,
               pack::unpack_archive({fd.get(), file}, policy, into.get()));
        auto all = x_made.lock();
        for (model::FileEntry& entry : made) {
            if (!below.empty()) entry.path = below + '/' + entry.path;
            all->push_back(std::move(entry));
        }
        x_fetched.bytes += ref.size;
        x_fetched.archives += 1;
        return {};
    }

    const Resolved& x_resolved;
    const CacheMirrors& x_mirrors;
    fs::path x_stage;
    FetchReport& x_fetched;  // under the lock of x_made
    base::Synced<std::vector<model::FileEntry>> x_made;
};

}  // namespace

Result<InstallReport> install_from_cache(const Resolved& resolved, const CacheMirrors& mirrors,
                                         const fs::path& prefix, const InstallOptions& options,
                                         FetchReport& fetched) {
    SF_TRY(const std::vector<model::FileEntry> whole,
           tree::whole_tree(resolved.bundle, resolved.bundle_text, resolved.bundle_signature));
    const auto fill = [&](const fs::path& stage, const tree::Wanted& wanted) {
        return Fill(resolved, mirrors, stage, fetched).run(wanted, whole);
    };
    const std::string name = resolved.bundle.name + ' ' + resolved.bundle.version;
    return tree::install_tree(
        {resolved.bundle, resolved.bundle_text, resolved.bundle_signature, whole, name, fill, true},
        prefix, options);
}

}  // namespace sf::install
