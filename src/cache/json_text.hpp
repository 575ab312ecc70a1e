// SPDX-License-Identifier: Apache-2.0
// JSON as the files of a cache have it: members in the order they were given, in the two text forms
// that Spack writes; and members of parsed JSON by type, for readers. Knows no format. Pure, any
// thread. Include from .cpp files only: the header below is heavy.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace sf::cache {

using OrderedJson = nlohmann::ordered_json;

// No white space, ASCII only: Python's json.dumps(…, separators=(",", ":")). Hashes rest on it.
[[nodiscard]] base::Result<std::string> compact_text(const OrderedJson& json);
// One member a line, a line feed at the end. A line that gpg's clear signatures would cut is
// Code::failed: it ends them at 19,993 bytes without a word.
[[nodiscard]] base::Result<std::string> lines_text(const OrderedJson& json);

// The text an object was read from has to be the text it is written as: then nothing in it was
// passed over. `what`: "the index".
[[nodiscard]] base::Status is_one_text(std::string_view again, std::string_view text,
                                       std::string_view what);

// One member of an object, or Code::corrupt: "<what> lacks '<key>'".
[[nodiscard]] base::Result<const base::Json*> json_member(const base::Json& object, const char* key,
                                                          std::string_view what);
[[nodiscard]] base::Result<std::string> json_text(const base::Json& object, const char* key,
                                                  std::string_view what);
[[nodiscard]] base::Result<std::uint64_t> json_number(const base::Json& object, const char* key,
                                                      std::string_view what);
[[nodiscard]] base::Result<bool> json_flag(const base::Json& object, const char* key,
                                           std::string_view what);
[[nodiscard]] base::Result<base::Digest> json_digest(const base::Json& object, const char* key,
                                                     std::string_view what);
// A list, or an object.
[[nodiscard]] base::Result<const base::Json*> json_list(const base::Json& object, const char* key,
                                                        std::string_view what);
[[nodiscard]] base::Result<const base::Json*> json_object(const base::Json& object, const char* key,
                                                          std::string_view what);

}  // namespace sf::cache
