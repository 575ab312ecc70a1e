// SPDX-License-Identifier: Apache-2.0
// This program as its own signer, or as what looks into bundles for that: what hidden words make of
// it. It reads no configuration, no environment and no file but keys. One thread.
#pragma once

#include <string_view>

namespace sf::cli {

// Was it executed as one?
[[nodiscard]] bool is_signer(int argc, char** argv);
// Until the program that started it closes the socket; the exit status.
[[nodiscard]] int run_signer(std::string_view verb);

}  // namespace sf::cli
