// SPDX-License-Identifier: Apache-2.0
// The package that C1's hostile archives claim to be, for the test and for the process that unpacks
// one of them (unpack_one.cpp). Any thread.
#pragma once

#include "base/digest.hpp"
#include "model/manifest.hpp"

namespace sf::test {

inline model::Package hostile_package() {
    model::Package package;
    package.name = "p";
    package.version = "1";
    package.toolchain = "bookworm";
    package.target = "x86_64_v3";
    package.identity_text = R"({"name":"p"})";
    package.identity = base::sha256(package.identity_text);
    return package;
}

}  // namespace sf::test
