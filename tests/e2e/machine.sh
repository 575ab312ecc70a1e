# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034,SC2154  # variables of lib.sh, and for the scripts that source this
# A bare machine of a distribution: a minimal root of its own, with its own processes, network, host name and
# mounts, without systemd or with it as its first process. Sourced after lib.sh. Needs root. The root is made
# once, from the archives this machine itself uses, and kept below $e2e; each machine writes to a layer of its own.
#
#   machine_root NAME [PACKAGE...]     makes the root NAME, with these packages besides the essential ones
#   machine_start NAME FOLDER [HOST ADDRESS]
#                                      a machine from that root; what it writes is below FOLDER. Its file system
#                                      is $machine from here. With HOST it is one of several, on machine_network
#   machine_boot NAME FOLDER           the same with the root's own systemd; booted again, it has what it wrote
#   in_machine COMMAND...              runs it there, as root
#   machine_stop
#   machine_network                    makes a network; before several machines
#   machine_use HOST                   of several machines the one that is meant from here on
machine_address=10.9.9.1
machine_name=node1

machine_root() {
    x_root=$e2e/machines/$1
    x_name=$1
    shift
    [ ! -e "$x_root/.made" ] || return 0
    say "making the root $x_name (once)"
    rm -rf "$x_root"
    mkdir -p "$e2e/machines"
    x_archive >"$work/sources.list"
    grep -q . "$work/sources.list" || not_run "this machine knows no archive of $toolchain"
    x_include=$(echo "$*" | tr ' ' ',')
    mmdebstrap --mode=root --variant=minbase --dpkgopt=force-unsafe-io ${x_include:+"--include=$x_include"} \
        '' "$x_root" - <"$work/sources.list" >"$work/mmdebstrap.log" 2>&1 ||
        { tail -n 20 "$work/mmdebstrap.log"; fail "mmdebstrap cannot make the root $x_name"; }
    : >"$x_root/.made"
}

# The lines of sources.list: this machine's own, or those of the root that Slurm was built in.
x_archive() {
    if [ "$toolchain" = bookworm ]; then
        # shellcheck disable=SC2016  # apt's own words
        apt-get indextargets --format '$(CODENAME) $(SITE) $(COMPONENT)' | sort -u |
            sed -n 's#^\(bookworm[a-z-]*\) \([^ ]*\) \(main\)$#deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] \2 \1 \3#p'
        return
    fi
    x_prepared=$state/roots/$toolchain/$(cat "$state/roots/$toolchain/current")
    x_keyring=$(sed -n 's/^keyring: .*file: \(.*\)}$/\1/p' "$repository/toolchains/$toolchain.yaml")
    sed -n "s#^deb \(\[[^]]*\] \)\{0,1\}#deb [signed-by=$x_prepared$x_keyring] #p" "$x_prepared/etc/apt/sources.list"
}

x_machine_disk() {
    x_mounted=$2/root
    mkdir -p "$x_mounted" "$2/upper" "$2/work"
    mount -t overlay -o "lowerdir=$e2e/machines/$1,upperdir=$2/upper,workdir=$2/work" none "$x_mounted"
    keep_mount "$x_mounted"
    machine=$x_mounted
    printf '127.0.0.1 localhost\n' >"$machine/etc/hosts"
    x_host=${3:-$machine_name}
    echo "$x_host" >"$machine/etc/hostname"
}

machine_network() {
    # shellcheck disable=SC2016  # for the inner shell
    unshare --net sh -c 'ip link set lo up && ip link add br0 type bridge && ip link set br0 up && : >"$1" &&
        exec sleep infinity' sh "$work/network" >"$work/network.log" 2>&1 </dev/null &
    x_network=$!
    keep_pid "$x_network"
    wait_for 10 'the network' test -e "$work/network"
}
x_connect() {  # x_connect ADDRESS
    # shellcheck disable=SC2016  # for the inner shell
    nsenter --target "$x_network" --net sh -c 'ip link add "sf$1" type veth peer name eth0 netns "$1" &&
        ip link set "sf$1" master br0 up' sh "$x_inside"
    # shellcheck disable=SC2016  # for the inner shell
    nsenter --target "$x_inside" --net sh -c 'ip addr add "$1/24" dev eth0 && ip link set eth0 up' sh "$1"
}
machine_use() { eval "x_inside=\$x_inside_$1 machine=\$machine_$1"; }

