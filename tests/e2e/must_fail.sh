#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What must fail, and fail well: the exit code, a message that names what, and what to do about it; and
# nothing half-made left behind. One case a call: must_fail.sh CASE
case_name=$1
test_name=e2e.must_fail.$case_name
. "$(dirname "$0")/lib.sh"
bundle='' version='' key=''
# shellcheck source=/dev/null
. "$facts"

# A state folder of this case's own, with the sources and roots of the real build and, with the argument
# "packages", its packages.
own_state() {
    own=$work/state
    mkdir -p "$own"
    for x_folder in sources roots ${1:+packages store}; do
        cp -al "$state/$x_folder" "$own/" 2>/dev/null ||
            { rm -rf "${own:?}/$x_folder"; cp -a "$state/$x_folder" "$own/"; }
    done
}
own_sf() { SLURM_FACTORY_CACHE_DIR=${own:-$work/state} "$launcher" "$@"; }
build() { own_sf build-slurm --slurm-version "$version" --toolchain bookworm $vulnerable; }
# path_without NAME...: makes $work/path, which holds every program but the named ones.
path_without() {
    mkdir "$work/path"
    for x_folder in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin; do
        for x_program in "$x_folder"/*; do
            [ -e "$work/path/${x_program##*/}" ] || ln -s "$x_program" "$work/path/${x_program##*/}"
        done
    done
    for x_program; do rm -f "$work/path/$x_program"; done
}
# nothing_in FOLDER...: absent, or without any entry but hidden ones (locks, staging) and logs.
nothing_in() {
    for x_folder; do
        [ -d "$x_folder" ] || continue
        x_left=$(find "$x_folder" -mindepth 1 -maxdepth 1 ! -name '.*' ! -name '*.log' | head -n 5)
        [ -z "$x_left" ] || fail "left in $x_folder: $x_left"
    done
}

case_usage() {
    expect 2 sf build-slurm --slurm-version 99.99 --toolchain bookworm
    expect_said '99\.99' '25\.11'
    expect 2 sf build-slurm --slurm-version 25.12 --toolchain bookworm
    expect_said 'did you mean|25\.11'
    expect 2 sf build-slurm --slurm-version 25.11 --toolchain bookwurm
    expect_said 'bookwurm' 'bookworm'
    expect 2 sf build-slurm --slurm-versoin 25.11
    expect_said 'slurm-versoin' '--slurm-version'
    expect 2 sf bild-slurm
    expect_said "did you mean 'build-slurm'"
    expect 2 sf build-slurm --slurm-version 25.11 --toolchain bookworm --jobs none
    expect_said 'jobs'
    expect 2 sf build-slurm --slurm-version 25.11 --toolchain bookworm --gpg-private-key SECRETWORD
    expect_said 'gpg-private-key'
    if grep -q SECRETWORD "$work/out" "$work/err"; then fail 'the secret is printed'; fi
    expect 0 sf build-slurm --help
    expect_said 'example'
}

case_vulnerable() {
    expect 1 sf build-slurm --slurm-version "$version" --toolchain bookworm
    expect_said "$version.*CVE-2026-|CVE-2026-.*$version" '25\.11\.8' 'allow-vulnerable'
}

case_missing_tools() {
    path_without mmdebstrap
    expect 1 env PATH="$work/path" SLURM_FACTORY_CACHE_DIR="$work/state" "$program" toolchain prepare bookworm
    expect_said 'mmdebstrap' 'apt-get install|dnf install'
    rm -rf "$work/path"
    path_without bwrap
    own_state
    expect 1 env PATH="$work/path" SLURM_FACTORY_CACHE_DIR="$own" \
        "$program" build-slurm --slurm-version "$version" --toolchain bookworm $vulnerable
    expect_said 'bwrap|bubblewrap' 'apt-get install|dnf install'
    # gpg and gpgv are never looked up in PATH: take them from /usr/bin, in a mount namespace.
    is_root || not_run 'taking gpg out of /usr/bin needs root'
    rm -rf "$work/path"
    mkdir "$work/bin"
    path_without gpg gpgv
    find "$work/path" -lname '/usr/bin/*' -exec sh -c '
        for link; do ln -sfn "$0/bin/${link##*/}" "$link"; done' "$work" {} +
    own=$work/state
    expect 1 without_gpg key create --name Nobody --email nobody@example.org
    expect_said 'gpg' 'apt-get install|dnf install'
    own=$state
    expect 1 without_gpg bundle verify "$bundle"
    expect_said '/usr/bin/gpgv? is not installed' 'apt-get install|dnf install'
    expect 1 without_gpg doctor
    expect_said 'gpg|gnupg'
}
# shellcheck disable=SC2016  # for the inner shell
without_gpg() {
    unshare --mount sh -c '
        mount --bind /usr/bin "$0/bin" && mount --bind "$0/path" /usr/bin && exec "$@"' "$work" \
        env SLURM_FACTORY_CACHE_DIR="$own" "$program" "$@"
}

