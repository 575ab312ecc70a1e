// SPDX-License-Identifier: Apache-2.0
// The tree the installer lies in, on a real disk: each way it can differ from its manifest is
// refused, and named.
#include "deploy/own_tree.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>
#include <unistd.h>

#include "base/files.hpp"
#include "model/bundle_layout.hpp"
#include "tree/tree_matcher.hpp"

namespace sf::deploy {
namespace {

namespace fs = std::filesystem;

class OwnTreeTest : public ::testing::Test {
protected:
    OwnTreeTest() {
        bundle.name = "slurm";
        bundle.version = "25.11.2";
        bundle.toolchain = "bookworm";
        bundle.architecture = "amd64";
        bundle.target = "x86_64_v3";
        bundle.builder = "slurm-factory test";
        model::Package slurm;
        slurm.name = "slurm";
        slurm.version = bundle.version;
        slurm.toolchain = bundle.toolchain;
        slurm.target = bundle.target;
        slurm.identity_text = R"({"name":"slurm"})";
        slurm.identity = base::sha256(slurm.identity_text);
        slurm.license = "GPL-2.0-or-later";
        store = model::bundle_store_path(slurm.store_name());
        file(store + "/bin/srun", "srun", 0755);
        file(store + "/lib/libslurm.so.44", "code", 0644);
        link(store + "/lib/libslurm.so", "libslurm.so.44");
        slurm.files =
            entries(store, {"bin", "bin/srun", "lib", "lib/libslurm.so", "lib/libslurm.so.44"});
        slurm.run.file = "run.tar.zst";
        bundle.packages = {slurm};
        link("views/25.11.2/bin/srun", "../../../" + store + "/bin/srun");
        bundle.view = entries("views/25.11.2", {"bin", "bin/srun"});
        file(assets + "/config/slurm.conf", "ClusterName=@cluster@\n", 0644);
        file(assets + "/slurm-setup", "helper", 0755);
        file(assets + "/slurm_install.sh", "front", 0755);
        file(modulefile, "-- module", 0644);
        bundle.assets = entries("", {assets + "/config/slurm.conf", assets + "/slurm-setup",
                                     assets + "/slurm_install.sh", modulefile});
        link("data/slurm_assets/slurm_install.sh", "25.11.2/slurm_install.sh");
        link("view", "views/25.11.2");
        write_manifest("25.11.2", bundle);
    }

    void file(const std::string& path, const std::string& content, unsigned mode) {
        ASSERT_TRUE(base::make_dirs((top / path).parent_path()));
        fs::remove(top / path);
        ASSERT_TRUE(base::write_file(top / path, content, mode));
        ASSERT_EQ(::chmod((top / path).c_str(), mode), 0);
    }
    void link(const std::string& path, const std::string& target) {
        ASSERT_TRUE(base::make_dirs((top / path).parent_path()));
        fs::remove(top / path);
        fs::create_symlink(target, top / path);
    }
    std::vector<model::FileEntry> entries(const std::string& folder,
                                          const std::vector<std::string>& paths) const {
        std::vector<model::FileEntry> found;
        for (const std::string& path : paths)
            found.push_back(tree::read_entry(top / folder, path).value());
        return found;
    }
    void write_manifest(const std::string& version, const model::Bundle& said) {
        file("manifests/" + version + ".json", model::to_json(said).value(), 0644);
    }
    // As setup.cpp does it.
    base::Status check(bool owned = true) const {
        const fs::path helper = top / assets / "slurm-setup";
        SF_TRY(const auto located, locate_tree(helper));
        SF_TRY(const OwnTree own, open_tree(located.first, located.second, {}));
        return verify_tree(own, own.top, owned);
    }
    void expect_refused(const std::string& words) const {
        const base::Status refused = check();
        ASSERT_FALSE(refused) << words;
        EXPECT_NE(refused.error().text().find(words), std::string::npos) << refused.error().text();
    }

