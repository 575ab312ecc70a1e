// SPDX-License-Identifier: Apache-2.0
// What makes a bundle acceptable, and each reason for refusing one.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <random>

#include "unit/install/bundle_maker.hpp"

namespace sf::install {
namespace {

using ::testing::HasSubstr;

using Verify = BundleTest;

TEST_F(Verify, good) {
    const fs::path path = make();
    const auto verified = verify_bundle(path, x_policy);
    ASSERT_TRUE(verified) << verified.error().text();
    EXPECT_EQ(verified->bundle.version, "25.11.2");
    EXPECT_EQ(verified->bundle.packages.size(), 3U);
    ASSERT_TRUE(verified->signer.has_value());
    EXPECT_EQ(verified->signer->primary.text(), x_key);
    EXPECT_EQ(verified->sha256, base::sha256_file(path).value());
    EXPECT_TRUE(verified->notices.empty());
}

TEST_F(Verify, under_the_alias_and_under_a_name_of_ones_own) {
    const fs::path path = make();
    for (const char* name : {"slurm-25.11-bookworm-software.tar.gz", "mine \xC3\xA9 'x'.tar.gz"}) {
        const fs::path other = path.parent_path() / name;
        fs::copy_file(path, other);
        fs::copy_file(path.native() + ".asc", other.native() + ".asc");
        EXPECT_EQ(verify(other), "") << name;
    }
    for (const char* name :
         {"slurm-25.11.7-bookworm-amd64-software.tar.gz",
          "slurm-25.11.2-noble-amd64-software.tar.gz", "slurm-24.11-bookworm-software.tar.gz"}) {
        const fs::path other = path.parent_path() / name;
        fs::copy_file(path, other);
        fs::copy_file(path.native() + ".asc", other.native() + ".asc");
        EXPECT_THAT(verify(other), HasSubstr("holds another bundle: slurm 25.11.2 for bookworm"))
            << name;
    }
}

TEST_F(Verify, missing_things) {
    const fs::path path = make();
    EXPECT_THAT(verify(path.native() + "x"), HasSubstr("No such file"));
    ASSERT_TRUE(base::remove_file(path.native() + ".asc"));
    EXPECT_THAT(verify(path), HasSubstr("is not signed"));
    x_policy.accept_unsigned = true;
    const auto verified = verify_bundle(path, x_policy);
    ASSERT_TRUE(verified) << verified.error().text();
    EXPECT_FALSE(verified->signer);
    EXPECT_EQ(verified->notices.size(), 1U);
}

TEST_F(Verify, nobody_trusted) {
    const fs::path path = make();
    x_policy.verifier = nullptr;
    EXPECT_THAT(verify(path), HasSubstr("no key is trusted"));
    x_policy.accept_unsigned = true;
    EXPECT_EQ(verify(path), "");
}

TEST_F(Verify, accepting_unsigned_is_not_accepting_wrongly_signed) {
    const fs::path path = make();
    x_policy.accept_unsigned = true;
    const std::string other = x_gpg.make_key("Other <o@example.org>");
    ASSERT_TRUE(base::write_file(path.native() + ".asc",
                                 x_gpg.sign(base::read_file(path).value(), {other})));
    EXPECT_THAT(verify(path), HasSubstr("not trusted"));
}

TEST_F(Verify, digests) {
    const fs::path path = make();
    const base::Digest right = base::sha256_file(path).value();
    x_policy.sha256 = right;
    EXPECT_EQ(verify(path), "");
    x_policy.sha256 = base::sha256("other");
    EXPECT_THAT(verify(path), HasSubstr("expected was"));
    x_policy.sha256.reset();
    const fs::path beside = path.native() + ".sha256";
    ASSERT_TRUE(base::write_file(beside, right.hex() + "  " + path.filename().native() + "\n"));
    EXPECT_EQ(verify(path), "");
    ASSERT_TRUE(base::write_file(beside, base::sha256("other").hex() + "  x\n"));
    EXPECT_THAT(verify(path), HasSubstr("its .sha256 file says"));
    for (const std::string& text : {std::string(), std::string("x"), right.hex()}) {
        ASSERT_TRUE(base::write_file(beside, text));
        EXPECT_THAT(verify(path), HasSubstr("damaged")) << text;
    }
}

// Everything an installation would make, but for the manifest itself, as text.
std::string installed(const VerifiedBundle& verified) {
    std::string text;
    for (const model::FileEntry& entry : verified.tree) {
        if (entry.path.starts_with("manifests/")) continue;
        text += fmt::format("{} {} {:o} {} {} {}\n", entry.path, static_cast<int>(entry.type),
                            entry.type == model::EntryType::file ? entry.mode : 0U, entry.size,
                            entry.sha256.hex(), entry.target);
    }
    return text;
}

TEST_F(Verify, flipped_bits_in_the_bundle) {
    const fs::path path = make();
    const std::string good = base::read_file(path).value();
    const fs::path signature = path.native() + ".asc";
    std::mt19937 random(11);
    for (int round = 0; round < 40; ++round) {
        std::string bad = good;
        const std::size_t bit = random() % (bad.size() * 8);
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        ASSERT_TRUE(base::write_file(path, bad));
        EXPECT_THAT(verify(path), HasSubstr("was changed after signing")) << "bit " << bit;
    }
    // Without the signature's help an unsigned manifest may say something else about, say, a
    // licence, but what would be installed is the same to the last bit, or it is refused.
    ASSERT_TRUE(base::write_file(path, good));
    ASSERT_TRUE(base::remove_file(signature));
    x_policy.accept_unsigned = true;
    const auto original = verify_bundle(path, x_policy);
    ASSERT_TRUE(original) << original.error().text();
    for (int round = 0; round < 400; ++round) {
        std::string bad = good;
        const std::size_t bit = random() % (bad.size() * 8);
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        std::ofstream(path, std::ios::binary | std::ios::trunc) << bad;
        const auto verified = verify_bundle(path, x_policy);
        if (!verified) continue;
        EXPECT_EQ(installed(*verified), installed(*original)) << "bit " << bit;
    }
    // With a .sha256 file beside it, that finds every one.
    ASSERT_TRUE(base::write_file(path.native() + ".sha256", base::sha256(good).hex() + "  x\n"));
    for (int round = 0; round < 50; ++round) {
        std::string bad = good;
        const std::size_t bit = random() % (bad.size() * 8);
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        std::ofstream(path, std::ios::binary | std::ios::trunc) << bad;
        EXPECT_THAT(verify(path), HasSubstr("its .sha256 file says")) << "bit " << bit;
    }
}

TEST_F(Verify, truncated_and_extended) {
    const fs::path path = make();
    const std::string good = base::read_file(path).value();
    ASSERT_TRUE(base::remove_file(path.native() + ".asc"));
    x_policy.accept_unsigned = true;
    for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{9}, std::size_t{20},
                             good.size() / 2, good.size() - 8, good.size() - 1}) {
        ASSERT_TRUE(base::write_file(path, good.substr(0, size)));
        EXPECT_NE(verify(path), "") << size;
    }
    ASSERT_TRUE(base::write_file(path, good + "x"));
    EXPECT_NE(verify(path), "");
    ASSERT_TRUE(base::write_file(path, good + good));
    EXPECT_NE(verify(path), "");
}

