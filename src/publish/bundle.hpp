// SPDX-License-Identifier: Apache-2.0
// Makes a bundle: one tarball with everything a machine of that distribution needs to run Slurm
// (docs/formats/bundle.md). The same packages, and the same signature of the manifest, give the
// same bytes. Knows nothing of how packages are built or bundles installed. One thread for each
// bundle.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/manifest.hpp"
#include "publish/origin.hpp"
#include "trust/signer.hpp"

namespace sf::publish {

struct BundlePackage {
    model::Package package;
    std::filesystem::path folder;  // holds package.run.file
};

// A file of ours beside the packages: what slurm_install.sh is made of, the modulefile.
struct BundleAsset {
    std::string path;  // from the top of the tree
    std::string content;
    bool executable = false;
};

struct BundleRequest {
    std::string name = "slurm";
    std::string version;  // exact
    std::string toolchain;
    std::string architecture = "amd64";
    std::string target;
    std::string builder;                  // "slurm-factory 0.1.0"
    std::vector<BundlePackage> packages;  // runtime closure of `name`, dependencies first
    // Whose programs appear in the view besides the main package's, where they are in the closure.
    std::vector<std::string> view_packages = {"munge"};
    std::vector<BundleAsset> assets;
    std::vector<std::string> features;  // that it must hold (model/features.hpp)
    Origins origins;                    // what its papers tell; may be empty
    std::int64_t mtime = 0;             // of every entry
    int level = 0;                      // of gzip; 0: the usual
};

// The manifest, without touching a disk. Fails if the packages are not a closure of one toolchain,
// or lack what a feature means.
[[nodiscard]] base::Result<model::Bundle> plan_bundle(const BundleRequest& request);

struct BundleFiles {
    std::filesystem::path bundle;  // <builds>/<toolchain>/<series>/slurm-<exact>-…-software.tar.gz
    std::filesystem::path checksum;    // .sha256
    std::filesystem::path signature;   // .asc; empty if not signed
    std::filesystem::path sbom;        // .spdx.json
    std::filesystem::path provenance;  // .intoto.jsonl; empty if not signed
    std::filesystem::path alias;       // <builds>/slurm-<series>-<toolchain>-software.tar.gz
    model::ArchiveRecord record;
};

// Is what an archive holds what its manifest says, file by file? manifests/ aside.
[[nodiscard]] base::Status compare_tree(const model::Bundle& bundle,
                                        std::vector<model::FileEntry> found);

// `signer` null: an unsigned bundle, and what lies there signed from before is removed. The bundle
// appears first, then what speaks of it, the aliases last; each whole or not at all. The signer
// knows the packages already.
[[nodiscard]] base::Result<BundleFiles> write_bundle(const BundleRequest& request,
                                                     const std::filesystem::path& builds,
                                                     const trust::Signer* signer);

// The tarball alone, into `sink`; `manifest_signature` empty: an unsigned manifest.
[[nodiscard]] base::Result<model::ArchiveRecord> write_bundle_archive(
    const BundleRequest& request, const model::Bundle& bundle, const std::string& manifest_text,
    const std::string& manifest_signature, base::Sink& sink);

}  // namespace sf::publish
