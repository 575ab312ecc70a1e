#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make nightly: the unit tests under ThreadSanitizer, each fuzz target for a minute, Clang's static analyzer,
# the reliability suites with their full numbers (docs/reliability.md; tools/reliability.sh runs them alone),
# and everything of make test
# with more rounds of what is random (SF_ROUNDS: kills at random moments, flipped bits).
set -eu
cd "$(dirname "$0")/.."
sh tools/bootstrap.sh build run test long fuzz
. ./tools/ccache.sh
cmake --preset tsan
cmake --build --preset tsan
ctest --preset tsan -j "$(nproc)"
cmake --preset fuzz
cmake --build --preset fuzz
SF_FUZZ_SECONDS=${SF_FUZZ_SECONDS:-60} ctest --preset fuzz -j "$(nproc)"
SF_TIDY_CHECKS='clang-analyzer-*,-clang-analyzer-optin.*' sh tools/tidy.sh
# Roots and keyrings from the real archives, wherever this machine's apt finds them.
cmake --preset dev
cmake --build --preset dev --target unit_sandbox
# shellcheck disable=SC2016  # apt's own words
# shellcheck disable=SC2016  # for apt-get, not for the shell
addresses() { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sed 's,/$,,' | sort -u; }
SF_TEST_ROOTS=$(mktemp -d) SF_TEST_MIRROR=$(addresses | grep -- '/debian$' | head -n 1) \
    SF_TEST_SECURITY_MIRROR=$(addresses | grep -- '-security$' | head -n 1) \
    build/dev/tests/unit_sandbox --gtest_filter='RealRoot.*:KeyringTest.IsFetchedFromAnArchiveThatIsTrustedAlready'
sh tools/reliability.sh
SF_ROUNDS=${SF_ROUNDS:-20}
export SF_ROUNDS
export SF_FULL=1
exec sh tools/test.sh
