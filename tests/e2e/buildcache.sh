#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What one state folder has built is published by `cache push`; another, which has nothing but sources and a root, takes
# it by `build-slurm --buildcache` without compiling, and makes the same bundle. What is spoilt, signed by strangers or
# expired is an error and nothing is built instead; what a cache lacks is built; what was taken is not passed on.
test_name=e2e.buildcache
. "$(dirname "$0")/lib.sh"
bundle='' version='' key=''
# shellcheck source=/dev/null
. "$facts"
cache=$work/cache
own=$work/state
other=$work/other
mkdir "$own" "$other" "$work/bare"
for folder in roots sources store packages; do ln -s "$state/$folder" "$own/$folder"; done
cp -a "$state/keys" "$own/keys"
for folder in roots sources; do
    ln -s "$state/$folder" "$other/$folder"
    ln -s "$state/$folder" "$work/bare/$folder"
done
wanted="--slurm-version $version --toolchain $toolchain"
publishing='--allow-older --publish-vulnerable'
# The words are lists of options.
# shellcheck disable=SC2086
push() {  # push STATE PLACE OPTION...
    folder=$1
    shift
    "$program" --state-dir "$folder" cache push $wanted $publishing "$@"
}
taker() { "$program" --state-dir "$other" "$@"; }
# shellcheck disable=SC2086
build() { taker build-slurm $wanted $vulnerable "$@"; }
# shellcheck disable=SC2086
plan() { taker --json plan $wanted $vulnerable "$@"; }
# ways WAY: the packages that the last plan's output says so of.
ways() { jq -r "select(.event == \"planned\" and .way == \"$1\").package" "$work/out" | sort | tr '\n' ' '; }
nothing_built() {
    if grep -q ': building' "$work/err"; then fail 'something was built'; fi
}
deps=$cache/$toolchain/slurm/deps
snapshot=$deps/_sf/snapshot.json

say '== push: what is missing is said'
expect 1 push "$work/bare" "$cache"
expect_said 'missing: .*zlib-.*slurm-' "next: slurm-factory build-slurm --slurm-version $version --toolchain $toolchain"
rm "$work/bare/roots"
expect 1 push "$work/bare" "$cache"
expect_said "missing: the root of $toolchain"
[ ! -e "$cache" ] || fail 'something was published'

say '== push'
begin=$(now_ms)
expect 0 push "$own" "$cache" --signing-key "$key"
say "published after $(($(now_ms) - begin)) ms"
expect_said '^verified: ' "$deps: [0-9]+ published" "the bundle of Slurm $version for $toolchain published"
nothing_built
find "$cache" -type f -printf '%P %s %T@\n' | sort >"$work/before"

say '== the words'
expect 2 build --buildcache all --no-cache
expect_said 'which is meant'
expect 2 build --cache "$cache"
expect_said 'cache is about --buildcache'
expect 2 build --buildcache all
expect_said 'no cache is listed'

say '== its signer is not trusted'
expect 1 build --buildcache all --cache "$cache"
expect_said "is signed by a key that is not trusted: $key"
[ ! -e "$other/packages" ] || fail 'something was taken, or built'
expect 0 "$program" --state-dir "$own" key export "$key" --output "$work/public.asc"
expect 0 taker key import "$work/public.asc"
expect 0 taker key trust "$key"

say '== plan'
expect 0 plan --buildcache deps --cache "$cache"
[ "$(ways build)" = 'slurm ' ] || fail "with deps this is built: $(ways build)"
[ "$(ways take | wc -w)" -ge 20 ] || fail "with deps this is taken: $(ways take)"
say "deps: $(ways take | wc -w) taken, left out: $(ways 'leave out')"
expect 0 plan --buildcache all --cache "$cache"
[ -z "$(ways build)" ] || fail "with all this is built: $(ways build)"
runtime=$(ways take | wc -w)
expect 0 plan --buildcache none
[ -z "$(ways take)" ] || fail "with none this is taken: $(ways take)"
# An address where nobody listens: done without, and said.
expect 0 plan --buildcache all --cache http://127.0.0.1:9/cache
expect_said 'cannot be reached: what it could have had is built'
[ -z "$(ways take)$(ways have)" ] || fail 'something comes from nowhere'
expect 1 build --buildcache all --offline --cache http://127.0.0.1:9/cache
expect_said 'that cache is on the network'
# Of those listed, one that unsigned packages may come from is passed over; named, it is refused.
expect 0 taker cache add lab "$work/nowhere" --allow-unsigned
expect 0 taker cache add site "$cache" --key "$key"
expect 0 plan --buildcache all
expect_said 'the cache .*lab.* is passed over: unsigned packages may be installed'
[ -z "$(ways build)" ] || fail "beside a cache that is passed over this is built: $(ways build)"
expect 1 plan --buildcache all --cache lab
expect_said 'unsigned packages may be installed from the cache'
expect 0 taker cache remove lab
expect 0 taker cache remove site

