#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tools/check-not-run.sh itself: what is listed passes, what is not fails, silence fails.
set -eu
checker=tools/check-not-run.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '# a comment\nalpha: it rains   # why\n' >"$work/list"

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
echo 'all well' | expect 0 'nothing to say'
echo 'x NOT RUN: alpha: it rains ' | expect 0 'a listed one'
echo 'NOT RUN: alpha: it snows' | expect 1 'another reason'
echo 'NOT RUN: beta: it rains' | expect 1 'another test'
printf 'NOT RUN: alpha: it rains\n\t  7 - alpha (Skipped)\n' | expect 0 'skipped with a word'
printf '\t  7 - gamma (Skipped)\n' | expect 1 'skipped in silence'
printf '\t  7 - gamma (Not Run)\n' | expect 1 'not run in silence'
