// SPDX-License-Identifier: Apache-2.0
// A whole publication in small, with real signatures: packages, what they were made from, the
// bundle and its papers, into any backend.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "base/text.hpp"
#include "cache/blob_record.hpp"
#include "cache/file_backend.hpp"
#include "cache/objects.hpp"
#include "publish/bundle.hpp"
#include "publish/bundle_push.hpp"
#include "publish/front_page.hpp"
#include "publish/mirror_push.hpp"
#include "support/gnupg.hpp"
#include "support/packages.hpp"
#include "trust/gpg_signer.hpp"

namespace sf::publish {

namespace fs = std::filesystem;

inline constexpr std::int64_t now = 1'790'000'000;

struct Heard : base::Reporter {
    std::string text;
    void message(base::Level, const std::string& said) override { text += said + '\n'; }
};

class PlaceMaker : public ::testing::Test {
protected:
    PlaceMaker() : x_folder(base::TempDir::create("/tmp", "sft-").value()) {
        const trust::Keyring keyring(x_gpg.home());
        x_key.emplace(trust::Fingerprint::parse(x_gpg.make_key("Release <r@example.org>")).value());
        x_signer.emplace(trust::GpgSigner::create(keyring, *x_key, {}).value());
        x_public = x_gpg.export_key(x_key->text());
        x_verifier.emplace(verifier());
    }
    [[nodiscard]] trust::Verifier verifier() const {
        return trust::Verifier::create(
                   trust::trusted_from({{*x_key, "release"}}, {x_public}).value())
            .value();
    }
    [[nodiscard]] fs::path at(const std::string& name) const { return x_folder.path() / name; }
    static std::string read(const fs::path& path) {
        return base::read_file(path).value_or("(unreadable)");
    }

    static OriginFile text_file(std::string path, std::string content, bool executable = false) {
        OriginFile file;
        file.path = std::move(path);
        file.executable = executable;
        file.sha256 = base::sha256(content);
        file.size = content.size();
        file.content = std::move(content);
        return file;
    }
    // `flex` is needed for building munge alone.
    Origins origins(const std::vector<test::BuiltPackage>& built) const {
        Origins all;
        all.engine = 2;
        all.epoch = 1'700'000'000;
        all.target_flags = "-march=x86-64-v3";
        all.common = {text_file("templates/sandbox/bin/gcc", "#!/bin/sh\n", true),
                      text_file("toolchains/bookworm.yaml", "toolchain: 1\n")};
        const auto add = [&](const std::string& name, const std::string& version,
                             const base::Digest& identity, const std::string& store_name) {
            Origin origin;
            origin.name = name;
            origin.version = version;
            origin.license = name == "slurm" ? "GPL-2.0-or-later" : "MIT";
            origin.summary = "About " + name;
            origin.homepage = "https://example.org/" + name;
            origin.identity = identity;
            origin.source.file = name + '-' + version + ".tar.gz";
            origin.source.places = {{"", "debian", "main/x"},
                                    {"https://example.org/a b/" + origin.source.file, "", ""}};
            const std::string archive = "upstream's " + name + ' ' + version;
            origin.source.sha256 = base::sha256(archive);
            const fs::path file = at("sources") / origin.source.file;
            EXPECT_TRUE(base::make_dirs(at("sources")));
            EXPECT_TRUE(base::write_file(file, archive));
            origin.archive.path =
                "sources/sha256/" + origin.source.sha256.hex() + '/' + origin.source.file;
            origin.archive.sha256 = origin.source.sha256;
            origin.archive.size = archive.size();
            origin.archive.file = file;
            origin.recipe = {text_file("recipes/" + name + "/recipe.yaml", "recipe of " + name)};
            if (name == "slurm")
                origin.patches = {text_file("recipes/slurm/patches/one.patch", "a patch")};
            if (name == "munge") origin.built_by = {"flex-2.6-" + base::sha256("flex").short_hex()};
            all.packages[store_name] = std::move(origin);
        };
        for (const auto& each : built)
            add(each.package.name, each.package.version, each.package.identity,
                each.package.store_name());
        add("flex", "2.6", base::sha256("flex"), "flex-2.6-" + base::sha256("flex").short_hex());
        return all;
    }

