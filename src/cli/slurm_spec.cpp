// SPDX-License-Identifier: Apache-2.0
#include "cli/slurm_spec.hpp"

#include "base/text.hpp"
#include "model/names.hpp"

namespace sf::cli {

using base::Code;

base::Result<install::Query> slurm_spec(const std::string& text) {
    install::Query query;
    const std::size_t at = text.find('@');
    query.name = text.substr(0, at);
    if (query.name != "slurm")
        return base::fail_hint(
            Code::usage,
            fmt::format("'{}' is not installed by name", base::escape_untrusted(query.name)),
            "what Slurm needs comes with it: slurm@25.11");
    if (at == std::string::npos)
        return base::fail_hint(Code::usage, "which Slurm? Say its series or its version",
                               "for instance: slurm@25.11 or slurm@25.11.2");
    query.version = text.substr(at + 1);
    if (query.version.find('.') != std::string::npos && model::check_version(query.version))
        return query;
    return base::fail_hint(Code::usage,
                           fmt::format("'{}' is no series", base::escape_untrusted(query.version)),
                           "for instance: slurm@25.11 or slurm@25.11.2");
}

}  // namespace sf::cli
