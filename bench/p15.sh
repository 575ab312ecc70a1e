#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P15, whatever the size: the memory of making, publishing and installing one package of 300 MiB that cannot be
# compressed, and of one of 30 MiB beside it. Our own writer, publisher and installer; what signs is in the publisher's
# process here. P1's run has the memory of the real stack.
measure=p15
. "$(dirname "$0")/lib.sh"
quiet_machine
helper big_package
own=$work/publisher
mkdir "$own"
publisher key create --name bench --email bench@example.org --kind ed25519 >"$work/out"
key=$(grep -oE '\b[0-9A-F]{40}\b' "$work/out" | head -n 1)
publisher key export "$key" --output "$work/public.asc"
for mib in 30 300; do
    client=$work/client
    rm -rf "$client"
    mkdir "$client"
    installer key import "$work/public.asc" >"$work/out"
    installer key trust "$key" >"$work/out"
    timed "make.$mib" "$helpers/big_package" make "$work/package" "$mib"
    timed "publish.$mib" "$helpers/big_package" publish "$work/package" "$own/keys/gnupg" "$key" "$work/cache"
    timed "install.$mib" env SLURM_FACTORY_CACHE_DIR="$client" "$program" --json install slurm@25.11 \
        --toolchain "$toolchain" --cache "$work/cache" --prefix "$work/prefix" >"$work/out" 2>>"$work/log"
    [ "$(stat -Lc %s "$work"/prefix/view/lib/slurm/large.so)" = $((mib << 20)) ]
    rm -rf "$work/package" "$work/cache" "$work/prefix"
done
figure() { jq -c '{mib: (.rss_kib / 1024), ms: .ms}' "$work/$1.times"; }
result "$(jq -n --argjson make "$(figure make.300)" --argjson publish "$(figure publish.300)" \
    --argjson install "$(figure install.300)" --argjson small_make "$(figure make.30)" \
    --argjson small_publish "$(figure publish.30)" --argjson small_install "$(figure install.30)" \
    '{package_mib: 300, make: $make, publish: $publish, install: $install, goal_mib: 128,
      beside: {package_mib: 30, make: $small_make, publish: $small_publish, install: $small_install}}')"
