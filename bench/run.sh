#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make bench: the measures one after another; results in bench/results/. On a machine that does nothing else.
#
#   bench/run.sh [p9 p11 p1 p2 p5 p12 p6 p7 p8]
set -eu
here=$(cd "$(dirname "$0")" && pwd -P)
cd "$here/.."
sh tools/bootstrap.sh build run test bench
[ $# -gt 0 ] || set -- p9 p11 p1 p2 p5 p12 p6 p7 p8
for measure; do sh "$here/$measure.sh"; done
