# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034,SC2154  # variables of the scripts that source this, and for them
# What the end-to-end tests share; sourced, with $test_name set. Makes $work, a scratch folder that is
# readable for all users, and takes away everything that was started: processes by pid, mounts, files.
set -eu

repository=$(git rev-parse --show-toplevel)
# What outlives one test: the state folder of the real build, and what build.sh says about it.
e2e=${SF_E2E_DIR:-$repository/build/e2e}
# Of another series the bundle is built with the packages of 25.11's, and tested by the same scripts.
series=${SF_E2E_SERIES:-25.11}
# of_toolchain TOOLCHAIN: which is meant from here on; of another distribution all is built and kept apart.
of_toolchain() {
    toolchain=$1
    state=$e2e/state
    facts=$e2e/built.env
    if [ "$toolchain" != bookworm ]; then
        state=$e2e/state-$toolchain
        facts=$e2e/built-$toolchain.env
    fi
    [ "$series" = 25.11 ] || facts=$e2e/built-$series.env
}
of_toolchain "${SF_E2E_TOOLCHAIN:-bookworm}"
[ "$toolchain" = bookworm ] || test_name=$test_name.$toolchain
[ "$series" = 25.11 ] || test_name=$test_name.$series

umask 022
work=$(mktemp -d /var/tmp/sf-e2e.XXXXXX)
chmod 755 "$work"
x_pids=
x_mounts=
x_kept_cgroups=

say() { printf '%s\n' "$*"; }
fail() {
    printf 'FAILED: %s: %s\n' "$test_name" "$*"
    x_show_logs
    exit 1
}
not_run() {  # not_run REASON [TEST]: the whole test, or only the named part of it
    printf 'NOT RUN: %s: %s\n' "${2:-$test_name}" "$1"
    [ -n "${2:-}" ] || exit 77
}
is_root() { [ "$(id -u)" = 0 ]; }

# The public command line, on the state folder of the real build; $SF_E2E_PROGRAM tests another program.
launcher=${SF_E2E_PROGRAM:-$repository/slurm-factory}
# The program itself, for tests that take the launcher's surroundings away.
program=${SF_E2E_PROGRAM:-$repository/build/release/slurm-factory}
sf() { SLURM_FACTORY_CACHE_DIR="$state" "$launcher" "$@"; }
# Upstream fixed vulnerabilities in 25.11.8, which the stack does not pin yet, and no more in older series:
# without this word every release is refused, as must_fail.sh checks of 25.11.
vulnerable=--allow-vulnerable

# Sources and roots of earlier runs, or of this user's own builds, are used again: each is known by its digest.
take_over() {
    mkdir -p "$state/roots"
    for x_part in sources "roots/$toolchain"; do
        for x_theirs in "$e2e/state/$x_part" "${SLURM_FACTORY_CACHE_DIR:-$HOME/.slurm-factory}/$x_part"; do
            if [ -e "$state/$x_part" ] || [ ! -d "$x_theirs" ]; then continue; fi
            rm -rf "$state/.new"
            cp -a --reflink=auto "$x_theirs" "$state/.new"
            mv "$state/.new" "$state/$x_part"
        done
    done
}

# copy_data FOLDER: the program's data, to be spoilt, or to be read by another user.
copy_data() {
    mkdir -p "$1"
    for x_part in recipes stacks toolchains templates advisories.yaml; do
        cp -R "$repository/$x_part" "$1/"
    done
    chmod -R a+rX "$1"
}

# expect CODE COMMAND...: runs it, keeps both outputs in $work/out and $work/err, compares the exit code.
expect() {
    x_wanted=$1
    shift
    x_got=0
    "$@" >"$work/out" 2>"$work/err" </dev/null || x_got=$?
    [ "$x_got" = "$x_wanted" ] && return 0
    sed 's/^/  out: /' "$work/out" | tail -n 30
    sed 's/^/  err: /' "$work/err" | tail -n 30
    fail "exit code $x_got instead of $x_wanted: $*"
}
# expect_said PATTERN...: each extended regular expression matches a line of the last expect's outputs.
expect_said() {
    for x_pattern; do
        grep -qiE -- "$x_pattern" "$work/out" "$work/err" && continue
        sed 's/^/  said: /' "$work/out" "$work/err" | tail -n 30
        fail "nothing said that matches: $x_pattern"
    done
}