case_no_network() {
    is_root || not_run 'a network namespace without a network needs root'
    # Without a root: the archive cannot be reached.
    expect 1 unshare --net env SLURM_FACTORY_CACHE_DIR="$work/state" "$program" toolchain prepare bookworm
    expect_said 'bookworm' 'answer|reach|resolv|connect'
    nothing_in "$work/state/roots/bookworm"
    # With a root, without sources: every place is named.
    own_state
    rm -rf "$own/sources"
    expect 1 unshare --net env SLURM_FACTORY_CACHE_DIR="$own" \
        "$program" build-slurm --slurm-version "$version" --toolchain bookworm $vulnerable
    expect_said "slurm $version cannot be had" 'resolv|reach|connect|answer' '--source-mirror'
    nothing_in "$own/packages"
    if [ -d "$own/sources" ] && find "$own/sources" -type f ! -name ".*" | grep .; then fail "that is left of sources"; fi
    # With both, it builds without a network; what was built is taken.
    own_state packages
    expect 0 unshare --net env SLURM_FACTORY_CACHE_DIR="$own" \
        "$program" build-slurm --slurm-version "$version" --toolchain bookworm $vulnerable
}

own_data() {
    data=$work/data
    copy_data "$data"
}

case_wrong_sha256() {
    own_state
    own_data
    right=$(sed -n 's/^ *sha256: \([0-9a-f]\{64\}\).*/\1/p' "$data/recipes/lz4/recipe.yaml" | head -n 1)
    wrong=$(printf '%s' "$right" | tr 0123456789abcdef 123456789abcdef0)
    sed -i "s/$right/$wrong/" "$data/recipes/lz4/recipe.yaml"
    expect 1 env SLURM_FACTORY_DATA_DIR="$data" SLURM_FACTORY_CACHE_DIR="$own" \
        "$program" build-slurm --slurm-version "$version" --toolchain bookworm $vulnerable
    expect_said 'lz4' "$wrong" "$right"
    nothing_in "$own/packages"
    if find "$own/sources" -type f -newer "$data/advisories.yaml" | grep -i lz4; then
        fail 'the wrong file was kept'
    fi
}

case_bad_recipes() {
    own_data
    lint() { expect 1 env SLURM_FACTORY_DATA_DIR="$data" "$program" recipe lint; }
    recipe=$data/recipes/lz4/recipe.yaml
    sed -i 's/^summary:/sumary:/' "$recipe"
    lint
    expect_said 'lz4/recipe\.yaml:[0-9]+.*sumary' 'summary'
    cp "$repository/recipes/lz4/recipe.yaml" "$recipe"
    sed -i '/^ *sha256:/d' "$recipe"
    lint
    expect_said 'lz4/recipe\.yaml:[0-9]+.*sha256'
    cp "$repository/recipes/lz4/recipe.yaml" "$recipe"
    printf 'depends:\n  link: [slurm, no-such-recipe]\n' >>"$recipe"
    lint
    expect_said 'cycle|circle' 'no-such-recipe'
}

