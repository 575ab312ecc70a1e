# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2016,SC2034,SC2154  # for inner shells; variables of lib.sh, and for the scripts that source this
# What the tests of slurm_install.sh have in common: machines with the bundle, what an installation may touch,
# processes in them. Sourced after lib.sh and machine.sh.
is_root || not_run 'a machine in namespaces of its own needs root'
bundle='' version='' key=''
# shellcheck source=/dev/null
. "$facts"

assets=data/slurm_assets

# machine_with ROOT: a machine with the bundle unpacked at /opt/site/slurm.
machine_with() {
    machine_start "$1" "$work/machine"
    tree=/opt/site/slurm
    mkdir -p "$machine$tree"
    tar -xzf "$bundle" -C "$machine$tree"
    installer=$tree/$assets/slurm_install.sh
}
bare() { machine_root "$toolchain-bare" && machine_with "$toolchain-bare"; }

# What an installation may touch, with owners, modes and digests; /run as well.
snapshot() {
    (cd "$machine" && find etc var run opt -xdev -not -path '*/lastlog' -printf '%y %m %U:%G %p %l\n' &&
        find run -printf '%y %m %U:%G %p\n' && find etc var -xdev -type f -exec sha256sum {} +) |
        grep -v -e ' run/slurm-setup.lock' -e ' run$' | sort >"$work/$1"
}
unchanged() {  # unchanged BEFORE WHAT
    snapshot after
    diff "$work/$1" "$work/after" >"$work/diff" || { cat "$work/diff"; fail "$2 has changed something"; }
}
mode_is() {  # mode_is MODE OWNER PATH
    x_is=$(in_machine stat -c '%a %U' "$3")
    [ "$x_is" = "$1 $2" ] || fail "$3 is $x_is, not $1 $2"
}

# nsenter stays between us and what runs inside: it is ended by the number it has there.
named_in_machine() {  # named_in_machine NAME COMMAND...
    x_named=$1
    shift
    in_machine sh -c 'echo $$ >"/run/$0.pid"; exec "$@"' "$x_named" "$@"
}
# It may have ended by itself between any two commands of ours.
kill_in_machine() { in_machine sh -c 'if [ -e "/run/$0.pid" ]; then kill -KILL "$(cat "/run/$0.pid")"; fi' "$1" 2>"$work/kill.err" || say "$1 has ended by itself"; }

daemons() {
    in_machine sh -c 'for p in /proc/[0-9]*; do if read -r n <$p/comm; then echo "$n"; fi; done' |
        grep -E '^(munged|slurm|sackd|mariadbd)'
}
daemons_are_ours() {
    for daemon in munged slurmctld slurmd; do
        daemons | grep -qx "$daemon" || fail "$daemon does not run"
    done
}
mariadbd_is_gone() { ! daemons | grep -qx mariadbd; }
as_user() { in_machine setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'PATH=$0/current/bin:$PATH; exec "$@"' "$tree" "$@"; }
port_is_taken() {  # port_is_taken PORT: by `listener`
    named_in_machine listener perl -MIO::Socket::INET -e \
        'my $s = IO::Socket::INET->new(LocalPort => shift, Listen => 1, ReuseAddr => 1) or die; sleep 600' "$1" &
    wait_for 10 'the port' in_machine grep -q "$(printf ':%04X 00000000:0000 0A' "$1")" /proc/net/tcp
}
port_is_free() { kill_in_machine listener && rm "$machine/run/listener.pid"; }
