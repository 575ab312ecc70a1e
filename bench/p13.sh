#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P13: Slurm, one package, published by the program itself into a cache whose mirrors name ten thousand builds each: what
# is written, of each kind, and how long it takes, after the proof that every publication begins with and with it. Beside
# it, in the same run, all packages pushed to an empty cache, and what Spack writes to name one more: its index, whole.
measure=p13
. "$(dirname "$0")/lib.sh"
quiet_machine
count=${SF_BENCH_BUILDS:-10000}
helper fill_mirror
published_cache
whole=$cache

# published_to PLACE NAME: all packages, without bundles; events with their times in $work/NAME.events.
published_to() {
    cache=$1
    begin=$(now_ms)
    mkfifo "$work/pipe"
    stamped <"$work/pipe" >"$work/$2.events" &
    x_stamper=$!
    publish spack >"$work/pipe"
    end=$(now_ms)
    wait "$x_stamper"
    rm "$work/pipe"
    proven=$(sed -n 's/^\([0-9]*\) {.*"event":"verified".*/\1/p' "$work/$2.events")
    jq -n --argjson wall "$((end - begin))" --argjson after "$((end - proven))" \
        '{wall_ms: $wall, after_the_proof_ms: $after}' >"$work/$2.times"
}
# kinds PLACE: bytes of the files of a listing, by what they are.
kinds() {
    find "$1/$toolchain" -name index.manifest.json -exec jq -r '.data[0].checksum' {} + >"$work/spacks"
    awk 'NR == FNR { spacks[$1]; next }
        { name = $1; sub(/.*\//, "", name); kind = "others" }
        $1 ~ /_sf\/index\// { kind = "index_nodes" }
        $1 ~ /_sf\/snapshot/ { kind = "snapshots" }
        $1 ~ /\/blobs\/|\/manifests\/spec\// { kind = "package" }
        $1 ~ /\/manifests\/index\// || name in spacks { kind = "spack_index" }
        $1 ~ /^sources\// { kind = "sources" }
        { all[kind] += $2 }
        END { for (kind in all) printf "{\"%s\": %d}\n", kind, all[kind] }' "$work/spacks" - | jq -s 'add // {}'
}
published_to "$work/full" full
listing "$work/full" | kinds "$work/full" >"$work/full.bytes"

ten=$work/ten
cache=$ten
publish deps >"$work/out"
for mirror in deps "$series"; do
    "$helpers/fill_mirror" "$own/keys/gnupg" "$key" "$ten" "$toolchain/slurm/$mirror" 0 "$count" "$own/caches" "$whole"
done
listing "$ten" >"$work/before"
published_to "$ten" one
listing "$ten" >"$work/after"
added=$(sed 's/^[0-9]* //' "$work/one.events" | jq -s '[.[] | select(.event == "published") | .added[]] | length')
[ "$added" = 1 ]
LC_ALL=C comm -13 "$work/before" "$work/after" | kinds "$ten" >"$work/one.bytes"
index=$(jq '.data[0].contentLength' "$ten/$toolchain/slurm/$series/v3/manifests/index/index.manifest.json")
result "$(jq -n --argjson builds "$count" --slurpfile one "$work/one.bytes" --slurpfile full "$work/full.bytes" \
    --slurpfile one_times "$work/one.times" --slurpfile full_times "$work/full.times" --argjson index "$index" '
    ($one[0] | (.index_nodes // 0) + (.snapshots // 0) + (.others // 0)) as $naming |
    {builds: $builds, one_wall_ms: $one_times[0].wall_ms, one_after_the_proof_ms: $one_times[0].after_the_proof_ms,
     goal_ms: 1000, one_bytes: $one[0], naming_bytes: $naming, goal_naming_bytes: 10000,
     all_again_wall_ms: $full_times[0].wall_ms, all_again_after_the_proof_ms: $full_times[0].after_the_proof_ms,
     all_again_bytes: ($full[0] | add), all_again: $full[0],
     ratio_bytes_without_spacks_index: (($one[0] | del(.spack_index) | add) / ($full[0] | del(.spack_index) | add)),
     spack_update_index_bytes: $index}')"
