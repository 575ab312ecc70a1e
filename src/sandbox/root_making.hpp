// SPDX-License-Identifier: Apache-2.0
// Runs mmdebstrap, mirror by mirror, and says meanwhile what it is doing. Knows nothing of where
// roots are kept. One thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/log.hpp"
#include "sandbox/root_request.hpp"

namespace sf::sandbox {

class RootMaking {
public:
    RootMaking(RootRequest request, bool as_root, base::fs::path staging, base::fs::path log,
               base::Reporter& reporter)
        : x_request(std::move(request)),
          x_as_root(as_root),
          x_staging(std::move(staging)),
          x_log(std::move(log)),
          x_reporter(reporter) {}

    // The root as mmdebstrap's tar, a nameless file at offset 0.
    [[nodiscard]] base::Result<base::Fd> make_tar();

    // The apt lines it came from, without options.
    [[nodiscard]] const std::vector<std::string>& sources() const { return x_sources; }

private:
    [[nodiscard]] base::fs::path temporary() const;
    [[nodiscard]] base::Status expose_keyring();
    [[nodiscard]] base::Status run(const base::Command& command, const base::fs::path& tar);

    RootRequest x_request;
    bool x_as_root;
    base::fs::path x_staging;
    base::fs::path x_log;
    base::Reporter& x_reporter;
    std::vector<std::string> x_sources;
    std::optional<base::TempDir> x_exposed;
};

// The last lines of mmdebstrap's log that say something, for an error. Pure.
[[nodiscard]] std::string last_lines(std::string_view log, std::size_t count);

}  // namespace sf::sandbox
