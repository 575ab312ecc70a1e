// SPDX-License-Identifier: Apache-2.0
// The tests' program is also the program that the tests run in their sandboxes.
#include <gmock/gmock.h>

#include <string_view>

#include "unit/sandbox/harness.hpp"
#include "unit/sandbox/probe.hpp"

int main(int argc, char** argv) {
    const std::span<char*> words(argv, static_cast<std::size_t>(argc));
    if (argc > 2 && std::string_view(words[1]) == "--probe")
        return sf::sandbox::run_probe(words.subspan(2));
    if (argc > 2 && std::string_view(words[1]) == "--hold-sandbox")
        return sf::sandbox::hold_sandbox(words[2]);
    if (argc > 2 && std::string_view(words[1]) == "--interactive")
        return sf::sandbox::interactive_sandbox(words[2]);
    testing::InitGoogleMock(&argc, argv);
    return RUN_ALL_TESTS();
}
