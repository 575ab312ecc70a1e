// SPDX-License-Identifier: Apache-2.0
#include "sandbox/root_request.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace sf::sandbox {

namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::string_view name_letters = "abcdefghijklmnopqrstuvwxyz0123456789+.-";

// Everything that becomes an argument of apt or a line of its configuration is checked before: apt
// gives meaning to "?", "~", "/" and "=" in names of packages, and to "[" and "]" in source lines.
bool is_name(std::string_view text) {
    return !text.empty() && text.front() != '-' && text.front() != '+' && text.front() != '.' &&
           text.find_first_not_of(name_letters) == std::string_view::npos;
}

Status check_names(const std::vector<std::string>& names, std::string_view what) {
    if (names.empty()) return base::fail(Code::usage, "the toolchain names no {}", what);
    for (const auto& name : names) {
        if (!is_name(name))
            return base::fail(Code::usage, "'{}' is no name of a {}", base::escape_untrusted(name),
                              what);
        // "name-" and "name+" are orders to apt, but g++ and its like are packages.
        if (name.ends_with('-') || (name.ends_with('+') && !name.ends_with("++")))
            return base::fail(Code::usage, "'{}' would be an order to apt, not a {}", name, what);
    }
    return {};
}

Status check_address(std::string_view address) {
    constexpr std::array<std::string_view, 4> schemes{"http://", "https://", "file:/", "copy:/"};
    const bool scheme = std::any_of(schemes.begin(), schemes.end(),
                                    [&](auto each) { return address.starts_with(each); });
    const bool plain = std::all_of(address.begin(), address.end(), [](char c) {
        return c > ' ' && c < 127 && c != '[' && c != ']' && c != '"' && c != '\\';
    });
    const auto authority =
        address.substr(0, address.find('/', std::min(address.find("//") + 2, address.size())));
    if (authority.find('@') != std::string_view::npos) {
        // It would stand in mmdebstrap's arguments, in the log and in the root itself.
        return base::fail_hint(
            Code::refused,
            "an archive's address with a user name or password in it: every user of this machine "
            "could read them",
            "use an address without them, for instance of a mirror within your site");
    }
    if (scheme && plain) return {};
    return base::fail(Code::usage, "'{}' is no address of an archive",
                      base::escape_untrusted(address));
}

base::fs::path keyring_of(const RootRequest& request) {
    return request.keyring.empty() ? base::fs::path(request.toolchain.keyring.file)
                                   : request.keyring;
}

Status check_request(const RootRequest& request, const std::string& mirror,
                     const std::string& security_mirror) {
    const auto& toolchain = request.toolchain;
    if (toolchain.family != "debian" && toolchain.family != "ubuntu")
        return base::fail(Code::refused,
                          "a root of the family '{}' cannot be made yet, only debian and ubuntu",
                          base::escape_untrusted(toolchain.family));
    SF_CHECK(check_names(toolchain.suites, "suite"));
    SF_CHECK(check_names(toolchain.components, "component"));
    SF_CHECK(check_names(toolchain.packages, "package"));
    SF_CHECK(check_names({request.architecture}, "architecture"));
    SF_CHECK(check_address(mirror));
    SF_CHECK(check_address(security_mirror));
    const auto keyring = keyring_of(request).string();
    if (!keyring.starts_with('/') || keyring.find_first_of(" \t\n[]\"\\,") != std::string::npos)
        return base::fail(Code::usage, "the keyring '{}' is not an absolute, plain path",
                          base::escape_untrusted(keyring));
    return {};
}

}  // namespace

std::vector<std::string> source_lines(const RootRequest& request, const std::string& mirror,
                                      const std::string& security_mirror) {
    std::vector<std::string> lines;
    const auto components = base::join(request.toolchain.components, " ");
    for (const auto& suite : request.toolchain.suites)
        lines.push_back(fmt::format("deb [signed-by={}] {} {} {}", keyring_of(request).string(),
                                    suite.ends_with("-security") ? security_mirror : mirror, suite,
                                    components));
    return lines;
}

Result<base::Command> mmdebstrap_command(const RootRequest& request, const std::string& mirror,
                                         const std::string& security_mirror, bool as_root,
                                         const base::fs::path& temporary) {
    SF_CHECK(check_request(request, mirror, security_mirror));
    base::Command command;
    command.argv = {"mmdebstrap",
                    as_root ? "--mode=root" : "--mode=unshare",
                    "--variant=apt",
                    "--format=tar",
                    "--architectures=" + request.architecture,
                    "--keyring=" + keyring_of(request).string(),
                    "--include=" + base::join(request.toolchain.packages, ","),
                    "--aptopt=Acquire::Retries \"3\"",
                    "--dpkgopt=force-unsafe-io"};  // if it is interrupted nothing of it is kept
    // What no build reads. Copyright files stay: the root may be handed on.
    for (const char* option :
         {"path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright",
          "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/info/*",
          "path-exclude=/usr/share/locale/*", "path-include=/usr/share/locale/locale.alias"})
        command.argv.push_back(std::string("--dpkgopt=") + option);
    // Ubuntu 20.04's dash links a manual page there, and fails without the folder.
    command.argv.emplace_back("--setup-hook=mkdir -p \"$1/usr/share/man/man1\"");
    command.argv.push_back(request.toolchain.suites.front());
    command.argv.emplace_back(
        "-");  // a tar to standard output: no folder of ours need be reachable
    for (auto& line : source_lines(request, mirror, security_mirror))
        command.argv.push_back(std::move(line));
    command.environment = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"},
                           {"LC_ALL", "C.UTF-8"},
                           {"SOURCE_DATE_EPOCH", std::to_string(root_epoch)},
                           {"TMPDIR", temporary.string()}};
    return command;
}

std::string to_text(const base::Command& command) {
    std::string text = "env -i";
    for (const auto& [name, value] : command.environment)
        text += " " + name + "=" + base::shell_quote(value);
    return text + " " + base::shell_join(command.argv);
}

}  // namespace sf::sandbox
