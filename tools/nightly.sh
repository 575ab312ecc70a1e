#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make nightly: everything of make test, the unit tests under ThreadSanitizer, and more rounds of what is
# random (SF_ROUNDS: kills at random moments, flipped bits).
set -eu
cd "$(dirname "$0")/.."
sh tools/bootstrap.sh build run test
CMAKE_CXX_COMPILER_LAUNCHER=$(command -v ccache)
export CMAKE_CXX_COMPILER_LAUNCHER
cmake --preset tsan
cmake --build --preset tsan
ctest --preset tsan -j "$(nproc)"
SF_ROUNDS=${SF_ROUNDS:-20}
export SF_ROUNDS
exec sh tools/test.sh
