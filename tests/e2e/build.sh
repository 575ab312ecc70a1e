#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The real build, by the public command line: a key, Slurm 25.11 for bookworm, its signed bundle, verified.
# All that is built is built anew. What the other tests need to know is left in $facts.
# With SF_E2E_SERIES: the Slurm of that series, with key and dependencies of the build of 25.11. With
# SF_E2E_TOOLCHAIN: all of it for that distribution.
test_name=e2e.build
. "$(dirname "$0")/lib.sh"

take_over
rm -f "$facts"
if [ "$series" = 25.11 ]; then
    rm -rf "$state/packages" "$state/store" "$state/work" "$state/builds" "$state/ccache" "$state/keys"
    expect 0 sf key create --name 'End to end' --email e2e@example.org
    key=$(grep -oE '\b[0-9A-F]{40}\b' "$work/out" | head -n 1)
    [ -n "$key" ] || fail 'key create prints no fingerprint'
    expect 0 sf key trust "$key"
else
    rm -rf "$state/packages/slurm-$series."* "$state/store/slurm-$series."*
    key=$(sed -n "s/^key='\(.*\)'$/\1/p" "$e2e/built.env")
    ls "$state/packages" >"$work/before"
fi

begin=$(now_ms)
if ! sf build-slurm --slurm-version "$series" --toolchain "$toolchain" $vulnerable --signing-key "$key" \
    >"$work/out" 2>"$work/err" </dev/null; then
    tail -n 60 "$work/out" "$work/err"
    fail 'build-slurm failed'
fi
seconds=$((($(now_ms) - begin) / 1000))
cat "$work/out"
# How long upstream supports the series is no secret.
end=$(sed -n 's/^end_of_life: \([0-9-]*\).*/\1/p' "$repository/stacks/slurm-$series.yaml")
if [ "$(date -u +%Y%m%d)" -gt "$(echo "$end" | tr -d -)" ]; then
    expect_said "support of Slurm $series ended on $end"
fi
say "build-slurm took $seconds s on $(nproc) cores"
if [ "$series" != 25.11 ]; then
    ls "$state/packages" >"$work/after"
    comm -13 "$work/before" "$work/after" >"$work/new"
    [ "$(sed 's/^\(slurm-[0-9]*\.[0-9]*\)\..*/\1/' "$work/new")" = "slurm-$series" ] ||
        fail "not Slurm alone was built: $(tr '\n' ' ' <"$work/new")"
fi

bundle=$(readlink -f "$state/builds/slurm-$series-$toolchain-software.tar.gz")
[ -f "$bundle" ] || fail "there is no bundle at the path that every series has"
version=$(basename "$bundle" | sed -n "s/^slurm-\($series\.[0-9]*\)-$toolchain-amd64-software\.tar\.gz$/\1/p")
[ -n "$version" ] || fail "the bundle's name is odd: $bundle"
for beside in asc sha256; do
    [ -s "$bundle.$beside" ] || fail "missing beside the bundle: .$beside"
done
(cd "${bundle%/*}" && sha256sum -c "$bundle.sha256") >/dev/null || fail 'the digest beside the bundle is wrong'
expect 0 sf bundle verify "$bundle"
expect_said "$key|End to end"

# The archive has one plain layout, and nothing in it knows where it was made.
tar -tzf "$bundle" >"$work/list"
for path in "views/$version/bin/srun" "views/$version/sbin/slurmctld" "views/$version/sbin/munged" \
    "manifests/$version.json" "manifests/$version.json.asc"; do
    grep -qx -- "\(\./\)\?$path" "$work/list" || fail "not in the bundle: $path"
done
if grep -E '(^|/)\.\.(/|$)|^/' "$work/list"; then fail 'the bundle has paths that lead out of it'; fi
mkdir "$work/unpacked"
tar -xzf "$bundle" -C "$work/unpacked"
placeholder=$(sed -n 's/.*placeholder_root = "\([^"]*\)".*/\1/p' "$repository/src/model/names.hpp")
[ -n "$placeholder" ] || fail 'the placeholder is not where it was'
if grep -rlaF -e "$state" -e "$repository" "$work/unpacked"; then
    fail 'these files know where they were made'
fi
# The manifest names the placeholder as a part of each identity; nothing that runs knows it.
if grep -rlaF -e "$placeholder" "$work/unpacked/store" "$work/unpacked/views"; then
    fail 'these files know the prefix they were built for'
fi

# A second call has nothing to do.
begin=$(now_ms)
expect 0 sf build-slurm --slurm-version "$series" --toolchain "$toolchain" $vulnerable --signing-key "$key"
say "build-slurm again took $(($(now_ms) - begin)) ms"

printf "bundle='%s'\nversion='%s'\nkey='%s'\nplaceholder='%s'\nseconds='%s'\n" \
    "$bundle" "$version" "$key" "$placeholder" "$seconds" >"$facts.new"
mv "$facts.new" "$facts"
