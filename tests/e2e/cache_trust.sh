#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Whom a client of a cache believes: caches with names and keys of their own, a signing key replaced by another, keys and
# builds taken back by an offline root, for the stack that build.sh built, published for real.
test_name=e2e.cache_trust
. "$(dirname "$0")/lib.sh"
is_root || not_run 'a list of caches of the site, in a mount namespace of its own, needs root'
version='' key=''
# shellcheck source=/dev/null
. "$facts"
cache=$work/cache
own=$work/state
mkdir "$own" "$work/client" "$work/root"
for folder in roots sources store packages; do ln -s "$state/$folder" "$own/$folder"; done
cp -a "$state/keys" "$own/keys"
publisher() { env SLURM_FACTORY_CACHE_DIR="$own" "$program" "$@"; }
client() { env SLURM_FACTORY_CACHE_DIR="$work/client" "$program" "$@"; }
root() { env SLURM_FACTORY_CACHE_DIR="$work/root" "$program" "$@"; }
first_event() { jq -r -s "map(select(.event == \"$1\"))[0]$2" "$work/out"; }
install() { client install "slurm@$version" --toolchain "$toolchain" "$@"; }
# refused PATTERN [OPTION...]: nothing is installed, and this is said.
refused() {
    pattern=$1
    shift
    expect 1 install --prefix "$work/never" "$@"
    expect_said "$pattern"
    if [ -e "$work/never/view" ] || [ -e "$work/never/views" ]; then fail "installed all the same: $pattern"; fi
    say "refused: $pattern"
}

say '== signed by the old key and the new one'
expect 0 publisher --json key create --name 'The new key' --email new@example.org --kind ed25519
new=$(first_event key .fingerprint)
expect 0 publisher build-slurm --slurm-version "$version" --toolchain "$toolchain" $vulnerable --signing-key "$key" \
    --signing-key "$new" --publish all --publish-to "$cache" --allow-older --publish-vulnerable
manifest=$(find "$cache/$toolchain/slurm/${version%.*}/v3/manifests/spec/slurm" -type f)
[ "$(gpg --homedir "$own/keys/gnupg" --no-autostart --batch --status-fd 1 --verify "$manifest" 2>"$work/err" |
    grep -c '^\[GNUPG:\] VALIDSIG')" = 2 ] || fail 'gpg itself does not find two good signatures'
for each in "$key" "$new"; do
    expect 0 publisher key export "$each" --output "$work/$each.asc"
    expect 0 client key import "$work/$each.asc"
done
refused 'no cache is listed|no key is trusted' --cache "$cache"

say '== caches with names'
expect 0 client key trust "$key"
expect 0 client cache add site "$cache" --key "$key"
expect 0 client install "slurm@$version" --toolchain "$toolchain" --prefix "$work/by name"
expect_said "slurm $version is in"
expect 2 client cache verify sit
expect_said "no cache is called 'sit'" 'there is: site'
expect 0 client cache verify site
# Trusted, but for another cache.
expect 0 client key trust "$new"
other=$(printf '%040d' 7)
expect 0 client cache add site "$cache" --key "$other"
refused 'no key that is listed for the cache site is trusted'
refused 'no key that is listed for the cache site is trusted' --cache "$cache"
expect 0 client cache add site "$cache" --key "$new"
expect 0 client install "slurm@$version" --toolchain "$toolchain" --cache site --prefix "$work/by name"
expect_said 'already'
# The first that has it; one that has nothing is passed over, one that is not to be believed is not.
mkdir "$work/empty"
expect 0 client cache remove site
expect 0 client cache add empty "$work/empty" --key "$key"
expect 0 client cache add site "$cache" --key "$new"
expect 0 client install "slurm@$version" --toolchain "$toolchain" --prefix "$work/second"
cp -a "$cache" "$work/empty.new" && rm -rf "$work/empty" && mv "$work/empty.new" "$work/empty"
snapshot=$work/empty/$toolchain/slurm/${version%.*}/_sf/snapshot.json
sed -i 's/"serial": 1/"serial": 2/' "$snapshot"
refused 'changed after signing.*empty'
expect 0 client cache remove empty

say '== of nobody: two words are needed, and it is never forgotten'
lone() { env SLURM_FACTORY_CACHE_DIR="$work/lone" "$program" "$@"; }
mkdir "$work/lone"
expect 0 lone cache add lab "$cache" --allow-unsigned
expect_said 'runs what he likes here'
expect 1 lone install "slurm@$version" --toolchain "$toolchain" --cache lab --prefix "$work/never"
expect_said 'with --allow-unsigned alone'
cp -a "$cache" "$work/elsewhere"
expect 1 lone install "slurm@$version" --toolchain "$toolchain" --cache "$work/elsewhere" --prefix "$work/never" --allow-unsigned
expect_said 'is not allowed here'
[ ! -e "$work/never" ] || fail 'installed all the same'
for turn in first second; do
    expect 0 lone install "slurm@$version" --toolchain "$toolchain" --cache lab --prefix "$work/unsigned" --allow-unsigned
    grep -q 'UNSIGNED: nobody trusted here has signed the snapshot, the manifest' "$work/err" || fail "no warning, the $turn time"