case_flipped_bit() {
    cp "$bundle" "$bundle.asc" "$bundle.sha256" "$work"
    copy=$work/${bundle##*/}
    size=$(stat -c %s "$copy")
    expect 0 sf bundle verify "$copy"
    # At the start, in the middle, at the end, and at some random places.
    for place in 0 10 $((size / 2)) $((size - 1)) \
        $(od -An -v -w4 -N$(((${SF_ROUNDS:-8}) * 4)) -tu4 /dev/urandom | awk -v size="$size" '{ print $1 % size }'); do
        cp "$bundle" "$copy"
        flip "$copy" "$place"
        expect 1 sf bundle verify "$copy"
        mkdir "$work/target"
        expect 1 sf bundle install "$copy" --prefix "$work/target"
        nothing_in "$work/target"
        rmdir "$work/target"
    done
    cp "$bundle" "$copy"
    asc_size=$(stat -c %s "$copy.asc")
    for place in 0 40 $((asc_size / 2)) $((asc_size - 2)); do
        cp "$bundle.asc" "$copy.asc"
        flip "$copy.asc" "$place"
        expect 1 sf bundle verify "$copy"
    done
    cp "$bundle.asc" "$copy.asc"
    truncate -s $((size - 1)) "$copy"
    expect 1 sf bundle verify "$copy"
    cp "$bundle" "$copy"
    rm "$copy.asc"
    expect 1 sf bundle verify "$copy"
    expect_said 'signature|\.asc'
    # By a key that nobody here trusts.
    cp "$bundle.asc" "$copy.asc"
    expect 1 own_sf bundle verify "$copy"
    expect_said 'trust'
}
flip() {  # flip FILE OFFSET: one bit
    x_byte=$(od -An -j "$2" -N1 -tu1 "$1" | tr -d ' ')
    # shellcheck disable=SC2059  # the octal escape is the format
    printf "\\$(printf %03o $((x_byte ^ (1 << ($2 % 8)))))" |
        dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

case_read_only() {
    is_root || not_run 'mounting a read-only file system needs root'
    mkdir "$work/target"
    mount -t tmpfs -o size=1m,mode=0755 none "$work/target"
    keep_mount "$work/target"
    mount -o remount,ro "$work/target"
    expect 1 sf bundle install "$bundle" --prefix "$work/target"
    expect_said 'read-only' "$work/target"
    expect 1 env SLURM_FACTORY_CACHE_DIR="$work/target/state" "$program" \
        build-slurm --slurm-version "$version" --toolchain bookworm $vulnerable
    expect_said 'read-only' "$work/target"
}

case_odd_paths() {
    # Installing is an ordinary user's work, and any path will do.
    as_user=
    if is_root; then as_user='setpriv --reuid=12345 --regid=12345 --clear-groups --'; fi
    own=$work/home
    mkdir -p "$own" "$work/targets"
    cp "$bundle" "$bundle.asc" "$work"
    chmod 755 "$work/targets"
    expect 0 sf key export "$key"
    cp "$work/out" "$work/key.asc"
    if is_root; then chown 12345:12345 "$own" "$work/targets"; fi
    cp "$program" "${program%/*}/slurm-setup" "$work/"
    # shellcheck disable=SC2086,SC2317  # words of a command; called through expect
    as() {
        (cd / && env -i PATH=/usr/bin:/bin HOME="$own" SLURM_FACTORY_CACHE_DIR="$own" \
            SLURM_FACTORY_DATA_DIR="$data" $as_user "$work/slurm-factory" "$@")
    }
    own_data
    expect 0 as key import "$work/key.asc"
    expect 0 as key trust "$key"
    # shellcheck disable=SC2016  # names, not commands
    for name in 'a space' "it's" 'a "quote"' 'ünï/größe' '$HOME;rm -rf x`id`' '-dash' 'tab	in'; do
        target=$work/targets/$name
        expect 0 as bundle install "$work/${bundle##*/}" --prefix "$target"
        said=$("$target/views/$version/sbin/slurmctld" -V) || fail "does not run in: $name"
        [ "$said" = "slurm $version" ] || fail "in '$name' slurmctld says: $said"
        rm -rf "$target"
    done
    # 3,000 bytes: deeper than sockets reach, within what the kernel takes.
    deep=$work/targets
    while [ ${#deep} -lt 2800 ]; do deep=$deep/$(printf 'x%.0s' 1 2 3 4 5 6 7 8 9 10)aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done
    while [ ${#deep} -lt 3000 ]; do deep=${deep}/b; done
    expect 0 as bundle install "$work/${bundle##*/}" --prefix "$deep"
    said=$("$deep/views/$version/sbin/slurmctld" -V) || fail 'does not run from a path of 3,000 bytes'
    [ "$said" = "slurm $version" ] || fail "from a path of 3,000 bytes slurmctld says: $said"
    # Longer than any path: refused, nothing left.
    too_long=$deep/$(printf '%01200d' 0 | sed 's/.\{100\}/&\//g')
    expect 2 as bundle install "$work/${bundle##*/}" --prefix "$too_long"
    expect_said 'too deep.*4095 is the most'
    [ ! -e "$deep/0000" ] || fail 'something is left of a path that is too long'
}

# The packages that building again takes the least time; their dependants go with them.
drop() {
    for x_package; do rm -rf "$own"/packages/"$x_package"-* "$own"/store/"$x_package"-*; done
}

case_two_at_once() {
    own_state packages
    drop lz4 munge
    build >"$work/one" 2>&1 </dev/null &
    first=$!
    keep_pid "$first"
    build >"$work/two" 2>&1 </dev/null || { cat "$work/two"; fail 'the second of two builds at once failed'; }
    wait "$first" || { cat "$work/one"; fail 'the first of two builds at once failed'; }
    for package in lz4 munge; do
        [ -d "$(echo "$own"/packages/$package-*)" ] || fail "$package is not there"
        cmp "$(echo "$own"/packages/$package-*/run.tar.zst)" "$(echo "$state"/packages/$package-*/run.tar.zst)" ||
            fail "$package differs"
    done
}

# SF_ROUNDS more pauses, up to ten seconds; the nightly run asks for some.
random_pauses() {
    od -An -v -w2 -N$((${SF_ROUNDS:-0} * 2)) -tu2 /dev/urandom | awk '{ print $1 / 6553.6 }'
}

case_killed() {
    own_state packages
    drop lz4 munge zlib
    # At moments spread over the build; each time, what is visible is whole, and at last it completes.
    for pause in 0.2 0.7 1.5 3 5 8 $(random_pauses); do
        # exec: the pid must be the program's, not that of a shell that waits for it.
        (exec env SLURM_FACTORY_CACHE_DIR="$own" "$launcher" build-slurm --slurm-version "$version" \
            --toolchain bookworm $vulnerable) >"$work/killed" 2>&1 </dev/null &
        victim=$!
        sleep "$pause"
        # It may end by itself between any two commands of ours.
        if ! kill -KILL "$victim" 2>/dev/null; then break; fi
        end_pid "$victim"
        for folder in "$own"/packages/*; do
            [ -d "$folder" ] || continue
            find "$folder" -name '*.json' -size +0 | grep -q . || fail "half made: $folder"
        done
    done
    # The sandboxes of the killed ones are gone too.
    sleep 1
    if pgrep -af -- "$own"; then
        fail 'a sandbox outlived its build'
    fi
    expect 0 build
    for package in lz4 munge zlib; do
        cmp "$(echo "$own"/packages/$package-*/run.tar.zst)" "$(echo "$state"/packages/$package-*/run.tar.zst)" ||
            fail "$package differs after the kills"
    done
    nothing_in "$own/work"
}

case_disk_full() {
    is_root || not_run 'mounting a small file system needs root'
    # While fetching: room for nothing much.
    small 3m
    expect 1 env SLURM_FACTORY_CACHE_DIR="$work/small/state" "$program" \
        toolchain prepare bookworm
    expect_said 'space|full'
    nothing_in "$work/small/state/roots/bookworm"
    umount "$work/small"
    # While fetching sources, with a root: the sources do not fit.
    small 10m
    mkdir "$work/small/state"
    ln -s "$state/roots" "$work/small/state/roots"
    expect 1 env SLURM_FACTORY_CACHE_DIR="$work/small/state" "$program" \
        build-slurm --slurm-version "$version" --toolchain bookworm $vulnerable
    expect_said 'space|full'
    nothing_in "$work/small/state/packages"
    umount "$work/small"
    # While building: the sources are there, the build does not fit.
    small 120m
    mkdir "$work/small/state"
    ln -s "$state/roots" "$work/small/state/roots"
    ln -s "$state/sources" "$work/small/state/sources"
    expect 1 env SLURM_FACTORY_CACHE_DIR="$work/small/state" "$program" \
        build-slurm --slurm-version "$version" --toolchain bookworm $vulnerable
    expect_said 'space|full'
    # While packing the bundle: the packages are there, the bundle does not fit.
    umount "$work/small"
    small 4m
    mkdir "$work/small/state"
    for folder in roots sources packages store; do
        ln -s "$state/$folder" "$work/small/state/$folder"
    done
    expect 1 env SLURM_FACTORY_CACHE_DIR="$work/small/state" "$program" \
        build-slurm --slurm-version "$version" --toolchain bookworm $vulnerable
    expect_said 'space|full'
    if ls "$work/small/state/builds"/*.tar.gz 2>/dev/null; then fail 'half a bundle is visible'; fi
    # While installing: half the tree fits.
    umount "$work/small"
    small 12m
    expect 1 sf bundle install "$bundle" --prefix "$work/small/tree"
    expect_said 'space|full'
    nothing_in "$work/small/tree" "$work/small"
}
small() {  # small SIZE: a file system of that size on $work/small
    mkdir -p "$work/small"
    mount -t tmpfs -o "size=$1" none "$work/small"
    keep_mount "$work/small"
}

"case_$case_name"
say "$case_name: fails as it should"