machine_start() {
    x_machine_disk "$@"
    x_lo_address=$machine_address
    [ $# -le 2 ] || x_lo_address=
    # Its first process takes in orphans, as an init does.
    # shellcheck disable=SC2016  # for the inner shells
    unshare --net --uts --mount --pid --fork --kill-child sh -c '
        hostname "$2" && ip link set lo up && { [ -z "$3" ] || ip addr add "$3/24" dev lo; } &&
        mount -t proc none "$1/proc" && mount -t sysfs none "$1/sys" &&
        mount -t tmpfs -o mode=755 none "$1/run" && mount -t tmpfs -o mode=1777 none "$1/tmp" &&
        mkdir -p "$1/dev/pts" "$1/dev/shm" && mount -t devpts -o newinstance,ptmxmode=666 none "$1/dev/pts" &&
        mount -t tmpfs -o mode=1777 none "$1/dev/shm" && mkdir "$1/run/lock" && : >"$1/run/ready" &&
        exec chroot "$1" /bin/sh -c "while :; do sleep 3600 & wait \$!; done"' \
        sh "$machine" "$x_host" "$x_lo_address" >"$2/namespace.log" 2>&1 </dev/null &
    x_unshare=$!
    keep_pid "$x_unshare"
    x_inside=
    wait_for 10 'the machine' x_machine_is_up
    # From here on with what is mounted inside.
    machine=/proc/$x_inside/root
    show_logs_of "$machine/var/log/slurmd"
    [ $# -le 2 ] || { x_connect "$4" && eval "x_inside_$3=\$x_inside machine_$3=\$machine"; }
}
# systemd wants control groups of version 2 at its place: a tree of this machine's own, which has no controllers
# where the host has them in version 1. What it finds under /dev is a folder, not the host's devices.
machine_boot() {
    x_machine_disk "$@"
    x_cgroups=$2/cgroups
    mkdir -p "$x_cgroups"
    mountpoint -q "$x_cgroups" || { mount -t cgroup2 none "$x_cgroups" && keep_mount "$x_cgroups"; }
    x_cgroup=$x_cgroups/sf-e2e.$$
    mkdir -p "$x_cgroup"
    keep_cgroup "$x_cgroup"
    # shellcheck disable=SC2016  # for the inner shells
    sh -c 'echo $$ >"$1/cgroup.procs" && exec unshare --net --uts --mount --pid --cgroup --fork --kill-child sh -c "$2" sh "$3" "$4" "$5"' \
        sh "$x_cgroup" '
        hostname "$2" && ip link set lo up && ip addr add "$3/24" dev lo &&
        mount -t proc none "$1/proc" && mount -t sysfs -o ro none "$1/sys" && mount -t cgroup2 none "$1/sys/fs/cgroup" &&
        mount -t tmpfs -o mode=755 none "$1/run" && mount --bind "$1/dev" "$1/dev" &&
        mkdir -p "$1/dev/pts" "$1/dev/shm" && mount -t devpts -o newinstance,ptmxmode=666 none "$1/dev/pts" &&
        mount -t tmpfs -o mode=1777 none "$1/dev/shm" && : >"$1/run/ready" &&
        cd "$1" && pivot_root . . && umount -l . &&
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=other /lib/systemd/systemd --log-target=console' \
        "$machine" "$machine_name" "$machine_address" >"$2/boot.log" 2>&1 </dev/null &
    x_unshare=$!
    keep_pid "$x_unshare"
    x_inside=
    show_logs_of "$2"  # what systemd says on its console
    wait_for 10 'the machine' x_machine_is_up
    machine=/proc/$x_inside/root
    wait_for 60 'systemd to have booted' x_has_booted
    show_logs_of "$machine/var/log/slurm" "$machine/var/log/slurmd"
}
x_has_booted() { in_machine systemctl is-system-running | grep -qxE 'running|degraded'; }
x_machine_is_up() {
    x_inside=$(cat "/proc/$x_unshare/task/$x_unshare/children") && x_inside=${x_inside%% *} && [ -n "$x_inside" ] &&
        [ -e "/proc/$x_inside/root/run/ready" ]
}

in_machine() {
    nsenter --target "$x_inside" --net --uts --mount --pid --root --wd -- env -i \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"
}

# Every process in it ends with its first one.
machine_stop() {
    kill -KILL "$x_inside"
    end_pid "$x_unshare"
    umount "$x_mounted"
}
