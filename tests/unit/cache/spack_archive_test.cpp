// SPDX-License-Identifier: Apache-2.0
// Archives for Spack: what is in them, as GNU tar and Spack's own file of facts tell it.
#include "cache/spack_archive.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <map>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "cache/spack_mapping.hpp"
#include "support/packages.hpp"

namespace sf::cache {
namespace {

using test::BuiltPackage;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class StringSink : public base::Sink {
public:
    base::Status write(base::Bytes bytes) override {
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
    }
    std::string text;
};

class SpackArchives : public ::testing::Test {
protected:
    SpackArchives() : x_folder(base::TempDir::create("/tmp", "sft-").value()) {
        add("zlib", {{"lib/libz.so.1", "zlib code"}});
        add("openssl", {{"lib/libssl-sf.so.3", "openssl code"}});
        add("munge",
            {link("zlib"), {"bin/munge", "munge program", true}, {"lib/libmunge.so.2", "code"}},
            {"zlib"});
        add("librdkafka", {link("openssl"), {"lib/librdkafka-sf.so.1", "kafka code"}}, {"openssl"});
        add("libmariadb",
            {link("librdkafka"),
             link("openssl"),
             {"lib/libmariadb-sf.so.3", "mariadb code"},
             {"lib/kafka.so", to("librdkafka", "/lib/librdkafka-sf.so.1"), false, true}},
            {"librdkafka", "openssl"});
        add("slurm",
            {link("munge"),
             link("libmariadb"),
             {"bin/srun", "srun program", true},
             {"bin/salloc", "srun", false, true},
             {"etc/script", "#!/bin/sh\n# /__sf__/x\n", true},
             {"lib/slurm/libmunge.so.2", "../" + to("munge", "/lib/libmunge.so.2"), false, true},
             {"lib/slurm/libmariadb.so", "../" + to("libmariadb", "/lib/libmariadb-sf.so.3"), false,
              true}},
            {"munge", "libmariadb"});
    }

    // From one folder down in a package to another package.
    [[nodiscard]] std::string to(const std::string& name, const std::string& rest = {}) const {
        return "../../" + store(name) + rest;
    }
    [[nodiscard]] test::Item link(const std::string& name) const {
        return {".sf/deps/" + name, "../" + to(name), false, true};
    }
    [[nodiscard]] std::string store(const std::string& name) const {
        return x_built.at(name).package.store_name();
    }
    void add(const std::string& name, std::vector<test::Item> items,
             const std::vector<std::string>& dependencies = {}) {
        std::vector<std::string> stores;
        stores.reserve(dependencies.size());
        for (const std::string& other : dependencies) stores.push_back(store(other));
        std::ranges::sort(stores);
        const bool here = x_built.contains(name);
        BuiltPackage built = test::make_package(x_folder.path() / "packages", name, "1.0",
                                                std::move(items), std::move(stores));
        built.package.host_requirements.push_back({"libc.so.6", {}});
        x_built.insert_or_assign(name, std::move(built));
        if (!here) x_order.push_back(name);
    }

    SpackArchivePart part(const std::string& name) {
        const BuiltPackage& built = x_built.at(name);
        x_open.push_back(base::open_file(built.folder / "run.tar.zst", O_RDONLY).value());
        return {&built.package, {x_open.back().get(), "run.tar.zst"}};
    }
    [[nodiscard]] SpackMapping mapping() const {
        std::vector<model::Package> closure;
        for (const std::string& name : x_order) closure.push_back(x_built.at(name).package);
        return map_to_spack(closure, "glibc 2.36-9").value();
    }
    SpackArchiveRequest request(const std::string& name) {
        const SpackMapping all = mapping();
        SpackArchiveRequest request{all.spec_of(store(name)).value(), part(name), {}, {}};
        for (const SpackPackage& package : all.packages) {
            if (package.store_name != store(name)) continue;
            for (const std::string& bundled : package.bundled)
                request.bundled.push_back(part(bundled.substr(0, bundled.find('-'))));
        }
        return request;
    }
    static std::string write(const SpackArchiveRequest& request) {
        StringSink sink;
        const auto record = write_spack_archive(sink, request);
        EXPECT_TRUE(record) << record.error().text();
        EXPECT_EQ(record->sha256, base::sha256(sink.text));
        return sink.text;
    }
    static std::string refusal(const SpackArchiveRequest& request) {
        StringSink sink;
        const auto record = write_spack_archive(sink, request);
        return record ? "written" : record.error().text();
    }

