// SPDX-License-Identifier: Apache-2.0
// Bundles made by hand, good ones and bad ones, signed with a real key: this room may not use the
// one that makes them, and the format should stand on its own.
#pragma once

#include <gtest/gtest.h>

#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "install/bundle_install.hpp"
#include "model/bundle_layout.hpp"
#include "model/names.hpp"
#include "support/gnupg.hpp"
#include "support/packages.hpp"

namespace sf::install {

namespace fs = std::filesystem;

struct Change {                                               // what is wrong with a bundle
    std::function<void(model::Bundle&)> manifest;             // before it is written
    std::function<void(std::string& text)> manifest_text;     // before it is signed
    std::function<void(std::string& text)> signed_manifest;   // after it was signed
    std::function<base::Status(pack::ArchiveWriter&)> first;  // before anything else
    std::function<base::Status(pack::ArchiveWriter&)> last;   // after everything else
    std::function<void(std::string& path, std::string& content)> file;  // each file of packages
    std::string leave_out;                                              // this path is not written
    bool without_manifest = false;
    bool without_manifest_signature = false;
};

class BundleTest : public ::testing::Test {
protected:
    BundleTest() : x_folder(base::TempDir::create("/tmp", "sft-").value()) {
        x_key = x_gpg.make_key("Release <release@example.org>");
        x_trusted = trust::trusted_from({{trust::Fingerprint::parse(x_key).value(), "release"}},
                                        {x_gpg.export_key(x_key)})
                        .value();
        x_verifier.emplace(trust::Verifier::create(x_trusted).value());
        x_policy.verifier = &*x_verifier;
    }

    static model::FileEntry link(std::string path, std::string target) {
        model::FileEntry entry;
        entry.path = std::move(path);
        entry.type = model::EntryType::symlink;
        entry.target = std::move(target);
        return entry;
    }

    // What a bundle brings besides its packages, by path.
    static std::map<std::string, std::string> assets(const std::string& version) {
        const std::string folder = model::bundle_assets_path(version) + '/';
        return {{folder + "config/slurm.conf", "ClusterName=@cluster@\n"},
                {folder + "modulerc.lua", "-- " + version + '\n'},
                {folder + "slurm_install.sh", "#!/bin/sh\n# " + version + '\n'},
                {model::bundle_modulefile_path(version, "bookworm"), "help(" + version + ")\n"}};
    }

    static model::Bundle describe(const std::vector<test::BuiltPackage>& built) {
        model::Bundle bundle;
        bundle.name = "slurm";
        bundle.version = built.back().package.version;
        bundle.toolchain = "bookworm";
        bundle.architecture = "amd64";
        bundle.target = "x86_64_v3";
        bundle.builder = "slurm-factory 0.1.0";
        for (const auto& item : built) bundle.packages.push_back(item.package);
        const std::string slurm = built.back().package.store_name();
        bundle.view = {link("bin/sinfo", "../../../store/" + slurm + "/bin/sinfo"),
                       link("bin/srun", "../../../store/" + slurm + "/bin/srun"),
                       link("lib", "../../store/" + slurm + "/lib")};
        for (const auto& [path, content] : assets(bundle.version)) {
            model::FileEntry entry;
            entry.path = path;
            entry.mode = path.ends_with(".sh") ? 0755 : 0644;
            entry.size = content.size();
            entry.sha256 = base::sha256(content);
            bundle.assets.push_back(std::move(entry));
        }
        return bundle;
    }

