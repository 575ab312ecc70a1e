// SPDX-License-Identifier: Apache-2.0
// Signed manifests: what is written is read, through a real gpg too; nothing else is.
#include "cache/spec_manifest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "support/gnupg.hpp"

namespace sf::cache {
namespace {

using ::testing::HasSubstr;

const std::string hash = "fcekcbg6irko6kq4wskqjg7xvqrjis57";
const std::string key = "v3/manifests/spec/slurm/slurm-25.11.2-" + hash + ".spec.manifest.json";

model::ArchiveRecord archive(const std::string& file, std::uint64_t size) {
    return {file, base::sha256(file), size, 10 * size, size / 10};
}

SpecManifest example() {
    SpecManifest manifest;
    manifest.name = "slurm";
    manifest.version = "25.11.2";
    manifest.hash = hash;
    manifest.target = "x86_64_v3";
    manifest.toolchain = "bookworm";
    manifest.identity = base::sha256("identity");
    manifest.install = {std::string(media::spack_install), "gzip", 508004, base::sha256("i")};
    manifest.spec = {std::string(media::spack_spec), "gzip", 1033, base::sha256("s")};
    manifest.package = {std::string(media::package), "none", 4711, base::sha256("p")};
    manifest.run = archive("run.tar.zst", 400'000);
    manifest.dbg = archive("dbg.tar.zst", 900'000);
    manifest.others = {{"application/spdx+json", "none", 17, base::sha256("b")},
                       {"application/vnd.in-toto+json", "none", 18, base::sha256("v")}};
    return manifest;
}

TEST(SpecManifest, SaysOneThingALine) {
    const std::string text = to_json(example()).value();
    EXPECT_TRUE(
        text.starts_with("{\n\"version\": 3,\n\"data\": [\n{\n\"contentLength\": 508004,\n"
                         "\"mediaType\": \"application/vnd.spack.install.v2.tar+gzip\",\n"
                         "\"compression\": \"gzip\",\n\"checksumAlgorithm\": \"sha256\",\n"
                         "\"checksum\": \""))
        << text;
    EXPECT_TRUE(
        text.ends_with("\"sizes\": {\n\"run\": {\n\"unpacked\": 4000000,\n"
                       "\"entries\": 40000\n},\n\"dbg\": {\n\"unpacked\": 9000000,\n"
                       "\"entries\": 90000\n}\n}\n}\n}\n"))
        << text;
    EXPECT_THAT(text, HasSubstr("\"slurmFactory\": {\n\"name\": \"slurm\",\n"
                                "\"version\": \"25.11.2\",\n\"hash\": \"" +
                                hash +
                                "\",\n\"target\": \"x86_64_v3\",\n"
                                "\"toolchain\": \"bookworm\",\n\"identity\": \""));
    // A line that begins with a dash, or ends with a blank, is another one in a clear signature.
    for (const std::string& line : base::split(text, '\n')) {
        EXPECT_FALSE(line.starts_with('-')) << line;
        EXPECT_EQ(base::trim(line), line);
        EXPECT_LE(line.size(), 19'993U);
    }
}

TEST(SpecManifest, WhatIsWrittenIsRead) {
    const SpecManifest manifest = example();
    const std::string text = to_json(manifest).value();
    const auto read = spec_manifest_from_json(text, key);
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->identity, manifest.identity);
    EXPECT_EQ(read->blobs(), manifest.blobs());
    EXPECT_EQ(read->blobs().size(), 7U);
    EXPECT_EQ(read->dbg->entries, 90'000U);
    EXPECT_FALSE(read->dev);
    EXPECT_EQ(to_json(*read).value(), text);
}

TEST(SpecManifest, ComesThroughGnupgAsItWas) {
    test::Gnupg gnupg;
    const std::string who = gnupg.make_key("cache <cache@example.org>");
    const std::string text = to_json(example()).value();
    const std::string signature = gnupg.run({"--local-user", who, "--clearsign"}, text);
    EXPECT_EQ(gnupg.run({"--decrypt"}, signature), text);
}

TEST(SpecManifest, EveryByteCounts) {
    const std::string text = to_json(example()).value();
    std::size_t taken = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::string changed = text;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        const auto read = spec_manifest_from_json(changed, key);
        if (!read) continue;
        // A digit became another one: the text still has one reading, which is not the old one.
        ++taken;
        EXPECT_EQ(to_json(*read).value(), changed);
        EXPECT_NE(to_json(*read).value(), text);
    }
    EXPECT_GT(taken, 0U);
    EXPECT_LT(taken, 1000U) << "digits of lengths, digests, kinds, target and toolchain";
    for (const std::string& other : {text + "\n", text + "{}", " " + text, std::string("{}"),
                                     std::string(), text.substr(0, text.size() - 1)})
        EXPECT_FALSE(spec_manifest_from_json(other, key));
}

TEST(SpecManifest, IsOfThePackageItsNameSays) {
    const std::string text = to_json(example()).value();
    for (const std::string& name :
         {base::replace_all(key, "25.11.2", "25.11.3"), base::replace_all(key, "slurm", "munge"),
          base::replace_all(key, "fcek", "fcel"), "x/" + key, std::string()}) {
        const auto read = spec_manifest_from_json(text, name);
        ASSERT_FALSE(read) << name;
        EXPECT_EQ(read.error().code, base::Code::corrupt);
        EXPECT_THAT(read.error().text(), HasSubstr("another package"));
    }
}

TEST(SpecManifest, RefusesWhatIsNotOurs) {
    const std::string text = to_json(example()).value();
    const auto refused = [&](std::string_view from, std::string_view to) {
        const std::string changed = base::replace_all(text, from, to);
        EXPECT_NE(changed, text) << from;
        return !spec_manifest_from_json(changed, key);
    };
    const std::string digest = base::sha256("i").hex();
    EXPECT_TRUE(refused(digest, digest.substr(1)));
    EXPECT_TRUE(refused(digest, digest + "0"));
    EXPECT_TRUE(refused(digest, "../" + digest.substr(3)));
    std::string upper = digest;
    for (char& c : upper) c = c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c;
    EXPECT_TRUE(refused(digest, upper));
    EXPECT_TRUE(refused("sha256\"", "sha1\""));
    EXPECT_TRUE(refused("sha256\"", "md5\""));
    EXPECT_TRUE(refused("508004", "0"));
    EXPECT_TRUE(refused("508004", "-508004"));
    EXPECT_TRUE(refused("508004", "508004.0"));
    EXPECT_TRUE(refused("508004", "5e5"));
    EXPECT_TRUE(refused("508004", "\"508004\""));
    EXPECT_TRUE(refused("508004", "18446744073709551616"));
    EXPECT_TRUE(refused("508004", "9007199254740992"));
    EXPECT_TRUE(refused("\"gzip\"", "\"xz\""));
    EXPECT_TRUE(refused("\"version\": 3", "\"version\": 2"));
    EXPECT_TRUE(refused("\"version\": 3", "\"version\": 3,\n\"version\": 3"));
    EXPECT_TRUE(refused("\"version\": 3", "\"version\": 3,\n\"surplus\": 1"));
    EXPECT_TRUE(refused("\"slurmFactory\"", "\"slurmfactory\""));
    EXPECT_TRUE(refused("application/spdx+json", "application/vnd.slurm-factory.run.v1.tar+zstd"));
    EXPECT_TRUE(refused("application/spdx+json", "application/vnd.in-toto+json"));
    EXPECT_TRUE(refused("application/spdx+json", "application/vnd.zzz+json")) << "not sorted";
    EXPECT_TRUE(refused("application/spdx+json", "spdx"));
    EXPECT_TRUE(refused("application/spdx+json", std::string(200, 'a') + "/b"));
    EXPECT_TRUE(refused("vnd.spack.install", "vnd.spack.other")) << "no archive";
    EXPECT_TRUE(refused("\"dbg\": {", "\"dev\": {")) << "the size of another part";
    // Deeper than anything of ours, and far deeper than a stack.
    EXPECT_FALSE(spec_manifest_from_json(std::string(100'000, '['), key));

    SpecManifest manifest = example();
    std::swap(manifest.others[0], manifest.others[1]);
    EXPECT_FALSE(to_json(manifest));
    manifest = example();
    manifest.run.file = "../run.tar.zst";
    EXPECT_FALSE(to_json(manifest));
    manifest = example();
    manifest.name = "../slurm";
    EXPECT_FALSE(to_json(manifest));
    manifest = example();
    std::swap(manifest.install, manifest.spec);
    EXPECT_FALSE(to_json(manifest));
}

// A6 of the threat model: blobs that are missing, more or doubled, and digests by other rules. Each
// text is well formed but for that, and is refused for the reason that it is refused for.
class SpecManifestBlobs : public ::testing::Test {
protected:
    // The record of a kind of blob, as it stands in the text.
    std::string record(std::string_view media_type) const {
        const std::size_t at = x_text.find(fmt::format("\"mediaType\": \"{}\"", media_type));
        EXPECT_NE(at, std::string::npos) << media_type;
        const std::size_t begin = x_text.rfind("{\n", at);
        return x_text.substr(begin, x_text.find("\n}", at) + 2 - begin);
    }
    std::string without(std::string_view media_type) const {
        const std::string one = record(media_type);
        const bool first = x_text.find("[\n" + one) != std::string::npos;
        return changed(first ? one + ",\n" : ",\n" + one, "");
    }
    std::string with_behind(std::string_view media_type, const std::string& more) const {
        const std::string one = record(media_type);
        return changed(one, one + ",\n" + more);
    }
    // The first `from` only.
    std::string changed(std::string_view from, std::string_view to) const {
        return changed(x_text, from, to);
    }
    static std::string changed(std::string text, std::string_view from, std::string_view to) {
        const std::size_t at = text.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        return text.replace(at, from.size(), to);
    }
    std::string algorithm(const std::string& name) const {
        return changed(R"("checksumAlgorithm": "sha256")",
                       R"("checksumAlgorithm": ")" + name + '"');
    }
    std::string digest(const std::string& hex) const { return changed(x_digest, hex); }

    std::string x_text = to_json(example()).value();
    std::string x_digest = base::sha256("i").hex();
};

TEST_F(SpecManifestBlobs, A6) {
    const std::string no_kind = "'' is no kind of blob";
    const std::string other_text = "not in its one text form";
    const std::string other_algorithm = "only sha256 counts";
    const std::string no_digest = "64 lower-case hexadecimal digits";
    const auto as = [&](std::string_view media_type) {
        return changed(record(media::package), media::package, media_type);
    };
    const std::string dev = changed(record(media::dbg), media::dbg, media::dev);
    const std::string bill = record("application/spdx+json");
    std::string upper = x_digest;
    for (char& c : upper) c = c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c;
    const std::string all =
        x_text.substr(x_text.find("[\n"), x_text.find("\n]") - x_text.find("[\n"));
    const struct {
        const char* name;
        std::string text;
        std::string reason;
    } vectors[] = {
        {"no blobs", changed(all, "["), no_kind},
        {"no archive of Spack's", without(media::spack_install), no_kind},
        {"no spec", without(media::spack_spec), no_kind},
        {"no package", without(media::package), no_kind},
        {"no run archive", without(media::run), "has an impossible length"},
        {"a size without its archive", without(media::dbg), other_text},
        {"an archive without its size", changed(R"("dbg": {)", R"("doc": {)"), "lacks 'dbg'"},
        {"one archive more", with_behind(media::run, dev), "lacks 'dev'"},
        {"one kind more, before its place",
         with_behind(media::spack_install, as(media::spack_index)), "not in its place"},
        {"one kind more, before all of ours",
         with_behind(media::spack_install, as("application/aaa+json")), other_text},
        {"Spack's archive twice", with_behind(media::spack_install, record(media::spack_install)),
         other_text},
        {"two archives of Spack's",
         with_behind(media::spack_install, changed(record(media::spack_install), x_digest,
                                                   base::sha256("another").hex())),
         other_text},
        {"the spec twice", with_behind(media::spack_spec, record(media::spack_spec)), other_text},
        {"the package twice", with_behind(media::package, record(media::package)), other_text},
        {"the run archive twice", with_behind(media::run, record(media::run)), other_text},
        {"a paper twice", with_behind("application/spdx+json", bill), "is there twice"},
        {"two in each other's places",
         changed(without(media::spack_spec), record(media::package),
                 record(media::package) + ",\n" + record(media::spack_spec)),
         other_text},
        {"MD5", algorithm("md5"), other_algorithm},
        {"SHA-1", algorithm("sha1"), other_algorithm},
        {"SHA-512", algorithm("sha512"), other_algorithm},
        {"a path for an algorithm", algorithm("../sha256"), other_algorithm},
        {"no algorithm", algorithm(""), other_algorithm},
        {"an algorithm in capitals", algorithm("SHA256"), other_algorithm},
        {"a blank behind an algorithm", algorithm("sha256 "), other_algorithm},
        {"a NUL behind an algorithm", algorithm(R"(sha256\u0000)"), other_algorithm},
        {"an algorithm in other letters", algorithm(R"(sha\u003256)"), other_text},
        {"no word of an algorithm", changed("\"checksumAlgorithm\": \"sha256\",\n", ""),
         "lacks 'checksumAlgorithm'"},
        {"63 digits", digest(x_digest.substr(1)), no_digest},
        {"65 digits", digest(x_digest + "0"), no_digest},
        {"capitals", digest(upper), no_digest},
        {"no digits", digest(""), no_digest},
        {"a letter that is no digit", digest("g" + x_digest.substr(1)), no_digest},
        {"a path for a digest", digest("../" + x_digest.substr(3)), no_digest},
        {"a blank before a digest", digest(" " + x_digest.substr(1)), no_digest},
        {"0x before a digest", digest("0x" + x_digest.substr(2)), no_digest},
        {"the algorithm before a digest", digest("sha256:" + x_digest.substr(7)), no_digest},
        {"a digest in base64", digest("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="), no_digest},
    };
    for (const auto& vector : vectors) {
        const auto read = spec_manifest_from_json(vector.text, key);
        ASSERT_FALSE(read) << vector.name;
        EXPECT_EQ(read.error().code, base::Code::corrupt) << vector.name;
        EXPECT_THAT(read.error().text(), HasSubstr(vector.reason)) << vector.name;
    }
    EXPECT_GE(std::size(vectors), 25U);
    EXPECT_TRUE(spec_manifest_from_json(x_text, key));
}

TEST(SpecManifest, FitsItsBlobsOrNot) {
    model::Package package;
    package.name = "slurm";
    package.version = "25.11.2";
    package.target = "x86_64_v3";
    package.toolchain = "bookworm";
    package.identity = base::sha256("identity");
    package.run = archive("run.tar.zst", 400'000);
    SpackNode node;
    node.name = package.name;
    node.version = package.version;
    node.platform_os = "debian12";
    node.target = package.target;
    node.identity = package.identity;
    const SpackSpec spec{{seal(node).value()}};
    const SpecManifest manifest = manifest_for(package, spec).value();
    EXPECT_EQ(manifest.hash, spec.root().hash);
    EXPECT_TRUE(check_same(manifest, spec));
    EXPECT_TRUE(check_same(manifest, package));

    const auto other_spec = [&](auto change) {
        SpackNode changed = node;
        change(changed);
        return !check_same(manifest, SpackSpec{{seal(changed).value()}});
    };
    EXPECT_TRUE(other_spec([](SpackNode& n) { n.name = "munge"; }));
    EXPECT_TRUE(other_spec([](SpackNode& n) { n.version = "25.11.3"; }));
    EXPECT_TRUE(other_spec([](SpackNode& n) { n.platform_os = "debian13"; }));
    EXPECT_TRUE(other_spec([](SpackNode& n) { n.target = "x86_64_v4"; }));
    EXPECT_TRUE(other_spec([](SpackNode& n) { n.identity = base::sha256("x"); }));
    EXPECT_TRUE(other_spec([](SpackNode& n) { n.parameters["pam"] = true; }));

    const auto other_package = [&](auto change) {
        model::Package changed = package;
        change(changed);
        return !check_same(manifest, changed);
    };
    EXPECT_TRUE(other_package([](model::Package& p) { p.name = "munge"; }));
    EXPECT_TRUE(other_package([](model::Package& p) { p.version = "25.11.3"; }));
    EXPECT_TRUE(other_package([](model::Package& p) { p.target = "x86_64_v4"; }));
    EXPECT_TRUE(other_package([](model::Package& p) { p.toolchain = "noble"; }));
    EXPECT_TRUE(other_package([](model::Package& p) { p.identity = base::sha256("x"); }));
    EXPECT_TRUE(other_package([](model::Package& p) { p.run.entries += 1; }));
    EXPECT_TRUE(other_package([](model::Package& p) { p.dev = p.run; }));
}

}  // namespace
}  // namespace sf::cache
