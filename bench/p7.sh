#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P7: the default stack built again with a warm compiler cache, against the cold build that P6 has measured at this
# commit on this machine. The compiler cache is the one that the end-to-end tests' build has filled.
measure=p7
. "$(dirname "$0")/lib.sh"
quiet_machine
commit=$(git -C "$repository" rev-parse --short HEAD)
if [ "$(jq -r .commit "$results/p6.json" 2>/dev/null)" != "$commit" ]; then
    echo "p7: there is no cold build of $commit to compare with (run: sh bench/run.sh p6 p7)" >&2
    exit 1
fi
fresh_state again
cp -a --reflink=auto "$from/ccache" "$SLURM_FACTORY_CACHE_DIR/"
begin=$(now_ms)
sf build-slurm --slurm-version "$series" --toolchain "$toolchain" --allow-vulnerable --json >"$work/events" </dev/null
again_ms=$(($(now_ms) - begin))
# Where the time goes: a compiler cache saves nothing of configure.
result "$(jq -s --argjson wall "$again_ms" --argjson cold "$(jq .figures.wall_s "$results/p6.json")" '
    [.[] | select(.event == "package_built") | .steps | to_entries[]] | group_by(.key) |
    map({(.[0].key): ([.[].value.wall] | add)}) | add as $steps |
    {wall_s: ($wall / 1000), cold_s: $cold, wall_over_cold: ($wall / 1000 / $cold), goal: 0.3, steps_s: $steps}' \
    "$work/events")"
