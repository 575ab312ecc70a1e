#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The reliability suites (docs/reliability.md), one after the other, with their nightly numbers or a percentage of
# them; all of them run whatever fails, and a summary says what each has found. The output of each is kept in
# build/reliability/.
#
#   tools/reliability.sh [NAME...]                  for instance F1 C2; all of them
#   SF_RELIABILITY=10 tools/reliability.sh          a tenth of the numbers
#   SF_SEED=123 tools/reliability.sh F1             a run again, as its first line says
set -eu
cd "$(dirname "$0")/.."
. ./tools/ccache.sh
cmake --preset dev >/dev/null
cmake --build --preset dev --target reliability cache_faults
out=build/reliability
mkdir -p "$out"
: >"$out/summary"

failed=0
# suite NAME COMMAND...
suite() {
    name=$1
    shift
    if [ -n "$wanted" ]; then
        case " $wanted " in *" $name "*) ;; *) return 0 ;; esac
    fi
    echo "== $name"
    code=0
    begin=$(date +%s)
    "$@" >"$out/$name.log" 2>&1 || code=$?
    took=$(($(date +%s) - begin))
    what=ok
    if grep -q 'NOT RUN: ' "$out/$name.log"; then what='NOT RUN, some'; fi
    if [ "$code" != 0 ]; then
        what="FAILED (exit $code)"
        failed=1
        tail -n 60 "$out/$name.log"
    fi
    {
        echo "$name: $what, $took s"
        grep -E '^[A-GL][0-9][A-Za-z0-9 ,]*: |^[a-z]+ makes [0-9]+ |^[a-z]+: [0-9]+ faults|NOT RUN: ' "$out/$name.log" |
            sed 's/^/  /'
    } >>"$out/summary"
}
suites=build/dev/tests/reliability/reliability

wanted=$*
SF_RELIABILITY=${SF_RELIABILITY:-100}
export SF_RELIABILITY
suite A1 $suites --gtest_filter='*.A1*'
suite A2 $suites --gtest_filter='*.A2*'
suite A3 $suites --gtest_filter='*.A3*'
suite B1 $suites --gtest_filter='*.B1*'
suite C1 $suites --gtest_filter='*.C1*'
suite C2 $suites --gtest_filter='*.C2*'
suite C3 $suites --gtest_filter='*.C3*'
suite D2 $suites --gtest_filter='*.D2*'
suite D3 $suites --gtest_filter='*.D3*'
suite D4 $suites --gtest_filter='*.D4*'
suite E2 $suites --gtest_filter='*.E2*'
suite E3 $suites --gtest_filter='*.E3*'
suite F1 $suites --gtest_filter='*.F1*'
suite F2 $suites --gtest_filter='*.F2*'
suite F3 $suites --gtest_filter='*.F3A*'
suite F4 $suites --gtest_filter='*.F4*'
suite F5 $suites --gtest_filter='*.F5*'
suite G1 $suites --gtest_filter='*.G1*'
suite G2 $suites --gtest_filter='*.G2*'
suite G3 $suites --gtest_filter='*.G3*'
suite L1 $suites --gtest_filter='*.L1*'
# at_every_call FILTER: each operation at every system call, shared out among as many processes as there are CPUs.
# shellcheck disable=SC2317  # suite calls it
at_every_call() {
    count=$(nproc)
    processes=
    i=1
    while [ "$i" -le "$count" ]; do
        SF_ROUNDS=all SF_SHARD=$i/$count build/dev/tests/faults/cache_faults --gtest_filter="$1" >"$out/$name.$i" 2>&1 &
        processes="$processes $!"
        i=$((i + 1))
    done
    worst=0
    for process in $processes; do
        ended=0
        wait "$process" || ended=$?
        if [ "$ended" != 0 ]; then worst=$ended; fi
    done
    i=1
    while [ "$i" -le "$count" ]; do
        cat "$out/$name.$i"
        i=$((i + 1))
    done
    return "$worst"
}
suite D1 at_every_call '*KilledAtAnyCall'
suite E1 at_every_call '*WithAnyCallFailing'

echo
cat "$out/summary"
exit "$failed"
