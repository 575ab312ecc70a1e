#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One run of p11.sh, with the cluster of the end-to-end tests; appends a line to $x_times.
test_name=bench.p11
. "$(git rev-parse --show-toplevel)/tests/e2e/lib.sh"
. "$(git rev-parse --show-toplevel)/tests/e2e/cluster.sh"
is_root || fail 'starting the daemons in a network namespace of their own needs root'
bundle='' version=''
# shellcheck source=/dev/null
. "$facts"

begin=$(now_ms)
sf bundle install "$bundle" --prefix "$work/tree" >"$work/out" 2>&1 </dev/null
installed=$(now_ms)
cluster_start "$work/tree/views/$version" "$work/cluster"
[ "$(in_cluster srun hostname)" = node1 ] || fail 'srun hostname does not print node1'
finished=$(now_ms)
cluster_stop
# The floor of unpacking, in the same run.
mkdir "$work/plain"
before=$(now_ms)
tar -xzf "$bundle" -C "$work/plain"
echo "{\"install\": $((installed - begin)), \"job\": $((finished - begin)), \"untar\": $(($(now_ms) - before))}" >>"${x_times:?}"