    // What GNU tar makes of it: "-rwxr-xr-x path" and " -> target".
    std::vector<std::string> listing(const std::string& archive) {
        std::vector<std::string> lines;
        for (const std::string& line : base::split(tar("-tv", archive), '\n')) {
            if (line.empty()) continue;
            EXPECT_THAT(line, HasSubstr(" root/root "));
            EXPECT_THAT(line, HasSubstr(" 1970-01-01 "));
            std::string path = line.substr(line.find("__sf__"));
            lines.push_back(line.substr(0, 10) + ' ' + base::replace_all(path, x_prefix(), "@"));
        }
        return lines;
    }
    std::string content(const std::string& archive, const std::string& path) {
        return tar("-xO", archive, x_prefix() + path);
    }
    std::string x_prefix() const { return "__sf__/" + x_shown; }

    std::string tar(const std::string& action, const std::string& archive,
                    const std::string& member = {}) {
        const base::fs::path file = x_folder.path() / "archive.tar.gz";
        EXPECT_TRUE(base::write_file(file, archive));
        base::Command command;
        command.argv = {"tar", action, "--utc", "-zPf", file.native()};
        if (!member.empty()) command.argv.push_back(member);
        const auto ran = base::run(command);
        EXPECT_TRUE(ran && ran->exit.ok());
        return ran ? ran->out : "";
    }
    base::Json distribution(const std::string& archive) {
        return base::parse_json(content(archive, "/.spack/binary_distribution")).value();
    }

    base::TempDir x_folder;
    std::map<std::string, BuiltPackage> x_built;
    std::vector<std::string> x_order;
    std::vector<base::Fd> x_open;
    std::string x_shown;  // the store name of the package that is looked at
};

TEST_F(SpackArchives, LinksBecomeAbsoluteAndAreListed) {
    x_shown = store("munge");
    const std::string archive = write(request("munge"));
    EXPECT_THAT(
        listing(archive),
        ElementsAre("drwxr-xr-x __sf__/", "drwxr-xr-x @/", "drwxr-xr-x @/.sf/",
                    "drwxr-xr-x @/.sf/deps/",
                    "lrwxrwxrwx @/.sf/deps/zlib -> /__sf__/" + store("zlib"), "drwxr-xr-x @/bin/",
                    "-rwxr-xr-x @/bin/munge", "drwxr-xr-x @/lib/", "-rw-r--r-- @/lib/libmunge.so.2",
                    "drwxr-xr-x @/.spack/", "-rw-r--r-- @/.spack/spec.json",
                    "-rw-r--r-- @/.spack/binary_distribution"));
    const SpackMapping all = mapping();
    const SpackSpec spec = all.spec_of(store("munge")).value();
    EXPECT_EQ(content(archive, "/.spack/spec.json"), to_json(spec).value());
    EXPECT_EQ(content(archive, "/.spack/binary_distribution"),
              R"({"sbang_install_path":"/__sf__/bin/sbang","buildpath":"/__sf__",)"
              R"("hardlinks_deduped":true,"hash_to_prefix":{")" +
                  spec.root().hash + R"(":"/__sf__/)" + store("munge") + R"(",")" +
                  spec.nodes[2].hash + R"(":"/__sf__/)" + store("zlib") +
                  R"("},"relocate_textfiles":[],"relocate_binaries":[],)"
                  R"("relocate_links":[".sf/deps/zlib"]})");
}

