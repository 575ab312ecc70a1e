#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A test that cannot run on a machine prints a line "NOT RUN: <test>: <reason>". This checker prints
# those lines and fails on any that the list does not hold, word for word, and on a test that ctest
# counts as skipped or not run while saying nothing.
#
#   check-not-run.sh LIST TEST-OUTPUT...
set -eu
list=$1
shift

said=$(mktemp)
trap 'rm -f "$said"' EXIT
for output; do
    [ -e "$output" ] || { echo "check-not-run: no such file: $output" >&2; exit 2; }
    sed -n 's/.*NOT RUN: *\(.*[^[:space:]]\)[[:space:]]*$/\1/p' "$output"
done | sort -u >"$said"

bad=0
while IFS= read -r line; do
    echo "NOT RUN: $line"
    if ! sed 's/[[:space:]]*#.*//' "$list" | grep -qxF -- "$line"; then
        echo "check-not-run: $list does not allow this" >&2
        bad=1
    fi
done <"$said"

# ctest's own list: "   12 - name (Skipped)", "(Not Run)", "(Disabled)".
for output; do
    sed -n 's/^[[:space:]]*[0-9]* - \(.*\) (\(Skipped\|Not Run\|Disabled\)).*/\1/p' "$output"
done | sort -u | while IFS= read -r name; do
    grep -qF -- "$name: " "$said" || { echo "check-not-run: '$name' was skipped without a word"; exit 1; }
done || bad=1
exit "$bad"