TEST_F(Verify, every_flipped_bit_of_the_signature_file) {
    const fs::path path = make();
    const fs::path signature = path.native() + ".asc";
    const std::string good = base::read_file(signature).value();
    for (std::size_t bit = 0; bit < good.size() * 8; bit += 7) {
        std::string bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        ASSERT_TRUE(base::write_file(signature, bad));
        EXPECT_THAT(verify(path), HasSubstr("signature file is damaged")) << "bit " << bit;
    }
}

TEST_F(Verify, signature_of_another_bundle) {
    const fs::path first = make("25.11.2");
    const fs::path second = make("25.11.7");
    fs::copy_file(first.native() + ".asc", second.native() + ".asc",
                  fs::copy_options::overwrite_existing);
    EXPECT_THAT(verify(second), HasSubstr("was changed after signing"));
}

// The bundle's own signature is good in all of these: the signer was careless, or fooled.
TEST_F(Verify, contents_that_are_not_the_manifests) {
    struct Case {
        const char* what;
        Change change;
        const char* message;
    };
    const std::string extra = "store/extra";
    std::vector<Case> cases;
    cases.push_back({"a file changed",
                     {.file =
                          [](std::string& path, std::string& text) {
                              if (path.ends_with("bin/srun")) text[0] ^= 1;
                          }},
                     "has SHA-256"});
    cases.push_back({"a file longer",
                     {.file =
                          [](std::string& path, std::string& text) {
                              if (path.ends_with("bin/srun")) text += "x";
                          }},
                     "bytes, not"});
    cases.push_back(
        {"a file more",
         {.last =
              [](pack::ArchiveWriter& writer) { return writer.add_memory("store/extra", "x"); }},
         "store/extra is not in the manifest"});
    cases.push_back(
        {"a folder more",
         {.last = [](pack::ArchiveWriter& writer) { return writer.add_directory("etc"); }},
         "etc is not in the manifest"});
    cases.push_back({"no view", {.leave_out = "view"}, "view is missing"});
    cases.push_back({"no manifest", {.without_manifest = true}, "there is no manifest"});
    cases.push_back({"manifest not signed",
                     {.without_manifest_signature = true},
                     "the manifest in it is not signed"});
    cases.push_back(
        {"manifest changed after signing",
         {.signed_manifest =
              [](std::string& text) { text.replace(text.find("x86_64_v3"), 9, "x86_64_v4"); }},
         "was changed after signing"});
    cases.push_back({"not JSON", {.manifest_text = [](std::string& text) { text = "{"; }}, ""});
    cases.push_back({"a manifest late",
                     {.last =
                          [](pack::ArchiveWriter& writer) {
                              return writer.add_memory("manifests/9.json", "{}");
                          }},
                     "not at the beginning"});
    cases.push_back({"two manifests",
                     {.first =
                          [](pack::ArchiveWriter& writer) {
                              return writer.add_memory("manifests/9.json", "{}");
                          }},
                     "has no place"});
    cases.push_back({"a stranger before the manifest",
                     {.first =
                          [](pack::ArchiveWriter& writer) {
                              return writer.add_memory("install.sh", "rm -rf /");
                          }},
                     "there is no manifest"});
    cases.push_back({"the manifest of another version",
                     {.manifest = [](model::Bundle& bundle) { bundle.version = "25.11.9"; }},
                     "is the manifest of 25.11.9"});
    cases.push_back({"another toolchain's package",
                     {.manifest = [](model::Bundle& bundle) { bundle.toolchain = "noble"; }},
                     "is for bookworm"});
    cases.push_back(
        {"a dependency missing",
         {.manifest =
              [](model::Bundle& bundle) { bundle.packages.erase(bundle.packages.begin()); }},
         "not in the manifest before it"});
    cases.push_back(
        {"a package twice",
         {.manifest = [](model::Bundle& bundle) { bundle.packages.push_back(bundle.packages[0]); }},
         "twice"});
    cases.push_back(
        {"a path out",
         {.manifest =
              [](model::Bundle& bundle) { bundle.packages[0].files[0].path = "../../etc/passwd"; }},
         "'..' in a path"});
    cases.push_back(
        {"an absolute path",
         {.manifest =
              [](model::Bundle& bundle) { bundle.packages[0].files[0].path = "/etc/passwd"; }},
         "absolute path"});
    cases.push_back({"a setuid file",
                     {.manifest =
                          [](model::Bundle& bundle) {
                              for (auto& entry : bundle.packages[0].files) {
                                  if (entry.type == model::EntryType::file) entry.mode = 04755;
                              }
                          }},
                     "mode is neither"});
    cases.push_back({"a link to a package that is no dependency",
                     {.manifest =
                          [](model::Bundle& bundle) {
                              bundle.packages[2].dependencies = {bundle.packages[0].store_name()};
                          }},
                     "symlink points outside"});
    cases.push_back(
        {"a view with a file",
         {.manifest = [](model::Bundle& bundle) { bundle.view[0].type = model::EntryType::file; }},
         "holds a file"});
    cases.push_back(
        {"a view out of the store",
         {.manifest =
              [](model::Bundle& bundle) { bundle.view[0].target = "../../../../../etc/passwd"; }},
         "symlink points outside"});
    cases.push_back({"a view into itself",
                     {.manifest = [](model::Bundle& bundle) { bundle.view[0].target = "srun"; }},
                     "symlink points outside"});
    int number = 0;
    for (const Case& item : cases) {
        const fs::path path =
            make("25.11.2", "1", item.change, fmt::format("bundles-{}", number++));
        const std::string text = verify(path);
        EXPECT_NE(text, "") << item.what;
        EXPECT_THAT(text, HasSubstr(item.message)) << item.what;
    }
}

