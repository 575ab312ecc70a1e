#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # words of other scripts
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

# Every reason that an end-to-end script or a unit test may give is in the list, for that test: where
# nobody has run it as an ordinary user, or without an archive, it would fail there only.
list=tests/not-run.txt
bad=0
# listed NAME REASON: NAME may be the front of names, "e2e.prefix.", of which one has to be in the list.
listed() {
    while IFS= read -r entry; do
        case $entry in
            '' | '#'*) continue ;;
        esac
        whose=${entry%%: *}
        # shellcheck disable=SC2254  # patterns
        case $2 in ${entry#*: }) ;; *) continue ;; esac
        # shellcheck disable=SC2254
        case $1 in $whose) return 0 ;; esac
        case $1 in *.) case $whose in "$1"*) return 0 ;; esac ;; esac
    done <"$list"
    echo "$list lacks: $1: $2"
    bad=1
}
# reasons FILE: what it says by itself.
reasons() { sed -n "s/.*not_run [\"']\(.*\)[\"']\( [a-z0-9_.]*\)\{0,1\}\$/\1/p" "$1"; }
for script in tests/e2e/*.sh; do
    name=$(sed -n 's/^test_name=\([^$]*\).*/\1/p' "$script")
    case $name in
        e2e.munge) name=e2e.munge. ;;  # of each toolchain
        e2e.*) ;;
        *) continue ;;
    esac
    reasons "$script" | sed 's/\$(.*)/1_0/; s/\$1/1.0/' >"$work/reasons"
    # Roots are made by those who say so, of the distribution that they are for.
    sourced=$(sed -n 's/^\. "$(dirname "$0")\/\(.*\)"$/tests\/e2e\/\1/p' "$script" | grep -v '/machine.sh')
    if grep -q '^ *ceph_root' "$script"; then
        reasons tests/e2e/ceph.sh | sed 's/$toolchain/resolute/' >>"$work/reasons"
    fi
    # shellcheck disable=SC2086  # a list of files
    if grep -v '^machine_root()' "$script" $sourced | grep -v 'ceph.sh:' | grep -q 'machine_root '; then
        reasons tests/e2e/machine.sh | sed 's/$toolchain/bookworm/' >>"$work/reasons"
    fi
    while IFS= read -r reason; do listed "$name" "$reason"; done <"$work/reasons"
done
exit "$bad"
