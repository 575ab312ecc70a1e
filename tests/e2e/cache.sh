#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The stack that build.sh built, published to a folder, installed from there and through a real nginx, by a user of this
# machine who trusts its signer: daemons run from it, a job goes on while what was installed is switched back and forth.
test_name=e2e.cache
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"
. "$(dirname "$0")/nginx.sh"
is_root || not_run 'starting the daemons in a network namespace of their own needs root'
bundle='' version='' key='' placeholder=''
# shellcheck source=/dev/null
. "$facts"
PATH=$PATH:/usr/sbin
cache=$work/cache
prefix=$work/installed
own=$work/state
mkdir "$own" "$work/client"
for folder in roots sources store packages keys; do ln -s "$state/$folder" "$own/$folder"; done
publish() {
    env SLURM_FACTORY_CACHE_DIR="$own" "$program" --json build-slurm --slurm-version "$version" --toolchain "$toolchain" \
        $vulnerable --signing-key "$key" --publish all --publish-to "$cache" "$@"
}
client() { env SLURM_FACTORY_CACHE_DIR="$work/client" "$program" "$@"; }
published() { jq -s -c 'map(select(.event == "published"))' "$work/out"; }

say '== publish'
expect 1 publish
expect_said 'publishing takes the newest only'
expect 1 publish --allow-older
expect_said 'advisory|CVE'
[ ! -e "$cache" ] || fail 'a release with a known advisory leaves something in the cache'
expect 0 publish --allow-older --publish-vulnerable
[ "$(published | jq 'map(.added | length) | add')" -gt 15 ] || fail "published: $(published)"
find "$cache" -type f -printf '%P %s %T@\n' | sort >"$work/before"
say "the cache holds $(wc -l <"$work/before") objects, $(du -sk "$cache" | cut -f 1) KiB"
# The same again, as this machine remembers it: there is nothing to prove.
begin=$(now_ms)
expect 0 publish --allow-older --publish-vulnerable
[ "$(jq -s -c 'map(.event) | map(select(. == "published_already" or . == "verified" or . == "published"))' "$work/out")" = \
    '["published_already"]' ] || fail "a second publish does more than nothing: $(jq -c . "$work/out")"
say "nothing to publish: $(($(now_ms) - begin)) ms"
find "$cache" -type f -printf '%P %s %T@\n' | sort | diff "$work/before" - || fail 'a second publish changes the cache'
# And as another machine does it, that remembers nothing.
rm "$own"/caches/published-*.json
expect 0 publish --allow-older --publish-vulnerable
[ "$(published | jq -c 'map(.bytes, .changed) | unique')" = '[false,0]' ] || fail "a third publish sends: $(published)"
[ "$(jq -s -c '[.[] | select(.event | startswith("published")).bytes] | [length, add]' "$work/out")" = '[4,0]' ] ||
    fail 'a third publish sends a bundle, or a page'
find "$cache" -type f -printf '%P %s %T@\n' | sort | diff "$work/before" - || fail 'a third publish changes the cache'

