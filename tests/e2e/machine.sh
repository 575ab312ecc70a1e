# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034,SC2154  # variables of lib.sh, and for the scripts that source this
# A bare machine of a distribution: a minimal root of its own, with its own processes, network, host name and
# mounts, and without systemd. Sourced after lib.sh. Needs root. The root is made once, from the archives this
# machine itself uses, and kept below $e2e; each machine writes to a layer of its own.
#
#   machine_root NAME [PACKAGE...]     makes the root NAME, with these packages besides the essential ones
#   machine_start NAME FOLDER          a machine from that root; what it writes is below FOLDER. Its file system
#                                      is $machine from here
#   in_machine COMMAND...              runs it there, as root
#   machine_stop
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

machine_start() {
    x_mounted=$2/root
    mkdir -p "$x_mounted" "$2/upper" "$2/work"
    mount -t overlay -o "lowerdir=$e2e/machines/$1,upperdir=$2/upper,workdir=$2/work" none "$x_mounted"
    keep_mount "$x_mounted"
    machine=$x_mounted
    printf '127.0.0.1 localhost\n' >"$machine/etc/hosts"
    echo "$machine_name" >"$machine/etc/hostname"
    # Its first process takes in orphans, as an init does.
    # shellcheck disable=SC2016  # for the inner shells
    unshare --net --uts --mount --pid --fork --kill-child sh -c '
        hostname "$2" && ip link set lo up && ip addr add "$3/24" dev lo &&
        mount -t proc none "$1/proc" && mount -t sysfs none "$1/sys" &&
        mount -t tmpfs -o mode=755 none "$1/run" && mount -t tmpfs -o mode=1777 none "$1/tmp" &&
        mkdir -p "$1/dev/pts" "$1/dev/shm" && mount -t devpts -o newinstance,ptmxmode=666 none "$1/dev/pts" &&
        mount -t tmpfs -o mode=1777 none "$1/dev/shm" && mkdir "$1/run/lock" && : >"$1/run/ready" &&
        exec chroot "$1" /bin/sh -c "while :; do sleep 3600 & wait \$!; done"' \
        sh "$machine" "$machine_name" "$machine_address" >"$2/namespace.log" 2>&1 </dev/null &
    x_unshare=$!
    keep_pid "$x_unshare"
    x_inside=
    wait_for 10 'the machine' x_machine_is_up
    # From here on with what is mounted inside.
    machine=/proc/$x_inside/root
    show_logs_of "$machine/var/log/slurmd"
}
x_machine_is_up() {
    x_inside=$(cat "/proc/$x_unshare/task/$x_unshare/children") && x_inside=${x_inside%% *} && [ -n "$x_inside" ] &&
        [ "$(readlink "/proc/$x_inside/root")" = "$x_mounted" ] && [ -e "/proc/$x_inside/root/run/ready" ]
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
