// SPDX-License-Identifier: Apache-2.0
// How one upstream package is fetched, configured, compiled and checked: data, as read from
// recipes/<name>/recipe.yaml (docs/formats/recipe.md). Plain values.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "model/source.hpp"

namespace sf::recipe {

enum class BuildSystem { autotools, cmake, meson, make, script };
enum class Jobs { jobserver, fixed, serial };

struct Patch {
    std::filesystem::path path;  // absolute
    std::string file;            // as written, relative to the recipe's folder
    base::Digest sha256;
};

struct HostLibrary {
    std::string soname;
    std::string reason;
};

struct Build {
    BuildSystem system = BuildSystem::autotools;
    std::string subdir;
    bool out_of_tree = false;
    std::vector<std::string> bootstrap;  // shell lines
    std::vector<std::string> configure;  // arguments; script: shell lines
    std::vector<std::string> compile;    // likewise
    std::vector<std::string> install;    // likewise
    std::map<std::string, std::string> env;
    Jobs jobs = Jobs::jobserver;
    bool ccache = true;
    bool parallel_install = false;           // install and after_install too
    std::vector<std::string> after_install;  // shell lines
};

struct PublicSoname {
    std::string soname;
    std::string reason;
};

struct Dlopen {
    std::string files;  // glob
    std::vector<std::string> sonames;
};

struct PlaceholderException {
    std::string file;
    std::string reason;
};

struct Packaging {
    std::vector<std::string> remove;  // globs
    std::vector<PublicSoname> public_sonames;
    std::vector<Dlopen> dlopens;
    std::vector<std::string> expect;  // paths
    std::vector<PlaceholderException> placeholder_exceptions;
};

struct Version {
    std::string version;
    model::SourceFile source;
    std::vector<Patch> patches;
    // The recipe's parts as they are for this version: conditions are resolved.
    Build build{};
    Packaging package{};
};

struct Recipe {
    std::filesystem::path path;  // of recipe.yaml, for messages
    std::string name;
    std::string summary;
    std::string homepage;
    std::string license;
    // Of a build, about: for estimates and the order of builds where none was timed yet.
    std::optional<std::uint64_t> cpu_seconds;
    std::vector<Version> versions;  // newest first
    std::vector<std::string> build_dependencies;
    std::vector<std::string> link_dependencies;
    std::vector<HostLibrary> host_libraries;

    [[nodiscard]] const Version* find(const std::string& version) const;
};

}  // namespace sf::recipe
