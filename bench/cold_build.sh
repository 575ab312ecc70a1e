# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034,SC2154  # variables of lib.sh, and for the scripts that source this
# A cold build of the default stack, watched; sourced after lib.sh.
#
#   cold_build TIMELINE [WORD...]   root and sources at hand, no compiler cache; WORDs go before the verb. Leaves
#                                   $together_ms, $cpu_ms, and in bench/results/TIMELINE how busy the cores were, and
#                                   with what
cold_build() {
    x_timeline=$1
    shift
    fresh_state together
    begin=$(now_ms)
    mkfifo "$work/pipe"
    stamped <"$work/pipe" >"$work/together.events" &
    stamper=$!
    sample_cpu >"$work/samples" &
    sampler=$!
    trap 'kill "$sampler"; rm -rf "$work"' EXIT
    sf "$@" build-slurm --slurm-version "$series" --toolchain "$toolchain" --allow-vulnerable --no-ccache --json \
        >"$work/pipe" </dev/null
    together_ms=$(($(now_ms) - begin))
    kill "$sampler"
    trap 'rm -rf "$work"' EXIT
    wait "$stamper"
    # What runs in sandboxes is no child of ours: each step tells its own.
    cpu_ms=$(sed -E 's/^[0-9]+ //' "$work/together.events" |
        jq -s '[.[] | select(.event == "package_built") | .steps[].cpu] | add * 1000 | floor')
    mkdir -p "$results"
    timeline "$begin" "$work/together.events" "$work/samples" >"$results/$x_timeline"
}
