#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P9 and P10: what the default stack weighs: its bundle on the wire, unpacked, and by package; beside it the
# parts that stay at home, for development and debugging.
measure=p9
. "$(dirname "$0")/lib.sh"
quiet_machine

bundle=$(readlink -f "$from/builds/slurm-$series-$toolchain-software.tar.gz")
mkdir "$work/tree"
tar -xzf "$bundle" -C "$work/tree"
find "$work/tree/store" -mindepth 1 -maxdepth 1 -printf '%f\n' | while IFS= read -r name; do
    jq --arg name "$name" '{package: $name, wire: .run.size, installed: .run.unpacked_size,
        dev: (.dev.size // 0), dbg: (.dbg.size // 0)}' "$from/packages/$name/manifest.json"
done | jq -s 'sort_by(-.wire)' >"$work/packages"
result "$(jq --argjson wire "$(stat -c %s "$bundle")" \
    --argjson installed "$(du -s --apparent-size -B 1 "$work/tree" | cut -f 1)" \
    '{bundle_bytes: $wire, goal_bundle_bytes: 60e6, installed_bytes: $installed, goal_installed_bytes: 200e6,
      dev_bytes: ([.[].dev] | add), dbg_bytes: ([.[].dbg] | add), packages: .}' "$work/packages")"
