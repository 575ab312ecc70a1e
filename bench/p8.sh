#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P8: what we add to a package: from its start to its being in the store, less its own steps (configure,
# make, install), each package built alone; beside it the no-op build of everything.
measure=p8
. "$(dirname "$0")/lib.sh"
quiet_machine

one_by_one
# "MS {event}" -> one row a package.
sed -E 's/^([0-9]+) \{/{"at": \1, /' "$events" | jq -s '
    [.[] | select(.event == "package_started")] as $started |
    [.[] | select(.event == "package_built") | . as $built |
        ([$started[] | select(.package == $built.package)][0].at) as $begin |
        ([$built.steps | del(.unpack, .finish, .gate, .pack) | .[].wall] | add) as $own |
        {package: $built.package, own_s: $own, whole_s: (($built.at - $begin) / 1000)} |
        .overhead_s = .whole_s - .own_s | .share = .overhead_s / .own_s |
        .within = (.overhead_s <= 0.5 or .share <= 0.02)]' >"$work/rows.json"
# Everything is there, whoever built it.
rm -rf "$SLURM_FACTORY_CACHE_DIR/packages" "$SLURM_FACTORY_CACHE_DIR/store"
cp -al "$from/packages" "$from/store" "$SLURM_FACTORY_CACHE_DIR/"
sf build-slurm --slurm-version "$series" --toolchain "$toolchain" --allow-vulnerable >"$work/all" 2>&1 </dev/null
rm -rf "$SLURM_FACTORY_CACHE_DIR/builds"
begin=$(now_ms)
sf build-slurm --slurm-version "$series" --toolchain "$toolchain" --allow-vulnerable >"$work/noop" 2>&1 </dev/null
first_ms=$(($(now_ms) - begin))
begin=$(now_ms)
sf build-slurm --slurm-version "$series" --toolchain "$toolchain" --allow-vulnerable >"$work/noop" 2>&1 </dev/null
noop_ms=$(($(now_ms) - begin))
result "$(jq --argjson bundle "$first_ms" --argjson noop "$noop_ms" \
    '{packages: ., goal: "each at most 2 % or 0.5 s", within: ([.[] | select(.within)] | length),
      of: length, overhead_s: ([.[].overhead_s] | add), own_s: ([.[].own_s] | add),
      bundle_and_sign_s: ($bundle / 1000), nothing_to_do_s: ($noop / 1000)}' "$work/rows.json")"
