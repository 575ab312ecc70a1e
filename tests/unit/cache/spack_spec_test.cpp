// SPDX-License-Identifier: Apache-2.0
// Nodes and specs: the very text that real Spacks took (docs/spack-interop.md, section 1), and
// nothing that is merely like one.
#include "cache/spack_spec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::cache {
namespace {

using ::testing::HasSubstr;

std::string golden() { return base::read_file(SF_GOLDEN "/cache/slurm.spec.json").value(); }

SpackNode node(const std::string& name, const std::string& version) {
    SpackNode node;
    node.name = name;
    node.version = version;
    node.platform_os = "debian12";
    node.target = "x86_64_v3";
    node.parameters["build_system"] = "autotools";
    return node;
}

SpackNode glibc() {
    SpackNode libc = node("glibc", "2.36");
    libc.external_path = "/usr";
    return seal(std::move(libc)).value();
}

SpackDependency edge(const SpackNode& to, std::vector<std::string> deptypes,
                     std::vector<std::string> virtuals = {}) {
    return {to.name, to.hash, std::move(deptypes), std::move(virtuals)};
}

std::vector<SpackNode> example() {
    const SpackNode libc = glibc();
    SpackNode munge = node("munge", "0.5.16");
    munge.identity =
        identity_of("ghmeko7zdxnorhrkm5tgvnmhgov6jr23jvu6t4emevj4rarykgxq====").value();
    munge.dependencies = {edge(libc, {"link"}, {"libc"})};
    munge = seal(std::move(munge)).value();
    SpackNode slurm = node("slurm", "25.11.2");
    slurm.identity =
        identity_of("2hds3tytm3kxwhsrf5fiq4elsqoesdsze2gbi56d76cmrtdyglka====").value();
    for (const char* on : {"cgroup", "hwloc", "pam", "pmix", "restd"}) slurm.parameters[on] = true;
    for (const char* off : {"gtk", "hdf5", "mariadb", "nvml", "readline", "rsmi"})
        slurm.parameters[off] = false;
    slurm.parameters["sysconfdir"] = "/etc/slurm";
    slurm.dependencies = {edge(libc, {"link"}, {"libc"}), edge(munge, {"build", "link"})};
    return {seal(std::move(slurm)).value(), libc, munge};
}

TEST(SpackSpec, IsTheTextThatSpackTook) {
    const std::vector<SpackNode> nodes = example();
    EXPECT_EQ(nodes[1].hash, "kqf4hfrqs7yyofaym52ietcc4zku7a2e");
    EXPECT_EQ(nodes[2].hash, "dskrgkxscpua2qe627robluffl3uqnzf");
    EXPECT_EQ(nodes[0].hash, "fcekcbg6irko6kq4wskqjg7xvqrjis57");
    const SpackSpec spec = spec_of(nodes[0], nodes).value();
    EXPECT_EQ(to_json(spec).value(), golden());

    const auto read = spack_spec_from_json(golden());
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(*read, spec);
    EXPECT_EQ(read->root().name, "slurm");
}

TEST(SpackSpec, EveryByteCounts) {
    const std::string text = golden();
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::string changed = text;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        EXPECT_FALSE(spack_spec_from_json(changed)) << "with byte " << at << " changed";
    }
    for (const std::string& other : {text + " ", " " + text, text.substr(1), std::string()})
        EXPECT_FALSE(spack_spec_from_json(other));
}

TEST(SpackSpec, RefusesWhatDoesNotHoldTogether) {
    const auto refusal = [](const std::string& text) {
        const auto read = spack_spec_from_json(text);
        return read ? std::string("taken") : read.error().text();
    };
    const std::vector<SpackNode> nodes = example();
    const auto text_of = [](std::vector<SpackNode> list) {
        return to_json(SpackSpec{std::move(list)}).value();
    };
    EXPECT_THAT(refusal(text_of({nodes[0], nodes[1]})), HasSubstr("munge/dskr"));
    EXPECT_THAT(refusal(text_of({nodes[0], nodes[2], nodes[1]})), HasSubstr("order"));
    EXPECT_THAT(refusal(text_of({nodes[0], nodes[1], nodes[2], nodes[2]})), HasSubstr("order"));
    EXPECT_THAT(refusal(text_of({nodes[2], nodes[1], nodes[0]})), HasSubstr("order"));
    EXPECT_THAT(refusal(text_of({})), HasSubstr("no nodes"));
    EXPECT_THAT(refusal(base::replace_all(golden(), "25.11.2", "25.11.3")),
                HasSubstr("its hash is"));
    EXPECT_THAT(
        refusal(base::replace_all(golden(), R"("platform":"linux")", R"("platform":"darwin")")),
        HasSubstr("one text form"));
    EXPECT_THAT(refusal(base::replace_all(golden(), R"("cflags":[],)", "")),
                HasSubstr("one text form"));
    EXPECT_THAT(refusal(base::replace_all(golden(), R"("buildcache_layout_version":2)",
                                          R"("buildcache_layout_version":3)")),
                HasSubstr("one text form"));
    EXPECT_THAT(
        refusal(base::replace_all(golden(), R"("hash":"fcek)", R"("hash":"x","hash":"fcek)")),
        HasSubstr("twice"));
    // A name that leads elsewhere than its hash.
    SpackNode liar = nodes[0];
    liar.dependencies[1].name = "nunge";
    liar = seal(std::move(liar)).value();
    EXPECT_THAT(refusal(text_of({liar, nodes[1], nodes[2]})), HasSubstr("nunge/dskr"));
}

