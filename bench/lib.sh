# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034,SC2154  # variables of the scripts that source this, and for them
# What the measures share; sourced, with $measure set. Sources and the root are taken from the state folder
# of the end-to-end tests (or $SF_BENCH_FROM): fetching and preparing roots is not measured here.
set -eu
repository=$(git rev-parse --show-toplevel)
results=$repository/bench/results
from=${SF_BENCH_FROM:-$repository/build/e2e/state}
[ -d "$from/roots" ] || { echo "$measure: no prepared root in $from (run: make test)" >&2; exit 1; }
cores=$(nproc)
# To try a script out: another program than the release build, the folder of the helpers of bench/ beside it, fewer runs,
# fewer builds in a large cache (SF_BENCH_BUILDS).
# What comes of it is marked as a trial, and is no figure.
program=${SF_BENCH_PROGRAM:-$repository/build/release/slurm-factory}
helpers=${SF_BENCH_HELPERS:-$repository/build/release/bench}
runs=${SF_BENCH_RUNS:-7}
series=25.11
toolchain=bookworm

work=$(mktemp -d /var/tmp/sf-bench.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 755 "$work"

# fresh_state NAME: a state folder with sources and root, and nothing built; becomes the program's.
fresh_state() {
    SLURM_FACTORY_CACHE_DIR=$work/$1
    export SLURM_FACTORY_CACHE_DIR
    mkdir "$SLURM_FACTORY_CACHE_DIR"
    cp -al "$from/sources" "$from/roots" "$SLURM_FACTORY_CACHE_DIR/"
}
sf() { if [ -n "${SF_BENCH_PROGRAM:-}" ]; then "$program" "$@"; else "$repository/slurm-factory" "$@"; fi; }
# helper NAME: makes the program bench/NAME.cpp, $helpers/NAME.
helper() {
    [ -z "${SF_BENCH_HELPERS:-}" ] || return 0
    cmake --build --preset release --target "$1" >"$work/log.build" || { tail -n 20 "$work/log.build" >&2; return 1; }
}
not_run() { echo "$measure: NOT RUN: $1" >&2; }
# one_by_one: every package built alone, after those it needs, in a fresh state folder; events with times in
# $events. P6 and P8 both look at it: what this program has built that way within the last
# two hours is not built again.
one_by_one() {
    fresh_state one_by_one
    events=$repository/build/one_by_one.events
    if [ -e "$events" ] && [ -n "$(find "$events" -newer "$program" -mmin -120)" ]; then return; fi
    sf plan --slurm-version "$series" --toolchain "$toolchain" --allow-vulnerable --json >"$work/plan.json"
    jq -r 'select(.event == "planned") | .package' "$work/plan.json" | while IFS= read -r package; do
        sf build-slurm --slurm-version "$series" --toolchain "$toolchain" --allow-vulnerable --no-ccache --json \
            --package "$package" </dev/null | stamped
    done >"$work/events"
    mv "$work/events" "$events"
}
# Events with the time they came, in milliseconds since 1970: "1700000000000 {…}".
stamped() { while IFS= read -r line; do printf '%s %s\n' "$(($(date +%s%N) / 1000000))" "$line"; done; }
# Every ten seconds "MS BUSY TOTAL", of all cores since they were started, in ticks, until it is ended.
sample_cpu() {
    while :; do
        printf '%s ' "$(now_ms)"
        awk '/^cpu / { for (i = 2; i <= 9; ++i) all += $i; print all - $5 - $6, all; exit }' /proc/stat
        sleep 10
    done
}
# timeline BEGIN EVENTS SAMPLES: a line for each sample: seconds since BEGIN, how busy the cores were
# since the line before, which packages were at which step then.
timeline() {
    sed -E 's/^([0-9]+) \{/{"at": \1, /' "$2" | jq -s -r --argjson begin "$1" --rawfile samples "$3" '
        def running($at): reduce (.[] | select(.at <= $at)) as $event ({};
            if $event.event == "step_started" then .[$event.package] = $event.step
            elif $event.event == "package_built" then del(.[$event.package]) else . end);
        . as $events | ($samples | split("\n") | map(select(. != "") | split(" ") | map(tonumber))) as $rows |
        range(1; $rows | length) | . as $i | $rows[$i] as [$at, $busy, $all] |
        (100 * ($busy - $rows[$i - 1][1]) / ([$all - $rows[$i - 1][2], 1] | max) | floor) as $percent |
        ($events | running($at) | to_entries | map("\(.key | sub("-[0-9a-f]{8}$"; "")) \(.value)")) as $now |
        (($at - $begin) / 1000 | floor | tostring) as $second |
        ("    "[($second | length):] + $second + " s  " + "   "[($percent | tostring | length):] + "\($percent) %  "
         + "#" * ($percent / 5 | floor) + " " * (21 - ($percent / 5 | floor)) + ($now | join(", ")))'
}
now_ms() { echo $(($(date +%s%N) / 1000000)); }
quiet_machine() {
    load=$(cut -d' ' -f1 /proc/loadavg)
    echo "$measure: load before the run: $load on $cores cores" >&2
}
# result JSON: to bench/results/<measure>.json, with the machine.
result() {
    mkdir -p "$results"
    jq -n --arg measure "$measure" --arg date "$(date -u +%Y-%m-%d)" \
        --arg commit "$(git -C "$repository" rev-parse --short HEAD)" \
        --arg cpu "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)" \
        --argjson cores "$cores" --arg kernel "$(uname -r)" --arg load "$load" --argjson figures "$1" \
        --arg tried "${SF_BENCH_PROGRAM:-}${SF_BENCH_RUNS:-}${SF_BENCH_BUILDS:-}" \
        '(if $tried == "" then {} else {trial: true} end) + {measure: $measure, date: $date, commit: $commit,
          machine: {cpu: $cpu, cores: $cores, kernel: $kernel, load_before: $load}, figures: $figures}' |
        tee "$results/$measure.json"
}
# published_cache: a cache in $cache with what the end-to-end tests built, published by the program of this
# commit; its signer is trusted by the client whose state folder is $client.
published_cache() {
    version='' key=''
    # shellcheck source=/dev/null
    . "$(dirname "$from")/built.env"
    cache=$work/cache
    client=$work/client
    own=$work/publisher
    mkdir "$own" "$client"
    for x_folder in roots sources store packages keys; do ln -s "$from/$x_folder" "$own/$x_folder"; done
    publish all >"$work/published"
    publisher key export "$key" --output "$work/public.asc"
    installer key import "$work/public.asc"
    installer key trust "$key"
}
publisher() { SLURM_FACTORY_CACHE_DIR=$own sf "$@" 2>>"$work/log" </dev/null; }
installer() { SLURM_FACTORY_CACHE_DIR=$client sf "$@" 2>>"$work/log" </dev/null; }
publish() {  # publish all|deps|slurm|spack: into $cache
    publisher --json build-slurm --slurm-version "$version" --toolchain "$toolchain" --allow-vulnerable \
        --signing-key "$key" --publish "$1" --publish-to "$cache" --allow-older --publish-vulnerable
}
# listing FOLDER: "PATH SIZE AGE" of each file; replaced files are others. Two of them, compared by comm, say what came.
listing() { find "$1" -type f -printf '%P %s %i.%T@\n' | LC_ALL=C sort; }
# timed NAME COMMAND...: its time in milliseconds and its largest resident set in KiB, as JSON, in $work/NAME.times.
timed() {
    x_times=$work/$1.times
    shift
    x_begin=$(now_ms)
    command time -f %M -o "$work/rss" "$@"
    printf '{"ms": %s, "rss_kib": %s}\n' "$(($(now_ms) - x_begin))" "$(cat "$work/rss")" >>"$x_times"
}
# median NAME: of the times, in milliseconds.
median() { jq -s 'map(.ms) | sort | .[length / 2 | floor]' "$work/$1.times"; }
