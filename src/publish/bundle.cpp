// SPDX-License-Identifier: Apache-2.0
#include "publish/bundle.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <set>
#include <unistd.h>

#include "base/atomic_file.hpp"
#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "model/features.hpp"
#include "model/names.hpp"
#include "pack/archive_writer.hpp"
#include "publish/provenance.hpp"
#include "publish/sbom.hpp"
#include "publish/view.hpp"

namespace sf::publish {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

const model::Package* find_package(const BundleRequest& request, const std::string& name) {
    for (const BundlePackage& candidate : request.packages) {
        if (candidate.package.name == name) return &candidate.package;
    }
    return nullptr;
}

Status check_closure(const BundleRequest& request) {
    std::set<std::string> before;
    for (const BundlePackage& item : request.packages) {
        const model::Package& package = item.package;
        const std::string name = package.store_name();
        if (package.toolchain != request.toolchain) {
            return fail(Code::failed, "{} was built for {}, the bundle is for {}", name,
                        package.toolchain, request.toolchain);
        }
        for (const std::string& dependency : package.dependencies) {
            if (!before.contains(dependency)) {
                return fail(Code::failed, "{} needs {}, which is not in the bundle before it", name,
                            dependency);
            }
        }
        if (!before.insert(name).second) {
            return fail(Code::failed, "{} is in the bundle twice", name);
        }
    }
    return {};
}

Status add_package(pack::ArchiveWriter& writer, const BundlePackage& item) {
    const model::Package& package = item.package;
    const std::string name = package.store_name();
    const fs::path path = item.folder / package.run.file;
    SF_TRY(const base::Fd descriptor, base::open_file(path, O_RDONLY | O_NOFOLLOW));
    const pack::ArchiveInput input{descriptor.get(), path.filename().native()};
    SF_CHECK(pack::verify_archive(input, package.run));
    pack::ArchivePolicy policy;
    policy.top = name;
    policy.link_roots = package.dependencies;
    policy.record = &package.run;
    return writer.add_archive(input, policy, model::bundle_store_folder);
}

Status add_view(pack::ArchiveWriter& writer, const model::Bundle& bundle) {
    const std::string folder = model::bundle_view_path(bundle.version);
    SF_CHECK(writer.add_directory(folder));
    for (const model::FileEntry& entry : bundle.view) {
        const std::string path = folder + '/' + entry.path;
        SF_CHECK(entry.type == model::EntryType::directory
                     ? writer.add_directory(path)
                     : writer.add_symlink(path, entry.target));
    }
    return {};
}

std::vector<const BundleAsset*> sorted_assets(const BundleRequest& request) {
    std::vector<const BundleAsset*> sorted;
    for (const BundleAsset& asset : request.assets) sorted.push_back(&asset);
    std::ranges::sort(sorted, {}, [](const BundleAsset* asset) { return asset->path; });
    return sorted;
}

Status add_assets(pack::ArchiveWriter& writer, const BundleRequest& request) {
    std::set<std::string> folders;
    for (const BundleAsset* asset : sorted_assets(request)) {
        for (std::size_t slash = asset->path.find('/'); slash != std::string::npos;
             slash = asset->path.find('/', slash + 1)) {
            const std::string folder = asset->path.substr(0, slash);
            if (folders.insert(folder).second) SF_CHECK(writer.add_directory(folder));
        }
        SF_CHECK(writer.add_memory(asset->path, asset->content, asset->executable));
    }
    return {};
}

Status plan_assets(const BundleRequest& request, model::Bundle& bundle) {
    for (const BundleAsset* asset : sorted_assets(request)) {
        if (const std::string rule = model::asset_violation(bundle, asset->path); !rule.empty()) {
            return fail(Code::failed, "{}: {}", base::escape_untrusted(asset->path), rule);
        }
        model::FileEntry entry;
        entry.path = asset->path;
        entry.mode = asset->executable ? 0755 : 0644;
        entry.size = asset->content.size();
        entry.sha256 = base::sha256(asset->content);
        bundle.assets.push_back(std::move(entry));
    }
    return {};
}

// Replaces `link` by a symlink to `target` in one step.
Status replace_link(const fs::path& link, const fs::path& target) {
    SF_TRY(const base::TempDir room, base::TempDir::create(link.parent_path(), ".tmp-link-"));
    const fs::path fresh = room.path() / "link";
    if (::symlink(target.c_str(), fresh.c_str()) != 0) {
        return base::fail_errno(errno, "link " + base::escape_untrusted(link.native()));
    }
    SF_CHECK(base::rename(fresh, link));
    return base::fsync_dir(link.parent_path());
}

}  // namespace

