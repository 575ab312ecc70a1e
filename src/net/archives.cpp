// SPDX-License-Identifier: Apache-2.0
#include "net/archives.hpp"

#include <algorithm>
#include <set>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "net/debootstrap.hpp"

namespace sf::net {

namespace {

namespace fs = std::filesystem;

// Finding addresses is looking around: what is not there or not readable is passed over, and in the
// end the caller sees that no address is known.
std::string text_of(const fs::path& file) {
    auto text = base::read_file_if_exists(file, std::uint64_t{4} << 20);
    return text && *text ? std::move(**text) : std::string();
}

std::vector<std::string> names_in(const fs::path& folder) {
    auto names = base::list_dir(folder);
    return names ? std::move(*names) : std::vector<std::string>();
}

void append(std::vector<AptSource>& to, std::vector<AptSource> from) {
    to.insert(to.end(), from.begin(), from.end());
}

std::vector<AptSource> configured_below(const fs::path& root) {
    std::vector<AptSource> sources = parse_sources_list(text_of(root / "etc/apt/sources.list"));
    const fs::path folder = root / "etc/apt/sources.list.d";
    for (const std::string& name : names_in(folder)) {
        if (name.ends_with(".list")) append(sources, parse_sources_list(text_of(folder / name)));
        if (name.ends_with(".sources")) append(sources, parse_deb822(text_of(folder / name)));
    }
    return sources;
}

// apt's own view of its configuration: includes, variables and defaults resolved.
std::vector<AptSource> told_by_apt() {
    const auto program = base::find_program("apt-get");
    if (!program) return {};
    base::Command command;
    command.argv = {program->string(), "indextargets", "--format", "$(REPO_URI) $(RELEASE)"};
    command.environment["LC_ALL"] = "C.UTF-8";
    command.deadline = std::chrono::seconds(20);
    const auto finished = base::run(command);
    if (!finished || !finished->exit.ok()) return {};
    return parse_indextargets(finished->out);
}

void add_unique(std::vector<std::string>& to, std::string address) {
    while (address.ends_with('/')) address.pop_back();
    if (!address.empty() && std::find(to.begin(), to.end(), address) == to.end()) {
        to.push_back(std::move(address));
    }
}

}  // namespace

std::vector<std::string> ArchiveFinder::archive_addresses(const std::string& family) {
    auto known = x_known.lock();
    if (!known->asked) find(*known);
    return known->archive[family];
}

std::vector<std::string> ArchiveFinder::security_addresses(const std::string& family) {
    auto known = x_known.lock();
    if (!known->asked) find(*known);
    return known->security[family];
}

void ArchiveFinder::add(Known& known, const AptSource& source) const {
    std::string family;
    for (const auto& [candidate, releases] : x_options.releases) {
        const std::string release = release_of(source.suite);
        if (std::find(releases.begin(), releases.end(), release) != releases.end() &&
            !source.uri.ends_with("-ports")) {
            family = candidate;
        }
    }
    if (family.empty()) family = family_of(source);
    if (family.empty()) return;
    add_unique((is_security(source) ? known.security : known.archive)[family], source.uri);
}

void ArchiveFinder::add_debootstrap(Known& known) const {
    const fs::path folder = x_options.machine / "usr/share/debootstrap/scripts";
    const AptSource default_mirror{
        parse_debootstrap_default(text_of(x_options.machine / "usr/sbin/debootstrap")), ""};
    for (const auto& [family, releases] : x_options.releases) {
        for (const std::string& release : releases) {
            if (release.find('/') != std::string::npos) continue;
            const ScriptFacts facts = parse_debootstrap_script(text_of(folder / release), release);
            if (facts.family != family) continue;
            if (!facts.mirror.empty()) {
                add_unique(known.archive[family], facts.mirror);
            } else if (family_of(default_mirror) == family) {
                add_unique(known.archive[family], default_mirror.uri);
            }
        }
    }
}

void ArchiveFinder::find(Known& known) const {
    known.asked = true;
    for (const auto& [given, known_of] : {std::pair{&x_options.given, &known.archive},
                                          std::pair{&x_options.given_security, &known.security}}) {
        for (const auto& [family, addresses] : *given) {
            for (const std::string& address : addresses) add_unique((*known_of)[family], address);
        }
    }
    std::vector<AptSource> sources;
    if (x_options.machine == "/") sources = told_by_apt();
    if (sources.empty()) sources = configured_below(x_options.machine);
    for (const fs::path& root : x_options.roots) append(sources, configured_below(root));
    for (const AptSource& source : sources) add(known, source);
    add_debootstrap(known);
    for (const AptSource& source :
         parse_mmdebstrap(text_of(x_options.machine / "usr/bin/mmdebstrap"))) {
        add(known, source);
    }
}

}  // namespace sf::net
