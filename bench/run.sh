#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make bench: the measures one after another; results in bench/results/. On a machine that does nothing else.
#
#   bench/run.sh [p9 p11 p1 p3 p4 p15 blob p2 p5 p12 p13 p6 p7 p8]   and p6 before (see p6.sh)
set -eu
here=$(cd "$(dirname "$0")" && pwd -P)
cd "$here/.."
sh tools/bootstrap.sh build run test bench
[ $# -gt 0 ] || set -- p9 p11 p1 p3 p4 p15 blob p2 p5 p12 p13 p6 p7 p8
while [ $# -gt 0 ]; do
    measure=$1
    shift
    word=
    if [ "${1:-}" = before ]; then
        word=before
        shift
    fi
    sh "$here/$measure.sh" ${word:+"$word"}
done