say '== an attacker who can write to the cache, but cannot sign'
cp -a "$deps" "$work/good"
restore() { rm -rf "$deps" && cp -a "$work/good" "$deps"; }
refused() {  # refused WHAT PATTERN
    rm -rf "$other/caches/objects"  # what was read before is believed, by its digest
    expect 1 build --buildcache deps --cache "$cache" --package zlib --offline
    expect_said "$2"
    nothing_built
    if ls "$other"/packages/* >/dev/null 2>&1; then fail "taken all the same: $1"; fi
    say "refused: $1"
}
blob=$deps/blobs/sha256/$(sha256sum "$state"/packages/zlib-*/run.tar.zst | sed 's/^\(..\)\([^ ]*\).*/\1\/\1\2/')
change_bit "$blob" 5000
refused 'a changed archive' 'taking zlib-.*is not what it should be'
restore
rm "$blob"
refused 'an archive that is gone' 'zlib-'
restore
cp "$deps"/v3/manifests/spec/lz4/*.json "$(echo "$deps"/v3/manifests/spec/zlib/*.json)"
refused "another package's manifest" 'zlib-.*is not what it should be|long'
restore
rm "$snapshot"
refused 'no snapshot' 'its snapshot is gone'
restore
# By the publisher itself, but long ago.
resign() {  # resign SED-SCRIPT: the snapshot with other words in it
    gpg --homedir "$own/keys/gnupg" --batch --quiet --decrypt "$snapshot" 2>"$work/gpg" | sed "$1" >"$work/snapshot"
    gpg --homedir "$own/keys/gnupg" --batch --quiet --yes --local-user "$key" --digest-algo SHA512 --clearsign \
        --output "$snapshot" "$work/snapshot"
}
resign 's/^\( *"issued": *\)[0-9]*/\11600000000/; s/^\( *"expires": *\)[0-9]*/\11602592000/; s/^\( *"serial": *\)[0-9]*/\12/'
refused 'an expired snapshot' 'expired [0-9]+ days ago'
restore
rm -rf "$other/caches"  # the one that came after it is gone: this is another machine now

say '== all is taken'
begin=$(now_ms)
expect 0 build --buildcache all --cache "$cache" --offline
say "after $(($(now_ms) - begin)) ms"
expect_said "buildcache: $runtime packages taken .* 0 to build"
nothing_built
[ ! -e "$other/ccache" ] || fail 'something was compiled'
again=$(readlink -f "$other/builds/slurm-${version%.*}-$toolchain-software.tar.gz")
for tree in a b; do mkdir "$work/$tree"; done
tar -xzf "$bundle" -C "$work/a"
tar -xzf "$again" -C "$work/b"
cmp "$work/a/manifests/$version.json" "$work/b/manifests/$version.json" || fail 'the manifest is another'
rm "$work"/a/manifests/*.asc "$work"/b/manifests/*.asc    # signatures hold the time they were made
diff -r --no-dereference "$work/a" "$work/b" || fail 'the bundle from the cache is not the one that was built'
# What it says of itself: who signs it has built nothing of it.
jq -rj .payload "$again.intoto.jsonl" | base64 -d |
    jq -r '.predicate.buildDefinition.internalParameters.taken[].signer' | sort | uniq -c >"$work/signers"
[ "$(sed 's/^ *//' "$work/signers")" = "$runtime openpgp4fpr:$key" ] || fail "its papers say of what was taken: $(cat "$work/signers")"
for file in manifest.json run.tar.zst dev.tar.zst dbg.tar.zst; do
    for theirs in "$state"/packages/*/"$file"; do
        ours=$other/packages/$(basename "$(dirname "$theirs")")/$file
        if [ -e "$(dirname "$ours")" ]; then cmp "$theirs" "$ours" || fail "$ours is another"; fi
    done
done
# The symbols for debuggers are in an archive of their own, which no build needs.
diff -r --no-dereference --exclude=debug "$state"/store/slurm-"$version"-* "$other"/store/slurm-"$version"-* ||
    fail 'the tree for builds is another'
expect 0 build --explain --offline
expect_said "zlib-.*: in the store, taken from $cache, signed by $key"

say '== what was taken is not passed on'
expect 1 push "$other" "$work/second" --publish deps
expect_said 'which was taken from another cache'
[ ! -e "$work/second/$toolchain" ] || fail 'something of it was published'

say '== what a cache lacks is built'
resign '/^ *"lz4": *{/,/^ *},*$/d; s/^\( *"serial": *\)[0-9]*/\12/'
rm -rf "$other"/packages/lz4-* "$other"/store/lz4-* "$other"/packages/zlib-* "$other"/store/zlib-* "$other/caches"
expect 0 build --buildcache deps --cache "$cache" --offline --package lz4 --package zlib --explain
expect_said 'lz4-.*: .*not taken: .*it has no lz4' 'buildcache: 1 packages taken .* 1 to build' 'lz4-.*: building' \
    'zlib-.*: in the store, taken from'
