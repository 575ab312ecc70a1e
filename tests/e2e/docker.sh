#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Docker as the second engine: the same plan leaves the same bytes as under bubblewrap; what runs in the
# containers is nobody of importance, without a network; and a build that is killed leaves no container.
# With a private daemon, which touches neither the host's network nor its containers.
# docker.sh slurm: Slurm itself, which takes long, is built, and no more than that.
test_name=e2e.docker${1:+.$1}
. "$(dirname "$0")/lib.sh"
is_root || not_run 'a Docker daemon of its own needs root'
version='' key=''
# shellcheck source=/dev/null
. "$facts"

socket=$work/docker.sock
dockerd --data-root "$work/docker" --exec-root "$work/exec" --host "unix://$socket" \
    --pidfile "$work/dockerd.pid" --iptables=false --ip6tables=false --ip-forward=false --bridge=none \
    >"$work/dockerd.log" 2>&1 </dev/null &
dockerd=$!
keep_pid "$dockerd"
ours() { docker --host "unix://$socket" "$@"; }
wait_for 30 'dockerd' ours version

own=$work/state
mkdir "$own"
for folder in sources roots packages store; do cp -a --reflink=auto "$state/$folder" "$own/"; done
drop() { for package; do rm -rf "$own"/packages/"$package"-* "$own"/store/"$package"-*; done; }
build() {
    env DOCKER_HOST="unix://$socket" SLURM_FACTORY_CACHE_DIR="$own" "$program" build-slurm --runtime docker \
        --slurm-version "$version" --toolchain bookworm $vulnerable "$@"
}
same() {
    for package; do
        for archive in "$state"/packages/"$package"-*/*.tar.*; do
            twin=$own/packages/$(basename "${archive%/*}")/${archive##*/}
            cmp "$archive" "$twin" || fail "$package differs: ${archive##*/}"
            say "${twin#"$own"/packages/} is the same"
        done
    done
}

if [ "${1:-}" = slurm ]; then
    # Slurms of other series may lie beside it. It is compiled: there is no compiler cache in this state folder yet.
    drop "slurm-$version"
    [ ! -e "$own/ccache" ] || fail 'there is a compiler cache'
    begin=$(now_ms)
    expect 0 build --package slurm
    say "Slurm was built in $((($(now_ms) - begin) / 1000)) s"
    same "slurm-$version"
    [ -z "$(ours ps --all --quiet)" ] || fail "left: $(ours ps --all)"
    say 'Slurm has the same bytes under Docker as under bubblewrap'
    exit 0
fi

# The three kinds of build systems: make, autotools, CMake.
drop lz4 munge json-c
expect 0 build --package lz4 --package munge --package json-c
same lz4 munge json-c

# What a recipe's shell lines see. A line that fails fails the build, so all of this holds.
data=$work/data
copy_data "$data"
{
    echo '  after_install:'
    while IFS= read -r line; do printf "    - '%s'\n" "$line"; done
} >"$work/lines" <<'LINES'
test "$(id -u)" -ge 60736
test "$(id -u)" -lt 60992
grep -q "^CapEff:.0*$" /proc/self/status
grep -q "^NoNewPrivs:.1" /proc/self/status
test "$(hostname)" = builder
test "$(ls /sys/class/net)" = lo
if touch /usr/x /etc/x /x /sf/x 2>/dev/null; then exit 1; fi
test -z "$(env | grep -E "^(HOSTNAME|DOCKER|container)")"
test ! -e /root/.slurm-factory
LINES
sed -i "/^build:/r $work/lines" "$data/recipes/lz4/recipe.yaml"
expect 0 env SLURM_FACTORY_DATA_DIR="$data" SLURM_FACTORY_CACHE_DIR="$own" DOCKER_HOST="unix://$socket" \
    "$program" build-slurm --runtime docker --slurm-version "$version" --toolchain bookworm $vulnerable \
    --package lz4
say 'the sandbox holds: no root, no capabilities, no network, nothing writable'

# A killed build: its containers end, and the next build lists none of them.
drop munge
(exec env DOCKER_HOST="unix://$socket" SLURM_FACTORY_CACHE_DIR="$own" "$program" build-slurm \
    --runtime docker --slurm-version "$version" --toolchain bookworm $vulnerable --package munge) \
    >"$work/killed" 2>&1 </dev/null &
victim=$!
running() { [ -n "$(ours ps --quiet)" ]; }
not_running() { ! running; }
wait_for 60 'a container' running
end_pid "$victim" KILL
wait_for 20 'its containers to end' not_running
expect 0 build --package munge
same munge
[ -z "$(ours ps --all --quiet)" ] || fail "left: $(ours ps --all)"

# What was built runs in containers, too.
cp -a "$state/keys" "$own/"
expect 0 build --signing-key "$key" --verify
expect_said '^verified: signature, [0-9]+ files' 'srun hostname, as rehearsal: node1' 'every daemon has ended'
[ -z "$(ours ps --all --quiet)" ] || fail "left: $(ours ps --all)"

# No daemon: a clear word.
end_pid "$dockerd"
expect 1 build --no-cache --package lz4
expect_said 'docker could not reach its daemon' 'systemctl start docker|--runtime bwrap'
say 'the same bytes under Docker as under bubblewrap'
