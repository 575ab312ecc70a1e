// SPDX-License-Identifier: Apache-2.0
// What this machine must have before a root can be made on it.
#include <array>
#include <charconv>
#include <pwd.h>
#include <unistd.h>

#include "base/text.hpp"
#include "sandbox/root_request.hpp"

namespace sf::sandbox {

namespace {

using base::Code;
using base::Status;

constexpr std::uint64_t ids_needed = 65536;

std::string user_name() {
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, 16384> room;
    if (::getpwuid_r(::getuid(), &entry, room.data(), room.size(), &found) == 0 && found != nullptr)
        return found->pw_name;
    return std::to_string(::getuid());
}

// Lines "NAME:first:count" of /etc/subuid and /etc/subgid.
bool has_range(const base::fs::path& file, const std::string& name) {
    const auto text = base::read_file_if_exists(file);
    if (!text || !*text) return false;
    const auto uid = std::to_string(::getuid());
    for (const auto& line : base::split(**text, '\n')) {
        const auto fields = base::split(line, ':');
        if (fields.size() != 3 || (fields[0] != name && fields[0] != uid)) continue;
        std::uint64_t count = 0;
        std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), count);
        if (count >= ids_needed) return true;
    }
    return false;
}

// A directory service may hand the ranges out instead of the files.
bool ranges_come_from_elsewhere() {
    const auto text = base::read_file_if_exists("/etc/nsswitch.conf");
    if (!text || !*text) return false;
    for (const auto& line : base::split(**text, '\n'))
        if (base::trim(line).starts_with("subid:")) return true;
    return false;
}

Status check_user_tools() {
    for (const char* tool : {"newuidmap", "newgidmap"})
        if (!base::find_program(tool))
            return base::fail_hint(
                Code::absent,
                fmt::format("{} is not installed; without root a root file system cannot be made "
                            "without it",
                            tool),
                "as root: apt-get install uidmap");
    const auto name = user_name();
    if (ranges_come_from_elsewhere() ||
        (has_range("/etc/subuid", name) && has_range("/etc/subgid", name)))
        return {};
    return base::fail_hint(
        Code::absent,
        fmt::format("user {} has no range of {} subordinate user and group ids in /etc/subuid and "
                    "/etc/subgid",
                    name, ids_needed),
        fmt::format("as root: usermod --add-subuids 200000-265535 --add-subgids 200000-265535 {} "
                    "(any range nobody else has)",
                    base::shell_quote(name)));
}

}  // namespace

Status check_root_tools(const RootRequest& request, bool as_root) {
    if (!base::find_program("mmdebstrap"))
        return base::fail_hint(Code::absent,
                               "mmdebstrap, which makes root file systems, is not installed",
                               "as root: apt-get install mmdebstrap");
    if (!base::find_program("apt-get"))
        return base::fail_hint(
            Code::absent, "apt, which fetches and verifies packages, is not installed",
            "as root: apt-get install apt, or make roots on a Debian or Ubuntu machine");
    const auto& keyring = request.toolchain.keyring;
    const base::fs::path file =
        request.keyring.empty() ? base::fs::path(keyring.file) : request.keyring;
    if (::access(file.c_str(), R_OK) != 0)
        return base::fail_hint(
            Code::absent,
            fmt::format("the keyring {} is not here: packages of {} cannot be verified",
                        base::escape_untrusted(file.string()), request.toolchain.title),
            fmt::format("as root: apt-get install {} (where this release has no such package, that "
                        "of its backports or of the next release serves as well)",
                        base::escape_untrusted(keyring.package)));
    return as_root ? Status{} : check_user_tools();
}

}  // namespace sf::sandbox
