// SPDX-License-Identifier: Apache-2.0
// Which names and links an archive or a tree of ours may hold. Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sf::model {

// The rules for one path, for makers of archives: "" if it may stand in one, else the rule broken.
[[nodiscard]] std::string path_violation(std::string_view path);
// The same for a symlink at `path`, which may point into `roots` ("": anywhere below the top).
[[nodiscard]] std::string link_violation(std::string_view path, std::string_view target,
                                         const std::vector<std::string>& roots);

}  // namespace sf::model
