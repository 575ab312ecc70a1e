#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Says which packages this machine lacks for the named purposes, and installs them.
#
#   tools/bootstrap.sh [--no-bootstrap] PURPOSE...      purposes: build run test long fuzz bench
#
# What counts is the thing itself (a command, a header, a file), not the package that brought it.
# With --no-bootstrap only the command is printed. Exit 0: nothing is missing any more; 1: it is.
# Debian and Ubuntu names are proven by use; the EL names are the best known (EPEL and CRB/PowerTools
# must be enabled there).
set -u

# purpose  probe                                             Debian, Ubuntu        EL
table() {
    cat <<'TABLE'
build  cmd:g++                                               g++                   gcc-c++
build  cmd:cmake                                             cmake                 cmake
build  cmd:ninja                                             ninja-build           ninja-build
build  cmd:pkg-config                                        pkg-config            pkgconf-pkg-config
build  cmd:flock                                             util-linux            util-linux
build  header:CLI/CLI.hpp                                    libcli11-dev          cli11-devel
build  header:fmt/format.h                                   libfmt-dev            fmt-devel
build  header:nlohmann/json.hpp                              nlohmann-json3-dev    json-devel
build  header:yaml-cpp/yaml.h                                libyaml-cpp-dev       yaml-cpp-devel
build  header:tl/expected.hpp                                libexpected-dev       expected-devel
build  header:archive.h                                      libarchive-dev        libarchive-devel
build  header:zstd.h                                         libzstd-dev           libzstd-devel
build  header:curl/curl.h                                    libcurl4-openssl-dev  libcurl-devel
build  header:openssl/evp.h                                  libssl-dev            openssl-devel
build  header:libelf.h                                       libelf-dev            elfutils-libelf-devel
build  header:seccomp.h                                      libseccomp-dev        libseccomp-devel
run    cmd:mmdebstrap                                        mmdebstrap            mmdebstrap
run    cmd:bwrap                                             bubblewrap            bubblewrap
run    cmd:newuidmap                                         uidmap                shadow-utils
run    cmd:gpg                                               gnupg                 gnupg2
run    cmd:gpg-agent                                         gpg-agent             gnupg2
run    cmd:gpgv                                              gpgv                  gnupg2
run    cmd:zstd                                              zstd                  zstd
run    cmd:xz                                                xz-utils              xz
run    file:/etc/ssl/certs/ca-certificates.crt               ca-certificates       ca-certificates
run    file:/usr/share/keyrings/debian-archive-keyring.gpg   debian-archive-keyring debian-keyring
run    file:/usr/share/debootstrap/scripts/bookworm          debootstrap           debootstrap
test   header:gtest/gtest.h                                  libgtest-dev          gtest-devel
test   header:gmock/gmock.h                                  libgmock-dev          gmock-devel
test   cmd:git                                               git                   git
test   cmd:make                                              make                  make
test   cmd:clang-format                                      clang-format          clang-tools-extra
test   cmd:clang-tidy                                        clang-tidy            clang-tools-extra
test   cmd:shellcheck                                        shellcheck            ShellCheck
test   cmd:ccache                                            ccache                ccache
test   cmd:dockerd                                           docker.io             docker
test   cmd:ip                                                iproute2              iproute
test   cmd:curl                                              curl                  curl
test   cmd:jq                                                jq                    jq
test   cmd:man                                               man-db                man-db
test   cmd:readelf                                           binutils              binutils
test   cmd:nginx                                             nginx-light           nginx
test   cmd:openssl                                           openssl               openssl
test   cmd:mariadbd                                          mariadb-server-core   mariadb-server
test   cmd:mariadb-install-db                                mariadb-server-core   mariadb-server
test   cmd:mariadb                                           mariadb-client-core   mariadb
test   cmd:perl                                              perl                  perl
test   cmd:mkfs.ext4                                         e2fsprogs             e2fsprogs
test   header:fuse3/fuse.h                                   libfuse3-dev          fuse3-devel
long   cmd:qemu-system-x86_64                                qemu-system-x86       qemu-kvm-core
fuzz   cmd:clang++                                           clang                 clang
bench  cmd:time                                              time                  time
TABLE
}

present() {
    case $1 in
        cmd:*)
            command -v "${1#cmd:}" >/dev/null 2>&1 ||
                [ -x "/usr/sbin/${1#cmd:}" ] || [ -x "/sbin/${1#cmd:}" ] ;;
        header:*)
            for folder in /usr/local/include /usr/include /usr/include/*-linux-gnu*; do
                [ -e "$folder/${1#header:}" ] && return 0
            done
            return 1 ;;
        file:*) [ -e "${1#file:}" ] ;;
    esac
}

only_print=
wanted=
for word; do
    case $word in
        --no-bootstrap) only_print=1 ;;
        build | run | test | long | fuzz | bench) wanted="$wanted $word" ;;
        *) echo "usage: bootstrap.sh [--no-bootstrap] build|run|test|long|fuzz|bench..." >&2; exit 2 ;;
    esac
done

if command -v apt-get >/dev/null 2>&1; then
    manager=apt
elif command -v dnf >/dev/null 2>&1; then
    manager=dnf
else
    manager=
fi

missing=$(table | while read -r purpose probe debian el; do
    case " $wanted " in *" $purpose "*) ;; *) continue ;; esac
    present "$probe" && continue
    if [ "$manager" = dnf ]; then echo "$el"; else echo "$debian"; fi
done | sort -u | tr '\n' ' ')
missing=${missing% }
[ -n "$missing" ] || exit 0

case $manager in
    apt) command="apt-get install -y --no-install-recommends $missing" ;;
    dnf) command="dnf install -y $missing" ;;
    *)
        echo "slurm-factory: this machine lacks (Debian names): $missing" >&2
        echo "slurm-factory: it has neither apt-get nor dnf; please install them by hand" >&2
        exit 1 ;;
esac

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1; then
    as_root=sudo
    [ -t 0 ] || as_root='sudo -n'  # nobody is there to type a password
else
    as_root=
    only_print=1
fi

echo "slurm-factory: this machine lacks: $missing" >&2
if [ -n "$only_print" ]; then
    echo "slurm-factory: to install it, run as root:" >&2
    echo "    $command" >&2
    exit 1
fi

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

install_missing() {
    # shellcheck disable=SC2086  # lists of plain words
    case $manager in
        apt) $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 \
                 -y --no-install-recommends install $missing ;;
        dnf) $as_root dnf install -y $missing ;;
    esac >>"$log" 2>&1 </dev/null
}

refresh_lists() {
    [ "$manager" = apt ] || return 1
    for pause in 2 5 10 20 0; do  # apt-get update does not wait for its lock
        # shellcheck disable=SC2086
        $as_root apt-get -o Acquire::Retries=3 update >>"$log" 2>&1 </dev/null && return 0
        sleep "$pause"
    done
    return 1
}

echo "slurm-factory: installing it${as_root:+ through sudo} ..." >&2
# The first try fails where the package lists are absent or older than the archive.
if install_missing || { refresh_lists && install_missing; }; then
    exit 0
fi
echo "slurm-factory: the installation failed; its last lines:" >&2
tail -n 20 "$log" >&2
echo "slurm-factory: once that is mended, run as root:" >&2
echo "    $command" >&2
exit 1
