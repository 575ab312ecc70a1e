// SPDX-License-Identifier: Apache-2.0
// A Linux distribution release and its own compiler. Plain values (docs/formats/recipe.md), any
// thread.
#pragma once

#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "model/os_release.hpp"

namespace sf::model {

struct Keyring {
    std::string package;  // the package that brings it
    std::string file;     // where that package puts it
};

struct Toolchain {
    std::string name;
    std::string title;
    std::string state;   // "proven" | "data"
    std::string family;  // "debian" | "ubuntu" | "el"
    OsRelease os_release;
    std::vector<std::string> suites;
    std::vector<std::string> components;
    Keyring keyring;
    std::vector<std::string> packages;        // installed in the root
    std::vector<std::string> host_libraries;  // sonames the distribution provides at run time
};

// A root as it was made: frozen until asked for an update.
struct RootRecord {
    std::string toolchain;
    base::Digest digest;                // of the compressed tar
    std::vector<std::string> packages;  // "name=version", sorted
    std::string compiler;               // "gcc 12.2.0-14+deb12u1"
    std::string libc;
};

// "gcc 12.2.0-14+deb12u1" -> "12.2.0"; Code::failed for what names no version of gcc.
[[nodiscard]] base::Result<std::string> gcc_version(const std::string& compiler);

}  // namespace sf::model
