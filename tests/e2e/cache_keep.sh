# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154  # variables of cache.sh, at whose end this is sourced
# How a cache is kept, with the one that cache.sh has published: verified, by folder and through nginx; copied from
# nginx to a folder of another site, by a copy that is killed and one that goes on; signed afresh; pruned of what a
# killed publisher left; what Spack reads made anew.

keeper() { env SLURM_FACTORY_CACHE_DIR="$own" "$program" "$@"; }
told() { jq -s -c "map(select(.event == \"$1\"))" "$work/out"; }

say '== verify'
begin=$(now_ms)
expect 0 client --json cache verify "$cache" --deep
say "verified after $(($(now_ms) - begin)) ms: $(told mirror_verified | jq -c 'map({packages, objects, bytes})')"
[ "$(told mirror_verified | jq -c 'map(.defects) | unique')" = '[0]' ] || fail "defects: $(told defect)"
[ "$(told mirror_verified | jq -c 'map(.unnamed) | unique')" = '[0]' ] || fail "unnamed: $(told mirror_verified)"
expect 0 nearby --json cache verify http://127.0.0.1:8080 --toolchain "$toolchain" --deep
[ "$(told mirror_verified | jq -c 'map(.packages) | add')" -gt 15 ] || fail "through nginx: $(cat "$work/out")"
for file in "$(find "$deps/blobs" -type f -size +1M | sort | head -n 1)" "$(find "$main/v3/manifests/spec" -type f | head -n 1)"; do
    cp -p "$file" "$work/kept"
    change_bit "$file" $(($(stat -c %s "$file") / 2))
    expect 1 client cache verify "$cache" --deep
    expect_said 'WRONG' "$(basename "$file")|$(basename "$file" .spec.manifest.json | sed 's/.*-//')" 'next:'
    cp -p "$work/kept" "$file"
done
rm "$deps/v3/manifests/index/index.manifest.json"
expect 1 client cache verify "$cache"
expect_said 'Spack sees no package' 'cache index'
expect 0 keeper cache index "$cache"
expect 0 client cache verify "$cache"

say '== a copy for another site, from nginx'
copy=$work/copy
far=http://127.0.0.1:8080
nsenter --target "$nginx" --net -- env -u http_proxy -u https_proxy SLURM_FACTORY_CACHE_DIR="$work/client" \
    "$program" cache mirror "$far" "$copy" --toolchain "$toolchain" >"$work/killed.out" 2>&1 &
mirror=$!
keep_pid "$mirror"
some_blobs() { [ "$(find "$copy" -path '*/blobs/*' -type f 2>/dev/null | wc -l)" -gt 10 ]; }
wait_for 60 'the copy to begin' some_blobs
end_pid "$mirror" KILL
[ ! -e "$copy/$toolchain/slurm/${version%.*}/_sf/snapshot.json" ] || fail 'the copy was too fast to be killed'
expect 1 client install "slurm@$version" --toolchain "$toolchain" --cache "$copy" --prefix "$work/never copied"
expect_said 'nothing was published'
expect 0 nearby --json cache mirror "$far" "$copy" --toolchain "$toolchain"
[ "$(told mirrored | jq 'map(.there) | add')" -gt 0 ] || fail "what the killed copy sent is sent again: $(told mirrored)"
expect 0 client cache verify "$copy" --deep
expect 0 client install "slurm@$version" --toolchain "$toolchain" --cache "$copy" --prefix "$work/from the copy"
(cd "$work/from the copy/store" && find . -type f -exec sha256sum {} +) | sort | diff "$work/bundled.list" - ||
    fail 'a package from the copy differs from that in the bundle'
find "$copy" -type f -printf '%P %s %T@\n' | sort >"$work/before"
expect 0 nearby cache mirror "$far" "$copy" --toolchain "$toolchain" --series "${version%.*}"
expect_said 'there already'
find "$copy" -type f -printf '%P %s %T@\n' | sort | diff "$work/before" - || fail 'a second copy changes something'

say '== of several caches the newest, of equals the first'
dead=http://127.0.0.1:9
first_of() {  # first_of CACHE... : which one an installation would take from
    for place; do set -- "$@" --cache "$place"; shift; done
    expect 0 client --json install "slurm@${version%.*}" --toolchain "$toolchain" --prefix "$work/from several" --dry-run "$@"
    told resolved | jq -r '.[0].cache'
}
[ "$(first_of "$copy" "$cache")" = "$copy" ] || fail "not the first: $(cat "$work/out")"
[ "$(first_of "$cache" "$copy")" = "$cache" ] || fail "not the first: $(cat "$work/out")"
expect 0 nearby install "slurm@${version%.*}" --toolchain "$toolchain" --prefix "$work/from several" \
    --cache "$dead" --cache "$copy" --write-lock "$work/several.lock"
