// SPDX-License-Identifier: Apache-2.0
// Objects in one tar file: what is written is read, and nothing else is.
#include <gmock/gmock.h>
#include <sys/mman.h>

#include <unistd.h>

#include "base/files.hpp"
#include "cache/objects.hpp"
#include "cache/open_backend.hpp"
#include "cache/tar_backend.hpp"
#include "pack/tar_format.hpp"

namespace sf::cache {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class TextSink : public base::Sink {
public:
    base::Status write(base::Bytes bytes) override {
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
    }
    std::string text;
};

using Objects = std::vector<std::pair<std::string, std::string>>;

const std::string long_name(90, 'n');

Objects some() {
    return {{"offline.json", "{}\n"},
            {"bookworm/slurm/25.11/_sf/snapshot.json", std::string(1000, 's')},
            {"bookworm/slurm/25.11/v3/manifests/spec/" + long_name + '/' + long_name, ""},
            {"keys/A.asc", std::string(512, 'k')}};
}

std::string tar_of(const Objects& objects) {
    TextSink sink;
    ObjectTarWriter writer(sink);
    for (const auto& [key, content] : objects) EXPECT_TRUE(writer.add(key, content)) << key;
    EXPECT_TRUE(writer.finish());
    return sink.text;
}

class ObjectTar : public testing::Test {
protected:
    fs::path write(const std::string& bytes) {
        const fs::path file = x_folder.path() / "file.tar";
        EXPECT_TRUE(base::write_file(file, bytes));
        return file;
    }
    // What reading it says; empty: it is good.
    static std::string says(const std::string& bytes) {
        const base::Fd file(::memfd_create("tar", MFD_CLOEXEC));
        EXPECT_TRUE(base::write_all(file.get(), base::as_bytes(bytes), "memory"));
        if (!is_object_tar(file.get()).value()) return "is none";
        const auto read = read_object_tar(file.get(), "file.tar");
        return read ? "" : read.error().text();
    }
    static std::string header(const std::string& path, std::uint64_t size,
                              char type = pack::tar_file) {
        pack::TarHeader header;
        header.path = path;
        header.size = size;
        header.type = type;
        if (type == pack::tar_symlink) header.target = "/etc/passwd";
        return pack::make_tar_header(header);
    }
    static std::string ended(std::string bytes) {
        bytes.append(2 * pack::tar_block, '\0');
        bytes.resize((bytes.size() + pack::tar_record - 1) / pack::tar_record * pack::tar_record);
        return bytes;
    }
    static std::string begun() {
        std::string text = header("offline.json", 3) + "{}\n";
        text.resize(2 * pack::tar_block);
        return text;
    }

