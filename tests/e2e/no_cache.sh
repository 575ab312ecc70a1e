#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build-slurm --no-cache: all that a package needs is built again though the store has it, without the compiler
# cache, to the same bytes; --ccache and --no-ccache choose; what is published is compiled, and its provenance
# says what the compiler cache took part in.
test_name=e2e.no_cache
. "$(dirname "$0")/lib.sh"
version='' key=''
# shellcheck source=/dev/null
. "$facts"

own=$work/state
mkdir -p "$own/ccache/bookworm"
for folder in sources roots packages store; do
    cp -al "$state/$folder" "$own/" 2>/dev/null || { rm -rf "${own:?}/$folder"; cp -a "$state/$folder" "$own/"; }
done
cp -a "$state/keys" "$own/"
for name in readline ncurses; do cp -a "$state"/ccache/bookworm/$name* "$own/ccache/bookworm/"; done

build() {
    SLURM_FACTORY_CACHE_DIR=$own "$launcher" build-slurm --slurm-version "$version" --toolchain bookworm $vulnerable \
        --offline "$@"
}
# Of each file: whatever writes to it or counts a use of it changes this.
ccache_now() { find "$own/ccache" -type f -printf '%P %s %T@ %i\n' | sort; }
package() { echo "$own"/packages/"$1"-*; }
# built WANTED...: both are new, by the compiler cache or not, and what they were.
built() {
    for x_name in ncurses readline; do
        x_folder=$(package $x_name)
        [ -n "$(find "$x_folder/manifest.json" -newer "$work/before")" ] || fail "$x_name was not built"
        [ "$(jq -r .ccache_used "$x_folder/manifest.json")" = "$1" ] || fail "$x_name: its manifest does not say ccache_used $1"
        for x_archive in "$state/packages/${x_folder##*/}"/*.tar.zst; do
            cmp "$x_archive" "$x_folder/${x_archive##*/}" || fail "$x_name is not what it was"
        done
    done
}

expect 0 build --package readline
expect_said 'ncurses-[^ ]*: in the store' 'readline-[^ ]*: in the store'

say '== --no-cache'
ccache_now >"$work/before"
[ -s "$work/before" ] || fail 'the real build has left no compiler cache'
expect 0 build --package readline --no-cache --explain
expect_said 'ncurses-[^ ]*: asked to ignore what is stored' 'readline-[^ ]*: asked to ignore what is stored' \
    'ncurses-[^ ]*: built in' 'readline-[^ ]*: built in'
built false
ccache_now | cmp "$work/before" - || fail 'the compiler cache was used'

say '== --no-cache --ccache'
touch "$work/before"
expect 0 build --package readline --no-cache --ccache
built true
if ccache_now | cmp -s "$work/before" -; then fail 'the compiler cache was not used'; fi
expect 2 build --package readline --ccache --no-ccache
printf 'ccache: true\n' >"$work/config.yaml"
ccache_now >"$work/before"
rm -rf "$own"/packages/readline-* "$own"/store/readline-*
expect 0 env SLURM_FACTORY_CONFIG="$work/config.yaml" SLURM_FACTORY_CACHE_DIR="$own" "$launcher" build-slurm \
    --slurm-version "$version" --toolchain bookworm $vulnerable --offline --package readline --no-ccache
[ "$(jq -r .ccache_used "$(package readline)/manifest.json")" = false ] || fail 'a file is stronger than the command line'
ccache_now | cmp "$work/before" - || fail 'the compiler cache was used'

say '== --publish'
rm -rf "$own"/packages/lz4-* "$own"/store/lz4-*
expect 0 build --signing-key "$key" --publish all --publish-to "$work/cache" --allow-older --publish-vulnerable
expect_said 'lz4-[^ ]*: built in'
[ "$(jq -r .ccache_used "$(package lz4)/manifest.json")" = false ] || fail 'what is published was taken from the compiler cache'
[ ! -e "$own/ccache/bookworm/lz4" ] || fail 'the compiler cache was used'
bundle=$(readlink -f "$own/builds/slurm-25.11-bookworm-software.tar.gz")
said=$(jq -rj .payload "$bundle.intoto.jsonl" | base64 -d |
    jq -r '.predicate.buildDefinition.internalParameters.compilerCacheUsed[]' | sort)
wanted=$(tar -xzOf "$bundle" "manifests/$version.json" |
    jq -r '.packages[] | select(.ccache_used) | "\(.name)-\(.version)-\(.identity[0:8])"' | sort)
[ -n "$said" ] || fail 'the provenance names nothing that the compiler cache took part in'
[ "$said" = "$wanted" ] || fail "the provenance says $said, the manifest $wanted"
if echo "$said" | grep '^lz4-'; then fail 'the provenance says that lz4 came from the compiler cache'; fi
say "built again to the same bytes; the provenance names the $(echo "$said" | wc -l) that the compiler cache took part in"
