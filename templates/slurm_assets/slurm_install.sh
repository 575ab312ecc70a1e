#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Brings up Slurm from the tree this file lies in: slurm_install.sh --help. All it does itself is to find the
# tree and to look up users, groups and this machine's address, which a static program cannot; the helper
# beside it does the rest, after it has compared every file of the tree with the manifest.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
unset ENV BASH_ENV CDPATH IFS

self=$(readlink -f -- "$0") || { echo "slurm_install.sh: cannot find myself ($0)" >&2; exit 1; }
helper=${self%/*}/slurm-setup
if [ ! -e "$helper" ]; then
    echo "slurm_install.sh: $helper is missing: unpack the whole bundle, not this file alone" >&2
    exit 1
fi
if ! said=$("$helper" --help 2>&1); then
    echo "slurm_install.sh: $helper cannot be run: ${said##*: }" >&2
    echo "  next: see whether its file system is mounted noexec: findmnt -T '$helper'; unpack the bundle on one that is not" >&2
    exit 1
fi

# What getent knows, line by line: each user and group by name, and every number among the words given, in
# case it is a user's or group's. Not being known is an answer, not a failure.
look_up() {
    for database in passwd group; do
        for name in root slurm munge slurmrestd mysql nobody nogroup; do
            if line=$(getent "$database" "$name"); then printf '%s %s\n' "$database" "$line"; fi
        done
        for word; do
            number=${word##*=}
            case $number in '' | *[!0-9]* | ???????????*) continue ;; esac
            if line=$(getent "$database" "$number"); then printf '%s %s\n' "$database" "$line"; fi
        done
    done
    if lines=$(getent ahosts "$(uname -n)"); then printf '%s\n' "$lines" | sed 's/^/address /'; fi
}

if [ "$(id -u)" = 0 ]; then
    # The helper asks nothing on standard input; what was looked up comes by descriptor 3.
    exec "$helper" "$@" 3<<NAMES
$(look_up "$@")
NAMES
fi
exec "$helper" "$@" 3</dev/null
