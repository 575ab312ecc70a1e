#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# slurm-setup needs nothing of the machine it runs on: no shared library, no interpreter, and none of the
# functions that look up users, hosts or libraries at run time.
set -eu
program=$1
if readelf -d "$program" | grep NEEDED; then echo 'needs shared libraries'; exit 1; fi
if readelf -l "$program" | grep INTERP; then echo 'needs an interpreter'; exit 1; fi
symbols=$(nm "$program")
[ -n "$symbols" ] || { echo 'has no symbols to look at'; exit 1; }
if printf '%s\n' "$symbols" | grep -wE \
    '(getpw|getgr)(nam|uid|gid|ent)(_r)?|initgroups|getgrouplist|getaddrinfo|getnameinfo|gethostby(name|addr)(_r)?'; then
    echo 'looks up users or hosts by itself'
    exit 1
fi
# It runs without anything around it.
env -i "$program" --help >/dev/null
