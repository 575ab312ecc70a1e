// SPDX-License-Identifier: Apache-2.0
// The program; everything it does begins in run_command_line().
#include "cli/app.hpp"

int main(int argc, char** argv) { return sf::cli::run_command_line(argc, argv); }