// Hashes cannot be made to close a circle, so this one does without right hashes.
TEST(SpackSpec, ACircleEnds) {
    SpackNode a = node("a", "1");
    SpackNode b = node("b", "1");
    a.hash = std::string(32, 'a');
    b.hash = std::string(32, 'b');
    a.dependencies = {edge(b, {"link"})};
    b.dependencies = {edge(a, {"link"})};
    const std::vector<SpackNode> pool{a, b};
    const auto spec = spec_of(a, pool);
    ASSERT_FALSE(spec);
    EXPECT_THAT(spec.error().text(), HasSubstr("a depends on itself"));
    EXPECT_FALSE(to_json(SpackSpec{pool}));
}

TEST(SpackNode, IsCheckedBeforeItIsHashed) {
    const auto refused = [](auto change) {
        SpackNode one = example()[0];
        change(one);
        return !seal(std::move(one));
    };
    EXPECT_FALSE(refused([](SpackNode&) {}));
    EXPECT_TRUE(refused([](SpackNode& n) { n.name = "../slurm"; }));
    EXPECT_TRUE(refused([](SpackNode& n) { n.version = "25 11"; }));
    EXPECT_TRUE(refused([](SpackNode& n) { n.platform_os = ""; }));
    EXPECT_TRUE(refused([](SpackNode& n) { n.target = "x86-64/v3"; }));
    EXPECT_TRUE(refused([](SpackNode& n) { n.space = "Builtin"; }));
    EXPECT_TRUE(refused([](SpackNode& n) { n.parameters["cflags"] = "-O2"; }));
    EXPECT_TRUE(refused([](SpackNode& n) { n.parameters["x"] = ""; }));
    EXPECT_TRUE(refused([](SpackNode& n) { n.parameters["x"] = "a\nb"; }));
    EXPECT_TRUE(refused([](SpackNode& n) { n.parameters["x"] = std::vector<std::string>{}; }));
    EXPECT_TRUE(refused([](SpackNode& n) {
        for (int i = 0; i < 100'000; ++i) n.parameters["x" + std::to_string(i)] = true;
    }));
    EXPECT_TRUE(refused([](SpackNode& n) { n.external_path = "usr"; }));
    EXPECT_TRUE(refused([](SpackNode& n) { n.identity.reset(); }));
    EXPECT_TRUE(refused([](SpackNode& n) { n.dependencies[0].hash = "short"; }));
    EXPECT_TRUE(refused([](SpackNode& n) { n.dependencies[0].deptypes = {}; }));
    EXPECT_TRUE(refused([](SpackNode& n) { n.dependencies[0].deptypes = {"link", "build"}; }));
    EXPECT_TRUE(refused([](SpackNode& n) { n.dependencies[0].deptypes = {"link", "link"}; }));
    EXPECT_TRUE(refused([](SpackNode& n) { std::swap(n.dependencies[0], n.dependencies[1]); }));
    EXPECT_TRUE(refused([](SpackNode& n) { n.dependencies[1] = n.dependencies[0]; }));
}

TEST(SpackNode, IdentitiesAreInItsPackageHash) {
    const base::Digest digest = base::sha256("abc");
    const std::string text = package_hash(digest);
    EXPECT_EQ(text, "xj4bnp4pahh6uqkbidpf3lrceoyagyndsylxvhfucd7wd4qacwwq====");
    EXPECT_EQ(identity_of(text).value(), digest);
    for (const std::string& bad :
         {std::string(), text.substr(1), text.substr(0, 52), text + "=", "1" + text.substr(1),
          "X" + text.substr(1), text.substr(0, 51) + "r====", "a" + text})
        EXPECT_FALSE(identity_of(bad)) << bad;
}

}  // namespace
}  // namespace sf::cache
