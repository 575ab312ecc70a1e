// SPDX-License-Identifier: Apache-2.0
// Bundles: what is inside, that the bytes depend on the packages alone, and what is refused.
#include "publish/bundle.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <map>

#include "base/digest.hpp"
#include "base/process.hpp"
#include "base/stream.hpp"
#include "model/bundle_layout.hpp"
#include "model/names.hpp"
#include "support/packages.hpp"
#include "trust/gpg_signer.hpp"
#include "trust/verdict.hpp"

namespace sf::publish {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class StringSink : public base::Sink {
public:
    base::Status write(base::Bytes bytes) override {
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
    }
    std::string text;
};

class Bundles : public ::testing::Test {
protected:
    Bundles() : x_folder(base::TempDir::create("/tmp", "sft-").value()) {}

    BundleRequest request(const std::string& version = "25.11.2", const std::string& salt = "1") {
        BundleRequest request;
        request.version = version;
        request.toolchain = "bookworm";
        request.target = "x86_64_v3";
        request.builder = "slurm-factory 0.1.0";
        for (auto& built : test::make_slurm(x_folder.path() / "packages", version, salt)) {
            request.packages.push_back({built.package, built.folder});
        }
        return request;
    }
    static base::Result<std::string> archive(const BundleRequest& request) {
        SF_TRY(const model::Bundle bundle, plan_bundle(request));
        SF_TRY(const std::string manifest, model::to_json(bundle));
        StringSink sink;
        SF_TRY([[maybe_unused]] const auto record,
               write_bundle_archive(request, bundle, manifest, "a signature", sink));
        return sink.text;
    }

    base::TempDir x_folder;
};

std::map<std::string, std::string> links(const model::Bundle& bundle) {
    std::map<std::string, std::string> map;
    for (const model::FileEntry& entry : bundle.view) {
        map[entry.path] = entry.type == model::EntryType::symlink ? entry.target : "folder";
    }
    return map;
}

TEST_F(Bundles, view) {
    const BundleRequest asked = request();
    const auto bundle = plan_bundle(asked);
    ASSERT_TRUE(bundle) << bundle.error().text();
    const std::string slurm = asked.packages[2].package.store_name();
    const std::string munge = asked.packages[1].package.store_name();
    const std::map<std::string, std::string> expected{
        {"bin", "folder"},
        {"bin/munge", "../../../store/" + munge + "/bin/munge"},
        {"bin/unmunge", "../../../store/" + munge + "/bin/unmunge"},
        {"bin/srun", "../../../store/" + slurm + "/bin/srun"},
        {"bin/sinfo", "../../../store/" + slurm + "/bin/sinfo"},
        {"sbin", "folder"},
        {"sbin/munged", "../../../store/" + munge + "/sbin/munged"},
        {"sbin/slurmd", "../../../store/" + slurm + "/sbin/slurmd"},
        {"lib", "../../store/" + slurm + "/lib"},
        {"share", "folder"},
        {"share/man", "folder"},
        {"share/man/man1", "folder"},
        {"share/man/man1/munge.1", "../../../../../store/" + munge + "/share/man/man1/munge.1"},
        {"share/man/man1/srun.1", "../../../../../store/" + slurm + "/share/man/man1/srun.1"},
        {"share/doc", "folder"},
        {"share/doc/empty", "../../../../store/" + slurm + "/share/doc/empty"},
    };
    EXPECT_EQ(links(*bundle), expected);
}

TEST_F(Bundles, no_file_link_to_a_shared_object_in_any_view) {
    const auto bundle = plan_bundle(request());
    ASSERT_TRUE(bundle);
    for (const model::FileEntry& entry : bundle->view) {
        EXPECT_EQ(entry.target.find(".so"), std::string::npos) << entry.path;
    }
}

TEST_F(Bundles, two_packages_with_one_program) {
    BundleRequest asked = request();
    auto other = test::make_package(x_folder.path() / "packages", "other", "1",
                                    {{"bin/srun", "impostor", true}});
    asked.packages.insert(asked.packages.begin(), {other.package, other.folder});
    EXPECT_TRUE(plan_bundle(asked));
    asked.view_packages.emplace_back("other");
    const auto refused = plan_bundle(asked);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("bin/srun"));
}

