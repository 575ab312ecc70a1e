#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The unit tests once more, under AddressSanitizer and UndefinedBehaviorSanitizer.
set -eu
cmake --preset asan
cmake --build --preset asan
ctest --preset asan -j "$(nproc)" --test-output-size-passed 100000000
