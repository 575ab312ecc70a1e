#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P1, P3, P4 and P15: the stack installed from a cache in a folder, all in the page cache: verified, unpacked, synced,
# switched to. The floor, by turns with it: the same archives through `zstd -dc | tar x`, as many at once as there are
# cores, and a sync. Then the same once more with nothing to do; what was rewritten; the memory of install and publish.
measure=p1
. "$(dirname "$0")/lib.sh"
quiet_machine
published_cache

install_to() {  # install_to PREFIX: the program itself, not the front that looks whether it is built
    env SLURM_FACTORY_CACHE_DIR="$client" "$program" --json install "slurm@$version" --toolchain "$toolchain" \
        --cache "$cache" --prefix "$1"
}
installer --json install "slurm@$version" --toolchain "$toolchain" --cache "$cache" --prefix "$work/first" >"$work/out"
find "$work/first/store" -mindepth 1 -maxdepth 1 -printf '%f\n' >"$work/names"
# The archives as the cache has them.
while IFS= read -r name; do
    digest=$(jq -r .run.sha256 "$own/packages/$name/manifest.json")
    find "$cache/$toolchain/slurm" -path "*/blobs/sha256/*/$digest"
done <"$work/names" >"$work/blobs"
[ "$(wc -l <"$work/blobs")" -ge "$(wc -l <"$work/names")" ]
cat >"$work/floor.sh" <<'SH'
# floor.sh BLOBS FOLDER CORES: the largest first, as anybody would
xargs ls -S <"$1" | xargs -P "$3" -I{} sh -c 'zstd -dcq "$1" | tar x -C "$2"' sh {} "$2"
sync -f "$2"
SH
cat >"$work/install.sh" <<SH
exec env SLURM_FACTORY_CACHE_DIR="$client" "$program" --json install "slurm@$version" --toolchain "$toolchain" \\
    --cache "$cache" --prefix "\$1"
SH
i=0
while [ "$i" -lt "$runs" ]; do
    mkdir "$work/floor" && sync
    timed floor sh "$work/floor.sh" "$work/blobs" "$work/floor" "$cores"
    rm -rf "$work/floor" && sync
    timed install sh "$work/install.sh" "$work/tree" >>"$work/out"
    timed again sh "$work/install.sh" "$work/tree" >"$work/again"
    [ "$(jq 'select(.event == "installed") | .fetched' "$work/again")" = 0 ]
    [ "$i" = 0 ] || rm -rf "$work/before"
    mv "$work/tree" "$work/before"
    i=$((i + 1))
done
# P4: every file as it lies in its archive, and none that names the folder it was installed to.
mkdir "$work/floor"
sh "$work/floor.sh" "$work/blobs" "$work/floor" "$cores"
digests() { (cd "$1" && find . -type f -exec sha256sum {} +) | sort; }
digests "$work/floor" >"$work/archived"
digests "$work/before/store" >"$work/installed"
rewritten=$(comm -13 "$work/archived" "$work/installed" | wc -l)
naming=$(grep -rlF -e "$work/tree" "$work/before" | grep -c -v /generations/) || [ "$naming" = 0 ]

# P15: publishing everything to a new place.
cache=$work/other
timed publish env SLURM_FACTORY_CACHE_DIR="$own" "$program" --json build-slurm --slurm-version "$version" \
    --toolchain "$toolchain" --allow-vulnerable --signing-key "$key" --publish all --publish-to "$cache" \
    --allow-older --publish-vulnerable >"$work/out.publish" 2>>"$work/log"
result "$(jq -n --argjson floor "$(median floor)" --argjson install "$(median install)" --argjson again "$(median again)" \
    --argjson packages "$(wc -l <"$work/names")" --argjson rewritten "$rewritten" --argjson naming "$naming" \
    --argjson bytes "$(xargs stat -c %s <"$work/blobs" | jq -s 'add')" \
    --argjson install_kib "$(jq -s 'map(.rss_kib) | max' "$work/install.times")" \
    --argjson publish_kib "$(jq .rss_kib "$work/publish.times")" --argjson runs "$runs" \
    '{runs: $runs, packages: $packages, archive_bytes: $bytes, install_ms: $install, floor_ms: $floor,
      p1_ratio: ($install / $floor), p1_goal: 1.3, again_ms: $again, p3_ratio: ($again / $install), p3_goal: 0.1,
      files_rewritten: $rewritten, files_naming_the_prefix: $naming,
      install_mib: ($install_kib / 1024), publish_mib: ($publish_kib / 1024), p15_goal_mib: 128}')"
