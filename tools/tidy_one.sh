#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One file's part of tools/tidy.sh: tidy_one.sh DATABASE FILE, with $passed and $base from there.
set -eu
: "${base:?set by tidy.sh}" "${passed:?set by tidy.sh}"
database=$1
file=$2

compile=$(jq -r --arg file "$file" '[.[] | select(.file == $file)][0].command' "$database" |
    sed -E 's/ -o [^ ]+ / /; s/ -c / /')
folder=$(jq -r --arg file "$file" '[.[] | select(.file == $file)][0].directory' "$database")
text=$(mktemp)
found=$(mktemp)
trap 'rm -f "$text" "$found"' EXIT
# shellcheck disable=SC2086  # the command line as CMake wrote it
(cd "$folder" && eval "$compile -E -C -P") >"$text"
key=$({ echo "$base"; cat "$text"; } | sha256sum | cut -c1-64)
[ ! -e "$passed/$key" ] || exit 0

# The database is g++'s: clang does not know all of its warnings.
if clang-tidy --quiet -p "${database%/*}" --extra-arg=-Wno-unknown-warning-option \
    ${SF_TIDY_CHECKS:+"--checks=$SF_TIDY_CHECKS"} "$file" >"$found" 2>&1; then
    : >"$passed/$key"
else
    cat "$found"
    exit 1
fi