say '== the bundle there, with plain tools'
twin=$cache/builds/$version/$toolchain/amd64/slurm-$version-$toolchain-amd64-software.tar.gz
alias=$cache/builds/${version%.*}/$toolchain/slurm-${version%.*}-$toolchain-software.tar.gz
GNUPGHOME=$work/people
export GNUPGHOME
mkdir -m 700 "$GNUPGHOME"
gpg --batch --quiet --import "$cache"/keys/*.asc
for file in "$twin" "$alias"; do
    gpg --batch --quiet --verify "$file.asc" "$file" 2>"$work/gpg" || fail "$file is not signed: $(cat "$work/gpg")"
done
(cd "${twin%/*}" && sha256sum --quiet --check "$twin.sha256") || fail 'its SHA-256 is another'
cmp "$twin" "$alias" || fail 'the alias is another bundle'
cmp "$twin.asc" "$alias.asc" || fail 'the signature of the alias is another'
# How it was made, as docs/formats/bundle.md says.
jq -rj .payload "$twin.intoto.jsonl" | base64 -d >"$work/payload"
jq -rj '.signatures[0].sig' "$twin.intoto.jsonl" | base64 -d >"$work/payload.sig"
{ printf 'DSSEv1 28 application/vnd.in-toto+json %s ' "$(stat -c %s "$work/payload")"; cat "$work/payload"; } |
    gpg --batch --quiet --verify "$work/payload.sig" - 2>"$work/gpg" || fail "how it was made is not signed: $(cat "$work/gpg")"
digest() { sha256sum "$1" | cut -d ' ' -f 1; }
[ "$(jq -r '.subject[0].digest.sha256' "$work/payload")" = "$(digest "$twin")" ] || fail 'that is said of another bundle'
[ "$(jq -r '.predicate.runDetails.byproducts[] | select(.name | endswith(".spdx.json")).digest.sha256' "$work/payload")" = \
    "$(digest "$twin.spdx.json")" ] || fail 'another list of parts was signed'
# Each package of the manifest is a part, and no relation leads nowhere.
tar -xzOf "$twin" "manifests/$version.json" | jq -r '.packages[] | "\(.name) \(.version)"' | sort >"$work/inside"
jq -r '. as $all | .relationships[] | select(.relationshipType == "CONTAINS").relatedSpdxElement as $id |
    $all.packages[] | select(.SPDXID == $id) | "\(.name) \(.versionInfo)"' "$twin.spdx.json" | sort | diff "$work/inside" - ||
    fail 'the list of parts is another than the manifest'
[ "$(jq -c '([.packages[].SPDXID] + ["SPDXRef-DOCUMENT"]) as $ids |
    [.relationships[] | .spdxElementId, .relatedSpdxElement] | unique - $ids' "$twin.spdx.json")" = '[]' ] ||
    fail 'the list of parts names what it does not describe'
[ "$(jq '[.packages[] | select(.primaryPackagePurpose == "SOURCE") | select(.checksums[0].checksumValue == null)] | length' \
    "$twin.spdx.json")" = 0 ] || fail 'a source without a digest'

say '== every source, from the signed manifests alone'
: >"$work/listed"
for mirror in "$cache/$toolchain/slurm/deps" "$cache/$toolchain/slurm/${version%.*}"; do
    for manifest in "$mirror"/v3/manifests/spec/*/*.json; do
        blob=$(gpg --batch --quiet --decrypt "$manifest" 2>"$work/gpg" |
            jq -r '.data[] | select(.mediaType == "application/vnd.slurm-factory.sources.v1+json").checksum')
        [ -n "$blob" ] || fail "$manifest names no sources: $(cat "$work/gpg")"
        file=$mirror/blobs/sha256/$(printf %.2s "$blob")/$blob
        [ "$(digest "$file")" = "$blob" ] || fail "$file is not what was signed"
        jq -r '.files[] | "\(.sha256) \(.path)"' "$file" >>"$work/listed"
    done
done
cut -d ' ' -f 1 "$work/listed" | sort -u >"$work/digests"
(cd "$cache/sources/sha256" && find . -type f -printf '%f\n') | sort | diff "$work/digests" - || fail 'sources are missing, or more than are named'
(cd "$cache/sources/sha256" && find . -type f -exec sha256sum {} +) | sed 's,^\([^ ]*\)  ./../,\1 ,' |
    awk '$1 != $2 { print; bad = 1 } END { exit bad }' || fail 'a source is not what its name says'
jq -r '.predicate.buildDefinition.resolvedDependencies[].digest.sha256' "$work/payload" | sort -u | diff "$work/digests" - ||
    fail 'the bundle was made from other sources'
