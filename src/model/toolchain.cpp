// SPDX-License-Identifier: Apache-2.0
#include "model/toolchain.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sf::model {

base::Result<std::string> gcc_version(const std::string& compiler) {
    constexpr std::string_view name = "gcc ";
    if (compiler.starts_with(name)) {
        const std::string version =
            compiler.substr(name.size(), compiler.find('-', name.size()) - name.size());
        const bool plain = std::all_of(version.begin(), version.end(),
                                       [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
        if (plain && !version.empty() && version.front() != '.' && version.back() != '.')
            return version;
    }
    return base::fail(base::Code::failed, "the root's record names '{}' as its compiler, not a gcc",
                      base::escape_untrusted(compiler));
}

}  // namespace sf::model
