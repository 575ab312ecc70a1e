// SPDX-License-Identifier: Apache-2.0
// Whether this is a build for a sanitizer, for the few places where what the program does else
// would end it: a sanitizer reserves terabytes of addresses, and must be let into its own process.
#pragma once

namespace sf::base {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool has_address_sanitizer = true;
#else
inline constexpr bool has_address_sanitizer = false;
#endif

#if defined(__SANITIZE_THREAD__)
inline constexpr bool has_thread_sanitizer = true;
#else
inline constexpr bool has_thread_sanitizer = false;
#endif

}  // namespace sf::base
