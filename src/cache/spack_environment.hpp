// SPDX-License-Identifier: Apache-2.0
// A Spack environment for one package of a cache: spack.yaml, which names the package and its two
// mirrors and lets nothing be built, and spack.lock, which holds the package and all below it
// as they were signed. With the lock Spack solves nothing and does not ask the mirrors' index,
// which nobody signs; without it, Spack solves again, and takes from the mirrors or fails. The same
// texts for Spack 1.0 and 1.1 (docs/spack-interop.md). Pure, any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cache/spack_spec.hpp"

namespace sf::cache {

struct SpackEnvironmentRequest {
    const SpackSpec* spec = nullptr;  // borrowed
    std::string address;              // of the cache: spack_address()
    std::string toolchain;
    std::string signer;  // who signed the package: a fingerprint, for people
};

struct SpackEnvironment {
    std::string yaml;
    std::string lock;
};

// Code::refused for what cannot be in the name of a mirror.
[[nodiscard]] base::Result<SpackEnvironment> spack_environment(
    const SpackEnvironmentRequest& request);

// The address of a cache, as people write it, in the form that Spack takes: a folder becomes
// file:///…, no "/" at the end. Code::usage for one with a user's name, a password or a query: that
// would stand in a file.
[[nodiscard]] base::Result<std::string> spack_address(std::string_view address);

}  // namespace sf::cache
