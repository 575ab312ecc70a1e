// SPDX-License-Identifier: Apache-2.0
// Clearsigned texts as bytes: a text that can be read, and under it the signatures over it. Knows
// framing only, nothing of keys or trust; what is to be believed of a text is what gpgv gives out
// (verdict.hpp). Strict on purpose: GnuPG ignores what stands around a message, and its own output
// is not always the text that was signed: it drops blanks at the ends of lines, keeps carriage
// returns that anybody may have put there, and cuts long lines off, without a word. So only what we
// would write ourselves is read: one message, its Hash header alone, and a text that GnuPG gives
// back to the byte. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "trust/armor.hpp"

namespace sf::trust {

inline constexpr std::size_t max_clearsign_text = std::size_t{4} << 20;
// The longest line that GnuPG 2.2 gives back whole, without its line feed.
inline constexpr std::size_t max_clearsign_line = 19'993;
// Each line may have got "- " before it.
inline constexpr std::size_t max_clearsigned_bytes =
    3 * max_clearsign_text + 2 * max_signature_bytes + 1024;

// Whole lines, none too long, no blank at the end of one, no control characters but tabs;
// Code::refused otherwise, with the number of the line.
[[nodiscard]] base::Status check_clearsign_text(std::string_view text);

// The text inside, by our own reading: to be compared with what gpgv gives out, and for nothing
// else. Code::refused with the reason if these bytes are not exactly one message.
[[nodiscard]] base::Result<std::string> frame_of_clearsigned(std::string_view bytes);

// The one form of a message: `signatures` as armour (armor.hpp).
[[nodiscard]] std::string clearsigned_text(std::string_view text, std::string_view hash,
                                           std::string_view signatures);

}  // namespace sf::trust
