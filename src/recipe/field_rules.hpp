// SPDX-License-Identifier: Apache-2.0
// What single fields of recipes must look like: paths that stay inside, names of files, sonames,
// and lists of {<key>, reason}. Pure but for the findings, any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "recipe/findings.hpp"

namespace sf::recipe {

// A path that stays below its folder: relative, normalised, no "..", no control characters.
[[nodiscard]] bool is_inner_path(std::string_view path);
void check_inner(const std::string& path, int line, const char* what, Findings& findings);

// Of letters, digits and ._+-~, no hidden file, nothing that looks like an option.
[[nodiscard]] bool is_plain_file_name(std::string_view name);

void check_soname(const std::string& name, int line, Findings& findings);

// A list of {<key>: …, reason: …}; `take` gets both and the line.
void read_pairs(const YamlNode& node, const char* what, const char* key, Findings& findings,
                const std::function<void(std::string, std::string, int)>& take);

}  // namespace sf::recipe