TEST_F(Bundles, assets_are_listed_and_linked) {
    BundleRequest asked = request();
    asked.assets = {{"data/slurm_assets/25.11.2/slurm_install.sh", "#!/bin/sh\n", true},
                    {"modules/slurm/25.11.2-bookworm.lua", "help()\n"}};
    const auto bundle = plan_bundle(asked);
    ASSERT_TRUE(bundle) << bundle.error().text();
    ASSERT_EQ(bundle->assets.size(), 2U);
    EXPECT_EQ(bundle->assets[0].mode, 0755U);
    EXPECT_EQ(bundle->assets[0].sha256, base::sha256("#!/bin/sh\n"));
    // The archive is compared with the manifest while it is written.
    ASSERT_TRUE(archive(asked));
    const auto shared = model::bundle_links(*bundle);
    ASSERT_EQ(shared.size(), 2U);
    EXPECT_EQ(shared[0].target, "25.11.2/slurm_install.sh");
    EXPECT_EQ(shared[1].path, "view");
    asked.assets[0].path = "data/slurm_assets/slurm_install.sh";
    const auto refused = plan_bundle(asked);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("data/slurm_assets/25.11.2/"));
}

TEST_F(Bundles, a_feature_that_is_not_there_is_refused) {
    BundleRequest asked = request();
    asked.features = {"gpu"};
    const auto refused = plan_bundle(asked);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("gpu_nvml.so"));
}

TEST_F(Bundles, same_inputs_same_bytes) {
    const BundleRequest asked = request();
    const auto first = archive(asked);
    const auto second = archive(asked);
    ASSERT_TRUE(first) << first.error().text();
    ASSERT_TRUE(second);
    EXPECT_EQ(base::sha256(*first), base::sha256(*second));
    // Other times on disk, another order of packages where the dependencies allow it.
    const auto again = archive(request());
    EXPECT_EQ(base::sha256(*first), base::sha256(*again));
    EXPECT_NE(base::sha256(*first), base::sha256(*archive(request("25.11.2", "2"))));
}

TEST_F(Bundles, files_beside_each_other_and_aliases) {
    const fs::path builds = x_folder.path() / "builds";
    const trust::Keyring keyring(x_folder.path() / "keys");
    const auto key = keyring.create({.name = "Release Key",
                                     .email = "release@example.org",
                                     .kind = trust::KeyKind::ed25519,
                                     .passphrase = {}});
    ASSERT_TRUE(key) << key.error().text();
    const auto signer = trust::GpgSigner::create(keyring, key->primary.fingerprint, {});
    ASSERT_TRUE(signer);
    const auto files = write_bundle(request(), builds, &*signer);
    ASSERT_TRUE(files) << files.error().text();
    EXPECT_EQ(files->bundle,
              builds / "bookworm/25.11/slurm-25.11.2-bookworm-amd64-software.tar.gz");
    EXPECT_EQ(files->alias, builds / "slurm-25.11-bookworm-software.tar.gz");
    EXPECT_EQ(base::read_file(files->checksum).value(),
              base::sha256_file(files->bundle).value().hex() +
                  "  slurm-25.11.2-bookworm-amd64-software.tar.gz\n");
    // The alias and its signature are those of the bundle.
    const auto trusted =
        trust::trusted_from({{key->primary.fingerprint, ""}},
                            {keyring.export_public(key->primary.fingerprint).value()});
    auto verifier = trust::Verifier::create(*trusted);
    ASSERT_TRUE(verifier);
    for (const fs::path& path : {files->bundle, files->alias}) {
        const base::Fd fd = base::open_file(path, O_RDONLY).value();
        const auto good =
            verifier->verify(fd.get(), base::read_file(path.native() + ".asc").value(), "bundle");
        EXPECT_TRUE(good) << good.error().text();
    }
    // tar reads it, and finds what belongs there.
    base::Command tar;
    tar.argv = {"tar", "-tzvf", files->bundle.native()};
    const auto listed = base::run(tar);
    ASSERT_TRUE(listed);
    EXPECT_TRUE(listed->exit.ok()) << listed->err;
    EXPECT_THAT(listed->out, HasSubstr("view -> views/25.11.2\n"));
    EXPECT_THAT(listed->out, HasSubstr("manifests/25.11.2.json.asc\n"));
    EXPECT_THAT(listed->out, HasSubstr("root/root"));

    // A newer release takes the alias over; the older bundle stays.
    const auto newer = write_bundle(request("25.11.7"), builds, &*signer);
    ASSERT_TRUE(newer) << newer.error().text();
    EXPECT_EQ(fs::read_symlink(files->alias),
              "bookworm/25.11/slurm-25.11.7-bookworm-amd64-software.tar.gz");
    EXPECT_TRUE(base::exists(files->bundle));
    // Without a key no signature of before stays beside new bytes.
    const auto plain = write_bundle(request("25.11.7", "2"), builds, nullptr);
    ASSERT_TRUE(plain) << plain.error().text();
    EXPECT_TRUE(plain->signature.empty());
    EXPECT_FALSE(base::exists(plain->bundle.native() + ".asc"));
    EXPECT_FALSE(base::exists(plain->alias.native() + ".asc"));
    // Nothing temporary is left.
    const auto names = base::list_dir(builds / "bookworm/25.11").value();
    for (const std::string& name : names) {
        EXPECT_EQ(name.find(".tmp"), std::string::npos) << name;
    }
}

