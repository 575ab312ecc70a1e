// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "model/cpu_level.hpp"
#include "model/dag.hpp"
#include "model/manifest.hpp"
#include "model/names.hpp"
#include "model/toolchain.hpp"

namespace sf::model {
namespace {

TEST(Names, RefuseWhatIsNoName) {
    for (const char* good : {"munge", "json-c", "a", "7zip", "libstdc++6"})
        EXPECT_TRUE(check_name(good, "name")) << good;
    for (const char* bad : {"", "..", "a/b", "-a", "A", "a b", "a\n", "a..b", ".a", "a\\b", "$(x)"})
        EXPECT_FALSE(check_name(bad, "name")) << bad;
    EXPECT_FALSE(check_name(std::string(65, 'a'), "name"));
    for (const char* good : {"25.11.2", "6.6-20251231", "1.0~rc1", "R_2"})
        EXPECT_TRUE(check_version(good)) << good;
    for (const char* bad : {"", "1/2", "-1", "1..2", "1;2"})
        EXPECT_FALSE(check_version(bad)) << bad;
}

TEST(Names, AreMadeInOnePlace) {
    const base::Digest digest = base::sha256("abc");
    EXPECT_EQ(store_name("munge", "0.5.16", digest), "munge-0.5.16-ba7816bf");
    EXPECT_EQ(series_of("25.11.2"), "25.11");
    EXPECT_EQ(series_of("25.11"), "25.11");
    EXPECT_EQ(bundle_file("25.11.2", "bookworm", "amd64"),
              "slurm-25.11.2-bookworm-amd64-software.tar.gz");
    EXPECT_EQ(bundle_alias("25.11", "noble"), "slurm-25.11-noble-software.tar.gz");
}

TEST(Toolchain, TheCompilerIsTheRootsGcc) {
    EXPECT_EQ(gcc_version("gcc 12.2.0-14+deb12u1").value(), "12.2.0");
    EXPECT_EQ(gcc_version("gcc 8.5.0-28.el8_10").value(), "8.5.0");
    EXPECT_EQ(gcc_version("gcc 14").value(), "14");
    for (const char* wrong : {"", "clang 14.0", "gcc ", "gcc -1", "gcc ../x-1", "gcc .-1"})
        EXPECT_FALSE(gcc_version(wrong)) << wrong;
}

Spec named(std::string name, std::vector<NodeId> link, std::vector<NodeId> build = {}) {
    Spec spec;
    spec.name = std::move(name);
    spec.version = "1";
    spec.link_dependencies = std::move(link);
    spec.build_dependencies = std::move(build);
    return spec;
}

class DagTest : public ::testing::Test {
protected:
    Dag x_dag;
    NodeId x_tool = x_dag.add(named("tool", {}));
    NodeId x_base = x_dag.add(named("base", {}));
    NodeId x_middle = x_dag.add(named("middle", {x_base}, {x_tool}));
    NodeId x_top = x_dag.add(named("top", {x_middle}));
};

TEST_F(DagTest, ClosuresFollowTheRightEdges) {
    EXPECT_EQ(x_dag.runtime_closure(x_top), (std::vector{x_base, x_middle, x_top}));
    EXPECT_EQ(x_dag.build_closure(x_top), (std::vector{x_base, x_middle}))
        << "the tools of a dependency's build are not seen";
    EXPECT_EQ(x_dag.build_closure(x_middle), (std::vector{x_tool, x_base}));
    EXPECT_EQ(x_dag.find("base"), x_base);
    EXPECT_EQ(x_dag.find("none"), std::nullopt);
}

TEST_F(DagTest, TheCriticalPathIsTheHeaviestWayToTheEnd) {
    const std::vector<double> weight{10, 1, 2, 4};
    EXPECT_EQ(x_dag.critical_path(weight), (std::vector<double>{16, 7, 6, 4}));
}

TEST_F(DagTest, ADependencyMustBeThereFirst) {
    EXPECT_THROW(x_dag.add(named("early", {NodeId{99}})), std::logic_error);
}

Package example() {
    Package package;
    package.name = "munge";
    package.version = "0.5.16";
    package.toolchain = "bookworm";
    package.target = "x86_64_v3";
    package.identity_text = R"({"x":1})";
    package.identity = base::sha256(package.identity_text);
    package.dependencies = {"zlib-1-00000000"};
    package.files = {{"bin", EntryType::directory, 0755, 0, {}, {}},
                     {"bin/munge", EntryType::file, 0755, 5, base::sha256("hello"), {}},
                     {"bin/unmunge", EntryType::symlink, 0777, 0, {}, "munge"}};
    package.sonames = {"libmunge.so.2"};
    package.host_requirements = {{"libc.so.6", {"GLIBC_2.34"}}};
    package.run = {"run.tar.zst", base::sha256("run"), 3, 5, 3};
    package.dbg = ArchiveRecord{"dbg.tar.zst", base::sha256("dbg"), 3, 5, 3};
    package.license = "GPL-3.0-or-later";
    return package;
}

TEST(Manifest, SurvivesTheWayThroughText) {
    const std::string text = *to_json(example());
    const auto back = package_from_json(text);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(*to_json(*back), text);
    EXPECT_EQ(back->store_name(), example().store_name());
    EXPECT_TRUE(back->dbg);
    EXPECT_FALSE(back->dev);

    Bundle bundle;
    bundle.name = "slurm";
    bundle.version = "25.11.2";
    bundle.toolchain = "bookworm";
    bundle.architecture = "amd64";
    bundle.packages = {example()};
    bundle.view = {{"bin/munge", EntryType::symlink, 0777, 0, {}, "../../../store/x/bin/munge"}};
    bundle.assets = {
        {"data/slurm_assets/25.11.2/x", EntryType::file, 0755, 1, base::sha256("x"), ""}};
    const std::string bundle_text = *to_json(bundle);
    const auto bundle_back = bundle_from_json(bundle_text);
    ASSERT_TRUE(bundle_back) << bundle_back.error().text();
    EXPECT_EQ(*to_json(*bundle_back), bundle_text);
    // Bundles of before there were assets.
    const std::string without = base::replace_all(
        bundle_text,
        bundle_text.substr(bundle_text.find("\"assets\":"),
                           bundle_text.find(']') + 2 - bundle_text.find("\"assets\":")),
        "");
    ASSERT_EQ(without.find("assets"), std::string::npos);
    const auto old = bundle_from_json(without);
    ASSERT_TRUE(old) << old.error().text();
    EXPECT_TRUE(old->assets.empty());
}

TEST(CpuLevel, IsTheHighestThatAllFlagsAllow) {
    const std::string v2 =
        "flags\t\t: lm cx8 cmov fpu fxsr mmx syscall sse2 cx16 lahf_lm popcnt pni sse4_1 sse4_2 "
        "ssse3";
    const std::string v3 = v2 + " avx avx2 bmi1 bmi2 f16c fma movbe xsave";
    EXPECT_EQ(cpu_level(v2), "x86_64_v2");
    EXPECT_EQ(cpu_level(v3 + " abm"), "x86_64_v3");
    EXPECT_EQ(cpu_level(v3), "x86_64_v2");
    EXPECT_EQ(cpu_level(v3, true), "x86_64_v3");
    EXPECT_EQ(cpu_level(v2, true), "x86_64_v2");
    EXPECT_EQ(cpu_level("flags : neon"), "");
    EXPECT_TRUE(cpu_runs("x86_64_v3", "x86_64_v2"));
    EXPECT_TRUE(cpu_runs("x86_64_v3", "x86_64_v3"));
    EXPECT_FALSE(cpu_runs("x86_64_v2", "x86_64_v3"));
    EXPECT_FALSE(cpu_runs("", "x86_64"));
    EXPECT_FALSE(cpu_runs("x86_64_v4", "riscv"));
}

TEST(Manifest, RefusesAnythingBent) {
    const base::Json good = *base::parse_json(*to_json(example()));
    const auto refused = [&](const auto& bend) {
        base::Json json = good;
        bend(json);
        return !package_from_json(json.dump()).has_value();
    };
    for (const auto& [key, value] : good.items()) {
        if (key == "dbg") continue;
        EXPECT_TRUE(refused([&](base::Json& json) { json.erase(key); })) << "without " << key;
        EXPECT_TRUE(refused([&](base::Json& json) { json[key] = base::Json::array({1.5}); }))
            << key;
    }
    EXPECT_TRUE(refused([](base::Json& json) { json["schema"] = 2; }));
    EXPECT_TRUE(refused([](base::Json& json) { json["name"] = "../x"; }));
    EXPECT_TRUE(refused([](base::Json& json) { json["identity_text"] = "{}"; }));
    EXPECT_TRUE(refused([](base::Json& json) { json["files"][1]["type"] = "device"; }));
    EXPECT_TRUE(refused([](base::Json& json) { json["files"][1]["size"] = -1; }));
    EXPECT_TRUE(refused([](base::Json& json) { json["files"][1]["sha256"] = "abc"; }));
    EXPECT_FALSE(package_from_json("[]"));
    EXPECT_FALSE(package_from_json("null"));
}

// No prefix and no single changed byte of a manifest may crash the reader.
TEST(Manifest, ReaderIsTotal) {
    const std::string text = *to_json(example());
    for (std::size_t i = 0; i < text.size(); ++i) {
        EXPECT_FALSE(package_from_json(text.substr(0, i)));
        std::string bent = text;
        bent[i] = static_cast<char>(bent[i] ^ 0x15);
        static_cast<void>(package_from_json(bent));
    }
}

}  // namespace
}  // namespace sf::model
