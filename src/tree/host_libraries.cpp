// SPDX-License-Identifier: Apache-2.0
#include "tree/host_libraries.hpp"

#include <array>
#include <optional>

#include "base/files.hpp"

namespace sf::tree {

using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr std::array library_folders{"/lib/x86_64-linux-gnu",
                                     "/usr/lib/x86_64-linux-gnu",
                                     "/lib64",
                                     "/usr/lib64",
                                     "/lib",
                                     "/usr/lib"};

// The library's own file: names in the folders of libraries are links to it.
std::optional<fs::path> find_library(LibraryFiles& files, const std::string& soname) {
    for (const char* folder : library_folders) {
        fs::path at = fs::path(folder) / soname;
        for (int links = 0; links < 8; ++links) {
            const LibraryFiles::Kind kind = files.kind(at);
            if (kind == LibraryFiles::Kind::file) return at;
            if (kind != LibraryFiles::Kind::symlink) break;
            const auto target = files.read_link(at);
            if (!target) break;
            at = (at.parent_path() / *target).lexically_normal();
        }
    }
    return std::nullopt;
}

}  // namespace

void add_needs(LibraryNeeds& needs, const model::Package& package) {
    for (const model::HostRequirement& each : package.host_requirements)
        needs[each.soname].insert(each.versions.begin(), each.versions.end());
}

LibraryFiles::Kind OwnLibraryFiles::kind(const fs::path& path) {
    const Result<fs::file_type> type = base::type_of(x_root / path.relative_path());
    if (!type || *type == fs::file_type::not_found) return Kind::absent;
    if (*type == fs::file_type::regular) return Kind::file;
    return *type == fs::file_type::symlink ? Kind::symlink : Kind::other;
}

Result<std::string> OwnLibraryFiles::read_link(const fs::path& path) {
    SF_TRY(const auto target, base::read_link(x_root / path.relative_path()));
    if (!target) return base::fail(base::Code::absent, "{} is no link", path.native());
    return target->native();
}

Result<std::string> OwnLibraryFiles::read(const fs::path& file) {
    return base::read_file(x_root / file.relative_path());
}

std::string MissingLibrary::text() const {
    switch (why) {
        case Why::absent: return soname;
        case Why::unreadable: return soname + " (cannot be read)";
        case Why::version: return soname + " (" + version + ")";
    }
    return soname;
}

std::vector<MissingLibrary> missing_libraries(LibraryFiles& files, const LibraryNeeds& needs) {
    using Why = MissingLibrary::Why;
    std::vector<MissingLibrary> missing;
    for (const auto& [soname, versions] : needs) {
        const auto path = find_library(files, soname);
        if (!path) {
            missing.push_back({soname, Why::absent, ""});
            continue;
        }
        const auto content = files.read(*path);
        if (!content) {
            missing.push_back({soname, Why::unreadable, ""});
            continue;
        }
        // A version a library defines stands in its table of strings, between zeros.
        for (const std::string& version : versions)
            if (content->find('\0' + version + '\0') == std::string::npos)
                missing.push_back({soname, Why::version, version});
    }
    return missing;
}

}  // namespace sf::tree
