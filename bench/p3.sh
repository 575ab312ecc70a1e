#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P3, its other half (p1.sh has the first, the same again): Slurm of another series, installed beside one that is there,
# from the same cache. Nothing that both share is fetched: by the program's own word, and by what a web server was asked
# for. The time for what is shared is what the installation takes less its part of P1, by unpacked size, for what is new.
measure=p3
. "$(dirname "$0")/lib.sh"
other=24.11
if [ ! -e "$(dirname "$from")/built-$other.env" ]; then
    not_run "another version beside the first: there is no Slurm $other in $from (make long builds it)"
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    not_run 'another version beside the first: a web server in a network of its own needs root'
    exit 0
fi
quiet_machine
published_cache
new=$version
# shellcheck source=/dev/null
. "$(dirname "$from")/built-$other.env"
old=$version
publish all >>"$work/published"

cat >"$work/install.sh" <<SH
# install.sh VERSION CACHE PREFIX
exec env SLURM_FACTORY_CACHE_DIR="$client" "$program" --json install "slurm@\$1" --toolchain "$toolchain" \\
    --cache "\$2" --prefix "\$3"
SH
fetched() { jq 'select(.event == "installed") | .fetched' "$work/out"; }
i=0
while [ "$i" -lt "$runs" ]; do
    timed whole sh "$work/install.sh" "$new" "$cache" "$work/whole" >"$work/out" 2>>"$work/log"
    whole_bytes=$(fetched)
    sh "$work/install.sh" "$old" "$cache" "$work/tree" >"$work/out" 2>>"$work/log"
    sync
    timed beside sh "$work/install.sh" "$new" "$cache" "$work/tree" >"$work/out" 2>>"$work/log"
    beside_bytes=$(fetched)
    jq 'select(.event == "installed")' "$work/out" >"$work/beside"
    rm -rf "$work/whole" "$work/before"
    mv "$work/tree" "$work/before"
    sync
    i=$((i + 1))
done
sizes() {  # sizes installed|kept: of these packages
    jq -r ".$1[]" "$work/beside" | while IFS= read -r name; do
        jq --arg name "$name" '{name: $name, digest: .run.sha256, wire: .run.size, unpacked: .run.unpacked_size}' \
            "$own/packages/$name/manifest.json"
    done | jq -s .
}
sizes kept >"$work/shared"
sizes installed >"$work/new"

# The same through a web server: bytes of archives that were there already.
# shellcheck source=tests/e2e/nginx.sh
. "$repository/tests/e2e/nginx.sh"
# shellcheck disable=SC2016  # nginx's own words
nginx_configure "$(nginx_serving "$cache" 127.0.0.1:8080)" '$body_bytes_sent $uri'
nginx_run nginx_apart
trap 'kill "$nginx"; rm -rf "$work"' EXIT
until nginx_answers; do sleep 0.1; done
nginx_near sh "$work/install.sh" "$old" http://127.0.0.1:8080 "$work/tree" >"$work/out" 2>>"$work/log"
: >"$work/nginx/access.log"
nginx_near sh "$work/install.sh" "$new" http://127.0.0.1:8080 "$work/tree" >"$work/out" 2>>"$work/log"
asked() {  # asked JSON: bytes sent of the archives of these packages
    jq -r '.[].digest' "$1" >"$work/digests"
    awk 'NR == FNR { wanted[$1]; next } { name = $2; sub(/.*\//, "", name) } name in wanted { all += $1 }
        END { print all + 0 }' "$work/digests" "$work/nginx/access.log"
}
result "$(jq -n --slurpfile shared "$work/shared" --slurpfile new "$work/new" --arg there "$old" --arg installed "$new" \
    --argjson whole "$(median whole)" --argjson beside "$(median beside)" --argjson whole_bytes "$whole_bytes" \
    --argjson beside_bytes "$beside_bytes" --argjson twice "$(asked "$work/shared")" --argjson once "$(asked "$work/new")" \
    --argjson runs "$runs" '
    def sum(f): map(f) | add // 0;
    $shared[0] as $shared | $new[0] as $new |
    (($new | sum(.unpacked)) / ($new + $shared | sum(.unpacked))) as $part | ($whole * $part) as $for_new |
    {runs: $runs, there: $there, installed: $installed, packages_shared: ($shared | length), packages_new: ($new | length),
     whole_ms: $whole, beside_ms: $beside, ratio: ($beside / $whole), new_by_unpacked_size: $part,
     for_what_is_shared_ms: ($beside - $for_new), shared_ratio: (($beside - $for_new) / ($whole - $for_new)), goal: 0.1,
     fetched_whole_bytes: $whole_bytes, fetched_beside_bytes: $beside_bytes,
     archive_bytes_new: ($new | sum(.wire)), archive_bytes_shared: ($shared | sum(.wire)),
     sent_by_http_of_new_bytes: $once, fetched_twice_bytes: $twice, goal_fetched_twice_bytes: 0}')"
