// SPDX-License-Identifier: Apache-2.0
// slurm-setup, the static helper in bundles; everything it does begins in run_setup().
#include "deploy/setup.hpp"

int main(int argc, char** argv) { return sf::deploy::run_setup({argv + 1, argv + argc}); }
