// SPDX-License-Identifier: Apache-2.0
#include "cache/spack_builtin.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace sf::cache {

namespace {

using Row = std::pair<std::string_view, std::string_view>;

// prrte is missing on purpose: it is possible with Spack 1.1 only. So is linux-pam, which is
// possible, because PAM is always the host's.
constexpr std::array build_systems{
    Row{"bzip2", "generic"},      Row{"curl", "autotools"},       Row{"dbus", "meson"},
    Row{"expat", "autotools"},    Row{"glib", "meson"},           Row{"glibc", "autotools"},
    Row{"hdf5", "cmake"},         Row{"http-parser", "makefile"}, Row{"hwloc", "autotools"},
    Row{"jansson", "cmake"},      Row{"json-c", "cmake"},         Row{"krb5", "autotools"},
    Row{"libevent", "autotools"}, Row{"libfabric", "autotools"},  Row{"libffi", "autotools"},
    Row{"libjwt", "autotools"},   Row{"libnl", "autotools"},      Row{"libyaml", "autotools"},
    Row{"lua", "makefile"},       Row{"lz4", "makefile"},         Row{"mariadb", "cmake"},
    Row{"munge", "autotools"},    Row{"ncurses", "autotools"},    Row{"nghttp2", "autotools"},
    Row{"numactl", "autotools"},  Row{"openmpi", "autotools"},    Row{"openssl", "generic"},
    Row{"pcre2", "autotools"},    Row{"perl", "generic"},         Row{"pmix", "autotools"},
    Row{"rdma-core", "cmake"},    Row{"readline", "autotools"},   Row{"slurm", "autotools"},
    Row{"ucx", "autotools"},      Row{"xz", "autotools"},         Row{"zlib", "makefile"},
    Row{"zlib-ng", "autotools"},  Row{"zstd", "makefile"},
};

// libmariadb would be mariadb-c-client there. The last three are needed for building only: nothing
// runs with them, so they lie inside nobody's prefix.
constexpr std::array<std::string_view, 6> kept_private{
    "freeipmi", "libmariadb", "librdkafka", "flex", "level-zero-headers", "rocm-smi-headers"};

// Of Debian and its like Spack takes os-release's number up to the first dot, of Ubuntu up to the
// second.
constexpr std::array systems{
    Row{"bookworm", "debian12"},  Row{"trixie", "debian13"},    Row{"focal", "ubuntu20.04"},
    Row{"jammy", "ubuntu22.04"},  Row{"noble", "ubuntu24.04"},  Row{"resolute", "ubuntu26.04"},
    Row{"rockylinux8", "rocky8"}, Row{"rockylinux9", "rocky9"}, Row{"rockylinux10", "rocky10"},
};

template <class Rows>
std::optional<std::string_view> look_up(const Rows& rows, std::string_view key) {
    const auto found = std::ranges::find(rows, key, &Row::first);
    if (found == rows.end()) return std::nullopt;
    return found->second;
}

}  // namespace

std::optional<std::string_view> builtin_build_system(std::string_view name) {
    return look_up(build_systems, name);
}

bool is_private_to_spack(std::string_view name) {
    return std::ranges::find(kept_private, name) != kept_private.end();
}

std::optional<std::string_view> spack_platform_os(std::string_view toolchain) {
    return look_up(systems, toolchain);
}

}  // namespace sf::cache