TEST_F(Bundles, what_is_not_a_closure) {
    BundleRequest asked = request();
    asked.version = "25.11.3";
    EXPECT_THAT(plan_bundle(asked).error().text(), HasSubstr("not among the packages"));
    asked = request();
    asked.packages.erase(asked.packages.begin());
    EXPECT_THAT(plan_bundle(asked).error().text(), HasSubstr("not in the bundle before it"));
    asked = request();
    std::swap(asked.packages[0], asked.packages[2]);
    EXPECT_FALSE(plan_bundle(asked));
    asked = request();
    asked.packages.push_back(asked.packages[0]);
    EXPECT_THAT(plan_bundle(asked).error().text(), HasSubstr("twice"));
    asked = request();
    asked.packages[0].package.toolchain = "noble";
    EXPECT_THAT(plan_bundle(asked).error().text(), HasSubstr("noble"));
    asked = request();
    asked.version = "../25";
    EXPECT_FALSE(plan_bundle(asked));
}

TEST_F(Bundles, archives_that_are_not_their_manifests) {
    BundleRequest asked = request();
    const fs::path run = asked.packages[0].folder / "run.tar.zst";
    // Another archive under the name.
    std::string bytes = base::read_file(run).value();
    bytes[bytes.size() / 2] ^= 1;
    ASSERT_TRUE(base::write_file(run, bytes));
    EXPECT_THAT(archive(asked).error().text(), HasSubstr("SHA-256"));
    // A manifest that says something else about a file.
    asked = request();
    asked.packages[0].package.files.back().size += 1;
    EXPECT_THAT(archive(asked).error().text(), HasSubstr("not the manifest's"));
    asked = request();
    asked.packages[0].package.files.pop_back();
    EXPECT_THAT(archive(asked).error().text(), HasSubstr("not in its manifest"));
    asked = request();
    ASSERT_TRUE(base::remove_file(asked.packages[0].folder / "run.tar.zst"));
    EXPECT_FALSE(archive(asked));
    // Nothing appears in the builds folder after a failure.
    const fs::path builds = x_folder.path() / "builds";
    EXPECT_FALSE(write_bundle(asked, builds, nullptr));
    EXPECT_TRUE(base::list_dir(builds / "bookworm/25.11").value().empty());
    EXPECT_FALSE(base::exists(builds / "slurm-25.11-bookworm-software.tar.gz"));
}

TEST(BundleLayout, tree) {
    model::Bundle bundle;
    bundle.name = "slurm";
    bundle.version = "25.11.2";
    model::FileEntry link;
    link.path = "bin/a";
    link.type = model::EntryType::symlink;
    link.target = "../../../store/x/bin/a";
    bundle.view = {link};
    const auto tree = model::bundle_tree(bundle);
    ASSERT_TRUE(tree);
    std::vector<std::string> paths;
    for (const model::FileEntry& entry : *tree) paths.push_back(entry.path);
    EXPECT_EQ(paths, (std::vector<std::string>{"store", "view", "views", "views/25.11.2",
                                               "views/25.11.2/bin", "views/25.11.2/bin/a"}));
    bundle.view.push_back(link);
    EXPECT_FALSE(model::bundle_tree(bundle));
    bundle.view.back().path = "bin/a/b";
    EXPECT_FALSE(model::bundle_tree(bundle));
}

}  // namespace
}  // namespace sf::publish
