#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for inner shells
# Another distribution, by SF_E2E_TOOLCHAIN: its root is made from its signed archives, MUNGE and its libraries
# are built there, and run on a bare machine of that distribution, moved or not. What bundles bring there that was not
# built there, the static helper of slurm_install.sh, runs on it as well.
test_name=e2e.munge
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"
is_root || not_run 'a machine in namespaces of its own needs root'

take_over
rm -rf "$state/packages" "$state/store" "$state/work"
expect 0 sf toolchain prepare "$toolchain"
cat "$work/out" "$work/err"
begin=$(now_ms)
expect 0 sf build-slurm --slurm-version "$series" --toolchain "$toolchain" $vulnerable --package munge
say "munge was built in $((($(now_ms) - begin) / 1000)) s"

munged_is_gone() { [ ! -e "$machine/run/munge/pid" ]; }
machine_root "$toolchain-bare"
machine_start "$toolchain-bare" "$work/machine"
system=$(sed -n 's/^PRETTY_NAME=//p' "$machine/etc/os-release")
install -m 755 "${program%/*}/slurm-setup" "$machine/opt/slurm-setup"
expect 0 in_machine /opt/slurm-setup --help
expect_said '^usage: slurm_install\.sh --full-init' '^ +--uninstall '
say "$system: slurm-setup runs"

mkdir -p "$machine/opt/first/store"
for archive in "$state"/packages/*/run.tar.zst; do
    tar --zstd -xf "$archive" -C "$machine/opt/first/store"
done
munge=$(cd "$machine/opt/first" && echo store/munge-*)
in_machine install -d -m 700 /etc/munge /var/log/munge
in_machine install -d -m 755 /run/munge /var/lib/munge
in_machine "/opt/first/$munge/sbin/mungekey" --create --keyfile=/etc/munge/munge.key
for place in /opt/first '/srv/moved here/deeper'; do
    if [ "$place" != /opt/first ]; then
        in_machine mkdir -p "${place%/*}"
        in_machine mv /opt/first "$place"
    fi
    in_machine "$place/$munge/sbin/munged" --key-file=/etc/munge/munge.key --socket=/run/munge/s --pid-file=/run/munge/pid \
        --log-file=/var/log/munge/log --seed-file=/var/lib/munge/seed
    expect 0 in_machine sh -c '"$0/munge" -n -S /run/munge/s | "$0/unmunge" -S /run/munge/s' "$place/$munge/bin"
    expect_said '^STATUS: +Success'
    in_machine sh -c 'kill "$(cat /run/munge/pid)"'
    wait_for 20 'munged to end' munged_is_gone
    say "$system: a credential from $place"
done