    // One machine that publishes: what it built, and its own bundle.
    struct Machine {
        std::vector<test::BuiltPackage> built;
        Origins origins;
        BundleFiles files;
        std::string manifest;
    };
    Machine build(const std::string& version, const std::string& folder = "one",
                  const std::string& salt = "1") {
        Machine machine;
        machine.built = test::make_slurm(at(folder) / "packages", version, salt);
        for (auto& each : machine.built)
            each.package.host_requirements = {{"libc.so.6", {"GLIBC_2.34"}},
                                              {"libstdc++.so.6", {}}};
        machine.origins = origins(machine.built);
        BundleRequest request;
        request.version = version;
        request.toolchain = "bookworm";
        request.target = "x86_64_v3";
        request.builder = "slurm-factory 0.1.0";
        request.origins = machine.origins;
        for (const auto& each : machine.built)
            request.packages.push_back({each.package, each.folder});
        machine.manifest = model::to_json(plan_bundle(request).value()).value();
        auto files = write_bundle(request, at(folder) / "builds", &signs());
        if (!files) throw std::runtime_error(files.error().text());
        machine.files = *std::move(files);
        return machine;
    }

    // All of it, as build-slurm --publish all. `end_at`: the step that fails.
    base::Status publish(const Machine& machine, cache::Backend& place,
                         const std::string& end_at = {}, bool older = false) {
        SF_TRY(const base::TempDir work, base::TempDir::create(x_folder.path(), "work-"));
        const auto on_step = [&](std::string_view step) -> base::Status {
            if (end_at.empty() || step.find(end_at) == std::string_view::npos) return {};
            return base::fail(base::Code::interrupted, "here");
        };
        x_bytes = 0;
        const model::Package& slurm = machine.built.back().package;
        BundlePushRequest papers;
        papers.bundle = machine.files.bundle;
        papers.version = slurm.version;
        papers.toolchain = "bookworm";
        papers.manifest = base::sha256(machine.manifest);
        papers.older = older;
        papers.work = work.path();
        papers.verifier = x_publishers != nullptr ? x_publishers : &*x_verifier;
        papers.signer = &signs();
        papers.memory = at("memory");
        papers.now = now;
        papers.on_step = on_step;
        papers.patience = x_patience;
        BundlePush bundle(place, papers);
        SF_CHECK(bundle.look());
        PushRequest push;
        for (const auto& each : machine.built) push.closure.push_back({&each.package, each.folder});
        push.libc = "glibc 2.36-9+deb12u10";
        push.work = work.path();
        push.signer = &signs();
        push.verifier = papers.verifier;
        push.public_key = x_public;
        push.primary = x_key->text();
        push.memory = papers.memory;
        push.now = now;
        push.place = &place;
        push.origins = &machine.origins;
        push.on_step = on_step;
        push.mirror = "bookworm/slurm/deps";
        push.items = {{machine.built[0].package.store_name(), {}},
                      {machine.built[1].package.store_name(), {}}};
        cache::SubBackend dependencies(place, push.mirror);
        SF_TRY(const PushReport first, ::sf::publish::push(dependencies, push, x_reporter));
        SF_TRY(const cache::NamedBundle named, bundle.put());
        push.bundle = &named;
        push.mirror = "bookworm/slurm/" + slurm.version.substr(0, 5);
        push.items = {{slurm.store_name(), x_extra}};
        cache::SubBackend main(place, push.mirror);
        SF_TRY(const PushReport second, ::sf::publish::push(main, push, x_reporter));
        SF_CHECK(bundle.put_alias());
        FrontPageRequest page;
        page.public_key = x_public;
        page.primary = x_key->text();
        page.on_step = on_step;
        SF_TRY(const std::uint64_t shown, put_front_page(place, page));
        x_bytes = first.bytes + second.bytes + bundle.bytes() + shown;
        return {};
    }

    [[nodiscard]] const trust::Signer& signs() const {
        return x_other_signer != nullptr ? *x_other_signer : *x_signer;
    }

    test::Gnupg x_gpg;
    base::TempDir x_folder;
    std::optional<trust::Fingerprint> x_key;
    std::optional<trust::GpgSigner> x_signer;
    const trust::Signer* x_other_signer = nullptr;  // if it is another
    std::optional<trust::Verifier> x_verifier;
    const trust::Verifier* x_publishers = nullptr;  // if it is another
    std::string x_public;
    std::vector<ExtraBlob> x_extra;  // beside Slurm's own
    Heard x_reporter;
    std::uint64_t x_bytes = 0;
    int x_patience = 3;
};

}  // namespace sf::publish
