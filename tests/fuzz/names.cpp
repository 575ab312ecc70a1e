// SPDX-License-Identifier: Apache-2.0
// Z9: names and versions from outside, before they become paths; the order of versions; and what is
// printed of hostile text. Lines: name, version, another version, glob.
#include "model/names.hpp"

#include "base/text.hpp"
#include "fuzz/fuzz.hpp"
#include "recipe/stack_reader.hpp"

using namespace sf;

namespace {

// One component of a path, and of a shell's command line, and of a file list.
void check_component(std::string_view name) {
    fuzz::require(!name.empty() && name.size() <= 64, "a name has a length");
    for (const char c : name)
        fuzz::require(c > ' ' && c < 127 && c != '/' && c != '\\' && c != '\'' && c != '"' &&
                          c != '$' && c != '`' && c != ';' && c != '*',
                      "a name is harmless in paths and shells");
    fuzz::require(name.front() != '-' && name.front() != '.', "a name is no option, not hidden");
    fuzz::require(name.find("..") == std::string_view::npos, "a name does not go up");
}

void check_order(std::string_view left, std::string_view right) {
    const int forth = base::compare_versions(left, right);
    const int back = base::compare_versions(right, left);
    fuzz::require((forth > 0) == (back < 0) && (forth == 0) == (back == 0),
                  "versions have one order");
    fuzz::require(base::compare_versions(left, left) == 0, "a version is as new as itself");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::text_of(data, size);
    fuzz::Bytes input(text);
    const std::string_view name = input.line();
    const std::string_view version = input.line();
    const std::string_view other = input.line();
    const std::string_view glob = input.line();
    if (model::check_name(name, "name")) check_component(name);
    if (model::check_version(version)) {
        check_component(version);
        const std::string series = model::series_of(version);
        fuzz::require(version.starts_with(series), "a series begins its versions");
    }
    check_order(version, other);
    check_order(other, name);
    static_cast<void>(base::glob_match(glob, name));
    static_cast<void>(recipe::is_iso_date(version));
    static_cast<void>(base::did_you_mean(name.substr(0, 200), {std::string(other), "build-slurm"}));

    const std::string shown = base::escape_untrusted(text);
    for (const char c : shown)
        fuzz::require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f,
                      "nothing printed drives a terminal");
    fuzz::require(base::escape_untrusted(shown) == shown, "what is printable stays as it is");
    fuzz::require(base::join(base::split(text, '/'), "/") == text, "split and join are inverse");
    return 0;
}
