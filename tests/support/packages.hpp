// SPDX-License-Identifier: Apache-2.0
// Small built packages as the engine leaves them: a manifest value and a run.tar.zst. Header only,
// because only tests of rooms above pack can link it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/atomic_file.hpp"
#include "base/files.hpp"
#include "model/manifest.hpp"
#include "pack/archive_writer.hpp"

namespace sf::test {

struct Item {
    std::string path;
    std::string content;  // or the target of a symlink
    bool executable = false;
    bool symlink = false;
};

struct BuiltPackage {
    model::Package package;
    std::filesystem::path folder;
};

// `salt` makes another identity of the same name and version.
inline BuiltPackage make_package(const std::filesystem::path& packages, const std::string& name,
                                 const std::string& version, std::vector<Item> items,
                                 std::vector<std::string> dependencies = {},
                                 const std::string& salt = "1") {
    model::Package package;
    package.name = name;
    package.version = version;
    package.toolchain = "bookworm";
    package.target = "x86_64_v3";
    package.identity_text = R"({"name":")" + name + R"(","salt":")" + salt + R"("})";
    package.identity = base::sha256(package.identity_text);
    package.dependencies = std::move(dependencies);
    package.license = "MIT";
    const std::string store_name = package.store_name();
    const std::filesystem::path folder = packages / store_name;
    EXPECT_TRUE(base::make_dirs(folder));
    auto out = base::AtomicFile::create(folder / "run.tar.zst").value();
    auto writer = pack::ArchiveWriter::create(
                      out, {.compression = pack::Compression::zstd, .level = 1, .hash_files = true})
                      .value();
    EXPECT_TRUE(writer.add_directory(store_name));
    std::sort(items.begin(), items.end(),
              [](const Item& left, const Item& right) { return left.path < right.path; });
    for (const Item& item : items) {
        const std::string path = store_name + '/' + item.path;
        const base::Status added = item.symlink
                                       ? writer.add_symlink(path, item.content)
                                       : writer.add_memory(path, item.content, item.executable);
        EXPECT_TRUE(added) << added.error().text();
    }
    for (model::FileEntry entry : writer.entries()) {
        if (entry.path == store_name) continue;
        entry.path = entry.path.substr(store_name.size() + 1);
        package.files.push_back(std::move(entry));
    }
    std::sort(package.files.begin(), package.files.end(),
              [](const auto& left, const auto& right) { return left.path < right.path; });
    package.run = writer.finish("run.tar.zst").value();
    EXPECT_TRUE(out.commit());
    return {std::move(package), folder};
}

// munge and slurm in small, the way their trees look.
inline std::vector<BuiltPackage> make_slurm(const std::filesystem::path& packages,
                                            const std::string& version = "25.11.2",
                                            const std::string& salt = "1") {
    std::vector<BuiltPackage> built;
    built.push_back(make_package(packages, "zlib", "1.3.1",
                                 {{"lib/libz.so.1.3.1", "zlib code"},
                                  {"lib/libz.so.1", "libz.so.1.3.1", false, true},
                                  {"bin/minigzip", "not for the view", true}}));
    const std::string zlib = built[0].package.store_name();
    built.push_back(make_package(packages, "munge", "0.5.16",
                                 {{"bin/munge", "munge program", true},
                                  {"bin/unmunge", "munge", false, true},
                                  {"sbin/munged", "munge daemon", true},
                                  {"lib/libmunge.so.2", "munge code"},
                                  {"share/man/man1/munge.1", "manual"}},
                                 {zlib}));
    const std::string munge = built[1].package.store_name();
    built.push_back(make_package(
        packages, "slurm", version,
        {{"bin/srun", "srun " + version + salt, true},
         {"bin/sinfo", "sinfo " + version, true},
         {"bin/helper.so", "odd, but a shared object", true},
         {"sbin/slurmd", "slurmd " + version + std::string(100'000, 's'), true},
         {"lib/libslurm.so.43", "slurm code"},
         {"lib/slurm/auth_munge.so", "plugin"},
         {"lib/slurm/libmunge.so.2", "../../../" + munge + "/lib/libmunge.so.2", false, true},
         {"share/man/man1/srun.1", "manual"},
         {"share/doc/empty", ""}},
        {munge, zlib}, salt));
    return built;
}

}  // namespace sf::test