say "$(wc -l <"$work/digests") sources, patches and recipes, $(du -sk "$cache/sources" | cut -f 1) KiB"
# Laid out, they are a data folder and a folder of sources.
sort -u "$work/listed" | while read -r sha256 path; do
    mkdir -p "$work/laid out/$(dirname "$path")"
    cp "$cache/sources/sha256/$(printf %.2s "$sha256")/$sha256" "$work/laid out/$path"
done
for file in recipes/slurm/recipe.yaml recipes/munge/recipe.yaml recipes/slurm/patches/self-locating.patch "toolchains/$toolchain.yaml"; do
    cmp "$repository/$file" "$work/laid out/$file" || fail "$file is another"
done
unset GNUPGHOME

say '== nobody is trusted'
expect 1 client install "slurm@${version%.*}" --toolchain "$toolchain" --cache "$cache" --prefix "$prefix"
expect_said 'no key is trusted' 'key import'
[ ! -e "$prefix" ] || fail 'something was installed'
sf key export "$key" --output "$work/public.asc"
expect 0 client key import "$work/public.asc"
expect 0 client key trust "$key"

say '== install, from the folder'
begin=$(now_ms)
expect 0 client install "slurm@${version%.*}" --toolchain "$toolchain" --cache "$cache" --prefix "$prefix"
say "installed after $(($(now_ms) - begin)) ms"
expect_said "slurm $version is in $prefix: [0-9]+ packages installed, 0 kept"
libraries_are_found "$prefix"
expect 0 client install "slurm@$version" --toolchain "$toolchain" --cache "file://$cache" --prefix "$prefix"
expect_said 'already'
# The same tree as that of the bundle: file for file.
expect 0 sf bundle install "$bundle" --prefix "$work/bundled"
(cd "$work/bundled/store" && find . -type f -exec sha256sum {} +) | sort >"$work/bundled.list"
(cd "$prefix/store" && find . -type f -exec sha256sum {} +) | sort | diff "$work/bundled.list" - ||
    fail 'a package from the cache differs from that in the bundle'

say '== jobs from it, and from where it is moved'
[ ! -e "$placeholder" ] || fail "the build prefix $placeholder exists on this machine"
cluster_start "$prefix/view" "$work/one"
cluster_jobs "$prefix"
# What is current is switched while a job runs.
in_cluster sbatch --output=/dev/null --chdir=/ --wrap 'sleep 300' >"$work/out"
job_runs() { in_cluster squeue -h -t R -o %i | grep -q .; }
wait_for 30 'the job to run' job_runs
job=$(in_cluster squeue -h -t R -o %i)
expect 0 client install "slurm@$version" --toolchain "$toolchain" --cache "$cache" --prefix "$prefix"
# The bundle's own manifest names other files of ours: another build of the version, to the store.
expect 0 sf bundle install "$bundle" --prefix "$prefix"
expect 0 client rollback 1 --prefix "$prefix"
expect_said 'generation 1'
expect 0 client list --prefix "$prefix"
expect_said "^\* +1 +slurm $version"
[ "$(in_cluster squeue -h -t R -o %i)" = "$job" ] || fail 'the job did not live through it'
in_cluster scancel "$job"
cluster_stop
mv "$prefix" "$work/moved here"
cluster_start "$work/moved here/view" "$work/two"
cluster_jobs "$work/moved here"
cluster_stop

