#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --local-cache: what one state folder has built goes into a folder of signed packages; another, which has
# nothing but sources and a root, takes it from there without compiling; what is tampered with is built.
test_name=e2e.local_cache
. "$(dirname "$0")/lib.sh"
key='' bundle=''
# shellcheck source=/dev/null
. "$facts"

cache=$work/shared
build() {  # build STATE ARGUMENT...
    folder=$1
    shift
    "$launcher" --state-dir "$folder" build-slurm --slurm-version 25.11 --toolchain bookworm \
        $vulnerable --signing-key "$key" --local-cache "$cache" "$@"
}

expect 0 build "$state"
expect_said '[0-9]+ packages added to'
count=$(find "$cache/packages" -name manifest.json.asc | wc -l)
[ "$count" -gt 10 ] || fail "only $count packages were put into the local cache"
[ -z "$(find "$cache/packages" -name '.new-*')" ] || fail 'something unfinished is left in the local cache'
expect 0 build "$state"
expect_said ' 0 packages added to'

# Another place of work, which trusts the key and has built nothing.
other=$work/other
mkdir "$other"
for folder in sources roots; do cp -a --reflink=auto "$state/$folder" "$other/"; done
cp -a "$state/keys" "$other/"
expect 0 build "$other" --offline
expect_said "local cache: $count packages taken"
if grep -q ': building' "$work/err"; then fail 'something was built'; fi
again=$(readlink -f "$other/builds/slurm-25.11-bookworm-software.tar.gz")
tar -xzf "$bundle" -C "$(mkdir "$work/a" && echo "$work/a")"
tar -xzf "$again" -C "$(mkdir "$work/b" && echo "$work/b")"
rm "$work"/a/manifests/*.asc "$work"/b/manifests/*.asc    # signatures hold the time they were made
diff -r --no-dereference "$work/a" "$work/b" || fail 'the bundle from the cache is not the one that was built'
say "a second machine took $count packages from the cache; its bundle is the same"

# One bit in one archive: said, not used, and built instead.
archive=$(echo "$cache"/packages/zlib-*/run.tar.zst)
size=$(stat -c %s "$archive")
change_bit "$archive" $((size / 2))
rm -rf "$other"/packages/zlib-* "$other"/store/zlib-*
expect 0 build "$other" --offline --package zlib
expect_said 'zlib-.*: not taken from the local cache, so it is built: .*run\.tar\.zst: is not the archive that the signed manifest names'
expect_said 'the local cache holds other bytes|0 packages added'
[ -e "$(echo "$other"/packages/zlib-*/manifest.json)" ] || fail 'zlib was not built instead'
say 'a flipped bit is said and not used'

# Signed by nobody whom this place trusts.
rm -rf "$other/keys/trust" "$other"/packages/lz4-* "$other"/store/lz4-*
expect 0 build "$other" --offline --package lz4
expect_said 'the local cache .* is not used|lz4-.*: not taken from the local cache'
[ -e "$(echo "$other"/packages/lz4-*/manifest.json)" ] || fail 'lz4 was not built instead'
say 'what no trusted key signed is said and not used'

# A folder that cannot be one.
echo >"$work/file"
cache=$work/file
expect 1 build "$other" --offline --package lz4
expect_said 'opening the local cache'