Status compare_tree(const model::Bundle& bundle, std::vector<model::FileEntry> found) {
    std::erase_if(found, [](const model::FileEntry& entry) {
        return entry.path == model::bundle_manifests_folder ||
               entry.path.starts_with(std::string(model::bundle_manifests_folder) + '/');
    });
    std::ranges::sort(found, {}, &model::FileEntry::path);
    SF_TRY(const std::vector<model::FileEntry> expected, model::bundle_tree(bundle));
    for (std::size_t i = 0; i < expected.size() || i < found.size(); ++i) {
        if (i >= expected.size() || (i < found.size() && found[i].path < expected[i].path)) {
            return fail(Code::corrupt, "{} is in an archive but not in its manifest",
                        base::escape_untrusted(found[i].path));
        }
        if (i >= found.size() || expected[i].path < found[i].path) {
            return fail(Code::corrupt, "{} is in a manifest but not in its archive",
                        base::escape_untrusted(expected[i].path));
        }
        const std::string difference = model::entry_difference(expected[i], found[i]);
        if (!difference.empty()) {
            return fail(Code::corrupt, "{} {}: the archive is not the manifest's",
                        base::escape_untrusted(found[i].path), difference);
        }
    }
    return {};
}

Result<model::Bundle> plan_bundle(const BundleRequest& request) {
    SF_CHECK(model::check_version(request.version));
    SF_CHECK(check_closure(request));
    const model::Package* root = find_package(request, request.name);
    if (root == nullptr || root->version != request.version) {
        return fail(Code::failed, "{} {} is not among the packages of its bundle", request.name,
                    request.version);
    }
    std::vector<const model::Package*> shown{root};
    for (const std::string& name : request.view_packages) {
        const model::Package* package = find_package(request, name);
        if (package != nullptr && package != root) shown.push_back(package);
    }
    model::Bundle bundle;
    bundle.name = request.name;
    bundle.version = request.version;
    bundle.toolchain = request.toolchain;
    bundle.architecture = request.architecture;
    bundle.target = request.target;
    bundle.builder = request.builder;
    for (const BundlePackage& item : request.packages) bundle.packages.push_back(item.package);
    SF_TRY(bundle.view, plan_view(shown));
    SF_CHECK(plan_assets(request, bundle));
    bundle.features = request.features;
    std::ranges::sort(bundle.features);
    SF_CHECK(model::check_features(bundle));
    return bundle;
}

Result<model::ArchiveRecord> write_bundle_archive(const BundleRequest& request,
                                                  const model::Bundle& bundle,
                                                  const std::string& manifest_text,
                                                  const std::string& manifest_signature,
                                                  base::Sink& sink) {
    pack::WriterOptions options;
    options.compression = pack::Compression::gzip;
    options.level = request.level;
    options.mtime = request.mtime;
    options.hash_files = true;
    SF_TRY(pack::ArchiveWriter writer, pack::ArchiveWriter::create(sink, options));
    // First, so that a reader knows what must follow before it follows.
    SF_CHECK(writer.add_memory(model::bundle_manifest_path(bundle.version), manifest_text));
    if (!manifest_signature.empty()) {
        SF_CHECK(writer.add_memory(model::bundle_manifest_signature_path(bundle.version),
                                   manifest_signature));
    }
    SF_CHECK(add_assets(writer, request));
    SF_CHECK(writer.add_directory(model::bundle_store_folder));
    std::vector<const BundlePackage*> sorted;
    for (const BundlePackage& item : request.packages) sorted.push_back(&item);
    std::ranges::sort(sorted, {},
                      [](const BundlePackage* item) { return item->package.store_name(); });
    for (const BundlePackage* item : sorted) {
        SF_CHECK(base::check_stop());
        SF_CHECK(base::during(add_package(writer, *item),
                              "adding " + item->package.store_name() + " to the bundle"));
    }
    SF_CHECK(add_view(writer, bundle));
    for (const model::FileEntry& link : model::bundle_links(bundle)) {
        SF_CHECK(writer.add_symlink(link.path, link.target));
    }
    SF_CHECK(compare_tree(bundle, writer.entries()));
    return writer.finish(model::bundle_file(bundle.version, bundle.toolchain, bundle.architecture));
}

