// SPDX-License-Identifier: Apache-2.0
// PLACE, --toolchain, --series: which mirrors of a cache a verb works on. Where the place can be
// listed those that are there; else those that this program knows names for and that answer. One
// thread.
#pragma once

#include <string>
#include <vector>

#include "cache/backend.hpp"
#include "cache/layout.hpp"
#include "cli/session.hpp"

namespace CLI {
class App;
}

namespace sf::cli {

struct MirrorChoice {
    std::vector<std::string> toolchains;  // empty: all
    std::vector<std::string> series;      // empty: all
};

inline constexpr const char* place_kinds =
    "a name of 'cache list', a folder, file://, http://, https:// or s3://";
inline constexpr const char* writable_kinds = "a name of 'cache list', a folder, file:// or s3://";

// --toolchain, --series
void add_mirror_options(CLI::App& app, MirrorChoice& choice);
// --toolchain alone
void add_toolchain_option(CLI::App& app, MirrorChoice& choice);

// The mirrors that were published to, of the toolchains and series asked for: that of a toolchain's
// dependencies first, always, because Slurm is not installed without it. Code::absent: there is
// none, with what there is.
[[nodiscard]] base::Result<std::vector<cache::MirrorName>> find_mirrors(Session& session,
                                                                        cache::Backend& place,
                                                                        const MirrorChoice& choice);

// Code::usage for a web server, with what to name instead.
[[nodiscard]] base::Status check_writable(const cache::Backend& place);

}  // namespace sf::cli
