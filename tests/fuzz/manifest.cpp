// SPDX-License-Identifier: Apache-2.0
// Z1: manifests of packages and bundles. What is accepted is written as the very text that was
// read: nothing in a signed manifest is passed over, so two programs cannot see different things in
// it.
#include "model/manifest.hpp"

#include "base/json.hpp"
#include "fuzz/fuzz.hpp"

using namespace sf;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::text_of(data, size);
    if (const auto json = base::parse_json(text)) {
        const std::string once = fuzz::need(base::canonical_json(*json));
        const base::Json again = fuzz::need(base::parse_json(once));
        fuzz::require(fuzz::need(base::canonical_json(again)) == once,
                      "the canonical text of a value is its own canonical text");
    }
    if (const auto package = model::package_from_json(text))
        fuzz::require(fuzz::need(model::to_json(*package)) == text,
                      "a package manifest is written as it was read");
    if (const auto bundle = model::bundle_from_json(text))
        fuzz::require(fuzz::need(model::to_json(*bundle)) == text,
                      "a bundle manifest is written as it was read");
    return 0;
}
