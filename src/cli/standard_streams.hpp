// SPDX-License-Identifier: Apache-2.0
// stdin, stdout and stderr as they may really be: closed, full, or a pipe nobody reads. Knows
// nothing of what is said. Not thread-safe: Voice holds a lock around it.
#pragma once

#include <cstdio>
#include <string_view>

namespace sf::cli {

// Call first. A standard descriptor that is closed would become the number of the next file we
// open, and what we say would be written into that file. Closed ones are opened so that using them
// fails, as it would have.
void open_standard_streams();

// Writes and flushes; 0, or the errno of what went wrong. Never throws.
[[nodiscard]] int write_text(std::FILE* stream, std::string_view text);

}  // namespace sf::cli
