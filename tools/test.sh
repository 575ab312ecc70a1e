#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make test: everything that belongs to a change, in one ctest run. What is cheap (label unit, golden,
# lint) is a fixture of what is dear (e2e): if it fails, the rest does not start. With SF_FULL=1 (make
# full) also what takes longest: sanitizers, clang-tidy, builds that are killed, starved and compared.
#
#   tools/test.sh [ctest arguments]        for instance: tools/test.sh -L unit
set -eu
cd "$(dirname "$0")/.."

# shellcheck disable=SC2086  # a word or none
sh tools/bootstrap.sh build run test ${SF_FULL:+long}

. ./tools/ccache.sh
cmake --preset dev
cmake --build --preset dev

# ctest writes this list only where it skips something: one of an earlier run is not this one's.
rm -f build/dev/Testing/Temporary/LastTestsDisabled.log build/asan/Testing/Temporary/LastTestsDisabled.log

if [ -z "${SF_FULL:-}" ]; then set -- --label-exclude full "$@"; fi
log=build/dev/ctest.log
rc=build/dev/ctest.rc
# A passed test's output is kept whole, for check-not-run.sh.
{
    code=0
    ctest --preset dev -j "$(nproc)" --test-output-size-passed 100000000 \
        --test-output-size-failed 100000000 "$@" 2>&1 || code=$?
    echo "$code" >"$rc"
} | tee "$log"

echo
set -- build/dev/Testing/Temporary/LastTest.log
if [ -e build/asan/Testing/Temporary/LastTest.log ]; then
    set -- "$@" build/asan/Testing/Temporary/LastTest.log
fi
sh tools/check-not-run.sh tests/not-run.txt "$@"
code=$(cat "$rc")
grep -E '^[0-9]+% tests passed' "$log"
exit "$code"
