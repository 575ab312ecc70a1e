// SPDX-License-Identifier: Apache-2.0
// Small caches, published by the real publisher with real keys into a folder, and their client.
// What an attacker, or a publisher who errs, does to them is done to the files.
#pragma once

#include <ctime>

#include "cache/file_backend.hpp"
#include "cache/gzip_text.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "install/cache_install.hpp"
#include "publish/mirror_push.hpp"
#include "trust/gpg_signer.hpp"
#include "unit/install/bundle_maker.hpp"

namespace sf::install {

class Heard : public base::Reporter {
public:
    void message(base::Level level, const std::string& text) override {
        (level == base::Level::warning ? warnings : others) += text + '\n';
    }
    std::string warnings;
    std::string others;
};

using Keys = std::vector<std::string>;

class CacheTest : public BundleTest {
protected:
    static constexpr const char* main_folder = "bookworm/slurm/25.11";

    // Of these, whatever else the keyring holds.
    trust::TrustedKeys trusting(const Keys& keys) {
        std::vector<trust::TrustEntry> entries;
        std::vector<std::string> texts;
        for (const std::string& key : keys) {
            entries.push_back({trust::Fingerprint::parse(key).value(), ""});
            texts.push_back(x_gpg.export_key(key));
        }
        return trust::trusted_from(entries, texts).value();
    }

    trust::GpgSigner signer(const Keys& keys) {
        const trust::Keyring keyring(x_gpg.home());
        const auto one = [&](const std::string& key) {
            return trust::GpgSigner::create(keyring, trust::Fingerprint::parse(key).value(), {})
                .value();
        };
        trust::GpgSigner all = one(keys.front());
        for (std::size_t i = 1; i < keys.size(); ++i) EXPECT_TRUE(all.also(one(keys[i])));
        return all;
    }

    fs::path place(const std::string& cache) const { return x_folder.path() / cache; }

    // What a bundle brings of ours, as one archive.
    std::string assets_archive(const std::string& version) const {
        const fs::path file = x_folder.path() / "assets.tar.zst";
        auto out = base::AtomicFile::create(file).value();
        auto writer =
            pack::ArchiveWriter::create(out, {.compression = pack::Compression::zstd, .level = 1})
                .value();
        for (const auto& [path, content] : assets(version))
            EXPECT_TRUE(writer.add_memory(path, content, path.ends_with(".sh")));
        EXPECT_TRUE(writer.finish("assets.tar.zst"));
        EXPECT_TRUE(out.commit());
        return read(file);
    }

    // Slurm and what it needs into `cache`, signed by all of `keys`; the publisher believes
    // `believed`, or those keys.
    base::Result<publish::PushReport> publish(const std::string& cache, const std::string& version,
                                              const Keys& keys, const Keys& believed = {},
                                              const std::string& salt = "1") {
        const auto built =
            test::make_slurm(x_folder.path() / "packages" / (version + salt), version, salt);
        const trust::GpgSigner signs = signer(keys);
        SF_TRY(const trust::Verifier verifier,
               trust::Verifier::create(trusting(believed.empty() ? keys : believed)));
        publish::PushRequest push;
        for (const auto& item : built) push.closure.push_back({&item.package, item.folder});
        push.libc = "glibc 2.36-9+deb12u10";
        const fs::path work = x_folder.path() / "work";
        SF_CHECK(base::make_dirs(work));
        push.work = work;
        push.signer = &signs;
        push.verifier = &verifier;
        push.primary = keys.front();
        push.public_key = x_gpg.export_key(keys.front());
        for (std::size_t i = 1; i < keys.size(); ++i)
            push.more_keys.push_back({keys[i], x_gpg.export_key(keys[i])});
        push.memory = x_folder.path() / "publisher";
        push.now = std::time(nullptr);
        cache::FileBackend whole(place(cache));
        push.mirror = "bookworm/slurm/deps";
        for (std::size_t i = 0; i + 1 < built.size(); ++i)
            push.items.push_back({built[i].package.store_name(), {}});
        cache::SubBackend deps(whole, push.mirror);
        SF_CHECK(publish::push(deps, push, x_heard).map([](const publish::PushReport&) {}));

        const std::string text = model::to_json(describe(built)).value();
        SF_TRY(const std::string signature, signs.sign_bytes(text));
        push.mirror = main_folder;
        push.items = {{built.back().package.store_name(),
                       {{std::string(cache::media::bundle), "gzip", cache::gzip(text).value()},
                        {std::string(cache::media::signature), "none", signature},
                        {std::string(cache::media::assets), "zstd", assets_archive(version)}}}};
        cache::SubBackend main(whole, push.mirror);
        return publish::push(main, push, x_heard);
    }

    // A client: what it trusts, remembers, and how patient it is.
    struct Client {
        trust::TrustedKeys trusted;
        fs::path memory;
        ReaderOptions options;
    };
    Client client(const Keys& keys, const std::string& memory = "memory") {
        Client made{trusting(keys), x_folder.path() / memory, {}};
        made.options.mirror = main_folder;
        made.options.memory = made.memory;
        made.options.now = std::time(nullptr);
        return made;
    }

    base::Result<Resolved> resolve(const std::string& cache, const Client& client,
                                   const std::string& version = "25.11") {
        cache::FileBackend whole(place(cache));
        cache::SubBackend main(whole, client.options.mirror);
        SF_TRY(const trust::Verifier verifier, trust::Verifier::create(client.trusted));
        SF_TRY(const MirrorReader reader,
               MirrorReader::open(main, verifier, client.options, x_heard));
        return reader.resolve({"slurm", version, "bookworm", "x86_64_v3"});
    }
    // What was found, or the message.
    std::string says(const std::string& cache, const Client& client,
                     const std::string& version = "25.11") {
        const auto found = resolve(cache, client, version);
        return found ? found->bundle.version : found.error().text();
    }
    base::Result<InstallReport> install_into(const std::string& prefix, const std::string& cache,
                                             const Client& client,
                                             const std::string& version = "25.11") {
        SF_TRY(const Resolved found, resolve(cache, client, version));
        cache::FileBackend whole(place(cache));
        cache::SubBackend main(whole, client.options.mirror);
        cache::SubBackend deps(whole, "bookworm/slurm/deps");
        FetchReport fetched;
        return install_from_cache(found, {&main, &deps}, x_folder.path() / prefix, {}, fetched);
    }

    Heard x_heard;
};

}  // namespace sf::install
