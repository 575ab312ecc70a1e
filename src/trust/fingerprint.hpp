// SPDX-License-Identifier: Apache-2.0
// The full fingerprint of an OpenPGP key: the only name by which a key is ever trusted. Key ids,
// short or long, are not names: others can be made to match. Plain value, any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sf::trust {

class Fingerprint {
public:
    // Exactly 40 (version 4) or 64 (version 5) upper-case hexadecimal digits: the form in files.
    [[nodiscard]] static base::Result<Fingerprint> parse(std::string_view text);
    // As people paste it: spaces, lower case and a leading 0x are tolerated, shortness is not.
    [[nodiscard]] static base::Result<Fingerprint> from_person(std::string_view text);

    [[nodiscard]] const std::string& text() const { return x_text; }
    // clang-tidy 14 takes the zero inside a defaulted comparison for a null pointer.
    auto operator<=>(const Fingerprint&) const = default;  // NOLINT(modernize-use-nullptr)

private:
    explicit Fingerprint(std::string text) : x_text(std::move(text)) {}
    std::string x_text;
};

}  // namespace sf::trust
