// SPDX-License-Identifier: Apache-2.0
// The docker command: one call each, with a clean environment and the daemon's own words in errors.
// Knows nothing of plans. Stateless, any thread.
#pragma once

#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/process.hpp"

namespace sf::sandbox {

class DockerClient {
public:
    // Fails where docker is not installed. `host` empty: docker's default.
    [[nodiscard]] static base::Result<DockerClient> find(const std::string& host);

    // A command for `words`, to be completed and started by the caller.
    [[nodiscard]] base::Command command(const std::vector<std::string>& words) const;
    // Runs it; its output, trimmed. `doing`: "make a container", for the error.
    [[nodiscard]] base::Result<std::string> call(const std::vector<std::string>& words,
                                                 const std::string& doing) const;
    // Makes an image named `tag` from some parts of a folder, through a pipe from tar.
    [[nodiscard]] base::Status import_image(const base::fs::path& folder,
                                            const std::vector<std::string>& parts,
                                            const std::string& tag) const;

private:
    DockerClient(std::string program, std::string host)
        : x_program(std::move(program)), x_host(std::move(host)) {}
    std::string x_program;
    std::string x_host;
};

}  // namespace sf::sandbox
