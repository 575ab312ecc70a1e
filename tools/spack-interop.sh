#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154  # variables of tests/e2e/lib.sh and cluster.sh
# A real Spack as the client of a cache that `build-slurm --publish all --publish-to DIR` filled: it installs Slurm
# from there and compiles nothing, and a cluster of one node runs jobs from what it installed (docs/spack-interop.md).
#
#   tools/spack-interop.sh --spack DIR --packages DIR --cache DIR --key FILE [OPTION...] [CASE...]
#
#   --spack DIR         the tree of a Spack 1.0 or 1.1; nothing in it is changed
#   --packages DIR      the tree of spack-packages that belongs to it (releases/v2025.07, releases/v2025.11)
#   --cache DIR         the folder that was published to; nothing in it is changed
#   --key FILE          the publisher's public key
#   --toolchain NAME    what it was published for; this machine has to be one (bookworm)
#   --series SERIES     which Slurm (25.11)
#   --python FILE       the Python that runs Spack (/usr/bin/python3)
#   --clingo DIR        where that Python finds the module clingo, which no distribution packs
#   --misc-cache DIR    what this Spack has computed from these recipes before (config:misc_cache): saves minutes
#   --program FILE      slurm-factory, for the cases "environment" and "repository"
#   CASE                all of them, if none is named:
#     possible          what our list of builtin's packages names, and every edge that was published, this Spack's own
#                       recipes let Slurm depend on
#     listing           two mirrors, their keys, `spack install slurm@SERIES target=x86_64_v3`; from the folder; a job
#     relocated         the same through nginx, to a tree of other names, without a word of --cache-only; a job
#     hash              by hash: from the folder to a tree of other names, through nginx to one of the usual names
#     repository        the first once more, after `spack repo add` of what `slurm-factory spack-repo` writes; its package
#     absent            a series that is not in the cache is an error
#     environment       what `slurm-factory spack-env` writes, as it is, and solved by Spack again; a job
#     refused           a blob, a manifest that was changed, unsigned or signed by another, keys that are not trusted
#
# Spack runs in a network that has nothing but the web server, with a home of its own for each case. Root is needed for
# that, and for the daemons. Exit 0: all is well. 77: it cannot run here, and says why.
set -eu

usage() {
    sed -n '/^#   tools/,/^# Exit/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
absolute() { (cd "$(dirname -- "$1")" && printf '%s/%s\n' "$(pwd -P)" "$(basename -- "$1")"); }

spack_tree='' recipes='' cache='' key_file='' toolchain=bookworm series=25.11
python=/usr/bin/python3 clingo='' program='' computed='' cases=''
while [ $# -gt 0 ]; do
    option=$1
    shift
    case $option in
        --*) [ $# -gt 0 ] || usage ;;
        possible | listing | relocated | hash | repository | absent | environment | refused) cases="$cases $option" && continue ;;
        *) usage ;;
    esac
    case $option in
        --spack) spack_tree=$(absolute "$1") ;;
        --packages) recipes=$(absolute "$1") ;;
        --cache) cache=$(absolute "$1") ;;
        --key) key_file=$(absolute "$1") ;;
        --toolchain) toolchain=$1 ;;
        --series) series=$1 ;;
        --python) python=$1 ;;
        --clingo) clingo=$(absolute "$1") ;;
        --misc-cache) computed=$(absolute "$1") ;;
        --program) program=$(absolute "$1") ;;
        *) usage ;;
    esac
    shift
done
for needed in "$spack_tree" "$recipes" "$cache" "$key_file"; do [ -n "$needed" ] || usage; done
cases=${cases:-possible listing relocated hash repository absent environment refused}

cd "$(dirname "$0")/.."
test_name=spack-interop
# shellcheck source=tests/e2e/lib.sh
SF_E2E_TOOLCHAIN=$toolchain SF_E2E_SERIES=$series
[ -z "$program" ] || SF_E2E_PROGRAM=$program
. tests/e2e/lib.sh
. tests/e2e/cluster.sh
. tests/e2e/nginx.sh
is_root || not_run 'starting the daemons in a network namespace of their own needs root'
for file in "$spack_tree/bin/spack" "$recipes/repos/spack_repo/builtin/repo.yaml" "$cache/$toolchain/slurm/$series/v3" "$key_file"; do
    [ -e "$file" ] || fail "there is no $file"
