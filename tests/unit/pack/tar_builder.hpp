// SPDX-License-Identifier: Apache-2.0
// Test support: tar archives built byte by byte, independently of the code under test, so that they
// can be as wrong as an attacker wants; and small helpers around folders and descriptors.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/fd.hpp"
#include "base/files.hpp"
#include "pack/archive_reader.hpp"
#include "pack/compress.hpp"

namespace sf::test {

namespace fs = std::filesystem;

struct RawEntry {
    std::string name;
    char type = '0';
    std::string content;
    std::string link;
    unsigned mode = 0644;
    std::string prefix;
    std::string magic = std::string("ustar\00000", 8);
    std::string size_field;                          // if set: the 12 bytes as they are
    std::uint64_t claimed_size = ~std::uint64_t{0};  // if set: in place of the content's
    std::string tail;                                // bytes put at 500, the header's padding
    std::uint64_t mtime = 0;
};

inline std::string octal(std::uint64_t value, int digits) {
    char text[32];
    std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
    return text;
}

inline std::string block_of(const RawEntry& entry) {
    std::string block(512, '\0');
    const auto put = [&](std::size_t at, const std::string& text) {
        block.replace(at, text.size(), text);
    };
    std::uint64_t claimed = entry.claimed_size;
    if (claimed == ~std::uint64_t{0}) claimed = entry.content.size();
    put(0, entry.name.substr(0, 100));
    put(100, octal(entry.mode, 7));
    put(108, octal(1000, 7));
    put(116, octal(1000, 7));
    put(124, entry.size_field.empty() ? octal(claimed, 11) : entry.size_field);
    put(136, octal(entry.mtime, 11));
    block[156] = entry.type;
    put(157, entry.link.substr(0, 100));
    put(257, entry.magic);
    put(345, entry.prefix);
    put(500, entry.tail);
    put(148, "        ");
    unsigned sum = 0;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    put(148, octal(sum, 6) + std::string("\0 ", 2));
    return block;
}

inline std::string pad(std::string text) {
    text.resize((text.size() + 511) / 512 * 512, '\0');
    return text;
}

inline std::string bytes_of(const RawEntry& entry) { return block_of(entry) + pad(entry.content); }

inline std::string pax_line(const std::string& key, const std::string& value) {
    const auto rest = key.size() + value.size() + 3;
    auto length = rest + 1;
    while (std::to_string(length).size() + rest != length) {
        length = std::to_string(length).size() + rest;
    }
    return std::to_string(length) + " " + key + "=" + value + "\n";
}

inline std::string pax(const std::string& lines, char type = 'x') {
    RawEntry entry;
    entry.name = "pax";
    entry.type = type;
    entry.content = lines;
    return bytes_of(entry);
}

inline std::string end_of_tar() { return std::string(1024, '\0'); }

class StringSink : public base::Sink {
public:
    base::Status write(base::Bytes bytes) override {
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
    }
    std::string text;
};

inline std::string compressed(const std::string& text, pack::Compression compression,
                              int level = 1) {
    StringSink out;
    auto sink = pack::Compressor::create(out, compression, level);
    EXPECT_TRUE(sink.has_value());
    EXPECT_TRUE((*sink)->write(base::as_bytes(text)).has_value());
    EXPECT_TRUE((*sink)->finish().has_value());
    return out.text;
}

// An open descriptor with these bytes.
inline base::Fd memory_file(const std::string& bytes) {
    base::Fd fd(::memfd_create("archive", MFD_CLOEXEC));
    EXPECT_TRUE(base::write_all(fd.get(), base::as_bytes(bytes), "memfd").has_value());
    return fd;
}

class PackTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto made = base::TempDir::create(fs::temp_directory_path(), "sf-pack-");
        ASSERT_TRUE(made.has_value()) << made.error().text();
        x_temp.emplace(std::move(*made));
    }
    [[nodiscard]] const fs::path& temp() const { return x_temp->path(); }
    [[nodiscard]] static base::Fd folder(const fs::path& path) {
        return base::Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    void put(const std::string& path, const std::string& content, unsigned mode = 0644) {
        fs::create_directories((temp() / path).parent_path());
        const auto written = base::write_file(temp() / path, content, mode);
        ASSERT_TRUE(written.has_value()) << written.error().text();
    }

private:
    std::optional<base::TempDir> x_temp;
};

// The names of everything below a folder, sorted, folders with a trailing slash.
inline std::vector<std::string> listing(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        const bool is_folder = entry.is_directory() && !entry.is_symlink();
        names.push_back(entry.path().lexically_relative(folder).native() + (is_folder ? "/" : ""));
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace sf::test
