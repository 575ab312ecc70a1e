// SPDX-License-Identifier: Apache-2.0
// Z11: the texts in which a machine says where packages come from: apt's three, debootstrap's
// scripts, mmdebstrap. Whatever they hold, what is found are addresses.
#include "net/apt_sources.hpp"

#include "fuzz/fuzz.hpp"
#include "net/debootstrap.hpp"
#include "net/url.hpp"

using namespace sf;

namespace {

void check(const std::vector<net::AptSource>& sources) {
    for (const net::AptSource& source : sources) {
        fuzz::require(net::Url::parse(source.uri).has_value(), "what is found is an address");
        fuzz::require(!source.uri.ends_with('/'), "… without a slash at its end");
        const std::string family = net::family_of(source);
        fuzz::require(family.empty() || family == "debian" || family == "ubuntu",
                      "a family is one we know");
        static_cast<void>(net::is_security(source));
        static_cast<void>(net::release_of(source.suite));
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::text_of(data, size);
    check(net::parse_sources_list(text));
    check(net::parse_deb822(text));
    check(net::parse_indextargets(text));
    check(net::parse_mmdebstrap(text));
    const net::ScriptFacts facts = net::parse_debootstrap_script(text, "bookworm-backports");
    for (const std::string& mirror : {facts.mirror, net::parse_debootstrap_default(text)})
        fuzz::require(mirror.empty() || net::Url::parse(mirror).has_value(),
                      "a mirror is an address");
    return 0;
}
