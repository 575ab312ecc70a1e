#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What build.sh built is published to a folder, and real Spacks install it from there and run jobs: tools/spack-interop.sh
# with each Spack that this machine has. They are not fetched here; whoever has them says where:
#
#   spack.sh [CASE...]                             the cases of tools/spack-interop.sh; all of them, if none is named
#   SF_SPACK_1_0, SF_SPACK_1_1                     the trees of Spack
#   SF_SPACK_1_0_PACKAGES, SF_SPACK_1_1_PACKAGES   those of spack-packages, releases/v2025.07 and v2025.11
#   SF_SPACK_CLINGO, SF_SPACK_PYTHON               where the module clingo is, and for which Python
test_name=e2e.spack
cases=$*
. "$(dirname "$0")/lib.sh"
is_root || not_run 'starting the daemons in a network namespace of their own needs root'
[ -n "${SF_SPACK_1_0:-}${SF_SPACK_1_1:-}" ] || not_run 'no Spack to test with: neither SF_SPACK_1_0 nor SF_SPACK_1_1 is set'
version='' key=''
# shellcheck source=/dev/null
. "$facts"
cache=$work/cache
own=$work/state
mkdir "$own"
for folder in roots sources store packages keys; do ln -s "$state/$folder" "$own/$folder"; done
expect 0 env SLURM_FACTORY_CACHE_DIR="$own" "$program" --json build-slurm --slurm-version "$version" --toolchain "$toolchain" \
    $vulnerable --signing-key "$key" --publish all --publish-to "$cache" --allow-older --publish-vulnerable
sf key export "$key" --output "$work/public.asc"

with_spack() {  # with_spack RELEASE TREE PACKAGES
    if [ -z "$2" ]; then
        not_run "no Spack $1 to test with: SF_SPACK_$(echo "$1" | tr . _) is not set" e2e.spack
        return
    fi
    begin=$(now_ms)
    # shellcheck disable=SC2086  # words
    sh tools/spack-interop.sh --spack "$2" --packages "$3" --cache "$cache" --key "$work/public.asc" \
        --toolchain "$toolchain" --series "$series" --python "${SF_SPACK_PYTHON:-/usr/bin/python3}" \
        --clingo "${SF_SPACK_CLINGO:-/nonexistent}" --program "$program" $cases || fail "with Spack $1"
    say "Spack $1: $((($(now_ms) - begin) / 1000)) s"
}
with_spack 1.0 "${SF_SPACK_1_0:-}" "${SF_SPACK_1_0_PACKAGES:-}"
with_spack 1.1 "${SF_SPACK_1_1:-}" "${SF_SPACK_1_1_PACKAGES:-}"
