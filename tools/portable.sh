#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The program as one archive that runs where nothing of it is installed: with its data, its manual page, and the
# libraries it needs but glibc's, each with its licence. Machines with this machine's glibc or a newer one, amd64,
# can use it; for verifying signatures they need GnuPG (gpg and gpgv).
#
#   tools/portable.sh [FOLDER]     default: build/portable; prints the archive's path
set -eu
cd "$(dirname "$0")/.."
folder=${1:-build/portable}
fail() { echo "portable.sh: $*" >&2; exit 1; }

./slurm-factory --version >&2
version=$(./slurm-factory --version | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1)
name=slurm-factory-$version-linux-$(uname -m | sed 's/x86_64/amd64/')
mkdir -p "$folder"
stage=$(mktemp -d "$folder/.new.XXXXXX")
trap 'rm -rf "$stage"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 755 "$stage"
tree=$stage/$name
(umask 022 && cmake --install build/release --strip --prefix "$tree") >&2
lib=$tree/lib/slurm-factory
doc=$tree/share/doc/slurm-factory
mkdir -p "$lib" "$doc/libraries"

# What ldd finds on this machine, all but glibc's own, which go with the kernel's side of a machine.
ldd "$tree/bin/slurm-factory" >"$stage/ldd"
! grep 'not found' "$stage/ldd" >&2 || fail 'a library is missing on this machine'
sed -n 's/^[[:space:]]*\([^ ]*\) => \(\/[^ ]*\) .*/\1 \2/p' "$stage/ldd" | while read -r soname path; do
    case $soname in
        libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | libresolv.so.* | ld-linux*) continue ;;
    esac
    install -m 644 "$(readlink -f "$path")" "$lib/$soname"
    # Whose it is, and under which licence it may be passed on.
    if command -v dpkg-query >/dev/null 2>&1; then
        package=$(dpkg-query -S "$(readlink -f "$path")" "*/${path##*/}" 2>/dev/null | sed -n '1s/:.*//p')
        [ -n "$package" ] || fail "$path belongs to no package: its licence is not known"
        cp -L "/usr/share/doc/$package/copyright" "$doc/libraries/$package.copyright"
        dpkg-query -W -f '${Package} ${Version} ${source:Package} ${source:Version}\n' "$package"
    else
        rpm -qf --qf '%{NAME} %{VERSION}-%{RELEASE} %{SOURCERPM} %{LICENSE}\n' "$path"
    fi >>"$stage/libraries"
done
{
    echo '# package of a library, its version, its source package and version'
    sort -u "$stage/libraries"
} >"$doc/libraries/list"

# It has to start without this machine's libraries: nothing but glibc comes from outside.
LD_TRACE_LOADED_OBJECTS=1 "$tree/bin/slurm-factory" >"$stage/trace"
if grep '=> /' "$stage/trace" | grep -v -F -e '/bin/../lib/slurm-factory/' |
    grep -v '^[[:space:]]*lib\(c\|m\|dl\|pthread\|rt\|resolv\)\.so\.' >&2; then fail 'these come from outside'; fi

archive=$folder/$name.tar.gz
epoch=$(git log -1 --format=%ct 2>/dev/null || echo 0)
tar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --format=posix \
    --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime -C "$stage" -cf - "$name" |
    gzip -9n >"$stage/archive"
mv -f "$stage/archive" "$archive"
(cd "$folder" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "$archive"
