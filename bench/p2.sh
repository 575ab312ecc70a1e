#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P2: the stack from one cache in a folder, by this program and by a real Spack, which installs the same packages by
# their hash, so that it need not solve anything, and by name. Named as for tests/e2e/spack.sh: SF_SPACK_1_1,
# SF_SPACK_1_1_PACKAGES, SF_SPACK_CLINGO, SF_SPACK_PYTHON. Root, as the end-to-end tests.
measure=p2
. "$(dirname "$0")/lib.sh"
if [ -z "${SF_SPACK_1_1:-}" ]; then
    echo 'p2: NOT RUN: no Spack to compare with: SF_SPACK_1_1 is not set' >&2
    exit 0
fi
quiet_machine
published_cache
publisher key export "$key" --output "$work/public.asc"
ours() {
    for run in 1 2 3; do
        timed install env SLURM_FACTORY_CACHE_DIR="$client" "$program" --json install "slurm@$version" \
            --toolchain "$toolchain" --cache "$cache" --prefix "$work/tree.$1.$run" >>"$work/out" 2>>"$work/log"
    done
}
ours before
# Its cases also check every file that Spack installs, outside of what is timed: "spack install … (MS ms)".
SF_E2E_DIR=$(dirname "$from") sh tools/spack-interop.sh --spack "$SF_SPACK_1_1" --packages "$SF_SPACK_1_1_PACKAGES" \
    --cache "$cache" --key "$work/public.asc" --toolchain "$toolchain" --series "$series" \
    --python "${SF_SPACK_PYTHON:-/usr/bin/python3}" --clingo "${SF_SPACK_CLINGO:-/nonexistent}" --program "$program" \
    relocated hash >"$work/spack" 2>>"$work/log" || { cat "$work/spack" "$work/log" >&2; exit 1; }
ours after
spack_ms() { sed -n "s,.*spack install --cache-only $1.*(\([0-9]*\) ms)\$,\1,p" "$work/spack" | jq -s 'sort | .[0]'; }
result "$(jq -n --argjson ours "$(median install)" --argjson by_hash "$(spack_ms /)" --argjson by_name "$(spack_ms slurm@)" \
    --arg spack "$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$SF_SPACK_1_1/lib/spack/spack/__init__.py")" \
    '{runs: 6, install_ms: $ours, spack: $spack, spack_by_hash_ms: $by_hash, spack_by_name_ms: $by_name,
      ratio: ($by_hash / $ours), ratio_by_name: ($by_name / $ours), goal: 30}')"
