// SPDX-License-Identifier: Apache-2.0
// The tests' program is also the signer that the commands start from it.
#include <gmock/gmock.h>

#include "cli/app.hpp"
#include "cli/signer_program.hpp"

int main(int argc, char** argv) {
    if (sf::cli::is_signer(argc, argv)) return sf::cli::run_command_line(argc, argv);
    testing::InitGoogleMock(&argc, argv);
    return RUN_ALL_TESTS();
}
