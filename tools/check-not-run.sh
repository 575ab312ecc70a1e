#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A test that cannot run on a machine says "NOT RUN: <reason>" (or "NOT RUN: <test>: <reason>"). This
# checker prints "NOT RUN: <test>: <reason>" for each, with ctest's name of the test, and fails on any that
# the list does not hold, word for word, and on a test that was skipped without a word.
#
#   check-not-run.sh LIST LASTTEST.LOG...        the logs as ctest writes them below Testing/Temporary
set -eu
list=$1
shift

said=$(mktemp)
touch "$said.heard"
trap 'rm -f "$said" "$said.heard" "$said.list"' EXIT
for log; do
    [ -e "$log" ] || { echo "check-not-run: no such file: $log" >&2; exit 2; }
done
# In the log each test begins with "3/71 Test: NAME"; GoogleTest marks a skipped one "[  SKIPPED ]".
awk '
    function finish() {
        if (spoke) told[name] = 1
        if (skipped && !spoke) print name ": skipped without a word"
    }
    /^[0-9]+\/[0-9]+ Test: / { finish(); name = $0; sub(/^[0-9]+\/[0-9]+ Test: /, "", name)
                              skipped = spoke = 0; next }
    /^\[  SKIPPED \]/ { skipped = 1 }
    /^Command: / { next }
    /NOT RUN: / {
        reason = $0; sub(/.*NOT RUN: */, "", reason); sub(/[[:space:]]+$/, "", reason)
        if (index(reason, name ": ") == 1) reason = substr(reason, length(name) + 3)
        print name ": " reason; spoke = 1
    }
    END { finish(); for (name in told) print name >heard }' heard="$said.heard" "$@" | sort -u >"$said"
# Beside each log ctest lists what it skipped or was told to leave out, as "3:NAME".
for log; do
    if [ -s "${log%/*}/LastTestsDisabled.log" ]; then cut -d: -f2- "${log%/*}/LastTestsDisabled.log"; fi
done | sort -u | while IFS= read -r name; do
    grep -qxF -- "$name" "$said.heard" || echo "$name: skipped without a word"
done | sort -u - "$said" -o "$said"

# An entry of the list may say "room:*: reason": * stands for any text.
sed 's/[[:space:]]*#.*//; /^[[:space:]]*$/d' "$list" >"$said.list"
allowed() {
    while IFS= read -r entry; do
        # shellcheck disable=SC2254  # a pattern
        case $1 in $entry) return 0 ;; esac
    done <"$said.list"
    return 1
}

bad=0
while IFS= read -r line; do
    echo "NOT RUN: $line"
    allowed "$line" || { echo "check-not-run: $list does not allow this" >&2; bad=1; }
done <"$said"
exit "$bad"