say '== an ordinary user, who says no --prefix'
theirs=60101 home=$work/home place=$work/home/.local/share/slurm-factory
mkdir -m 700 "$home"
chown "$theirs:$theirs" "$home"
# The program and its data where that user can read them, and a configuration: without one no command tells its version.
mkdir "$work/bin"
cp "$program" "${program%/*}/slurm-setup" "$work/bin/"
copy_data "$work/data"
printf 'ClusterName=none\nSlurmctldHost=nowhere\n' >"$work/none.conf"
as_them() {
    setpriv "--reuid=$theirs" "--regid=$theirs" --clear-groups env -i PATH=/usr/bin:/bin HOME="$home" \
        SLURM_FACTORY_DATA_DIR="$work/data" SLURM_CONF="$work/none.conf" "$@"
}
user() { as_them "$work/bin/slurm-factory" "$@"; }
expect 1 user install "slurm@${version%.*}" --toolchain "$toolchain" --cache "$cache"
expect_said 'no key is trusted' 'key import'
[ ! -e "$home/.local" ] || fail 'something was installed'
expect 0 user key import "$work/public.asc"
expect 0 user key trust "$key"
expect 0 user install "slurm@${version%.*}" --toolchain "$toolchain" --cache "$cache"
expect_said "slurm $version is in $place: [0-9]+ packages installed, 0 kept"
cat "$work/out"
expect 0 as_them "$place/view/bin/srun" --version
expect_said "^slurm $version\$"
expect 0 user list
expect_said "^\* +1 +slurm $version"
expect 0 user verify --deep
expect_said 'is what was installed: 1 generations'
expect 1 user rollback
expect_said "generation 1 is the first one that $place keeps"
expect 0 user install "slurm@${version%.*}" --toolchain "$toolchain" --cache "$cache"
expect_said 'already'
(cd "$place/store" && find . -type f -exec sha256sum {} +) | sort | diff "$work/bundled.list" - ||
    fail 'a package of that user differs from that in the bundle'
[ -z "$(find "$home" ! -user "$theirs")" ] || fail "not that user's: $(find "$home" ! -user "$theirs")"

say '== through nginx'
nginx_start "$cache"
show_logs_of "$work/nginx"
nearby() { nginx_near SLURM_FACTORY_CACHE_DIR="$work/client" "$program" "$@"; }
expect 0 nearby install "slurm@$version" --toolchain "$toolchain" --cache http://127.0.0.1:8080 --prefix "$work/by http"
expect_said 'packages installed'
(cd "$work/by http/store" && find . -type f -exec sha256sum {} +) | sort | diff "$work/bundled.list" - ||
    fail 'a package through nginx differs from that in the bundle'
requests=$(wc -l <"$work/nginx/access.log")
say "$requests requests"
expect 0 nearby install "slurm@$version" --toolchain "$toolchain" --cache http://127.0.0.1:8080 --prefix "$work/by http"
[ "$(tail -n +$((requests + 1)) "$work/nginx/access.log" | grep -c '/blobs/.* 200 [0-9]\{7,\}')" = 0 ] || fail 'archives are fetched again'

say '== an attacker who can write to the cache, but cannot sign'
main=$cache/$toolchain/slurm/${version%.*}
deps=$cache/$toolchain/slurm/deps
refused() {  # refused WHAT PATTERN
    rm -rf "$work/client/caches/objects"  # what was read before is believed, by its digest
    expect 1 client install "slurm@$version" --toolchain "$toolchain" --cache "$cache" --prefix "$work/never"
    expect_said "$2"
    if [ -e "$work/never/view" ] || [ -e "$work/never/views" ]; then fail "installed all the same: $1"; fi
    say "refused: $1"
}
cp -a "$cache" "$work/good"
restore() { rm -rf "$cache" && cp -a "$work/good" "$cache"; }
change_bit "$main/_sf/snapshot.json" 200; refused 'a changed snapshot' 'snapshot.json'; restore
find "$deps/blobs" -type f -size +100k >"$work/blobs"
while read -r blob; do change_bit "$blob" 5000; done <"$work/blobs"
refused 'changed archives' 'is not what it should be'; restore
rm "$main"/v3/manifests/spec/slurm/*; refused 'a manifest that is gone' 'spec.manifest.json'; restore
mv "$main/_sf/snapshot.json" "$work/snapshot"; refused 'no snapshot' 'its snapshot is gone'; restore
expect 0 client install "slurm@$version" --toolchain "$toolchain" --cache "$cache" --prefix "$work/never"

# shellcheck source=tests/e2e/cache_keep.sh
. "$(dirname "$0")/cache_keep.sh"
