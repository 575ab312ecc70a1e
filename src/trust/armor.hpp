// SPDX-License-Identifier: Apache-2.0
// Detached OpenPGP signatures between their text form and their packets. Knows framing only:
// nothing of trust. Strict on purpose: GnuPG's own reader skips text around the armour, and
// given a whole signed message in place of a detached signature it judges the message's inner data,
// not our file. So only what we would write ourselves is read: one block, no headers, a CRC, and in
// it nothing but signature packets. The CRC also means that no single flipped bit stays unnoticed.
// Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sf::trust {

inline constexpr std::size_t max_signature_bytes = std::size_t{64} << 10;
inline constexpr std::size_t max_signatures = 16;

// The packets inside an armoured detached signature. Code::refused with the reason otherwise.
[[nodiscard]] base::Result<std::string> dearmor_signature(std::string_view text);

// The one text form of these packets.
[[nodiscard]] std::string armor_signature(std::string_view packets);

// Blocks of keys, each with a checksum; all else as it is. RFC 9580 wants none any more, and other
// programs write none; GnuPG 2.2 then takes the last line for base64 as well, where nothing is
// padded before it, and loses the last key of the block. Total.
[[nodiscard]] std::string with_checksums(std::string_view keys);

// Only whole signature packets of definite length, at least one and at most max_signatures.
[[nodiscard]] base::Status check_signature_packets(std::string_view packets);

}  // namespace sf::trust
