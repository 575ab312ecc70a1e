#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154  # for inner shells; variables of machine.sh
# One file for a bare machine without a network: made of a cache, with the program in it; there the program is unpacked
# from the file, the file is verified, and Slurm installed from it, with nothing asked of anybody but a fingerprint.
test_name=e2e.offline
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"
is_root || not_run 'a machine in namespaces of its own needs root'
version='' key=''
# shellcheck source=/dev/null
. "$facts"
own=$work/state
cache=$work/cache
mkdir "$own" "$work/client"
for folder in roots sources store packages keys; do ln -s "$state/$folder" "$own/$folder"; done
client() { env SLURM_FACTORY_CACHE_DIR="$work/client" "$program" "$@"; }
offline() { client bundle create --offline "slurm@${version%.*}" --toolchain "$toolchain" "$@"; }

say '== the file'
expect 0 env SLURM_FACTORY_CACHE_DIR="$own" "$program" build-slurm --slurm-version "$version" --toolchain "$toolchain" \
    "$vulnerable" --allow-older --publish-vulnerable --signing-key "$key" --publish all --publish-to "$cache"
tool=${SF_E2E_PORTABLE:-}  # one that is made already
if [ -z "$tool" ]; then
    sh "$repository/tools/portable.sh" "$work/portable" >"$work/portable.log" 2>&1 ||
        { cat "$work/portable.log"; fail 'the portable program is not made'; }
    tool=$(tail -n 1 "$work/portable.log")
fi
sf key export "$key" --output "$work/public.asc"
expect 0 client key import "$work/public.asc"
expect 1 offline --cache "$cache" -o "$work/slurm.tar"
expect_said 'no key is trusted'
expect 0 client key trust "$key"
expect 0 client cache add site "$cache" --key "$key"
begin=$(now_ms)
expect 0 offline --cache site --tool "$tool" -o "$work/slurm.tar"
cat "$work/out"
say "made and read back after $(($(now_ms) - begin)) ms"
offline --cache site --tool "$tool" -o "$work/again.tar" >"$work/out"
cmp "$work/slurm.tar" "$work/again.tar" || fail 'the same cache gives another file'
# Any tar reads it.
tar -tf "$work/slurm.tar" | grep -q "^keys/$key.asc$" || fail 'the public key is not in it'
tar -xOf "$work/slurm.tar" "$toolchain/slurm/deps/_sf/snapshot.json" | cmp - "$cache/$toolchain/slurm/deps/_sf/snapshot.json"

say '== a bare machine without a network'
machine_root "$toolchain-gpg" gpg gpg-agent gpgconf gpgv
machine_start "$toolchain-gpg" "$work/machine"
cp "$work/slurm.tar" "$machine/root/slurm.tar"
in_machine sh -c 'cd /opt && tar -xOf /root/slurm.tar "tool/$0" | gzip -d | tar -x' "$(basename "$tool")"
program_there=$(echo "$machine"/opt/slurm-factory-*/bin/slurm-factory)
program_there=${program_there#"$machine"}
there() { in_machine "$program_there" "$@"; }
expect 1 there bundle verify /root/slurm.tar
expect_said 'no key is trusted' 'key FINGERPRINT'
expect 1 there bundle verify /root/slurm.tar --key "$(printf '%040d' 7)"
expect 0 there bundle verify /root/slurm.tar --key "$key"
expect_said "slurm $version for $toolchain" 'each read and compared' 'nothing here vouches'
begin=$(now_ms)
expect 0 there install "slurm@${version%.*}" --cache /root/slurm.tar --key "$key" --prefix /opt/site --offline
expect_said "slurm $version is in /opt/site: [0-9]+ packages installed, 0 kept"
say "installed after $(($(now_ms) - begin)) ms"
expect 0 there bundle install /root/slurm.tar --key "$key" --prefix /opt/site
expect_said 'already'
expect 0 in_machine /opt/site/data/slurm_assets/slurm_install.sh --full-init --without-accounting
expect_said 'proved: srun hostname, as nobody: '

say '== what happens to files on the way'
size=$(stat -c %s "$work/slurm.tar")
for cut in 1000 $((size / 2)) $((size - 1)); do
    head -c "$cut" "$work/slurm.tar" >"$machine/root/bad.tar"
    expect 1 there install "slurm@$version" --cache /root/bad.tar --key "$key" --prefix /opt/never
    expect_said 'is cut short'
done
cp "$work/slurm.tar" "$machine/root/bad.tar"
change_bit "$machine/root/bad.tar" $((size / 2))
expect 1 there bundle verify /root/bad.tar --key "$key"
expect 1 there bundle install /root/bad.tar --key "$key" --prefix /opt/never
[ ! -e "$machine/opt/never" ] || fail 'something was installed of a file that was changed'
machine_stop
