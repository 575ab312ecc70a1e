#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P6: a cold build of the default stack: wall time against CPU time by cores, and against the same packages
# built one after another with `configure && make -jN`, both in this run. Beside it, in
# bench/results/p6-timeline.txt, how busy the machine's cores were and with what.
#
#   bench/p6.sh [before]   before: the same stack as it was before it was tuned (p6-timeline-before.txt): Slurm's folders
#                          are compiled and installed one after another, and packages are ordered by the size of their
#                          sources instead of by what they compute. Beside it P6 of the same commit, if it was measured
measure=p6
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cold_build.sh"
quiet_machine

# untuned FOLDER: the data without what tuned the build; each change is found, or this fails.
untuned() {
    mkdir "$1"
    for x_part in recipes stacks toolchains templates advisories.yaml; do cp -R "$repository/$x_part" "$1/"; done
    x_slurm=$1/recipes/slurm/recipe.yaml
    grep -q 'file: patches/parallel-folders.patch' "$x_slurm"
    grep -q '^  parallel_install: true$' "$x_slurm"
    sed -i -e '/file: patches\/parallel-folders.patch/,/sha256:/d' -e '/^  parallel_install: true$/d' "$x_slurm"
    rm "$1/recipes/slurm/patches/parallel-folders.patch"
    sed -i '/^cpu_seconds: /d' "$1"/recipes/*/recipe.yaml
    sf --data-dir "$1" recipe lint
}
case ${1:-} in
    '') ;;
    before)
        measure=p6-before
        untuned "$work/data" >&2
        cold_build p6-timeline-before.txt --data-dir "$work/data"
        commit=$(git -C "$repository" rev-parse --short HEAD)
        after=$(jq --arg commit "$commit" 'select(.commit == $commit) | .figures.wall_s' "$results/p6.json" 2>/dev/null) || after=
        [ -n "$after" ] || not_run "the tuned build of $commit to compare with (run: sh bench/run.sh p6 p6 before)"
        result "$(jq -n --argjson wall "$together_ms" --argjson cpu "$cpu_ms" --argjson cores "$cores" \
            --argjson after "${after:-null}" \
            '{wall_s: ($wall / 1000), cpu_s: ($cpu / 1000), cpu_by_cores_s: ($cpu / 1000 / $cores),
              wall_over_cpu_by_cores: ($wall * $cores / $cpu), tuned_wall_s: $after,
              tuned_over_untuned: (if $after then $after * 1000 / $wall else null end)}')"
        exit 0 ;;
    *) echo "p6: what is $1?" >&2; exit 2 ;;
esac

cold_build p6-timeline.txt
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
