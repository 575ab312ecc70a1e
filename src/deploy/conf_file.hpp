// SPDX-License-Identifier: Apache-2.0
// slurm.conf and slurmdbd.conf as Slurm itself reads them (its src/common/parse_config.c):
// comments, escapes, continued lines, quotes, several pairs on a line, the last one counts. Which
// names there are it does not know. Pure, any thread; the parser is total.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace sf::deploy {

class ConfFile {
public:
    [[nodiscard]] static ConfFile parse(std::string_view text);

    // Empty if there is none; an empty value is none that Slurm takes.
    [[nodiscard]] std::string value(std::string_view name) const;
    // More is in other files, which nobody has looked at.
    [[nodiscard]] bool includes() const { return x_includes; }
    // Slurm ends at a line that is none of its pairs.
    [[nodiscard]] bool understood() const { return x_understood; }

private:
    void read_line(std::string_view line);

    std::vector<std::pair<std::string, std::string>> x_pairs;  // names in lower case
    bool x_includes = false;
    bool x_understood = true;
};

// The one value of a text.
[[nodiscard]] std::string conf_value(std::string_view conf, std::string_view name);

// "Name=value" and a line feed, which Slurm reads as this value and nothing else. Code::refused for
// a value that cannot be written so: its text may be a secret, and is not in the error.
[[nodiscard]] base::Result<std::string> conf_line(std::string_view name, std::string_view value);

}  // namespace sf::deploy
