#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# MUNGE and Slurm built a second time, in another folder, later, by another user, with other settings and
# another number of jobs, have the same bytes. Only the packages they depend on are copied over.
test_name=e2e.reproducible
. "$(dirname "$0")/lib.sh"
bundle='' version='' key=''
# shellcheck source=/dev/null
. "$facts"

other="$work/another folder/state"
mkdir -p "$other/packages" "$other/store"
for folder in sources roots; do cp -a --reflink=auto "$state/$folder" "$other/"; done
for folder in "$state"/packages/* "$state"/store/*; do
    case ${folder##*/} in
        munge-* | slurm-*) ;;
        *) cp -a --reflink=auto "$folder" "$other/$(basename "${folder%/*}")/" ;;
    esac
done
chmod 755 "$work/another folder"

# Another user, where we can be one; the program and its data where that user can read them.
as_other=
if is_root; then
    chown -R 12345:12345 "$work/another folder"
    as_other='setpriv --reuid=12345 --regid=12345 --clear-groups --'
fi
copy_data "$work/data"
cp "$program" "${program%/*}/slurm-setup" "$work/"
# shellcheck disable=SC2086  # a command and its arguments
if ! (cd / && umask 077 && env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME="$work/another folder" LANG=C TZ=Asia/Tokyo \
    SLURM_FACTORY_CACHE_DIR="$other" SLURM_FACTORY_DATA_DIR="$work/data" $as_other "$work/slurm-factory" \
    build-slurm --slurm-version "$version" --toolchain bookworm $vulnerable --jobs 3) \
    >"$work/out" 2>"$work/err" </dev/null; then
    tail -n 60 "$work/out" "$work/err"
    fail 'the second build failed'
fi

compared=0
# Those that were built second: the first state may hold Slurms of other series, too.
for twin in "$other"/packages/munge-* "$other"/packages/slurm-*; do
    package=$state/packages/${twin##*/}
    [ -d "$package" ] || fail "the second build has another identity: ${twin##*/}"
    for archive in "$package"/*.tar.*; do
        cmp "$archive" "$twin/${archive##*/}" || fail "${package##*/}: ${archive##*/} differs"
        compared=$((compared + 1))
    done
done
[ "$compared" -ge 4 ] || fail "only $compared archives were there to compare"
# The bundle as well, but for the signature of its manifest, which holds a time.
# Both by this very program: a bundle brings the installer of the program that made it.
expect 0 sf build-slurm --slurm-version "$version" --toolchain bookworm $vulnerable --signing-key "$key"
unpack() {
    mkdir "$2"
    tar -xzf "$1" -C "$2"
    find "$2/manifests" -name '*.asc' -delete
}
unpack "$bundle" "$work/first"
unpack "$(readlink -f "$other/builds/slurm-25.11-bookworm-software.tar.gz")" "$work/second"
diff -r --no-dereference "$work/first" "$work/second" || fail 'the bundles differ'
say "$compared archives of MUNGE and Slurm are byte-identical, and so is the content of the bundle"