TEST_F(SpackArchives, PrivatePackagesLieInThePrefix) {
    x_shown = store("slurm");
    const std::string archive = write(request("slurm"));
    std::vector<std::string> links;
    for (const std::string& line : listing(archive)) {
        EXPECT_THAT(line, Not(HasSubstr("libmariadb-1.0"))) << "its name in our store";
        EXPECT_THAT(line, Not(HasSubstr("librdkafka-1.0")));
        if (line.front() == 'l') links.push_back(line.substr(11));
    }
    EXPECT_THAT(
        links,
        ElementsAre("@/.sf/deps/munge -> /__sf__/" + store("munge"), "@/bin/salloc -> srun",
                    "@/lib/slurm/libmariadb.so -> "
                    "../../.sf/deps/libmariadb/lib/libmariadb-sf.so.3",
                    "@/lib/slurm/libmunge.so.2 -> /__sf__/" + store("munge") + "/lib/libmunge.so.2",
                    "@/.sf/deps/libmariadb/.sf/deps/librdkafka -> ../../../librdkafka",
                    "@/.sf/deps/libmariadb/.sf/deps/openssl -> /__sf__/" + store("openssl"),
                    "@/.sf/deps/libmariadb/lib/kafka.so -> "
                    "../../librdkafka/lib/librdkafka-sf.so.1",
                    "@/.sf/deps/librdkafka/.sf/deps/openssl -> /__sf__/" + store("openssl")));
    EXPECT_EQ(content(archive, "/.sf/deps/libmariadb/lib/libmariadb-sf.so.3"), "mariadb code");
    const base::Json facts = distribution(archive);
    EXPECT_THAT(
        facts["relocate_links"].get<std::vector<std::string>>(),
        ElementsAre(".sf/deps/libmariadb/.sf/deps/openssl", ".sf/deps/librdkafka/.sf/deps/openssl",
                    ".sf/deps/munge", "lib/slurm/libmunge.so.2"));
    EXPECT_EQ(facts["hash_to_prefix"].size(), 4U) << "slurm, munge, openssl, zlib";
}

// Packages from before there were links to dependencies.
TEST_F(SpackArchives, AreMadeWithoutLinksToo) {
    add("munge", {{"bin/munge", "munge program", true}}, {"zlib"});
    x_shown = store("munge");
    const std::string archive = write(request("munge"));
    EXPECT_THAT(distribution(archive)["relocate_links"], IsEmpty());
    EXPECT_EQ(distribution(archive)["hash_to_prefix"].size(), 2U);
    EXPECT_THAT(base::join(listing(archive), "\n"), Not(HasSubstr(".sf")));
}

TEST_F(SpackArchives, TextFilesAreThoseThatAreThere) {
    x_shown = store("slurm");
    SpackArchiveRequest with = request("slurm");
    with.text_files = {"etc/script", "bin/srun"};
    EXPECT_THAT(distribution(write(with))["relocate_textfiles"].get<std::vector<std::string>>(),
                ElementsAre("bin/srun", "etc/script"));
    for (const char* no_file : {"etc", "bin/salloc", "etc/other", "../x", ""}) {
        SpackArchiveRequest wrong = request("slurm");
        wrong.text_files = {no_file};
        EXPECT_THAT(refusal(wrong), HasSubstr("has no file")) << no_file;
    }
}

TEST_F(SpackArchives, HaveTheSameBytesAgain) {
    const std::string first = write(request("slurm"));
    EXPECT_EQ(write(request("slurm")), first);
    add("zlib", {{"lib/libz.so.1", "zlib code"}});  // made again, elsewhere in time
    EXPECT_EQ(write(request("slurm")), first);
}

TEST_F(SpackArchives, AreWrittenOnlyIfEverythingFits) {
    SpackArchiveRequest wrong = request("slurm");
    wrong.bundled.pop_back();
    EXPECT_THAT(refusal(wrong), HasSubstr("neither in its spec nor inside its prefix"));
    wrong = request("slurm");
    wrong.bundled.push_back(part("zlib"));
    EXPECT_THAT(refusal(wrong), HasSubstr("may not lie inside"));
    wrong = request("slurm");
    wrong.bundled.push_back(wrong.bundled.front());
    EXPECT_THAT(refusal(wrong), HasSubstr("twice"));
    wrong = request("munge");
    wrong.bundled.push_back(part("librdkafka"));
    EXPECT_THAT(refusal(wrong), HasSubstr("neither in its spec"));
    wrong = request("slurm");
    wrong.spec = request("munge").spec;
    EXPECT_THAT(refusal(wrong), HasSubstr("the spec is of munge"));
    // The bytes have to be those of the manifest.
    wrong = request("munge");
    wrong.package.run = part("zlib").run;
    EXPECT_THAT(refusal(wrong), HasSubstr("run.tar.zst"));
    EXPECT_NE(refusal({}), "written");
}

}  // namespace
}  // namespace sf::cache
