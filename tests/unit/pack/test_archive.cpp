// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/digest.hpp"
#include "base/process.hpp"
#include "pack/archive_reader.hpp"
#include "pack/archive_writer.hpp"
#include "unit/pack/tar_builder.hpp"

namespace {

using namespace sf::test;
using sf::model::EntryType;
using sf::pack::ArchivePolicy;
using sf::pack::ArchiveWriter;
using sf::pack::Compression;
using sf::pack::WriterOptions;

class Archive : public PackTest {
protected:
    void make_tree() {
        put("tree/bin/tool", "#!/bin/sh\n", 0755);
        put("tree/lib/data", std::string(70'000, 'd'));
        put("tree/share/empty", "");
        put("tree/share/" + std::string(120, 'n') + "/" + std::string(130, 'm'), "deep");
        put("tree/share/" + std::string(200, 'k'), "long");
        fs::create_directories(temp() / "tree/var");
        fs::create_symlink("../lib/data", temp() / "tree/bin/data");
        fs::create_symlink(std::string(150, 't'), temp() / "tree/bin/far");
    }
    std::string write(Compression compression, sf::model::ArchiveRecord* record = nullptr,
                      std::int64_t mtime = 0) {
        StringSink out;
        WriterOptions options;
        options.compression = compression;
        options.level = 3;
        options.mtime = mtime;
        auto writer = ArchiveWriter::create(out, options);
        EXPECT_TRUE(writer.has_value());
        const auto added = writer->add_tree(temp() / "tree", "t-1-abc");
        EXPECT_TRUE(added.has_value()) << added.error().text();
        auto finished = writer->finish("run.tar.zst");
        EXPECT_TRUE(finished.has_value());
        if (record != nullptr) *record = *finished;
        return out.text;
    }
};

TEST_F(Archive, SameBytesWhateverTheFilesLookLike) {
    make_tree();
    const auto first = write(Compression::zstd);
    const auto first_gz = write(Compression::gzip);
    // Copied in another order, with other times, umask and modes.
    fs::rename(temp() / "tree", temp() / "old");
    const auto old = ::umask(0027);
    std::vector<fs::path> paths;
    for (const auto& entry : fs::recursive_directory_iterator(temp() / "old")) {
        paths.push_back(entry.path().lexically_relative(temp() / "old"));
    }
    std::sort(paths.rbegin(), paths.rend());
    for (const auto& path : paths) {
        fs::create_directories((temp() / "tree" / path).parent_path());
        if (fs::is_directory(temp() / "old" / path)) {
            fs::create_directories(temp() / "tree" / path);
        } else {
            fs::copy(temp() / "old" / path, temp() / "tree" / path,
                     fs::copy_options::copy_symlinks);
        }
    }
    fs::permissions(temp() / "tree/bin/tool", fs::perms::owner_all);
    fs::permissions(temp() / "tree/lib/data", fs::perms::owner_read);
    ::umask(old);
    EXPECT_EQ(write(Compression::zstd), first);
    EXPECT_EQ(write(Compression::gzip), first_gz);
    EXPECT_NE(write(Compression::zstd, nullptr, 1), first);
}

TEST_F(Archive, GoesThereAndBack) {
    make_tree();
    for (const auto& [compression, name] :
         {std::pair{Compression::zstd, "a.tar.zst"}, std::pair{Compression::gzip, "a.tar.gz"},
          std::pair{Compression::none, "a.tar"}}) {
        SCOPED_TRACE(name);
        sf::model::ArchiveRecord record;
        const auto bytes = write(compression, &record);
        EXPECT_EQ(record.size, bytes.size());
        EXPECT_EQ(record.sha256, sf::base::sha256(bytes));
        EXPECT_EQ(record.unpacked_size, 10U + 70'000 + 4 + 4);
        EXPECT_EQ(record.entries, 13U);

        const auto fd = memory_file(bytes);
        const sf::pack::ArchiveInput input{fd.get(), name};
        ASSERT_TRUE(sf::pack::verify_archive(input, record).has_value());
        ArchivePolicy policy;
        policy.top = "t-1-abc";
        policy.record = &record;
        const auto out = temp() / "out" / name;
        fs::create_directories(out);
        const auto made = sf::pack::unpack_archive(input, policy, folder(out).get());
        ASSERT_TRUE(made.has_value()) << made.error().text();
        EXPECT_EQ(made->size(), record.entries);
        EXPECT_EQ(listing(out / "t-1-abc"), listing(temp() / "tree"));
        EXPECT_EQ(sf::base::read_file(out / "t-1-abc/lib/data").value(), std::string(70'000, 'd'));
        EXPECT_EQ(fs::read_symlink(out / "t-1-abc/bin/far").native(), std::string(150, 't'));
        EXPECT_TRUE(std::is_sorted(made->begin(), made->end(),
                                   [](const auto& a, const auto& b) { return a.path < b.path; }));
        const auto tool = std::find_if(made->begin(), made->end(), [](const auto& entry) {
            return entry.path == "t-1-abc/bin/tool";
        });
        ASSERT_NE(tool, made->end());
        EXPECT_EQ(tool->mode, 0755U);
        EXPECT_EQ(tool->size, 10U);
        EXPECT_EQ(tool->sha256, sf::base::sha256("#!/bin/sh\n"));
    }
}

// What others make of it: GNU tar lists the same names and finds nothing odd.
TEST_F(Archive, GnuTarReadsIt) {
    make_tree();
    put("a.tar.gz", write(Compression::gzip));
    sf::base::Command command;
    command.argv = {"tar", "-tvzf", (temp() / "a.tar.gz").native(), "--full-time"};
    const auto listed = sf::base::run(command);
    ASSERT_TRUE(listed.has_value());
    EXPECT_TRUE(listed->exit.ok()) << listed->err;
    EXPECT_EQ(listed->err, "");
    EXPECT_THAT(listed->out, testing::HasSubstr("-rwxr-xr-x root/root"));
    EXPECT_THAT(listed->out, testing::HasSubstr("t-1-abc/share/" + std::string(200, 'k') + "\n"));
    EXPECT_THAT(listed->out, testing::HasSubstr("t-1-abc/bin/data -> ../lib/data\n"));
}

TEST_F(Archive, FilterPrefixAndCopyFromAnotherArchive) {
    make_tree();
    const auto inner = write(Compression::zstd);
    const auto fd = memory_file(inner);
    StringSink out;
    WriterOptions options;
    options.compression = Compression::gzip;
    options.hash_files = true;
    auto writer = ArchiveWriter::create(out, options);
    ASSERT_TRUE(writer.has_value());
    ArchivePolicy policy;
    policy.top = "t-1-abc";
    ASSERT_TRUE(writer->add_archive({fd.get(), "run.tar.zst"}, policy, "store").has_value());
    ASSERT_TRUE(writer->add_memory("manifests/1.json", "{}").has_value());
    ASSERT_TRUE(writer->add_symlink("view", "store/t-1-abc").has_value());
    ASSERT_TRUE(writer
                    ->add_tree(temp() / "tree", "copy",
                               [](std::string_view path) { return !path.starts_with("share"); })
                    .has_value());
    const auto record = writer->finish("bundle.tar.gz");
    ASSERT_TRUE(record.has_value());
    EXPECT_EQ(record->entries, writer->entries().size());

    const auto bundle = memory_file(out.text);
    fs::create_directories(temp() / "out");
    ArchivePolicy any;
    any.record = &*record;
    const auto made = sf::pack::unpack_archive({bundle.get(), "bundle.tar.gz"}, any,
                                               folder(temp() / "out").get());
    ASSERT_TRUE(made.has_value()) << made.error().text();
    EXPECT_EQ(listing(temp() / "out/store/t-1-abc"), listing(temp() / "tree"));
    EXPECT_THAT(listing(temp() / "out/copy"),
                testing::ElementsAre("bin/", "bin/data", "bin/far", "bin/tool", "lib/", "lib/data",
                                     "var/"));
    for (const auto& entry : writer->entries()) {
        const auto same = std::find_if(made->begin(), made->end(),
                                       [&](const auto& item) { return item.path == entry.path; });
        ASSERT_NE(same, made->end()) << entry.path;
        EXPECT_EQ(same->sha256, entry.sha256) << entry.path;
        EXPECT_EQ(same->mode, entry.mode) << entry.path;
    }
}

TEST_F(Archive, WriterRefusesWhatTheReaderWould) {
    StringSink out;
    auto writer = ArchiveWriter::create(out, {});
    ASSERT_TRUE(writer.has_value());
    ASSERT_TRUE(writer->add_memory("a/b", "x").has_value());
    EXPECT_FALSE(writer->add_memory("a/b", "y").has_value());
    EXPECT_FALSE(writer->add_memory("a/b/c", "y").has_value());
    EXPECT_FALSE(writer->add_memory("../x", "y").has_value());
    EXPECT_FALSE(writer->add_memory("/x", "y").has_value());
    EXPECT_FALSE(writer->add_memory("a/.sf-ok", "y").has_value());
    EXPECT_FALSE(writer->add_symlink("l", "/etc").has_value());
    EXPECT_TRUE(writer->add_directory("a").has_value());
    EXPECT_FALSE(writer->add_file("dev", "/dev/null").has_value());
    ASSERT_EQ(::mkfifo((temp() / "fifo").c_str(), 0600), 0);
    EXPECT_FALSE(writer->add_file("fifo", temp() / "fifo").has_value());
    put("real", "x");
    fs::create_symlink("real", temp() / "soft");
    EXPECT_FALSE(writer->add_file("soft", temp() / "soft").has_value());
    EXPECT_TRUE(writer->finish("x").has_value());
    EXPECT_FALSE(writer->finish("x").has_value());
    EXPECT_FALSE(writer->add_directory("late").has_value());
}

// For Spack, which has its own rules: one folder of links that are absolute, one name more.
TEST_F(Archive, WriterTakesWhatAnotherProgramAsksFor) {
    StringSink out;
    WriterOptions options;
    options.link_root = "/store";
    options.reserved = ".spack";
    options.compression = Compression::none;
    auto writer = ArchiveWriter::create(out, options);
    ASSERT_TRUE(writer.has_value());
    EXPECT_TRUE(writer->add_symlink("a/link", "/store/zlib-1").has_value());
    EXPECT_TRUE(writer->add_memory("a/.spack/spec.json", "{}").has_value());
    for (const char* target :
         {"/etc", "/store", "/store/", "/store/../etc", "/storehouse/x", "/store//x", "x/../../y"})
        EXPECT_FALSE(writer->add_symlink("b", target).has_value()) << target;
    for (const char* path : {"a/.spack-x", "a/.sf-ok", ".spack/../x", "/.spack"})
        EXPECT_FALSE(writer->add_memory(path, "{}").has_value()) << path;
    ASSERT_TRUE(writer->finish("x.tar").has_value());
    const auto fd = memory_file(out.text);
    EXPECT_FALSE(sf::pack::read_archive({fd.get(), "x.tar"}, {},
                                        [](const auto&, auto&) { return sf::base::Status{}; })
                     .has_value())
        << "our own reader takes neither";
}

TEST_F(Archive, VerifyTellsSizeFromDigest) {
    const auto fd = memory_file("12345");
    sf::model::ArchiveRecord record;
    record.size = 5;
    record.sha256 = sf::base::sha256("12345");
    EXPECT_TRUE(sf::pack::verify_archive({fd.get(), "a.tar"}, record).has_value());
    EXPECT_EQ(::lseek(fd.get(), 0, SEEK_CUR), 0);
    record.sha256 = sf::base::sha256("54321");
    EXPECT_EQ(sf::pack::verify_archive({fd.get(), "a.tar"}, record).error().code,
              sf::base::Code::corrupt);
    record.size = 6;
    EXPECT_EQ(sf::pack::verify_archive({fd.get(), "a.tar"}, record).error().text(),
              "a.tar: 5 bytes where 6 were recorded");
}

TEST_F(Archive, VisitorMayLeaveContentUnread) {
    make_tree();
    const auto fd = memory_file(write(Compression::zstd));
    std::vector<std::string> seen;
    const auto totals = sf::pack::read_archive({fd.get(), "a.tar.zst"}, {},
                                               [&](const auto& entry, sf::base::Source& content) {
                                                   seen.push_back(entry.path);
                                                   std::byte some[100];
                                                   if (seen.size() % 2 == 0)
                                                       static_cast<void>(content.read(some));
                                                   return sf::base::Status{};
                                               });
    ASSERT_TRUE(totals.has_value()) << totals.error().text();
    EXPECT_EQ(totals->entries, 13U);
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

}  // namespace
