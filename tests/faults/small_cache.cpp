// SPDX-License-Identifier: Apache-2.0
#include "small_cache.hpp"

#include <ctime>

#include "base/log.hpp"
#include "cache/blob_record.hpp"
#include "cache/file_backend.hpp"
#include "cache/objects.hpp"
#include "cache/revocations.hpp"
#include "install/cache_install.hpp"
#include "publish/bundle.hpp"
#include "publish/mirror_push.hpp"
#include "support/packages.hpp"
#include "tree/collect.hpp"
#include "tree/rollback.hpp"
#include "tree/uninstall.hpp"
#include "trust/gpg_signer.hpp"

namespace sf::test {

using base::Result;
using base::Status;

namespace {

constexpr const char* deps_mirror = "bookworm/slurm/deps";
constexpr const char* main_mirror = "bookworm/slurm/25.11";

struct Quiet : base::Reporter {
    void message(base::Level, const std::string&) override {}
};

struct Release {
    trust::Keyring keyring;
    trust::Fingerprint key;
    std::string armoured;

    [[nodiscard]] Result<trust::Verifier> verifier() const {
        SF_TRY(const trust::TrustedKeys keys, trust::trusted_from({{key, "release"}}, {armoured}));
        return trust::Verifier::create(keys);
    }
};

Result<Release> release(const std::filesystem::path& folder) {
    trust::Keyring keyring(folder / "gnupg");
    SF_TRY(const std::string armoured, base::read_file(folder / "release.asc"));
    SF_TRY(const std::string text, base::read_file(folder / "fingerprint"));
    SF_TRY(trust::Fingerprint key, trust::Fingerprint::parse(text));
    return Release{std::move(keyring), std::move(key), armoured};
}

Result<std::string> assets_archive(const std::vector<publish::BundleAsset>& assets,
                                   const std::filesystem::path& file) {
    SF_TRY(auto out, base::AtomicFile::create(file));
    SF_TRY(auto writer, pack::ArchiveWriter::create(out));
    for (const auto& each : assets)
        SF_CHECK(writer.add_memory(each.path, each.content, each.executable));
    SF_CHECK(writer.finish("assets.tar.zst").map([](const auto&) {}));
    SF_CHECK(out.commit());
    return base::read_file(file);
}

}  // namespace

Status SmallCache::make() const {
    SF_CHECK(base::make_dirs(x_folder));
    const trust::Keyring keyring(x_folder / "gnupg");
    SF_TRY(const trust::Key key, keyring.create({.name = "Release",
                                                 .email = "r@example.org",
                                                 .kind = trust::KeyKind::ed25519,
                                                 .expires = "0",
                                                 .passphrase = {}}));
    SF_TRY(const std::string armoured, keyring.export_public(key.primary.fingerprint));
    SF_CHECK(base::write_file(x_folder / "release.asc", armoured));
    return base::write_file(x_folder / "fingerprint", key.primary.fingerprint.text());
}

Status SmallCache::copy_keys(const std::filesystem::path& publisher) const {
    SF_CHECK(base::make_dirs(publisher));
    for (const char* name : {"gnupg", "release.asc", "fingerprint"}) {
        std::error_code error;
        std::filesystem::copy(x_folder / name, publisher / name,
                              std::filesystem::copy_options::recursive, error);
        if (error) return base::fail_errno(error.value(), std::string("copy ") + name);
    }
    std::error_code error;
    std::filesystem::permissions(publisher / "gnupg", std::filesystem::perms::owner_all, error);
    return {};
}

Status SmallCache::publish(const std::string& version, const std::function<void()>& ready) const {
    cache::FileBackend place(cache());
    return publish_to(place, version, ready);
}

Status SmallCache::publish_to(cache::Backend& place, const std::string& version,
                              const std::function<void()>& ready) const {
    SF_TRY(const base::TempDir packages, base::TempDir::create(x_folder, "packages-"));
    const auto built = make_slurm(packages.path(), version);
    ready();
    SF_TRY(const Release from, release(x_publisher));
    SF_TRY(const trust::GpgSigner signer, trust::GpgSigner::create(from.keyring, from.key, {}));
    SF_TRY(const trust::Verifier verifier, from.verifier());
    SF_TRY(const base::TempDir work, base::TempDir::create(x_folder, "work-"));
    publish::BundleRequest bundle;
    bundle.version = version;
    bundle.toolchain = "bookworm";
    bundle.target = "x86_64_v3";
    bundle.builder = "slurm-factory test";
    bundle.assets = {{"data/slurm_assets/" + version + "/slurm_install.sh", "#!/bin/sh\n", true}};
    publish::PushRequest push;
    for (const auto& each : built) {
        bundle.packages.push_back({each.package, each.folder});
        push.closure.push_back({&each.package, each.folder});
    }
    SF_TRY(const model::Bundle planned, publish::plan_bundle(bundle));
    SF_TRY(const std::string manifest, model::to_json(planned));
    SF_TRY(const std::string signature, signer.sign_bytes(manifest));
    SF_TRY(const std::string assets, assets_archive(bundle.assets, work.path() / "assets"));
    push.libc = "glibc 2.36-9+deb12u10";
    push.work = work.path();
    push.signer = &signer;
    push.verifier = &verifier;
    push.public_key = from.armoured;
    push.primary = from.key.text();
    push.memory = x_publisher / "publisher";
    push.now = std::time(nullptr);
    cache::SubBackend dependencies(place, deps_mirror);
    cache::SubBackend main(place, main_mirror);
    Quiet reporter;
    push.mirror = deps_mirror;
    push.items = {{built[0].package.store_name(), {}}, {built[1].package.store_name(), {}}};
    SF_CHECK(publish::push(dependencies, push, reporter).map([](const auto&) {}));
    push.mirror = main_mirror;
    push.items = {{built[2].package.store_name(),
                   {{std::string(cache::media::bundle), "none", manifest},
                    {std::string(cache::media::signature), "none", signature},
                    {std::string(cache::media::assets), "zstd", assets}}}};
    return publish::push(main, push, reporter).map([](const auto&) {});
}

Status SmallCache::install(const std::string& version, const std::filesystem::path& prefix,
                           const std::string& memory) const {
    SF_TRY(const Release from, release(x_folder));
    SF_TRY(const trust::Verifier verifier, from.verifier());
    cache::FileBackend place(cache());
    cache::SubBackend dependencies(place, deps_mirror);
    cache::SubBackend main(place, main_mirror);
    Quiet reporter;
    install::ReaderOptions options;
    options.mirror = main_mirror;
    options.memory = x_folder / memory;
    options.now = std::time(nullptr);
    SF_TRY(const install::MirrorReader reader,
           install::MirrorReader::open(main, verifier, options, reporter));
    SF_TRY(const install::Resolved found,
           reader.resolve({"slurm", version, "bookworm", "x86_64_v4"}));
    install::InstallOptions how;
    how.record = tree::NewGeneration{{}, options.now};
    install::FetchReport fetched;
    return install::install_from_cache(found, {&main, &dependencies, 4}, prefix, how, fetched)
        .map([](const auto&) {});
}

Status SmallCache::rollback() const {
    return tree::return_to_generation(prefix(), 0).map([](const auto&) {});
}

Status SmallCache::collect() const {
    tree::CollectOptions options;
    options.now = std::time(nullptr) + 1;
    options.keep_days = 0;
    options.no_other_hosts = true;
    return tree::collect(prefix(), options).map([](const auto&) {});
}

Status SmallCache::take_back(std::uint64_t serial) const {
    SF_TRY(const Release from, release(x_publisher));
    SF_TRY(const trust::GpgSigner signer, trust::GpgSigner::create(from.keyring, from.key, {}));
    SF_TRY(const trust::Verifier roots, from.verifier());
    trust::RevocationList list;
    list.serial = serial;
    list.issued = std::time(nullptr);
    list.expires = list.issued + trust::revocations_lifetime.count();
    SF_TRY(const std::string text, trust::to_text(list));
    SF_TRY(const std::string signed_text, signer.clearsign(text));
    cache::FileBackend place(cache());
    return cache::put_revocations(place, signed_text, roots, list.issued).map([](bool) {});
}

Status SmallCache::heed(const std::string& memory) const {
    SF_TRY(const Release from, release(x_folder));
    SF_TRY(const trust::Verifier roots, from.verifier());
    cache::FileBackend place(cache());
    Quiet reporter;
    cache::RevocationOptions options;
    options.roots = &roots;
    options.memory = x_folder / memory;
    options.now = std::time(nullptr);
    return cache::read_revocations(place, options, reporter).map([](const auto&) {});
}

Status SmallCache::uninstall(const std::string& version) const {
    tree::UninstallRequest request;
    request.version = version;
    request.now = std::time(nullptr);
    const auto done = tree::uninstall(prefix(), request);
    if (done || done.error().code == base::Code::absent) return {};
    return tl::unexpected(done.error());
}

}  // namespace sf::test