done
expect 0 lone list --prefix "$work/unsigned"
expect_said '^\* +1 .*UNSIGNED'
expect 0 lone --json list --prefix "$work/unsigned"
[ "$(first_event generation '.origin.unsigned != null')" = true ] || fail 'the record does not say it'
expect 0 lone verify --deep --prefix "$work/unsigned"
expect_said 'generation 1 was installed UNSIGNED'
# Who trusts the key by now gets the same bytes, which were unsigned when they came.
expect 0 client install "slurm@$version" --toolchain "$toolchain" --cache site --prefix "$work/unsigned"
expect_said 'was installed UNSIGNED, and stays so'
expect 0 client fsck --prefix "$work/unsigned"
expect 0 client verify --deep --prefix "$work/unsigned"
expect_said 'generation 1 was installed UNSIGNED'
expect 1 lone cache mirror lab "$work/never"
expect_said 'nothing of it is copied'
expect 1 lone bundle create --offline "slurm@$version" --toolchain "$toolchain" --cache lab -o "$work/never.tar"
[ ! -e "$work/never.tar" ] || fail 'a file was made of it'
rm -rf "$work/unsigned" "$work/elsewhere"

say '== of the site'
mkdir -p "$work/etc/slurm-factory"
cp -a /etc/. "$work/etc/"
in_site() {  # with an /etc of its own
    # shellcheck disable=SC2016  # for the inner shell
    unshare --mount sh -c 'mount --bind "$1" /etc && shift && exec "$@"' sh "$work/etc" \
        env SLURM_FACTORY_CACHE_DIR="$work/client" "$program" "$@"
}
expect 0 in_site cache add site "$cache" --key "$key" --site
expect 0 in_site cache list
expect_said '^site \(site\)'
expect 0 in_site install "slurm@$version" --toolchain "$toolchain" --prefix "$work/by site"
expect_said "the site has one of this name"
chmod 666 "$work/etc/slurm-factory/caches.json"
expect 1 in_site install "slurm@$version" --toolchain "$toolchain" --prefix "$work/never"
expect_said 'can be written by others'

say '== a root takes keys and builds back'
expect 0 root --json key create --name 'The root' --email root@example.org --kind ed25519
root=$(first_event key .fingerprint)
list=$work/revocations.json
expect 0 root key revocations "$list" --signing-key "$root"
cp "$list" "$work/first.json"
expect 0 root key export "$root" --output "$work/root.asc"
for who in publisher client; do
    expect 0 $who key import "$work/root.asc"
    expect 0 $who key trust --root "$root"
done
expect 0 client cache add site "$cache" --key "$key" --key "$new" --root "$root"
refused 'has no list of revocations, and must have one'
expect 0 publisher key revocations "$list" --publish-to "$cache"
expect 0 client install "slurm@$version" --toolchain "$toolchain" --prefix "$work/second"

expect 0 root key revocations "$list" --signing-key "$root" --revoke-key "$key" --reason 'stolen on a train'
expect 0 publisher key revocations "$list" --publish-to "$cache"
# The new key has signed beside it.
expect 0 client --json install "slurm@$version" --toolchain "$toolchain" --prefix "$work/third"
[ "$(first_event installed .signer)" = "$new" ] || fail 'the signer is not the new key'
identity=$(first_event installed .identity)
expect 0 client cache add site "$cache" --key "$key" --root "$root"
refused "withdrawn: $key .stolen on a train."
expect 1 publisher build-slurm --slurm-version "$version" --toolchain "$toolchain" $vulnerable --signing-key "$key" \
    --publish all --publish-to "$cache" --allow-older --publish-vulnerable
expect_said 'is withdrawn'
expect 0 client cache add site "$cache" --key "$new" --root "$root"
cp "$cache/_sf/revocations.json" "$work/second.json"
cp "$work/first.json" "$cache/_sf/revocations.json"
refused 'revocations has gone back'
rm "$cache/_sf/revocations.json"
refused 'is gone: number 2 was seen'
cp "$work/second.json" "$cache/_sf/revocations.json"
expect 0 client install "slurm@$version" --toolchain "$toolchain" --prefix "$work/third"

expect 0 root key revocations "$list" --signing-key "$root" --revoke-build "$identity" --reason 'loses jobs'
expect 0 publisher key revocations "$list" --publish-to "$cache"
refused 'loses jobs'
expect 1 publisher key revocations "$work/first.json" --publish-to "$cache"
expect_said 'has gone back'

say '== the owner takes a key back'
expect 2 publisher key revoke "$new"
expect_said 'cannot be undone'
expect 0 publisher key revoke "$new" --yes --output "$work/revoked.asc"
expect 0 publisher key list
expect_said 'REVOKED'
expect 0 client key import "$work/revoked.asc"
expect_said 'REVOKED|revoked'
refused 'revoked key'