    base::TempDir room = base::TempDir::create("/tmp", "sft-").value();
    fs::path top = room.path() / "tree";
    std::string store;
    std::string assets = "data/slurm_assets/25.11.2";
    std::string modulefile = "modules/slurm/25.11.2-bookworm.lua";
    model::Bundle bundle;
};

TEST_F(OwnTreeTest, WhatTheManifestSaysIsGood) {
    const base::Status good = check();
    EXPECT_TRUE(good) << good.error().text();
    const auto own = open_tree(top, "25.11.2", {});
    ASSERT_TRUE(own);
    EXPECT_FALSE(own->signer);
    EXPECT_NE(own->notice.find("Authenticity rests on the tarball's own .asc"), std::string::npos);
}

TEST_F(OwnTreeTest, TheHelperLiesInATree) {
    EXPECT_EQ(locate_tree("/opt/s/data/slurm_assets/25.11.2/slurm-setup").value(),
              std::pair(fs::path("/opt/s"), std::string("25.11.2")));
    for (const char* elsewhere :
         {"/usr/bin/slurm-setup", "/opt/s/data/slurm_assets/25.11.2/slurm_install.sh",
          "/opt/s/data/slurm_assets/..x/slurm-setup", "/opt/s/assets/25.11.2/slurm-setup"})
        EXPECT_FALSE(locate_tree(elsewhere)) << elsewhere;
}

// Same size, same time: only its content tells.
TEST_F(OwnTreeTest, AChangedFileIsNamedWhereverItLies) {
    for (const auto& [path, changed, mode] :
         {std::tuple{store + "/bin/srun", std::string("srum"), 0755U},
          {store + "/lib/libslurm.so.44", "kode", 0644U},
          {assets + "/config/slurm.conf", "ClusterName=@clusteR@\n", 0644U},
          {assets + "/slurm-setup", "HELPER", 0755U},
          {modulefile, "-- MODULE", 0644U}}) {
        const std::string before = base::read_file(top / path).value();
        ASSERT_EQ(before.size(), changed.size());
        file(path, changed, mode);
        const std::string name = path == modulefile ? path : fs::path(path).filename().native();
        expect_refused(name + " is not what the manifest says: it ");
        file(path, before, mode);
        ASSERT_TRUE(check());
    }
}

TEST_F(OwnTreeTest, AnotherModeIsAnotherFile) {
    ASSERT_EQ(::chmod((top / store / "bin/srun").c_str(), 0644), 0);
    expect_refused("bin/srun is not what the manifest says");
}

TEST_F(OwnTreeTest, WhatIsMissingIsNamed) {
    fs::remove(top / store / "bin/srun");
    const base::Status not_owned = check(false);
    ASSERT_FALSE(not_owned);
    EXPECT_NE(not_owned.error().text().find("bin/srun is missing"), std::string::npos)
        << not_owned.error().text();
    expect_refused("bin/srun");
    file(store + "/bin/srun", "srun", 0755);
    fs::remove(top / "views/25.11.2/bin/srun");
    expect_refused("bin/srun");
    link("views/25.11.2/bin/srun", "../../../" + store + "/bin/srun");
    fs::remove(top / modulefile);
    expect_refused(modulefile);
    file(modulefile, "-- module", 0644);
    fs::remove_all(top / "manifests");
    expect_refused("manifests/25.11.2.json");
}

TEST_F(OwnTreeTest, WhatIsMoreInItsOwnFoldersIsRefused) {
    for (const std::string& path :
         {store + "/lib/libevil.so", std::string("views/25.11.2/bin/evil"),
          assets + "/systemd/evil.service"}) {
        file(path, "evil", 0644);
        expect_refused(" is not in the manifest");
        fs::remove(top / path);
        // A folder of a name of its own goes too.
        fs::remove(top / assets / "systemd");
        ASSERT_TRUE(check()) << path;
    }
    // Another version's, beside ours, is none of our business.
    file("views/25.11.3/bin/other", "x", 0644);
    file("data/slurm_assets/25.11.3/slurm-setup", "x", 0755);
    EXPECT_TRUE(check());
}

// It would be read, and be right, through a link that leads to something right: until it does not.
TEST_F(OwnTreeTest, ALinkIsNoFile) {
    fs::rename(top / store / "bin/srun", room.path() / "srun");
    link(store + "/bin/srun", (room.path() / "srun").native());
    expect_refused("bin/srun is not what the manifest says");
    file(store + "/bin/srun", "srun", 0755);
    fs::rename(top / store / "lib", room.path() / "lib");
    link(store + "/lib", (room.path() / "lib").native());
    expect_refused("lib is not what the manifest says");
    fs::remove(top / store / "lib");
    fs::rename(room.path() / "lib", top / store / "lib");
    ASSERT_TRUE(check());
    // And a link that leads elsewhere than it should is not the link.
    link(store + "/lib/libslurm.so", "/tmp/libslurm.so.44");
    expect_refused("lib/libslurm.so is not what the manifest says");
}

TEST_F(OwnTreeTest, AManifestOfAnotherVersionIsNotOurs) {
    model::Bundle other = bundle;
    other.version = "25.11.3";
    write_manifest("25.11.2", other);
    expect_refused("manifests/25.11.2.json is the manifest of 25.11.3");
    file("manifests/25.11.2.json", "{}", 0644);
    EXPECT_FALSE(check());
    file("manifests/25.11.2.json", "not JSON", 0644);
    EXPECT_FALSE(check());
}

// Copied elsewhere, and changed between the look and the use.
TEST_F(OwnTreeTest, TheManifestThatWasCheckedIsTheOneThatCounts) {
    const auto own = open_tree(top, "25.11.2", {});
    ASSERT_TRUE(own);
    model::Bundle other = bundle;
    other.builder = "somebody else";
    write_manifest("25.11.2", other);
    const base::Status refused = verify_tree(*own, top, true);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text().find("is not the manifest that was checked"),
              std::string::npos);
}

TEST_F(OwnTreeTest, SharedLinksPointToAVersionAndNowhereElse) {
    link("view", "views/25.11.3");
    link("data/slurm_assets/slurm_install.sh", "25.11.3/slurm_install.sh");
    EXPECT_TRUE(check()) << "another version was unpacked since";
    for (const char* elsewhere : {"views/../../etc", "/etc", "views/25.11.3/bin", "views/"}) {
        link("view", elsewhere);
        expect_refused("which is no version of ours");
    }
    link("view", "views/25.11.2");
    fs::remove(top / "data/slurm_assets/slurm_install.sh");
    EXPECT_FALSE(check());
}

TEST_F(OwnTreeTest, WhoCouldChangeWhatRootRunsIsRefused) {
    ASSERT_EQ(::chmod((top / store / "bin").c_str(), 0777), 0);
    expect_refused("can be written by others");
    EXPECT_TRUE(check(false)) << "it is to be copied";
    ASSERT_EQ(::chmod((top / store / "bin").c_str(), 0755), 0);
    if (::geteuid() != 0) GTEST_SKIP() << "NOT RUN: only root can give a file away";
    ASSERT_EQ(::chown((top / store / "bin/srun").c_str(), 65534, 65534), 0);
    expect_refused("belongs to user 65534");
    EXPECT_TRUE(check(false));
}

TEST_F(OwnTreeTest, ACopyIsTheSameTree) {
    const auto own = open_tree(top, "25.11.2", {});
    ASSERT_TRUE(own);
    ASSERT_EQ(::chmod(room.path().c_str(), 0755), 0);
    const fs::path to = room.path() / "copy";
    const auto copied = copy_tree(*own, to);
    ASSERT_TRUE(copied) << copied.error().text();
    EXPECT_TRUE(copied->changed);
    const base::Status same = verify_tree(*own, to, true);
    EXPECT_TRUE(same) << same.error().text();
    EXPECT_EQ(fs::read_symlink(to / "view"), "views/25.11.2");
    EXPECT_FALSE(copy_tree(*own, to)->changed);
    // What was changed after the look does not arrive.
    file(store + "/bin/srun", "srum", 0755);
    EXPECT_FALSE(copy_tree(*own, room.path() / "another"));
    EXPECT_FALSE(fs::exists(room.path() / "another/views/25.11.2"));
}

// A site that has no such key refuses; nothing is read of the tree before.
TEST_F(OwnTreeTest, ANamedKeyAsksForASignature) {
    TrustRequest request;
    request.key = "0123456789ABCDEF0123456789ABCDEF01234567";
    const auto without_key = open_tree(top, "25.11.2", request);
    ASSERT_FALSE(without_key);
    EXPECT_NE(without_key.error().hint.find("--key-file"), std::string::npos);
    request.key = "89ABCDEF";
    EXPECT_FALSE(open_tree(top, "25.11.2", request)) << "too short to name a key";
}

}  // namespace
}  // namespace sf::deploy