    // Writes the bundle, its .asc; returns its path.
    fs::path make(const std::string& version = "25.11.2", const std::string& salt = "1",
                  const Change& change = {}, const std::string& folder = "bundles") {
        const auto built = test::make_slurm(x_folder.path() / "packages", version, salt);
        model::Bundle bundle = describe(built);
        if (change.manifest) change.manifest(bundle);
        std::string text = model::to_json(bundle).value();
        if (change.manifest_text) change.manifest_text(text);
        const std::string signature = x_gpg.sign(text, {x_key});
        if (change.signed_manifest) change.signed_manifest(text);

        const fs::path path =
            x_folder.path() / folder / model::bundle_file(version, "bookworm", "amd64");
        EXPECT_TRUE(base::make_dirs(path.parent_path()));
        auto out = base::AtomicFile::create(path).value();
        auto writer =
            pack::ArchiveWriter::create(out, {.compression = pack::Compression::gzip}).value();
        const auto must = [](const base::Status& status) {
            EXPECT_TRUE(status) << status.error().text();
        };
        if (change.first) must(change.first(writer));
        if (!change.without_manifest) {
            must(writer.add_memory("manifests/" + version + ".json", text));
            if (!change.without_manifest_signature) {
                must(writer.add_memory("manifests/" + version + ".json.asc", signature));
            }
        }
        for (const auto& [where, what] : assets(version)) {
            std::string asset = where;
            std::string content = what;
            for (std::size_t slash = asset.find('/'); slash != std::string::npos;
                 slash = asset.find('/', slash + 1)) {
                must(writer.add_directory(asset.substr(0, slash)));
            }
            if (asset == change.leave_out) continue;
            if (change.file) change.file(asset, content);
            must(writer.add_memory(asset, content, asset.ends_with(".sh")));
        }
        must(writer.add_directory("store"));
        for (const auto& item : built) write_package(writer, item, change);
        must(writer.add_directory("views/" + version));
        for (const auto& entry : describe(built).view) {
            must(writer.add_symlink("views/" + version + "/" + entry.path, entry.target));
        }
        for (const model::FileEntry& shared : model::bundle_links(describe(built))) {
            if (change.leave_out != shared.path)
                must(writer.add_symlink(shared.path, shared.target));
        }
        if (change.last) must(change.last(writer));
        EXPECT_TRUE(writer.finish("x"));
        EXPECT_TRUE(out.commit());
        sign(path);
        return path;
    }

    void write_package(pack::ArchiveWriter& writer, const test::BuiltPackage& item,
                       const Change& change) const {
        const fs::path run = item.folder / "run.tar.zst";
        const base::Fd fd = base::open_file(run, O_RDONLY).value();
        const auto status = pack::read_archive(
            {fd.get(), "run.tar.zst"},
            {.top = item.package.store_name(),
             .link_roots = item.package.dependencies,
             .limits = {}},
            [&](const pack::EntryInfo& info, base::Source& content) -> base::Status {
                std::string path = "store/" + info.path;
                if (path == change.leave_out) return {};
                if (info.type == model::EntryType::directory) return writer.add_directory(path);
                if (info.type == model::EntryType::symlink) {
                    return writer.add_symlink(path, info.target);
                }
                std::string text(info.size, '\0');
                std::size_t at = 0;
                while (at < text.size()) {
                    SF_TRY(const std::size_t got, content.read(std::as_writable_bytes(std::span(
                                                      text.data() + at, text.size() - at))));
                    at += got;
                }
                if (change.file) change.file(path, text);
                return writer.add_memory(path, text, info.executable);
            });
        EXPECT_TRUE(status) << status.error().text();
    }

    void sign(const fs::path& path) {
        EXPECT_TRUE(base::write_file(path.native() + ".asc",
                                     x_gpg.sign(base::read_file(path).value(), {x_key})));
    }

    // "" or the message.
    std::string verify(const fs::path& path) const {
        const auto verified = verify_bundle(path, x_policy);
        return verified ? "" : verified.error().text();
    }

    base::Result<InstallReport> install(const fs::path& path, const fs::path& prefix,
                                        const InstallOptions& options = {}) const {
        SF_TRY(const VerifiedBundle verified, verify_bundle(path, x_policy));
        return install_bundle(verified, prefix, options);
    }

    fs::path prefix(const std::string& name = "prefix") const { return x_folder.path() / name; }

    static std::string read(const fs::path& path) {
        return base::read_file(path).value_or("(unreadable)");
    }

    // Every path below, for comparisons; .sf-stage left out.
    static std::vector<std::string> listing(const fs::path& folder) {
        std::vector<std::string> paths;
        for (auto it = fs::recursive_directory_iterator(folder);
             it != fs::recursive_directory_iterator(); ++it) {
            const std::string path = it->path().lexically_relative(folder).native();
            if (path.starts_with(".sf-stage")) continue;
            paths.push_back(path);
        }
        std::sort(paths.begin(), paths.end());
        return paths;
    }

    base::TempDir x_folder;
    test::Gnupg x_gpg;
    std::string x_key;
    trust::TrustedKeys x_trusted;
    std::optional<trust::Verifier> x_verifier;
    BundlePolicy x_policy;
};

}  // namespace sf::install
