// SPDX-License-Identifier: Apache-2.0
#include "support/gnupg.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "base/text.hpp"

namespace sf::test {

namespace {

// Tests cannot go on without their keys: an exception ends the test with its reason.
template <class T>
T must(base::Result<T> result, std::string_view what) {
    if (!result) throw std::runtime_error(std::string(what) + ": " + result.error().text());
    return std::move(*result);
}

base::Environment environment(const std::filesystem::path& home) {
    return {{"PATH", "/usr/bin:/bin"},
            {"LC_ALL", "C"},
            {"TZ", "UTC"},
            {"HOME", home.string()},
            {"GNUPGHOME", home.string()}};
}

std::string last_fingerprint(std::string_view listing) {
    std::string fingerprint;
    for (const std::string& line : base::split(listing, '\n')) {
        const std::vector<std::string> fields = base::split(line, ':');
        if (fields[0] == "fpr" && fields.size() > 9) fingerprint = fields[9];
    }
    return fingerprint;
}

}  // namespace

Gnupg::Gnupg() : x_home(must(base::TempDir::create("/tmp", "sft-"), "a folder for keys")) {}

Gnupg::~Gnupg() {
    base::Command command;
    for (const char* last : {"--kill", "--remove-socketdir"}) {
        command.argv = {"/usr/bin/gpgconf", "--homedir", home().string(), last};
        if (command.argv.back() == "--kill") command.argv.emplace_back("all");
        command.environment = environment(home());
        [[maybe_unused]] const auto ignored = base::run(command);
    }
}

std::string Gnupg::run(std::vector<std::string> arguments, std::string_view input) {
    base::Command command;
    command.argv = {"/usr/bin/gpg",
                    "--homedir",
                    home().string(),
                    "--batch",
                    "--no-tty",
                    "--quiet",
                    "--trust-model",
                    "always",
                    "--pinentry-mode",
                    "loopback",
                    "--passphrase",
                    "",
                    "--allow-weak-digest-algos"};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment = environment(home());
    auto finished = must(base::run(command, input), "gpg");
    if (!finished.exit.ok()) {
        throw std::runtime_error(base::shell_join(command.argv) + ": " + finished.err);
    }
    return finished.out;
}

std::string Gnupg::make_key(std::string_view user_id, std::string_view algorithm,
                            std::string_view expires, std::string_view when) {
    std::vector<std::string> arguments{"--status-fd", "1"};
    if (!when.empty()) {
        arguments.insert(arguments.end(), {"--faked-system-time", std::string(when)});
    }
    arguments.insert(arguments.end(),
                     {"--yes", "--allow-freeform-uid", "--quick-gen-key", std::string(user_id),
                      std::string(algorithm), "sign,cert", std::string(expires)});
    for (const std::string& line : base::split(run(arguments), '\n')) {
        if (line.starts_with("[GNUPG:] KEY_CREATED ")) return base::split(line, ' ').back();
    }
    throw std::runtime_error("gpg made no key");
}

std::string Gnupg::add_subkey(const std::string& key, std::string_view algorithm,
                              std::string_view usage) {
    run({"--quick-add-key", key, std::string(algorithm), std::string(usage), "never"});
    return last_fingerprint(
        run({"--with-colons", "--with-subkey-fingerprint", "--list-keys", key}));
}

void Gnupg::revoke_key(const std::string& key) {
    const std::string certificate =
        run({"--no-batch", "--command-fd", "0", "--armor", "--gen-revoke", key}, "y\n1\n\ny\n");
    run({"--import"}, certificate);
}

void Gnupg::revoke_subkey(const std::string& key, int number) {
    run({"--no-batch", "--command-fd", "0", "--edit-key", key},
        fmt::format("key {}\nrevkey\ny\n1\n\ny\nsave\n", number));
}

std::string Gnupg::export_key(const std::string& key) { return run({"--armor", "--export", key}); }

std::string Gnupg::sign(std::string_view bytes, const std::vector<std::string>& keys,
                        const std::vector<std::string>& extra) {
    std::vector<std::string> arguments{"--armor", "--no-emit-version", "--detach-sign"};
    for (const std::string& key : keys) {
        arguments.insert(arguments.begin(), {"--local-user", key});
    }
    arguments.insert(arguments.begin(), extra.begin(), extra.end());
    return run(arguments, bytes);
}

}  // namespace sf::test