[ ! -e "$(echo "$other"/packages/lz4-*)/taken.json" ] || fail 'what was built here is said to be taken'
cmp "$(echo "$state"/packages/lz4-*)/manifest.json" "$(echo "$other"/packages/lz4-*)/manifest.json" || fail 'lz4 is another'
restore
find "$cache" -type f -printf '%P %s %T@\n' | sort | diff "$work/before" - || fail 'taking changes the cache'

say '== a build that its root has taken back since'
rm -rf "$other/caches"  # what was signed for the last step is older than what it remembers
root() { "$program" --state-dir "$work/root" "$@"; }
reason_of() { jq -r "select(.event == \"planned\" and .package == \"$1\") | .way + \": \" + .reason" "$work/out"; }
expect 0 root --json key create --name 'The root' --email root@example.org --kind ed25519 --no-passphrase
root=$(jq -r 'select(.event == "key").fingerprint' "$work/out" | head -n 1)
expect 0 root key export "$root" --output "$work/root.asc"
for who in "$own" "$other"; do
    expect 0 "$program" --state-dir "$who" key import "$work/root.asc"
    expect 0 "$program" --state-dir "$who" key trust --root "$root"
done
zlib=$(basename "$(echo "$other"/packages/zlib-*)")
digest=$(sha256sum "$state/packages/$zlib/run.tar.zst" | cut -d' ' -f1)
expect 0 root key revocations "$work/revocations.json" --signing-key "$root" --revoke-build "$digest" --reason 'loses bytes'
expect 0 "$program" --state-dir "$own" key revocations "$work/revocations.json" --publish-to "$cache"
expect 0 plan --buildcache deps --cache "$cache"
[ -e "$other/packages/$zlib/taken.json" ] || fail 'who only asks has taken something away'
reason_of zlib | grep -qE '^build: taken from .*this build is taken back: loses bytes' || fail "zlib: $(reason_of zlib)"
# Known from now on to who does not ask that cache, as long as its root is trusted.
expect 0 plan
reason_of zlib | grep -qE '^build: taken from .*this build is taken back: loses bytes' || fail "zlib, unasked: $(reason_of zlib)"
expect 0 "$program" --state-dir "$other" key distrust "$root"
expect 0 plan
reason_of zlib | grep -q '^have: $' || fail "zlib, whose root is trusted no more: $(reason_of zlib)"
expect 0 "$program" --state-dir "$other" key trust --root "$root"
expect 0 build --buildcache deps --cache "$cache" --offline --package zlib
expect_said "1 packages in the store do not count any more.*$zlib, taken from $cache, signed by $key: this build is taken back: loses bytes" \
    'zlib-.*: building'
cmp "$state/packages/$zlib/manifest.json" "$other/packages/$zlib/manifest.json" || fail 'zlib is another'
[ ! -e "$other/packages/$zlib/taken.json" ] || fail 'what was built here is said to be taken'
expect 0 plan --buildcache deps --cache "$cache"
reason_of zlib | grep -q '^have: $' || fail "what was built here instead: $(reason_of zlib)"

say '== its signer is trusted no more'
expect 0 taker key distrust "$key"
expect 0 plan
reason_of munge | grep -qE '^build: taken from .*this key is not trusted here' || fail "munge: $(reason_of munge)"
reason_of zlib | grep -q '^have: $' || fail "zlib, built here: $(reason_of zlib)"
expect 1 push "$other" "$work/second"
expect_said 'missing: .*munge-[^,]* \(taken from .*this key is not trusted here'
expect 0 build --offline --package lz4 --package zlib
nothing_built
expect 0 taker key trust "$key"
expect 0 plan
reason_of munge | grep -q '^have: $' || fail "munge, whose signer is trusted again: $(reason_of munge)"