# keep_pid PID: ended with the test, if it still runs.
keep_pid() { x_pids="$x_pids $1"; }
alive() { kill -0 "$1" 2>/dev/null; }
# end_pid PID [SIGNAL]: ends a child of ours and waits for it.
end_pid() {
    if alive "$1"; then kill "-${2:-TERM}" "$1"; fi
    x_tries=0
    while alive "$1" && [ "$x_tries" -lt 100 ]; do
        # A zombie of ours is still "alive" for kill -0 until it is waited for.
        case $(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) in Z | '') break ;; esac
        sleep 0.1
        x_tries=$((x_tries + 1))
    done
    [ "$x_tries" -lt 100 ] || kill -KILL "$1"
    wait "$1" 2>/dev/null || x_code=$?  # the code of a process we ended says nothing
}
# keep_cgroup FOLDER: taken away with all below it, once nothing runs there any more.
keep_cgroup() { x_kept_cgroups="$1 $x_kept_cgroups"; }
keep_mount() { x_mounts="$1 $x_mounts"; }

# wait_for SECONDS WHAT COMMAND...: until the command succeeds; what it said last is shown if it never does.
wait_for() {
    x_deadline=$(($(date +%s) + $1))
    x_what=$2
    shift 2
    until "$@" >"$work/waited" 2>&1; do
        if [ "$(date +%s)" -ge "$x_deadline" ]; then
            sed 's/^/  said: /' "$work/waited" | tail -n 15
            fail "waited in vain for $x_what"
        fi
        sleep 0.1
    done
}

# A byte of one's own choice would change nothing wherever it lies already: one bit is turned.
change_bit() {  # change_bit FILE OFFSET
    x_byte=$(od -An -j "$2" -N1 -tu1 "$1" | tr -d ' ')
    [ -n "$x_byte" ] || fail "there is no byte $2 in $1"
    # shellcheck disable=SC2059  # the octal escape is the format
    printf "\\$(printf %03o $((x_byte ^ (1 << ($2 % 8)))))" |
        dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

now_ms() { echo $(($(date +%s%N) / 1000000)); }

# show_logs_of FOLDER...: of these, if the test fails.
x_log_folders=
show_logs_of() { x_log_folders=$*; }
x_show_logs() {
    for x_folder in $x_log_folders; do
        for x_log in "$x_folder"/*.log; do
            [ -s "$x_log" ] || continue
            printf -- '--- the end of %s\n' "$x_log"
            tail -n 15 "$x_log"
        done
    done
}

x_cleanup() {
    x_status=$?
    trap - EXIT
    set +e
    for x_pid in $x_pids; do
        if alive "$x_pid"; then end_pid "$x_pid"; fi
    done
    for x_group in $x_kept_cgroups; do
        [ -d "$x_group" ] || continue
        # Killed is not gone yet.
        x_tries=0
        until grep -qx 'populated 0' "$x_group/cgroup.events" || [ "$x_tries" -ge 100 ]; do
            x_tries=$((x_tries + 1))
            sleep 0.1
        done
        find "$x_group" -depth -type d -exec rmdir {} \;
    done
    for x_mount in $x_mounts; do
        while mountpoint -q "$x_mount"; do umount "$x_mount" || break; done
    done
    if [ "$x_status" != 0 ] && [ "$x_status" != 77 ] && [ -n "${SF_E2E_KEEP:-}" ]; then
        echo "kept: $work"
    else
        chmod -R u+rwX "$work" 2>/dev/null
        rm -rf "$work"
    fi
    exit "$x_status"
}
trap x_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
