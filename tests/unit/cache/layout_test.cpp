// SPDX-License-Identifier: Apache-2.0
// Names of a cache's objects, there and back.
#include "cache/layout.hpp"

#include <gtest/gtest.h>

#include "cache/backend.hpp"

namespace sf::cache {
namespace {

const std::string fpr = "0123456789ABCDEF0123456789ABCDEF01234567";
const std::string hash = "fcekcbg6irko6kq4wskqjg7xvqrjis57";
const std::string hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(Layout, MakesAndParsesEveryName) {
    const base::Digest digest = base::Digest::parse(hex).value();
    const std::pair<ObjectName, std::string> all[] = {
        {FixedName::layout, "v3/layout.json"},
        {FixedName::index_manifest, "v3/manifests/index/index.manifest.json"},
        {FixedName::keys_manifest, "v3/manifests/key/keys.manifest.json"},
        {FixedName::snapshot, "_sf/snapshot.json"},
        {FixedName::revocations, "_sf/revocations.json"},
        {FixedName::page, "index.html"},
        {SpecManifestName{"slurm", "25.11.2", hash},
         "v3/manifests/spec/slurm/slurm-25.11.2-" + hash + ".spec.manifest.json"},
        // A name and a version may both hold what parts them.
        {SpecManifestName{"json-c", "6.6-20251231", hash},
         "v3/manifests/spec/json-c/json-c-6.6-20251231-" + hash + ".spec.manifest.json"},
        {KeyManifestName{fpr}, "v3/manifests/key/" + fpr + ".key.manifest.json"},
        {BlobName{digest}, "blobs/sha256/e3/" + hex},
        {SourceName{digest}, "sources/sha256/e3/" + hex},
        {IndexNodeName{digest}, "_sf/index/" + hex + ".json.gz"},
        {PublicKeyName{fpr}, "keys/" + fpr + ".asc"},
        {BundleAliasName{"25.11", "noble", BundlePart::archive},
         "builds/25.11/noble/slurm-25.11-noble-software.tar.gz"},
        {BundleAliasName{"25.11", "noble", BundlePart::signature},
         "builds/25.11/noble/slurm-25.11-noble-software.tar.gz.asc"},
        {BundleName{"25.11.2", "noble", "amd64", BundlePart::archive},
         "builds/25.11.2/noble/amd64/slurm-25.11.2-noble-amd64-software.tar.gz"},
        {BundleName{"25.11.2", "noble", "amd64", BundlePart::provenance},
         "builds/25.11.2/noble/amd64/slurm-25.11.2-noble-amd64-software.tar.gz.intoto.jsonl"},
        {BundleName{"25.11.2", "noble", "amd64", BundlePart::sbom},
         "builds/25.11.2/noble/amd64/slurm-25.11.2-noble-amd64-software.tar.gz.spdx.json"},
        {BundleName{"25.11.2", "noble", "amd64", BundlePart::sha256},
         "builds/25.11.2/noble/amd64/slurm-25.11.2-noble-amd64-software.tar.gz.sha256"},
    };
    for (const auto& [name, key] : all) {
        SCOPED_TRACE(key);
        EXPECT_EQ(key_of(name).value(), key);
        EXPECT_TRUE(check_key(key));
        ASSERT_TRUE(name_of(key));
        EXPECT_EQ(name_of(key).value(), name);
        // Nothing longer or shorter is a name.
        EXPECT_FALSE(name_of(key + "x"));
        EXPECT_FALSE(name_of("x" + key));
        EXPECT_FALSE(name_of(key + "/"));
        EXPECT_FALSE(name_of(key.substr(0, key.size() - 1)));
    }
}

TEST(Layout, RefusesWhatIsNoName) {
    const std::string spec = "v3/manifests/spec/";
    for (const std::string& bad : {
             std::string(),
             std::string("v3"),
             "v3/manifests/spec/slurm/munge-25.11.2-" + hash + ".spec.manifest.json",
             spec + "slurm/slurm-" + hash + ".spec.manifest.json",
             spec + "slurm/slurm--" + hash + ".spec.manifest.json",
             spec + "slurm/slurm-25.11.2-" + hash.substr(1) + ".spec.manifest.json",
             spec + "slurm/slurm-25.11.2-" + hash.substr(1) + "1.spec.manifest.json",
             spec + "slurm/slurm-25.11.2-" + hash.substr(1) + "A.spec.manifest.json",
             spec + "Slurm/Slurm-25.11.2-" + hash + ".spec.manifest.json",
             spec + "../spec/slurm/slurm-25.11.2-" + hash + ".spec.manifest.json",
             "v3/manifests/key/" + fpr.substr(1) + ".key.manifest.json",
             std::string("v3/manifests/key/0123456789abcdef0123456789abcdef01234567.key."
                         "manifest.json"),
             "blobs/sha256/e4/" + hex,
             "blobs/sha1/e3/" + hex,
             "blobs/sha256/e3/" + hex + "/x",
             "blobs/sha256/E3/E3" + hex.substr(2),
             "_sf/snapshots/" + fpr + "/017-" + hex + ".json",
             "_sf/snapshots/" + fpr + "/0-" + hex + ".json",
             "_sf/snapshots/" + fpr + "/18446744073709551616-" + hex + ".json",
             "_sf/snapshots/" + fpr + "/-1-" + hex + ".json",
             "_sf/snapshots/" + fpr + "/17" + hex + ".json",
             "_sf/snapshots/x/17-" + hex + ".json",
             std::string("keys/index.asc"),
             std::string("builds/25.11.2/noble/slurm-25.11.2-noble-software.tar.gz"),
             std::string("builds/25.11/noble/slurm-25.11-noble-software.tar.gz.sha256"),
             std::string("builds/25.11/jammy/slurm-25.11-noble-software.tar.gz"),
             std::string("builds/25.11.2/noble/arm64/slurm-25.11.2-noble-amd64-software.tar.gz"),
         })
        EXPECT_FALSE(name_of(bad)) << bad;
    EXPECT_FALSE(key_of(SpecManifestName{"a/b", "1", hash}));
    EXPECT_FALSE(key_of(SpecManifestName{"slurm", "..", hash}));
    EXPECT_FALSE(key_of(SpecManifestName{"slurm", "1", "short"}));
    EXPECT_FALSE(key_of(KeyManifestName{"x"}));
    EXPECT_FALSE(key_of(BundleAliasName{"25.11", "noble", BundlePart::sbom}));
    EXPECT_FALSE(key_of(BundleAliasName{"25.11.2", "noble", BundlePart::archive}));
}

TEST(Layout, MirrorsHaveFolders) {
    EXPECT_EQ(folder_of({"noble", ""}).value(), "noble/slurm/deps");
    EXPECT_EQ(folder_of({"rockylinux9", "25.11"}).value(), "rockylinux9/slurm/25.11");
    EXPECT_EQ(mirror_of("noble/slurm/deps").value(), (MirrorName{"noble", ""}));
    EXPECT_EQ(mirror_of("noble/slurm/25.11").value(), (MirrorName{"noble", "25.11"}));
    for (const char* bad :
         {"", "noble", "noble/slurm", "noble/slurm/", "noble/slurm/25.11.2", "builds/slurm/25.11",
          "../slurm/deps", "noble/munge/deps", "noble/slurm/deps/v3"})
        EXPECT_FALSE(mirror_of(bad)) << bad;
    EXPECT_FALSE(folder_of({"noble", "deps"}));
    EXPECT_FALSE(folder_of({"sources", "25.11"}));
}

TEST(Layout, SaysWhatMayBeKept) {
    const std::string hex(64, 'a');
    for (const std::string& key :
         {"blobs/sha256/aa/" + hex, "sources/sha256/aa/" + hex, "_sf/index/" + hex + ".json.gz",
          std::string("v3/manifests/spec/zlib/zlib-1.3.1-") + std::string(32, 'b') +
              ".spec.manifest.json"})
        EXPECT_EQ(cache_control_of(key), "public, max-age=31536000, immutable") << key;
    for (const std::string& key :
         {std::string("_sf/snapshot.json"), std::string("v3/layout.json"),
          std::string("v3/manifests/index/index.manifest.json"),
          "v3/manifests/key/" + std::string(40, 'A') + ".key.manifest.json",
          std::string("builds/25.11/bookworm/slurm-25.11-bookworm-software.tar.gz"),
          std::string("of a person"), std::string()})
        EXPECT_EQ(cache_control_of(key), "no-cache") << key;
}

}  // namespace
}  // namespace sf::cache
