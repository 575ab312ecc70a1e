#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P6: a cold build of the default stack: wall time against CPU time by cores, and against the same packages
# built one after another with `configure && make -jN`, both in this run. Beside it, in
# bench/results/p6-timeline.txt, how busy the machine's cores were and with what.
measure=p6
. "$(dirname "$0")/lib.sh"
quiet_machine

fresh_state together
begin=$(now_ms)
mkfifo "$work/pipe"
stamped <"$work/pipe" >"$work/together.events" &
stamper=$!
sample_cpu >"$work/samples" &
sampler=$!
trap 'kill "$sampler"; rm -rf "$work"' EXIT
sf build-slurm --slurm-version "$series" --toolchain "$toolchain" --allow-vulnerable --no-ccache --json >"$work/pipe" \
    </dev/null
together_ms=$(($(now_ms) - begin))
kill "$sampler"
trap 'rm -rf "$work"' EXIT
wait "$stamper"
# What runs in sandboxes is no child of ours: each step tells its own.
cpu_ms=$(sed -E 's/^[0-9]+ //' "$work/together.events" |
    jq -s '[.[] | select(.event == "package_built") | .steps[].cpu] | add * 1000 | floor')
mkdir -p "$results"
timeline "$begin" "$work/together.events" "$work/samples" >"$results/p6-timeline.txt"

# One after another: each call finds its dependencies built. Only the package's own steps are counted, not
# what we do around them.
one_by_one
one_by_one_ms=$(sed -E 's/^[0-9]+ //' "$events" | jq -s '[.[] | select(.event == "package_built") | .steps |
    del(.unpack, .finish, .gate, .pack) | .[].wall] | add * 1000 | floor')

result "$(jq -n --argjson wall "$together_ms" --argjson cpu "$cpu_ms" --argjson cores "$cores" \
    --argjson sequential "$one_by_one_ms" \
    '{wall_s: ($wall / 1000), cpu_s: ($cpu / 1000), cpu_by_cores_s: ($cpu / 1000 / $cores),
      wall_over_cpu_by_cores: ($wall * $cores / $cpu), goal_cpu: 1.15,
      one_by_one_s: ($sequential / 1000), wall_over_one_by_one: ($wall / $sequential), goal_one_by_one: 0.90}')"
