// SPDX-License-Identifier: Apache-2.0
// One GET request to a daemon of ours behind a local socket. No more of HTTP than that needs: the
// daemon is under test, and its answer is only looked at. Not behind the seam. One thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace sf::deploy {

// `headers`: "Name: value", without line ends. The body; any other status than 200, or no whole
// answer within half a minute, is an error. At most 16 MiB are read.
[[nodiscard]] base::Result<std::string> local_http_get(
    const std::string& socket, const std::string& path,
    const std::vector<std::string>& headers = {});

// What an answer holds, as it came from the wire: a status line, headers with Content-Length, and
// at least that many bytes. Pure.
[[nodiscard]] base::Result<std::string> body_of_answer(const std::string& answer);

}  // namespace sf::deploy
