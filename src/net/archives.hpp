// SPDX-License-Identifier: Apache-2.0
// Where distributions keep their packages and source, found on this machine at run time: no address
// of an archive is ever written down in the program. Looked for in this order: what the caller
// gives, apt's configuration, the configuration of prepared roots, debootstrap's scripts. Parsers
// are pure and total; ArchiveFinder reads files and runs apt-get, remembers what it found, and is
// thread-safe.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/synced.hpp"

namespace sf::net {

// One entry of apt's configuration: an address with a suite of it.
struct AptSource {
    std::string uri;    // without trailing "/"
    std::string suite;  // "bookworm-security"; may be empty if it is not told
    bool operator==(const AptSource&) const = default;
};

// One-line style: "deb [options] uri suite component…"; comments, deb-src and other lines are
// skipped.
[[nodiscard]] std::vector<AptSource> parse_sources_list(std::string_view text);
// deb822 style (*.sources); disabled stanzas are skipped.
[[nodiscard]] std::vector<AptSource> parse_deb822(std::string_view text);
// Lines "uri suite", as indextargets prints them with our format.
[[nodiscard]] std::vector<AptSource> parse_indextargets(std::string_view text);

// The default_mirror that a debootstrap script names for a suite on amd64, and the family it is of
// by its keyring ("debian", "ubuntu", …); empty where the script does not say.
struct ScriptFacts {
    std::string family;
    std::string mirror;
};
[[nodiscard]] ScriptFacts parse_debootstrap_script(std::string_view text, std::string_view suite);
// DEF_MIRROR of the debootstrap program itself: the mirror of scripts that name none.
[[nodiscard]] std::string parse_debootstrap_default(std::string_view text);

// "debian" for http://any.host/debian and for its -security twin, "ubuntu" likewise; else "".
[[nodiscard]] std::string family_of(const AptSource& source);
[[nodiscard]] bool is_security(const AptSource& source);

struct ArchiveOptions {
    // By family, tried first: a site's own mirror. Read from the environment by the caller.
    std::map<std::string, std::vector<std::string>> given;
    std::map<std::string, std::vector<std::string>> given_security;
    std::vector<std::filesystem::path> roots;  // prepared roots, unpacked
    std::vector<std::string> suites;           // whose debootstrap scripts are asked first
    // Where to look; tests point elsewhere.
    std::filesystem::path machine = "/";
    bool ask_apt = true;  // run apt-get indextargets before reading files
};

class ArchiveFinder {
public:
    explicit ArchiveFinder(ArchiveOptions options) : x_options(std::move(options)) {}

    // Addresses without trailing "/", without duplicates, best first; below each is "pool/" and
    // "dists/". Empty: none is known on this machine.
    [[nodiscard]] std::vector<std::string> archive_addresses(const std::string& family);
    [[nodiscard]] std::vector<std::string> security_addresses(const std::string& family);

private:
    struct Known {
        bool asked = false;
        std::map<std::string, std::vector<std::string>> archive;
        std::map<std::string, std::vector<std::string>> security;
    };
    void find(Known& known) const;

    ArchiveOptions x_options;
    base::Synced<Known> x_known;
};

}  // namespace sf::net
