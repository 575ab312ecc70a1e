#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Which archive should our installer read: the gzip one that Spack has to have, or a zstd twin of it? The archives of the
# installed stack as they are (zstd), and the same contents as gzip: what they weigh, and how long our own reader takes to
# compare their digests and unpack them, by turns, all cores; beside it plain tools. A cache that has both holds the sum.
measure=blob
. "$(dirname "$0")/lib.sh"
quiet_machine
helper read_archives
bundle=$(readlink -f "$from/builds/slurm-$series-$toolchain-software.tar.gz")
mkdir "$work/zst" "$work/gz"
tar -tzf "$bundle" | sed -n "s#^store/\([^/]*\)/\$#\1#p" >"$work/names"
[ -s "$work/names" ]
while IFS= read -r name; do
    cp "$from/packages/$name/run.tar.zst" "$work/zst/$name.tar.zst"
    # As our publisher packs for Spack: level 6, no name and no time.
    zstd -dcq "$work/zst/$name.tar.zst" | gzip -6n >"$work/gz/$name.tar.gz"
done <"$work/names"
for kind in zst gz; do
    for archive in "$work/$kind"/*; do sha256sum "$archive" | cut -d ' ' -f 1 >"$archive.sha256"; done
    # The largest first, as an installation does it.
    ls -S "$work/$kind"/*.tar."$kind" >"$work/$kind.list"
done
cat >"$work/ours.sh" <<'SH'
# ours.sh READER CORES FOLDER LIST
xargs "$1" "$3" "$2" <"$4"
SH
cat >"$work/plain.sh" <<'SH'
# plain.sh DECOMPRESS CORES FOLDER LIST
xargs -P "$2" -I{} sh -c '"$1" -dcq "$2" | tar x -C "$3"' sh "$1" {} "$3" <"$4"
SH
once() {  # once NAME SCRIPT WORD KIND: unpacked, the folder away again
    mkdir "$work/tree"
    sync
    timed "$1" sh "$work/$2.sh" "$3" "$cores" "$work/tree" "$work/$4.list"
    [ "$(find "$work/tree" -mindepth 1 -maxdepth 1 | wc -l)" = "$(wc -l <"$work/names")" ]
    rm -rf "$work/tree"
}
i=0
while [ "$i" -lt "$runs" ]; do
    once zst_ours ours "$helpers/read_archives" zst
    once gz_ours ours "$helpers/read_archives" gz
    once zst_plain plain zstd zst
    once gz_plain plain gzip gz
    i=$((i + 1))
done
size() { xargs stat -c %s <"$work/$1.list" | jq -s add; }
result "$(jq -n --argjson packages "$(wc -l <"$work/names")" --argjson runs "$runs" \
    --argjson zst "$(size zst)" --argjson gz "$(size gz)" --argjson zst_ours "$(median zst_ours)" \
    --argjson gz_ours "$(median gz_ours)" --argjson zst_plain "$(median zst_plain)" --argjson gz_plain "$(median gz_plain)" \
    '{runs: $runs, packages: $packages, zstd_bytes: $zst, gzip_bytes: $gz, gzip_over_zstd_bytes: ($gz / $zst),
      zstd_ours_ms: $zst_ours, gzip_ours_ms: $gz_ours, gzip_over_zstd_time: ($gz_ours / $zst_ours),
      zstd_plain_ms: $zst_plain, gzip_plain_ms: $gz_plain,
      zstd_faster_below_mbit_s: (if $gz_ours > $zst_ours then "every network" else
          (8 * ($gz - $zst) / ($zst_ours - $gz_ours) / 1000) end)}')"
