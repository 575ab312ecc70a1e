// SPDX-License-Identifier: Apache-2.0
// The libraries that packages take from the distribution: are they on this machine, with the symbol
// versions that were linked with? For who installs (deploy) and who asks what a machine lacks
// (doctor). Looks through a seam. One thread for each seam.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/manifest.hpp"

namespace sf::tree {

// Symbol versions by soname.
using LibraryNeeds = std::map<std::string, std::set<std::string>>;

void add_needs(LibraryNeeds& needs, const model::Package& package);

// A machine's files, by absolute path.
class LibraryFiles {
public:
    enum class Kind { absent, file, symlink, other };
    LibraryFiles() = default;
    LibraryFiles(const LibraryFiles&) = delete;
    LibraryFiles& operator=(const LibraryFiles&) = delete;
    virtual ~LibraryFiles() = default;
    virtual Kind kind(const std::filesystem::path& path) = 0;  // what cannot be looked at is absent
    virtual base::Result<std::string> read_link(const std::filesystem::path& path) = 0;
    virtual base::Result<std::string> read(const std::filesystem::path& file) = 0;
};

// This machine's, or below `root` another's.
class OwnLibraryFiles : public LibraryFiles {
public:
    explicit OwnLibraryFiles(std::filesystem::path root = "/") : x_root(std::move(root)) {}
    Kind kind(const std::filesystem::path& path) override;
    base::Result<std::string> read_link(const std::filesystem::path& path) override;
    base::Result<std::string> read(const std::filesystem::path& file) override;

private:
    std::filesystem::path x_root;
};

struct MissingLibrary {
    enum class Why { absent, unreadable, version };
    std::string soname;
    Why why = Why::absent;
    std::string version;                     // the symbol version it does not define
    [[nodiscard]] std::string text() const;  // "libpam.so.0", "libc.so.6 (GLIBC_2.36)"
};

// By soname, then version.
[[nodiscard]] std::vector<MissingLibrary> missing_libraries(LibraryFiles& files,
                                                            const LibraryNeeds& needs);

}  // namespace sf::tree
