#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P9 and P10: what the default stack weighs: its bundle on the wire, unpacked, and by package; beside it the
# parts that stay at home, for development and debugging. As a table for people in bench/results/p9.md.
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
# In MB, which is a million bytes.
jq -r '
    def mb: (. / 10000 | round) as $n | "\($n / 100 | floor).\($n % 100 | tostring | if length == 1 then "0" + . else . end)";
    def row(name; wire; installed): "| \(name) | \(wire | mb) | \(installed | mb) |";
    "| package | on the wire, MB | installed, MB |", "|---|--:|--:|",
    (.figures.packages[] | row(.package | sub("-[0-9a-f]{8}$"; ""); .wire; .installed)),
    row("all packages"; [.figures.packages[].wire] | add; [.figures.packages[].installed] | add),
    row("**the bundle**, with installer, module files, manifest"; .figures.bundle_bytes; .figures.installed_bytes),
    row("for development, stays at home"; .figures.dev_bytes; 0), row("for debugging, stays at home"; .figures.dbg_bytes; 0)
    ' "$results/p9.json" | sed -E 's/(stays at home \| [0-9.]+ \|) 0\.00 \|/\1 |/' | tee "$results/p9.md"