    base::TempDir x_folder{base::TempDir::create(testing::TempDir(), "sf-tar-").value()};
};

TEST_F(ObjectTar, IsReadAsItWasWritten) {
    const fs::path file = write(tar_of(some()));
    const auto opened = open_backend(file.native());
    ASSERT_TRUE(opened) << opened.error().text();
    Backend& backend = **opened;
    EXPECT_FALSE(backend.writable());
    EXPECT_FALSE(backend.whole());
    EXPECT_EQ(backend.place(), file.native());
    Objects found;
    ASSERT_TRUE(backend.list("", [&](const ObjectInfo& object) -> base::Status {
        const auto text = read_object(backend, object.key, 4096).value();
        EXPECT_EQ(text->text.size(), object.size);
        found.emplace_back(object.key, text->text);
        return {};
    }));
    EXPECT_THAT(found, testing::UnorderedElementsAreArray(some()));
    EXPECT_FALSE(read_object(backend, "keys/B.asc", 4096).value());
    EXPECT_EQ(backend.look("keys/A.asc").value()->size, 512U);
    EXPECT_EQ(read_object(backend, "keys/A.asc", 511).error().code, base::Code::corrupt);
    EXPECT_EQ(read_object(backend, "../x", 511).error().code, base::Code::refused);
    EXPECT_EQ(backend.remove("keys/A.asc").error().code, base::Code::refused);
    EXPECT_EQ(put_text(backend, "keys/B.asc", "x", "text/plain").error().code, base::Code::refused);
    SubBackend below(backend, "bookworm/slurm/25.11");
    EXPECT_FALSE(below.whole());
    EXPECT_TRUE(read_object(below, "_sf/snapshot.json", 4096).value());
}

TEST_F(ObjectTar, TheSameObjectsAreTheSameBytes) {
    EXPECT_EQ(tar_of(some()), tar_of(some()));
    const base::Fd memory(::memfd_create("content", MFD_CLOEXEC));
    ASSERT_EQ(::write(memory.get(), "0123456789", 10), 10);
    ASSERT_EQ(::lseek(memory.get(), 2, SEEK_SET), 2);
    TextSink sink;
    ObjectTarWriter writer(sink);
    ASSERT_TRUE(writer.add("offline.json", "{}\n"));
    ASSERT_TRUE(writer.add("a", 5, memory.get()));
    ASSERT_TRUE(writer.finish());
    EXPECT_EQ(sink.text, tar_of({{"offline.json", "{}\n"}, {"a", "23456"}}));
}

// Every byte that is no content counts: none can be changed unseen.
TEST_F(ObjectTar, RefusesEachFlippedBitOutsideOfContents) {
    const Objects objects = some();
    const std::string good = tar_of(objects);
    ASSERT_EQ(says(good), "");
    std::vector<bool> content(good.size(), false);
    std::size_t at = 0;
    for (const auto& [key, text] : objects) {
        at += pack::tar_block;
        std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(at), text.size(), true);
        at += (text.size() + pack::tar_block - 1) / pack::tar_block * pack::tar_block;
    }
    std::size_t flipped = 0;
    for (std::size_t i = 0; i < good.size(); ++i) {
        if (content[i]) continue;
        for (unsigned bit = 0; bit < 8; bit += i < 3 * pack::tar_block ? 1 : 7) {
            std::string bad = good;
            bad[i] = static_cast<char>(bad[i] ^ (1U << bit));
            EXPECT_NE(says(bad), "") << "byte " << i << ", bit " << bit;
            ++flipped;
        }
    }
    EXPECT_GT(flipped, 15'000U);
}

TEST_F(ObjectTar, RefusesWhatIsCutShortOrGoesOn) {
    const std::string good = tar_of(some());
    for (std::size_t size = 0; size < good.size(); size += 128)
        EXPECT_NE(says(good.substr(0, size)), "") << size;
    EXPECT_THAT(says(good.substr(0, 2048)), HasSubstr("is cut short"));
    EXPECT_THAT(says(good.substr(0, good.size() - 1)), HasSubstr("is cut short"));
    EXPECT_THAT(says(good + '\0'), HasSubstr("behind its end"));
    EXPECT_THAT(says(good + std::string(pack::tar_record, '\0')), HasSubstr("behind its end"));
}

TEST_F(ObjectTar, RefusesWhatWeWouldNotWrite) {
    const std::string first = begun();
    ASSERT_EQ(says(ended(first)), "");
    EXPECT_THAT(says(ended(header("a", 0))), "is none");
    EXPECT_THAT(TarBackend::open(write(ended(header("a", 0)))).error().text(),
                HasSubstr("none made of a cache"));
    for (const auto& [path, type] :
         std::vector<std::pair<std::string, char>>{{"../a", pack::tar_file},
                                                   {"/etc/passwd", pack::tar_file},
                                                   {"a//b", pack::tar_file},
                                                   {"./a", pack::tar_file},
                                                   {"a b", pack::tar_file},
                                                   {"a\nb", pack::tar_file},
                                                   {"a", pack::tar_symlink},
                                                   {"a", pack::tar_hardlink},
                                                   {"a", pack::tar_directory},
                                                   {"a", pack::tar_pax},
                                                   {"a", '6'}})
        EXPECT_THAT(says(ended(first + header(path, 0, type))), HasSubstr("no offline file"))
            << path << ' ' << type;
    EXPECT_THAT(says(ended(first + header("b", 0) + header("a", 0))), HasSubstr("order"));
    EXPECT_THAT(says(ended(first + header("a", 0) + header("a", 0))), HasSubstr("order"));
    EXPECT_THAT(says(ended(first + first)), HasSubstr("order"));
    // A size that reaches behind the end, or is larger than any file.
    EXPECT_THAT(says(ended(first + header("a", 1U << 30U))), HasSubstr("cut short"));
    EXPECT_THAT(says(ended(first + header("a", std::uint64_t{1} << 40U))),
                HasSubstr("no offline file"));
    ASSERT_EQ(::mkfifo((x_folder.path() / "pipe").c_str(), 0600), 0);
    EXPECT_EQ(TarBackend::open(x_folder.path() / "pipe").error().code, base::Code::refused);
    EXPECT_FALSE(is_offline_file(x_folder.path() / "pipe").value());
    EXPECT_FALSE(is_offline_file(x_folder.path()).value());
    EXPECT_FALSE(is_offline_file(x_folder.path() / "none").value());
}

TEST_F(ObjectTar, IsWrittenInOrderAlone) {
    TextSink sink;
    ObjectTarWriter writer(sink);
    EXPECT_FALSE(writer.add("a", "x")) << "the first says what it is";
    ASSERT_TRUE(writer.add("offline.json", "x"));
    ASSERT_TRUE(writer.add("b", "x"));
    EXPECT_FALSE(writer.add("a", "x"));
    EXPECT_FALSE(writer.add("b", "x"));
    EXPECT_FALSE(writer.add("c d", "x"));
}

}  // namespace
}  // namespace sf::cache