TEST_F(Verify, no_tarball_at_all) {
    const fs::path folder = x_folder.path() / "odd";
    ASSERT_TRUE(base::make_dirs(folder));
    const fs::path path = folder / "slurm-25.11.2-bookworm-amd64-software.tar.gz";
    ASSERT_TRUE(base::write_file(path, "hello"));
    sign(path);
    EXPECT_NE(verify(path), "");
    ASSERT_TRUE(base::write_file(path, ""));
    sign(path);
    EXPECT_NE(verify(path), "");
    ASSERT_TRUE(base::make_dirs(folder / "folder.tar.gz"));
    EXPECT_THAT(verify(folder / "folder.tar.gz"), HasSubstr("is not a file"));
    ASSERT_EQ(::mkfifo((folder / "fifo.tar.gz").c_str(), 0600), 0);
    EXPECT_THAT(verify(folder / "fifo.tar.gz"), HasSubstr("is not a file"));
}

TEST_F(Verify, assets_are_part_of_what_is_signed) {
    EXPECT_EQ(verify(make()), "");
    Change changed;
    changed.file = [](std::string& path, std::string& content) {
        if (path.ends_with("slurm_install.sh")) content += "id\n";
    };
    EXPECT_THAT(verify(make("25.11.2", "1", changed)), HasSubstr("slurm_install.sh"));
    Change missing;
    missing.leave_out = "data/slurm_assets/25.11.2/modulerc.lua";
    EXPECT_THAT(verify(make("25.11.2", "1", missing)), HasSubstr("missing"));
    Change link;
    link.leave_out = "data/slurm_assets/slurm_install.sh";
    EXPECT_THAT(verify(make("25.11.2", "1", link)), HasSubstr("missing"));
}

TEST_F(Verify, assets_have_their_places) {
    for (const char* path :
         {"data/slurm_assets/25.11.7/x", "data/slurm_assets/25.11.2", "data/x", "bin/x",
          "modules/slurm/25.11.7-bookworm.lua", "data/slurm_assets/25.11.2/../../../x"}) {
        Change change;
        change.manifest = [&](model::Bundle& bundle) { bundle.assets[0].path = path; };
        EXPECT_NE(verify(make("25.11.2", "1", change)), "") << path;
    }
    Change type;
    type.manifest = [&](model::Bundle& bundle) {
        bundle.assets[0].type = model::EntryType::symlink;
        bundle.assets[0].target = "/etc/shadow";
    };
    EXPECT_THAT(verify(make("25.11.2", "1", type)), HasSubstr("not a file"));
}

}  // namespace
}  // namespace sf::install
