// SPDX-License-Identifier: Apache-2.0
// A place with two mirrors, published by a real signer: what Slurm needs, and Slurm. Header only,
// because only tests of rooms above publish can link it. One thread.
#pragma once

#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "cache/blob_record.hpp"
#include "cache/file_backend.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "publish/bundle.hpp"
#include "publish/mirror_push.hpp"
#include "support/packages.hpp"
#include "trust/gpg_signer.hpp"
#include "trust/keyring.hpp"
#include "trust/verdict.hpp"

namespace sf::test {

inline constexpr const char* deps_folder = "bookworm/slurm/deps";
inline constexpr const char* main_folder = "bookworm/slurm/25.11";
inline constexpr std::int64_t one_day = 86'400;

class Quiet : public base::Reporter {
public:
    void message(base::Level, const std::string& text) override { said.push_back(text); }
    std::vector<std::string> said;
};

// Somebody who publishes: a key in a home of its own.
class Publisher {
public:
    Publisher(const std::filesystem::path& home, const std::string& who) : keyring(home) {
        EXPECT_TRUE(base::make_dirs(home.parent_path()));
        trust::KeyRequest request;
        request.name = "Packages of " + who;
        request.email = who + "@example.org";
        request.kind = trust::KeyKind::ed25519;
        key = keyring.create(request).value();
        public_key = keyring.export_public(key->primary.fingerprint).value();
        trusted = trust::trusted_from({{key->primary.fingerprint, who}}, {public_key}).value();
        verifier.emplace(trust::Verifier::create(trusted).value());
        signer.emplace(trust::GpgSigner::create(keyring, key->primary.fingerprint, {}).value());
    }
    [[nodiscard]] std::string primary() const { return key->primary.fingerprint.text(); }

    trust::Keyring keyring;
    std::optional<trust::Key> key;
    std::string public_key;
    trust::TrustedKeys trusted;
    std::optional<trust::Verifier> verifier;
    std::optional<trust::GpgSigner> signer;
};

class Mirrors {
public:
    // `home`: where anna's keys are; empty: beside the rest.
    explicit Mirrors(const std::filesystem::path& home = {})
        : folder(base::TempDir::create("/tmp", "sft-").value()),
          anna(home.empty() ? folder.path() / "keys" : home, "anna"),
          built(make_slurm(folder.path() / "packages")) {
        EXPECT_TRUE(base::make_dirs(folder.path() / "work"));
    }
    [[nodiscard]] std::filesystem::path at(const std::string& name) const {
        return folder.path() / name;
    }

    [[nodiscard]] publish::PushRequest request(const std::string& mirror,
                                               const Publisher& publisher) const {
        publish::PushRequest push;
        for (const BuiltPackage& each : built) push.closure.push_back({&each.package, each.folder});
        push.libc = "glibc 2.36-9+deb12u10";
        push.work = at("work");
        push.signer = &*publisher.signer;
        push.verifier = &*publisher.verifier;
        push.public_key = publisher.public_key;
        push.primary = publisher.primary();
        push.mirror = mirror;
        push.now = now;
        if (mirror == deps_folder) {
            for (const BuiltPackage& each : built)
                if (each.package.name != "slurm")
                    push.items.push_back({each.package.store_name(), {}});
            return push;
        }
        publish::BundleRequest bundle;
        bundle.version = built.back().package.version;
        bundle.toolchain = "bookworm";
        bundle.target = "x86_64_v3";
        bundle.builder = "slurm-factory 0.1.0";
        for (const BuiltPackage& each : built)
            bundle.packages.push_back({each.package, each.folder});
        const std::string text = model::to_json(publish::plan_bundle(bundle).value()).value();
        push.items.push_back({built.back().package.store_name(),
                              {{std::string(cache::media::bundle), "none", text},
                               {std::string(cache::media::signature), "none",
                                publisher.signer->sign_bytes(text).value()},
                               {std::string(cache::media::assets), "zstd", "files of ours"}}});
        return push;
    }
    // What `mirror` of `place` is, and that it is published to.
    base::Result<publish::PushReport> push(const std::filesystem::path& place,
                                           const std::string& mirror) {
        cache::FileBackend backend(place / mirror);
        return publish::push(backend, request(mirror, anna), quiet);
    }
    std::filesystem::path publish_all(const std::string& name = "cache") {
        for (const char* mirror : {deps_folder, main_folder}) {
            const auto pushed = push(at(name), mirror);
            EXPECT_TRUE(pushed) << pushed.error().text();
        }
        return at(name);
    }

    // Every object, by key; files of the backend's own left out.
    static std::vector<std::string> keys(const std::filesystem::path& place,
                                         const std::string& prefix = "") {
        cache::FileBackend backend(place);
        std::vector<std::string> all;
        EXPECT_TRUE(backend.list(prefix, [&](const cache::ObjectInfo& object) -> base::Status {
            all.push_back(object.key);
            return {};
        }));
        return all;
    }
    // As if it had been written `days` ago.
    static void age(const std::filesystem::path& file, int days) {
        const auto then = std::filesystem::last_write_time(file) - std::chrono::hours(24 * days);
        std::filesystem::last_write_time(file, then);
    }

    base::TempDir folder;
    Publisher anna;
    std::vector<BuiltPackage> built;
    std::int64_t now = std::time(nullptr);
    Quiet quiet;
};

}  // namespace sf::test
