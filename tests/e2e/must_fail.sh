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

# What is installed takes libraries from the distribution; doctor says which are not there, and what brings them.
case_missing_libraries() {
    is_root || not_run 'taking a library away needs root'
    target=$work/target
    mkdir "$target" "$work/upper" "$work/layer"
    expect 0 sf bundle install "$bundle" --prefix "$target"
    sf doctor --prefix "$target" >"$work/out" 2>"$work/err" || x_code=$?  # this machine may lack something else
    expect_said "^OK +installed +slurm $version in $target: the [0-9]+ libraries" '^(OK|NOTE) +perl' \
        '^OK +built packages +the [0-9]+ built here for '
    expect 1 without_pam doctor --prefix "$target"
    expect_said "^MISSING +installed +slurm $version in $target does not run here: libpam\.so\.0" \
        '-> (sudo )?apt-get install libpam0g$' '^NOTE +built packages .* does not run here: libpam\.so\.0'
    expect 1 sf doctor --prefix "$work/upper"
    expect_said "^MISSING +installed +nothing was installed to $work/upper"
}
# shellcheck disable=SC2016  # for the inner shell
without_pam() {
    unshare --mount sh -c '
        libraries=/usr/lib/x86_64-linux-gnu
        mount -t overlay -o "lowerdir=$libraries,upperdir=$0/upper,workdir=$0/layer" none "$libraries" &&
            rm "$libraries"/libpam.so.0* && exec "$@"' "$work" \
        env SLURM_FACTORY_CACHE_DIR="$state" "$program" "$@"
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
        change_bit "$copy" "$place"
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
        change_bit "$copy.asc" "$place"
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

# What a person keeps secret, each part of it with the word of this run in it.
plant_secrets() {
    canary=CANARY$(od -An -v -N8 -tx1 /dev/urandom | tr -d ' \n')
    proxy=http://user:$canary-proxy@127.0.0.1:9/
    (umask 077 && printf '%s' "$canary-passphrase" >"$work/$canary-file")
}
with_secrets() {
    env "AWS_ACCESS_KEY_ID=$canary-id" "AWS_SECRET_ACCESS_KEY=$canary-aws" "AWS_SESSION_TOKEN=$canary-session" \
        "http_proxy=$proxy" "https_proxy=$proxy" no_proxy= "CI_JOB_TOKEN=$canary-token" \
        SLURM_FACTORY_DATA_DIR="${data:-$repository}" SLURM_FACTORY_CACHE_DIR="$own" "$program" "$@"
}
# no_secrets PATH...: none of it is in these, nor in what the last expect said.
no_secrets() {
    printf '%s\n' "$canary" >"$work/patterns"
    if [ -s "$work/key" ]; then cat "$work/key" >>"$work/patterns"; fi
    for x_path in "$work/out" "$work/err" "$@"; do
        [ -e "$x_path" ] || continue
        x_code=0
        grep -rlaFf "$work/patterns" "$x_path" || x_code=$?
        [ "$x_code" = 1 ] || fail "a secret is in these, or $x_path cannot be read"
    done
}
# Unpacks what the last expect named into $work/debug.
debug_bundle() {
    x_file=$(cat "$work/out" "$work/err" | sed -n 's/.*debug bundle: \([^ ]*\) .*/\1/p')
    [ -s "$x_file" ] || fail 'no debug bundle is named'
    rm -rf "$work/debug"
    mkdir "$work/debug"
    zstd -qdc "$x_file" | tar -x -C "$work/debug" --strip-components 1
}

# A step fails that shows all it was given: where to look is said, and nothing that the person keeps secret is in
# what is there to be looked at, or to be sent to others.
case_failed_step() {
    own_state packages
    own_data
    plant_secrets
    # shellcheck disable=SC2016  # for the step's shell
    sed -i 's#^  install: .*#&\n  after_install: ["env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline || echo some are hidden; echo seen by the step; exit 3"]#' \
        "$data/recipes/libyaml/recipe.yaml"
    source=$(find "$own/sources/sha256" -name 'libyaml-*.tar.gz')
    mkdir "$work/mirror"
    cp "$source" "$work/mirror/"
    expect 0 with_secrets key create --name Nobody --email nobody@example.org --passphrase-file "$work/$canary-file"
    no_secrets
    key=$(grep -oE '\b[0-9A-F]{40}\b' "$work/out" | head -n 1)
    expect 0 with_secrets key trust "$key"
    # As gpg keeps it: lines of the protected key, in hexadecimal.
    grep -hoE '[0-9A-F]{32,}' "$own"/keys/gnupg/private-keys-v1.d/* >"$work/key" || fail 'the secret key is kept otherwise'
    printf '# %s-comment\nsource-mirror: ["http://user:%s-config@127.0.0.1:9/", "%s"]\npassphrase-file: "%s"\n' \
        "$canary" "$canary" "$work/mirror" "$work/$canary-file" >"$work/config.yaml"

    rm "$source"
    expect 1 with_secrets --config "$work/config.yaml" -v \
        build-slurm --slurm-version "$version" --toolchain bookworm $vulnerable --signing-key "$key"
    expect_said 'from http://\*\*\*@127\.0\.0\.1:9/' 'of libyaml-.* failed: exit status 3' 'seen by the step' \
        'next: the whole log is .*/libyaml-.*\.log$' 'debug bundle: .*/debug\.tar\.zst '
    if grep -q 'was kept' "$work/out" "$work/err"; then fail 'a folder is said to be kept that nobody asked for'; fi
    nothing_in "$own/work"
    debug_bundle
    jq -e '[.packages[] | select(.state == "failed")] | length == 1 and (.[0].error | test("exit status 3"))' \
        "$work/debug/plan.json" >/dev/null || fail "the plan does not say what failed: $(cat "$work/debug/plan.json")"
    jq -e '.program and .kernel and .root_digest' "$work/debug/machine.json" >/dev/null || fail 'the machine is not told'
    for name in environment.txt found/src_config.log; do
        [ -s "$(echo "$work"/debug/logs/libyaml-*/$name)" ] || fail "not in the debug bundle: $name"
    done
    # The step did see an environment and processes, and shows them.
    grep -qa 'SF_PREFIX=' "$work"/debug/logs/libyaml-*/[0-9]*-*.log || fail 'the log does not show what the step saw'
    grep -qa 'seen by the step' "$work"/debug/logs/libyaml-*/[0-9]*-*.log || fail 'the log of the step is not whole'
    no_secrets "$work/debug" "$own/logs" "$own/work" "$own/locks" "$own/sources/partial"

    say '== --keep-failed'
    rm "$source"
    expect 1 with_secrets --json build-slurm --slurm-version "$version" --toolchain bookworm $vulnerable --signing-key "$key" \
        --passphrase-file "$work/$canary-file" --keep-failed \
        --source-mirror "http://user:$canary-flag@127.0.0.1:9/?token=$canary-query" --source-mirror "$work/mirror"
    expect_said 'from http://\*\*\*@127\.0\.0\.1:9/' \
        'next: the whole log is .*; the build folder was kept: .* \(slurm-factory clean deletes it\)$'
    folder=$(sed -n 's/^ *next: .*the build folder was kept: \([^ ]*\) (.*/\1/p' "$work/err")
    case $folder in "$own"/work/libyaml-*) ;; *) fail "an odd place for a build folder: $folder" ;; esac
    [ -s "$folder/build/src/config.log" ] || fail "the build folder is not there: $folder"
    no_secrets "$own/logs" "$own/work" "$own/locks" "$own/sources/partial"
    expect 0 own_sf clean
    expect_said 'unfinished builds +1 '
    [ ! -e "$folder" ] || fail 'clean leaves the build folder'
}

# Nobody answers: the log of the root's making is in the debug bundle, and the way out stays secret.
case_failed_root() {
    own=$work/state
    plant_secrets
    expect 1 with_secrets toolchain prepare bookworm --mirror http://127.0.0.1:9/debian
    [ -e "$own/roots/bookworm/prepare.log" ] || not_run 'the keyring of Debian is not on this machine'
    expect_said 'does not answer' 'the whole log is .*/prepare\.log' 'debug bundle: .*/debug\.tar\.zst '
    debug_bundle
    x_held=$(cd "$work/debug" && find . -type f | sort | tr '\n' ' ')
    [ "$x_held" = './failure.json ./machine.json ./prepare.log ' ] || fail "the debug bundle holds: $x_held"
    cmp "$work/debug/prepare.log" "$own/roots/bookworm/prepare.log"
    grep -q 'http_proxy=.*\*\*\*@127\.0\.0\.1:9' "$work/debug/prepare.log" || fail 'no proxy was asked'
    no_secrets "$work/debug" "$own"
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
