// SPDX-License-Identifier: Apache-2.0
// The parts of machine.hpp that are pure: texts of the system to facts.
#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "cli/machine.hpp"

namespace sf::cli {

namespace {

// The first line "KEY<blanks><separator> value" of a text.
std::string_view value_of(std::string_view text, std::string_view key, char separator) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::size_t at = line.find(separator);
        if (at != std::string_view::npos && base::trim(line.substr(0, at)) == key)
            return base::trim(line.substr(at + 1));
    }
    return {};
}

std::set<std::string> words_of(std::string_view text) {
    std::set<std::string> words;
    for (std::string& word : base::split(text, ' ')) words.insert(std::move(word));
    return words;
}

}  // namespace

PackageManager package_manager(std::string_view os_release) {
    std::string names = base::replace_all(std::string(value_of(os_release, "ID", '=')) + " " +
                                              std::string(value_of(os_release, "ID_LIKE", '=')),
                                          "\"", "");
    const std::set<std::string> words = words_of(names);
    for (const char* name : {"debian", "ubuntu"})
        if (words.contains(name)) return PackageManager::apt;
    for (const char* name : {"rhel", "fedora", "centos", "rocky", "almalinux"})
        if (words.contains(name)) return PackageManager::dnf;
    return PackageManager::unknown;
}

std::string install_command(PackageManager manager, std::string_view tool, bool as_root) {
    struct Names {
        const char* debian;
        const char* el;
    };
    static const std::map<std::string, Names, std::less<>> packages{
        {"bwrap", {"bubblewrap", "bubblewrap"}},
        {"mmdebstrap", {"mmdebstrap", "mmdebstrap"}},
        {"apt-get", {"apt", "apt"}},
        {"newuidmap", {"uidmap", "shadow-utils"}},
        {"gpg", {"gnupg", "gnupg2"}},
        {"gpg-agent", {"gpg-agent", "gnupg2"}},
        {"gpgv", {"gpgv", "gnupg2"}},
        {"debootstrap", {"debootstrap", "debootstrap"}},
        {"ca-certificates", {"ca-certificates", "ca-certificates"}}};
    const auto found = packages.find(tool);
    const std::string other(tool);
    const std::string debian = found == packages.end() ? other : found->second.debian;
    const std::string el = found == packages.end() ? other : found->second.el;
    const char* sudo = as_root ? "" : "sudo ";
    switch (manager) {
        case PackageManager::apt: return fmt::format("{}apt-get install {}", sudo, debian);
        case PackageManager::dnf: return fmt::format("{}dnf install {}", sudo, el);
        case PackageManager::unknown: break;
    }
    return fmt::format("install what is called {} on Debian, {} on Enterprise Linux", debian, el);
}

std::string library_package(PackageManager manager, std::string_view soname) {
    struct Names {
        const char* soname;  // or how its name begins
        const char* debian;
        const char* el;
    };
    static constexpr Names libraries[] = {
        {"libpam.so.", "libpam0g", "pam"},       {"libpam_misc.so.", "libpam0g", "pam"},
        {"libgcc_s.so.", "libgcc-s1", "libgcc"}, {"libstdc++.so.", "libstdc++6", "libstdc++"},
        {"ld-linux", "libc6", "glibc"},          {"libc.so.", "libc6", "glibc"},
        {"libdl.so.", "libc6", "glibc"},         {"libm.so.", "libc6", "glibc"},
        {"libpthread.so.", "libc6", "glibc"},    {"libresolv.so.", "libc6", "glibc"},
        {"librt.so.", "libc6", "glibc"},
    };
    for (const Names& each : libraries) {
        if (!soname.starts_with(each.soname)) continue;
        switch (manager) {
            case PackageManager::apt: return each.debian;
            case PackageManager::dnf: return each.el;
            case PackageManager::unknown: break;
        }
    }
    return std::string(soname);
}

}  // namespace sf::cli
