#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P12: the mirrors of the published stack, then the same with ten thousand builds more in each: bytes fetched and time to
# choose one and read what its installation needs (all but archives), over HTTP; what naming one more writes (p13.sh has
# all of publishing). Beside it the size of the index that Spack fetches.
measure=p12
. "$(dirname "$0")/lib.sh"
quiet_machine
count=${SF_BENCH_BUILDS:-10000}
published_cache
helper fill_mirror

# shellcheck source=tests/e2e/nginx.sh
. "$repository/tests/e2e/nginx.sh"
# shellcheck disable=SC2016  # nginx's own words
nginx_configure "$(nginx_serving "$cache" 127.0.0.1:8080)" '$body_bytes_sent $uri'
nginx_run nginx_apart
trap 'kill "$nginx"; rm -rf "$work"' EXIT
until nginx_answers; do sleep 0.1; done
# choose NAME: seven times; bytes of the last into $work/NAME.bytes
choose() {
    i=0
    while [ "$i" -lt 7 ]; do
        : >"$work/nginx/access.log"
        rm -rf "$client/caches"  # as on a machine that has never asked
        timed "$1" nsenter --target "$nginx" --net -- env -u http_proxy -u https_proxy SLURM_FACTORY_CACHE_DIR="$client" \
            "$program" --json install "slurm@$version" --toolchain "$toolchain" --cache http://127.0.0.1:8080 \
            --prefix "$work/none" --dry-run >"$work/out" 2>>"$work/log"
        i=$((i + 1))
    done
    cp "$work/nginx/access.log" "$work/$1.requests"
}
index_bytes() {  # that Spack fetches of both mirrors
    for x_manifest in "$cache/$toolchain"/slurm/*/v3/manifests/index/index.manifest.json; do
        jq '.data[0].contentLength' "$x_manifest"
    done | jq -s add
}
choose few
few_index=$(index_bytes)
for mirror in "$toolchain/slurm/deps" "$toolchain/slurm/$series"; do
    "$helpers/fill_mirror" "$own/keys/gnupg" "$key" "$cache" "$mirror" 0 "$count" "$own/caches"
done
choose many
many_index=$(index_bytes)
# One more among the ten thousand: what names it.
listing "$cache" >"$work/before"
"$helpers/fill_mirror" "$own/keys/gnupg" "$key" "$cache" "$toolchain/slurm/$series" "$count" 1 "$own/caches"
listing "$cache" >"$work/after"
LC_ALL=C comm -13 "$work/before" "$work/after" >"$work/new"
ours=$(awk '/ *_sf\// { all += $2 } END { print all + 0 }' "$work/new")
spacks=$(awk '/blobs\/|v3\// { all += $2 } END { print all + 0 }' "$work/new")
bytes() { awk '{ all += $1 } END { print all }' "$1"; }
named() { awk '/_sf\// { all += $1 } END { print all }' "$1"; }  # snapshot and index alone
result "$(jq -n --argjson few "$(median few)" --argjson many "$(median many)" \
    --argjson few_bytes "$(bytes "$work/few.requests")" --argjson many_bytes "$(bytes "$work/many.requests")" \
    --argjson few_named "$(named "$work/few.requests")" --argjson many_named "$(named "$work/many.requests")" \
    --argjson few_index "$few_index" --argjson many_index "$many_index" --argjson ours "$ours" --argjson spacks "$spacks" \
    --argjson builds "$count" \
    '{builds: $builds, choose_few_ms: $few, choose_many_ms: $many, p12_goal_ms: 50, bytes_few: $few_bytes,
      bytes_many: $many_bytes, of_them_snapshot_and_index_few: $few_named, of_them_snapshot_and_index_many: $many_named,
      p12_goal_bytes: 200000, spack_index_bytes_few: $few_index, spack_index_bytes_many: $many_index,
      p13_naming_one_more_bytes: $ours, p13_goal_bytes: 10000, p13_spack_index_bytes: $spacks}')"