Result<BundleFiles> write_bundle(const BundleRequest& request, const fs::path& builds,
                                 const trust::Signer* signer) {
    SF_TRY(const model::Bundle bundle, plan_bundle(request));
    SF_TRY(const std::string manifest, model::to_json(bundle));
    std::string manifest_signature;
    if (signer != nullptr) {
        SF_TRY(manifest_signature,
               base::during(signer->sign(trust::Paper::bundle_manifest, manifest),
                            "signing the manifest"));
    }
    const std::string series = model::series_of(bundle.version);
    const std::string file =
        model::bundle_file(bundle.version, bundle.toolchain, bundle.architecture);
    const fs::path below = fs::path(bundle.toolchain) / series;
    SF_CHECK(base::make_dirs(builds / below));

    BundleFiles files;
    files.bundle = builds / below / file;
    files.checksum = files.bundle.native() + ".sha256";
    files.sbom = files.bundle.native() + ".spdx.json";
    const fs::path signature = files.bundle.native() + ".asc";
    const fs::path provenance = files.bundle.native() + ".intoto.jsonl";
    files.alias = builds / model::bundle_alias(series, bundle.toolchain);
    const fs::path alias_signature = files.alias.native() + ".asc";

    SF_TRY(base::AtomicFile out, base::AtomicFile::create(files.bundle));
    SF_TRY(files.record,
           base::during(write_bundle_archive(request, bundle, manifest, manifest_signature, out),
                        "writing " + file));
    std::string bundle_signature;
    if (signer != nullptr) {
        SF_TRY(bundle_signature, base::during(signer->sign_bundle(out.fd()), "signing " + file));
    }
    const BundleFacts facts{&bundle, &request.origins, file, files.record.sha256,
                            base::sha256(manifest)};
    SF_TRY(const std::string parts, sbom(facts));
    std::string attested;
    if (signer != nullptr) {
        SF_CHECK(signer->admit(trust::Evidence::blob, parts));
        SF_TRY(const std::string said,
               statement(facts, base::sha256(parts), signer->fingerprint()));
        SF_TRY(attested, base::during(envelope(said, *signer), "signing how it was made"));
    }
    // The bundle is under its own name before what speaks of it; a reader in between refuses the
    // signature of the one before, and never takes one for the other.
    SF_CHECK(out.commit());
    SF_CHECK(
        base::write_file(files.checksum, fmt::format("{}  {}\n", files.record.sha256.hex(), file)));
    SF_CHECK(base::write_file(files.sbom, parts));
    if (signer != nullptr) {
        files.provenance = provenance;
        SF_CHECK(base::write_file(provenance, attested));
        files.signature = signature;
        SF_CHECK(base::write_file(signature, bundle_signature));
        SF_CHECK(replace_link(alias_signature, below / (file + ".asc")));
    } else {
        SF_CHECK(base::remove_file(provenance));
        SF_CHECK(base::remove_file(signature));
        SF_CHECK(base::remove_file(alias_signature));
    }
    SF_CHECK(replace_link(files.alias, below / file));
    return files;
}

}  // namespace sf::publish