expect_said 'cannot be reached' "may have a newer ${version%.*}"
[ "$(jq -r .cache "$work/several.lock")" = "$copy" ] || fail "the lock file names another cache: $(cat "$work/several.lock")"
(cd "$work/from several/store" && find . -type f -exec sha256sum {} +) | sort | diff "$work/bundled.list" - ||
    fail 'a package from one of several caches differs from that in the bundle'
expect 1 nearby install "slurm@${version%.*}" --toolchain "$toolchain" --prefix "$work/never several" --cache "$dead" --cache "$work/none"
expect_said 'cannot be reached'

say '== a copy of one release, without sources'
part=$work/part
expect 1 client cache mirror "$cache" "$part" --versions "$version.99"
expect_said "there is: $version"
[ ! -e "$part" ] || fail 'something was copied'
expect 0 client cache mirror "$cache" "$part" --versions "$version" --toolchains "$toolchain" --no-sources
expect_said 'a part: '
[ ! -e "$part/sources" ] || fail 'sources were copied'
expect 0 client cache verify "$part" --deep
expect_said 'good, and a part' "holds slurm $version, without sources"
expect 0 client install "slurm@$version" --toolchain "$toolchain" --cache "$part" --prefix "$work/from a part"
(cd "$work/from a part/store" && find . -type f -exec sha256sum {} +) | sort | diff "$work/bundled.list" - ||
    fail 'a package from a copy of a part differs from that in the bundle'
expect 1 keeper cache refresh "$part" --signing-key "$key" --force
expect_said 'is not signed afresh here'
expect 0 client cache mirror "$cache" "$part"
expect 0 client cache verify "$part" --deep
! grep -q 'a part' "$work/out" || fail "it still says that it is a part: $(cat "$work/out")"
find "$cache/sources" -type f -printf '%P\n' | sort >"$work/sources"
find "$part/sources" -type f -printf '%P\n' | sort | diff "$work/sources" - || fail 'not all sources were copied'
expect 0 keeper cache prune "$cache" --keep 1 --signing-key "$key"
expect_said 'nothing to retire'

say '== signed afresh'
expect 0 keeper --json cache refresh "$cache" --signing-key "$key"
[ "$(told refreshed | jq -c 'map(.changed) | unique')" = '[false]' ] || fail "too early: $(told refreshed)"
expect 0 keeper --json cache refresh "$cache" --signing-key "$key" --force --lifetime 90
[ "$(told refreshed | jq -c 'map(.changed) | unique')" = '[true]' ] || fail "not signed: $(told refreshed)"
expect 0 client cache verify "$cache" --deep
expect 0 client cache mirror "$cache" "$copy"
expect 0 client cache verify "$copy"
expect 1 client cache mirror "$work/good" "$copy"
expect_said 'gone back|has snapshot number'

say '== what a killed publisher leaves'
left=$work/left
# shellcheck disable=SC2086  # one word, or none
env SLURM_FACTORY_CACHE_DIR="$own" "$program" build-slurm --slurm-version "$version" --toolchain "$toolchain" \
    $vulnerable --signing-key "$key" --publish all --publish-to "$left" --allow-older --publish-vulnerable \
    >"$work/killed.out" 2>&1 &
publisher=$!
keep_pid "$publisher"
# The private blobs of its own: the bundle's signature holds a time.
its_own() { [ "$(find "$left/$toolchain/slurm/${version%.*}/v3" -name '*.spec.manifest.json' 2>/dev/null | wc -l)" -gt 0 ]; }
wait_for 400 'the publisher to come to Slurm' its_own
end_pid "$publisher" KILL
# It made a cache of its own of it, which a copy would not touch.
find "$left" -name snapshot.json -delete
expect 0 client cache mirror "$cache" "$left"
find "$left" -type f -exec touch -d '61 days ago' {} +
expect 0 client --json cache prune "$left" --dry-run
[ "$(told pruned | jq -c 'map(.removed | length) | add')" -gt 0 ] || fail "nothing is litter: $(told pruned)"
expect 0 client --json cache prune "$left" --keep-days 62
[ "$(told pruned | jq -c 'map(.removed | length) | add')" = 0 ] || fail "what is young was removed: $(told pruned)"
expect 0 client --json cache prune "$left"
say "removed: $(told pruned | jq -c 'map({bytes, removed: (.removed | length), kept})')"
expect 0 client --json cache verify "$left" --deep
[ "$(told mirror_verified | jq -c 'map(.unnamed) | unique')" = '[0]' ] || fail "unnamed: $(told mirror_verified)"
expect 0 client install "slurm@$version" --toolchain "$toolchain" --cache "$left" --prefix "$work/from what was left"
(cd "$work/from what was left/store" && find . -type f -exec sha256sum {} +) | sort | diff "$work/bundled.list" - ||
    fail 'a package from what was pruned differs from that in the bundle'
