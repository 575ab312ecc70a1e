// SPDX-License-Identifier: Apache-2.0
// References as JSON, for the .cpp files that write them. Pure, any thread.
#pragma once

#include <map>
#include <string>

#include "base/json_reader.hpp"
#include "cache/snapshot.hpp"

namespace sf::cache {

[[nodiscard]] base::Json write(const Ref& ref);
[[nodiscard]] base::Json write(const std::map<std::string, Ref>& refs);
void read(base::JsonReader& reader, const char* key, Ref& into);
void read(base::JsonReader& reader, const char* key, std::map<std::string, Ref>& into);

}  // namespace sf::cache