done
PATH=$PATH:/usr/sbin
release=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$spack_tree/lib/spack/spack/__init__.py")
test_name="spack-interop.$release"
deps_mirror=$toolchain/slurm/deps
main_mirror=$toolchain/slurm/$series

# --- what was published ---
# version_of, hash_of MIRROR NAME: from the name of its one manifest.
manifest_of() { find "$cache/$1/v3/manifests/spec/$2" -name "$2-*.spec.manifest.json"; }
hash_of() { manifest_of "$1" "$2" | sed 's/.*-\([a-z2-7]\{32\}\)\.spec\.manifest\.json$/\1/'; }
version=$(manifest_of "$main_mirror" slurm | sed 's/.*\/slurm-\(.*\)-[a-z2-7]\{32\}\.spec\.manifest\.json$/\1/')
[ "$(printf '%s\n' "$version" | wc -l)" = 1 ] || fail "more than one Slurm $series is in the cache: $version"
# signed_of MANIFEST: what stands in it; who signed it is for Spack to say.
signed_of() { sed '1,/^$/d; /^-----BEGIN PGP SIGNATURE-----$/,$d' "$1"; }
blob() { printf '%s/blobs/sha256/%.2s/%s' "$1" "$2" "$2"; }
# What the signed manifests say each package's files are: "<hash of the package> <SHA-256> <path>".
list_published() {
    for mirror in "$deps_mirror" "$main_mirror"; do
        for manifest in "$cache/$mirror"/v3/manifests/spec/*/*.spec.manifest.json; do
            digest=$(signed_of "$manifest" | jq -r '.data[] |
                select(.mediaType == "application/vnd.slurm-factory.package.v1+json").checksum')
            jq -r --arg hash "$(signed_of "$manifest" | jq -r .slurmFactory.hash)" \
                '.files[] | select(.type == "file") | "\($hash) \(.sha256) \(.path)"' "$(blob "$cache/$mirror" "$digest")"
        done
    done
}

# --- a network with a web server in it, and nothing else ---
nginx_start "$cache"
web=$nginx

# --- Spack ---
usual_names='{architecture.platform}-{architecture.target}/{name}-{version}-{hash}'
other_names='{name}/{version}-{hash:7}/{architecture.target}'
if [ -n "$computed" ]; then cp -a "$computed" "$work/warm" && rm -rf "$work/warm/indices"; fi
# new_home NAME [PROJECTION]: a Spack that knows nothing but builtin's recipes; $tree is where it installs.
new_home() {
    home=$work/$1
    tree=$home/opt
    mkdir -p "$home/home" "$home/user" "$home/system" "$home/cache"
    # What it computed from the recipes the first time.
    [ ! -d "$work/warm" ] || cp -a "$work/warm/." "$home/cache/"
    cat >"$home/user/config.yaml" <<YAML
config:
  install_tree:
    root: $tree
    projections: {all: "${2:-$usual_names}"}
  misc_cache: $home/cache
  source_cache: $home/sources
  build_stage: [$home/stage]
  test_stage: $home/test
YAML
    # Bootstrapping that is off makes `spack gpg` fail; without sources it fetches nothing.
    printf 'bootstrap:\n  enable: true\n  root: %s\n  sources: []\n' "$home/bootstrap" >"$home/user/bootstrap.yaml"
    printf 'repos:\n  builtin: %s\n' "$recipes/repos/spack_repo/builtin" >"$home/user/repos.yaml"
}
spack() {
    nsenter --target "$web" --net -- env -i HOME="$home/home" PATH=/usr/local/bin:/usr/bin:/bin TERM=dumb LANG=C.UTF-8 \
        SPACK_USER_CONFIG_PATH="$home/user" SPACK_SYSTEM_CONFIG_PATH="$home/system" SPACK_USER_CACHE_PATH="$home/user-cache" \
        SPACK_GNUPGHOME="$home/gpg" SPACK_PYTHON="$python" PYTHONPATH="$clingo" PYTHONDONTWRITEBYTECODE=1 \
        "$spack_tree/bin/spack" "$@"
}
# Each home leaves an agent behind, and an agent holds an inotify instance, of which a user has few.
end_home() {
    gpgconf --homedir "$home/gpg" --kill all
    if [ ! -d "$work/warm" ]; then cp -a "$home/cache" "$work/warm" && rm -rf "$work/warm/indices"; fi
    rm -rf "$home"
}
# The listing's first three lines.
add_mirrors() {  # add_mirrors ADDRESS [END]
    expect 0 spack mirror add slurm-factory-deps "$1/$deps_mirror${2:-}"
    expect 0 spack mirror add slurm-factory-slurm "$1/$main_mirror${2:-}"
}
trust_keys() {
    expect 0 spack buildcache keys --install --trust
    expect 0 spack gpg list
    expect_said "$(fingerprint_of "$key_file" | tail -c 17)"
}
fingerprint_of() { gpg --batch --with-colons --show-keys "$1" 2>"$work/gpg.err" | sed -n 's/^fpr:*\([0-9A-F]\{40\}\):$/\1/p' | head -n 1; }
timed() {
    begin=$(now_ms)
    expect 0 spack "$@"
    say "spack $* ($(($(now_ms) - begin)) ms)"
}
prefix_of() { spack location -i "$1"; }

# All of Slurm is there as it was signed, in the tree of $home, and nothing that Spack made itself.
as_it_was_published() {
    expect 0 spack find --format '{name} {hash} {prefix}'
    grep -v '^glibc ' "$work/out" | sort >"$work/installed"
    [ "$(wc -l <"$work/installed")" -gt 15 ] || fail "Spack has installed: $(cat "$work/installed")"
    grep -q '^slurm ' "$work/installed" || fail 'Spack does not know of a Slurm'
    while read -r name hash prefix; do
        case $prefix in "$tree"/*) ;; *) fail "$name is in $prefix" ;; esac
        sed -n "s,^$hash \([0-9a-f]*\) \(.*\),\1  \2,p" "$work/published" >"$work/digests"
        [ -s "$work/digests" ] || fail "$name/$hash was not published"
        (cd "$prefix" && sha256sum --quiet --strict -c "$work/digests") >"$work/changed" 2>&1 ||
            fail "$name is not as it was signed: $(head -n 5 "$work/changed")"
        # A build leaves its log and its environment there.
        made=$(find "$prefix/.spack" -name 'spack-build-*')
        [ -z "$made" ] || fail "Spack has built $name: $made"
    done <"$work/installed"
    made=$(find "$home/stage" "$home/sources" -type f 2>"$work/find.err" | head -n 3)
    [ -z "$made" ] || fail "Spack has worked on: $made"
    libraries_of_the_tree
    say "$(wc -l <"$work/installed") packages, each file as it was signed; nothing was built"
}
# Every ELF file finds what it needs where ld.so looks: in the tree, or it is what the toolchain leaves to the host.
libraries_of_the_tree() {
    find "$tree" -type f -not -path '*/.spack/*' -exec grep -lE "^$(printf '\177ELF')" {} + |
        LC_ALL=C sort >"$work/elf"
    xargs -d '\n' ldd <"$work/elf" >"$work/ldd" 2>&1 || grep -q 'not a dynamic executable' "$work/ldd" || fail 'ldd fails'
    sed -n '/^host_libraries:/,/^[a-z]/s/^  - //p' "toolchains/$toolchain.yaml" >"$work/of-the-host"
    # ld.so itself has no arrow; what the host's own libraries need is the host's affair (libpam's libaudit).
    awk -v tree="$tree/" -v host="$work/of-the-host" '
        BEGIN { while ((getline name < host) > 0) of_host[name] = 1 }
        /^\/.*:$/ { file = $0; next }
        / => not found/ { print file, $0; next }
        / => \// { if (index($3, tree) != 1) outside[$1] = file }
        / => \// { if (index($3, tree) == 1) inside++ }
        END { for (name in outside) if (!(name in of_host)) print outside[name], name
              print inside + 0 > "/dev/stderr" }' "$work/ldd" >"$work/strangers" 2>"$work/inside"
    # Not needed by us: each of them is needed by a library of the host alone.
    while read -r file name; do
        case $name in *'not found'*) fail "$file $name" ;; esac
        xargs -d '\n' readelf -d <"$work/elf" | grep -qF "Shared library: [$name]" || continue
        fail "$file $name comes from the host"
    done <"$work/strangers"
    [ "$(cat "$work/inside")" -gt 100 ] || fail "only $(cat "$work/inside") libraries are found in the tree"
    say "$(wc -l <"$work/elf") ELF files find what they need; $(cat "$work/inside") times in the tree"
}
# jobs VIEW FOLDER: daemons and jobs, and what they load is below $tree.
jobs() {
    cluster_start "$1" "$2"
    cluster_jobs "$tree"
    cluster_stop
}

# A Slurm with an edge to anything else the solver passes over (docs/spack-interop.md, 3.i).
case_possible() {
    new_home possible
    expect 0 spack dependencies --transitive --deptype link,run slurm
    LC_ALL=C sort -u "$work/out" >"$work/allowed"
    for known in munge openssl; do
        grep -qx "$known" "$work/allowed" || fail "this is no list of what Slurm may depend on: $(head -n 3 "$work/allowed")"
    done
    # Nor is it one of all there is.
    if grep -qx freeipmi "$work/allowed"; then fail 'freeipmi is possible: it need be kept private no more'; fi
    sed -n '/^constexpr std::array build_systems{$/,/^};$/p' src/cache/spack_builtin.cpp |
        grep -o 'Row{"[^"]*"' | cut -d '"' -f 2 | LC_ALL=C sort -u >"$work/listed"
    list_edges >"$work/named"
    LC_ALL=C sort -u "$work/named" >"$work/edges"
    for list in listed edges; do
        grep -qx munge "$work/$list" || fail "munge is not in the list of what is $list: $(head -n 3 "$work/$list")"
        grep -vx slurm "$work/$list" | LC_ALL=C comm -23 - "$work/allowed" >"$work/impossible"
        [ ! -s "$work/impossible" ] ||
            fail "Spack $release knows no Slurm that depends on these ($list): $(tr '\n' ' ' <"$work/impossible")"
    done
    say "$(wc -l <"$work/listed") packages are listed, $(wc -l <"$work/edges") were published; each of them is possible"
    end_home
}
# The names of all nodes that Spack has to take for builtin's, and of what they depend on. Slurm's have no others.
list_edges() {
    for mirror in "$deps_mirror" "$main_mirror"; do
        for manifest in "$cache/$mirror"/v3/manifests/spec/*/*.spec.manifest.json; do
            spec_of "$mirror" "$manifest" >"$work/spec"
            [ -s "$work/spec" ] || fail "$manifest names no spec"
            jq -r '.spec.nodes | if .[0].name == "slurm" then . else map(select(.namespace == "builtin")) end |
                .[] | .name, (.dependencies // [])[].name' "$work/spec"
        done
    done
}
spec_of() {  # spec_of MIRROR MANIFEST
    digest=$(signed_of "$2" | jq -r '.data[] | select(.mediaType == "application/vnd.spack.spec.v5+json").checksum')
    gzip -dc "$(blob "$cache/$1" "$digest")"
}

case_listing() {
    new_home listing
    add_mirrors "file://$cache"
    trust_keys
    timed install "slurm@$series" target=x86_64_v3
    as_it_was_published
    # Programs of two prefixes, not of a view: munged has its own.
    munge_view=$(prefix_of munge)
    jobs "$(prefix_of slurm)" "$work/cluster.1"
    munge_view=''
    end_home
}

# A series that was not published must not become a build of what Spack finds in its own recipes.
case_absent() {
    new_home absent
    add_mirrors "file://$cache"
    trust_keys
    expect 1 spack install --cache-only slurm@23.11 target=x86_64_v3
    # What it needs may have come from the cache; Slurm has not, and nothing was built.
    made=$(find "$tree" -path "$tree/.spack-db" -prune -o \( -name 'slurm-*' -o -name 'spack-build-*' \) -print)
    [ -z "$made" ] || fail "it was made all the same: $made"
    say "slurm@23.11: $(grep -h '^==> Error' "$work/out" "$work/err" | head -n 1)"
    end_home
}

case_relocated() {
    new_home relocated "$other_names"
    add_mirrors http://127.0.0.1:8080
    trust_keys
    timed install --cache-only "slurm@$series" target=x86_64_v3
    as_it_was_published
    expect 0 spack view symlink "$home/view" slurm
    jobs "$home/view" "$work/cluster.2"
    end_home
}

case_hash() {
    for kind in file http; do
        if [ "$kind" = file ]; then
            new_home hash.file "$other_names"
            add_mirrors "file://$cache"
        else
            new_home hash.http
            add_mirrors http://127.0.0.1:8080 /
        fi
        trust_keys
        timed install --cache-only "/$(hash_of "$main_mirror" slurm)"
        as_it_was_published
        end_home
    done
}

# Recipes of ours beside builtin's: they disturb nothing, and their package is Slurm from the cache or nothing.
case_repository() {
    new_home repository
    expect 0 "$program" spack-repo "$home/recipes"
    expect_said "spack repo add $home/recipes/spack_repo/slurm_factory"
    expect 0 spack repo add "$home/recipes/spack_repo/slurm_factory"
    add_mirrors "file://$cache"
    trust_keys
    timed install "slurm@$series" target=x86_64_v3
    as_it_was_published
    timed install "slurm-factory@$series" target=x86_64_v3
    grep -qF "$(prefix_of slurm)" "$(prefix_of slurm-factory)/share/slurm-factory" ||
        fail "slurm-factory@$series is of another Slurm: $(cat "$(prefix_of slurm-factory)/share/slurm-factory")"
    # Of builtin's recipe Spack would build one; of this one it cannot, and says so.
    for other in 24.11 23.11; do
        [ "$series" != "$other" ] || continue
        expect 1 spack install "slurm-factory@$other" target=x86_64_v3
        say "slurm-factory@$other: $(grep -h '^==> Error' "$work/out" "$work/err" | head -n 1)"
    done
    expect 0 spack find --format '{name} {version}'
    [ "$(grep -c '^slurm ' "$work/out")" = 1 ] || fail "there is another Slurm: $(cat "$work/out")"
    end_home
}

# With a trust of its own, as a user of the cache has it.
client() {
    nsenter --target "$web" --net -- env -u http_proxy -u https_proxy SLURM_FACTORY_CACHE_DIR="$work/client" "$program" "$@"
}
case_environment() {
    mkdir "$work/client"
    expect 0 client key import "$key_file"
    expect 0 client key trust "$(fingerprint_of "$key_file")"
    new_home environment
    env=$home/env
    expect 0 client spack-env "slurm@$series" "$env" --toolchain "$toolchain" --cache http://127.0.0.1:8080
    expect_said "slurm $version for $toolchain" "spack -e $env install --cache-only"
    expect 0 client spack-env "slurm@$series" "$env" --toolchain "$toolchain" --cache http://127.0.0.1:8080/
    expect_said 'as it was'
    expect 1 client spack-env "slurm@$series" "$env" --toolchain "$toolchain" --cache "$cache"
    expect_said 'says something else'
    mkdir "$work/env"
    cp "$env/spack.yaml" "$env/spack.lock" "$env/slurm-factory-keys.gpg" "$work/env"

    # As it is: nothing is solved, and the index that nobody signed is not asked.
    expect 0 spack gpg trust "$env/slurm-factory-keys.gpg"
    asked=$(wc -l <"$work/nginx/access.log")
    timed -e "$env" install --cache-only
    if tail -n +$((asked + 1)) "$work/nginx/access.log" | grep 'v3/manifests/index'; then fail 'the index is asked for'; fi
    as_it_was_published
    jobs "$env/.spack-env/view" "$work/cluster.3"
    end_home

    say '-- solved by Spack again'
    new_home solved "$other_names"
    cp -R "$work/env" "$home/env"
    env=$home/env
    expect 0 spack gpg trust "$env/slurm-factory-keys.gpg"
    timed -e "$env" concretize --force
    [ "$(jq -c '.concrete_specs | keys' "$env/spack.lock")" = "$(jq -c '.concrete_specs | keys' "$work/env/spack.lock")" ] ||
        fail "Spack solves it otherwise: $(jq -c '.concrete_specs | map(.name + "/" + .hash)' "$env/spack.lock")"
    timed -e "$env" install
    as_it_was_published
    # What was not published is an error of the solver, not a plan to compile it.
    sed -i 's/slurm@=[0-9.]*/slurm@23.11/' "$env/spack.yaml"
    expect 1 spack -e "$env" concretize --force
    expect_said 'buildable|Cannot satisfy|No version exists'
    end_home
}

refused() {  # refused WHAT HASH
    if spack install --cache-only "/$2" >"$work/out" 2>"$work/err" </dev/null; then fail "installed all the same: $1"; fi
    expect_said 'No binary found when cache-only was specified'
    [ -z "$(find "$tree" -path '*/lib/*' -type f)" ] || fail "files are left: $1"
    say "refused: $1"
}
# spoilt MIRROR: a copy of the cache that may be written to; $cache is it.
case_refused() {
    genuine=$cache
    leaf=zlib
    hash=$(hash_of "$deps_mirror" "$leaf")
    file=$(manifest_of "$deps_mirror" "$leaf")
    digest=$(signed_of "$file" | jq -r '.data[0].checksum')
    for what in nothing blob changed unsigned stranger untrusted; do
        cp -a "$genuine" "$work/spoilt"
        cache=$work/spoilt
        file=$(manifest_of "$deps_mirror" "$leaf")
        case $what in
            blob) change_bit "$(blob "$cache/$deps_mirror" "$digest")" 5000 ;;
            # What is signed says another length.
            changed) sed -i '0,/"contentLength":/s/\("contentLength": *\)/\11/' "$file" ;;
            unsigned) signed_of "$file" >"$work/manifest" && cp "$work/manifest" "$file" ;;
            stranger) sign_as_a_stranger "$file" ;;
        esac
        new_home "refused.$what"
        add_mirrors "file://$cache"
        [ "$what" = untrusted ] || trust_keys
        if [ "$what" = nothing ]; then
            # The same steps with what was published, so that the rest shows what made the difference.
            expect 0 spack install --cache-only "/$hash"
            [ -n "$(find "$tree" -path '*/lib/*' -type f)" ] || fail "$leaf is not in the tree"
        else
            refused "$what" "$hash"
        fi
        end_home
        rm -rf "$work/spoilt"
        cache=$genuine
    done
}
sign_as_a_stranger() {
    if [ ! -d "$work/stranger" ]; then
        mkdir -m 700 "$work/stranger"
        gpg --homedir "$work/stranger" --batch --quiet --passphrase '' --quick-gen-key 'A stranger <a@example.org>' ed25519 sign never
    fi
    signed_of "$1" >"$work/manifest"
    gpg --homedir "$work/stranger" --batch --yes --digest-algo SHA512 --output "$1" --clearsign "$work/manifest"
    gpgconf --homedir "$work/stranger" --kill all
}

list_published >"$work/published"
say "Spack $release, Slurm $version for $toolchain: $(cut -d ' ' -f 1 "$work/published" | sort -u | wc -l) packages are published"
for case in $cases; do
    say "== $case"
    "case_$case"
done
say "$test_name: $cases: all is well"
