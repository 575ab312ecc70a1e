// SPDX-License-Identifier: Apache-2.0
// What lies in a prefix that other hosts write to, and beside a site's configuration: records of
// generations, leases, lock files. What is read has one text form.
#include "fuzz/fuzz.hpp"
#include "install/lock_file.hpp"
#include "tree/generations.hpp"
#include "tree/leases.hpp"

using namespace sf;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::text_of(data, size);
    if (const auto generation = tree::generation_from_json(text)) {
        fuzz::require(fuzz::need(tree::to_json(*generation)) == text, "one text form");
        fuzz::require(generation->came_from < generation->number, "ways back lead back");
    }
    if (const auto lease = tree::lease_from_json(text)) {
        fuzz::require(fuzz::need(tree::to_json(*lease)) == text, "one text form");
        fuzz::require(fuzz::need(tree::lease_file(*lease)).find('/') == std::string::npos,
                      "a name in one folder");
    }
    if (const auto lock = install::lock_from_json(text)) {
        fuzz::require(fuzz::need(install::to_json(*lock)) == text, "one text form");
        fuzz::require(lock->packages.back().identity == lock->build.identity, "itself the last");
    }
    return 0;
}
