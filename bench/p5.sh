#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P5: nothing to do: build-slurm, publish and install again, each the median of seven, with the bytes sent or fetched.
measure=p5
. "$(dirname "$0")/lib.sh"
quiet_machine
program=$repository/build/release/slurm-factory
published_cache
installer install "slurm@$version" --toolchain "$toolchain" --cache "$cache" --prefix "$work/tree" >"$work/out"
i=0
while [ "$i" -lt 7 ]; do
    # shellcheck disable=SC2129  # they are three
    timed build env SLURM_FACTORY_CACHE_DIR="$own" "$program" --json build-slurm --slurm-version "$version" \
        --toolchain "$toolchain" --allow-vulnerable --signing-key "$key" >"$work/out.build" 2>>"$work/log"
    timed publish env SLURM_FACTORY_CACHE_DIR="$own" "$program" --json build-slurm --slurm-version "$version" \
        --toolchain "$toolchain" --allow-vulnerable --signing-key "$key" --publish all --publish-to "$cache" \
        --allow-older --publish-vulnerable >"$work/out.publish" 2>>"$work/log"
    timed install env SLURM_FACTORY_CACHE_DIR="$client" "$program" --json install "slurm@$version" \
        --toolchain "$toolchain" --cache "$cache" --prefix "$work/tree" >"$work/out.install" 2>>"$work/log"
    i=$((i + 1))
done
result "$(jq -n --argjson build "$(median build)" --argjson publish "$(median publish)" --argjson install "$(median install)" \
    --argjson sent "$(jq -s 'map(select(.event | startswith("published")) | .bytes) | add' "$work/out.publish")" \
    --argjson fetched "$(jq -s 'map(select(.event == "installed") | .fetched) | add' "$work/out.install")" \
    '{runs: 7, build_ms: $build, publish_ms: $publish, install_ms: $install, goal_ms: 150, bytes_sent: $sent,
      archive_bytes_fetched: $fetched, goal_bytes: 0}')"
