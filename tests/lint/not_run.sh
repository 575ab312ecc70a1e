#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tools/check-not-run.sh itself: what is listed passes, what is not fails, silence fails.
set -eu
checker=tools/check-not-run.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '# a comment\nalpha: it rains   # why\nroom:*: it is night\n' >"$work/list"

expect() {  # expect RC NAME <OUTPUT
    cat >"$work/output"
    code=0
    sh "$checker" "$work/list" "$work/output" >"$work/said" 2>&1 || code=$?
    if [ "$code" != "$1" ]; then
        echo "$2: exit $code instead of $1"
        cat "$work/said"
        exit 1
    fi
}
log() { printf '1/2 Test: %s\nCommand: x\n%s\nTest Passed.\n2/2 Test: other\nTest Passed.\n' "$@"; }
log alpha 'all well' | expect 0 'nothing to say'
log alpha 'x NOT RUN: alpha: it rains ' | expect 0 'a listed one'
log alpha 'NOT RUN: it rains' | expect 0 'a listed one that does not name itself'
log alpha 'NOT RUN: it snows' | expect 1 'another reason'
log room:Some.Test 'NOT RUN: it is night' | expect 0 'any test of a room'
log room:Some.Test 'NOT RUN: it is nigh' | expect 1 'any test of a room, another reason'
log beta 'NOT RUN: it rains' | expect 1 'another test'
log alpha '[  SKIPPED ] a.b
NOT RUN: it rains' | expect 0 'skipped with a word'
log alpha '[  SKIPPED ] a.b (0 ms)' | expect 1 'skipped in silence'
log alpha 'Command: "echo" "NOT RUN: it snows"' | expect 0 'a command line is not an output'
echo '1:alpha' >"$work/LastTestsDisabled.log"
log alpha 'all well' | expect 1 'left out in silence'
log alpha 'NOT RUN: it rains' | expect 0 'left out with a word'
