// SPDX-License-Identifier: Apache-2.0
#include "support/pinentry.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <utility>
#include <vector>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

namespace sf::test {

namespace fs = std::filesystem;

namespace {

void must(const base::Status& status) {
    if (!status) throw std::runtime_error(status.error().text());
}

base::Command command_for(const fs::path& home, std::vector<std::string> words) {
    base::Command command;
    command.argv = std::move(words);
    command.environment = {{"PATH", "/usr/bin:/bin"},
                           {"LC_ALL", "C"},
                           {"TZ", "UTC"},
                           {"HOME", home.string()},
                           {"GNUPGHOME", home.string()}};
    return command;
}

// What it prints.
std::string run(const fs::path& home, std::vector<std::string> words, std::string_view input = {}) {
    const base::Command command = command_for(home, std::move(words));
    const auto finished = base::run(command, input);
    if (!finished) throw std::runtime_error(finished.error().text());
    if (!finished->exit.ok())
        throw std::runtime_error(base::shell_join(command.argv) + ": " + finished->err);
    return finished->out;
}

}  // namespace

Pinentry::Pinentry(fs::path home, fs::path folder)
    : x_home(std::move(home)), x_folder(std::move(folder)) {
    must(base::make_dirs(x_home, 0700));
    configure(program());
    refuse(cancelled);
}

void Pinentry::configure(const fs::path& program) const {
    must(base::write_file(
        x_home / "gpg-agent.conf",
        fmt::format("pinentry-program {}\nallow-preset-passphrase\n", program.string()), 0600));
}

void Pinentry::vanish() const { configure("/nonexistent/pinentry"); }

void Pinentry::answer(std::string_view passphrase) const {
    write("printf '%s\\n' " + base::shell_join({"D " + std::string(passphrase), "OK"}));
}

void Pinentry::refuse(std::string_view error) const {
    write("printf '%s\\n' " + base::shell_join({"ERR " + std::string(error)}));
}

void Pinentry::wait() const { write("while :; do sleep 1; done"); }

void Pinentry::write(const std::string& reply) const {
    must(base::write_file(program(),
                          fmt::format("#!/bin/sh\n"
                                      "echo OK\n"
                                      "while IFS= read -r line; do\n"
                                      "    case $line in\n"
                                      "        GETPIN*)\n"
                                      "            echo asked >>{}\n"
                                      "            {}\n"
                                      "            ;;\n"
                                      "        BYE*)\n"
                                      "            echo OK\n"
                                      "            exit 0\n"
                                      "            ;;\n"
                                      "        *) echo OK ;;\n"
                                      "    esac\n"
                                      "done\n",
                                      base::shell_quote(notes().string()), reply),
                          0755));
}

std::size_t Pinentry::asked() const {
    const auto text = base::read_file_if_exists(notes());
    if (!text) throw std::runtime_error(text.error().text());
    return *text ? static_cast<std::size_t>(std::ranges::count(**text, '\n')) : 0;
}

bool Pinentry::at_work() const {
    const auto names = base::list_dir("/proc");
    if (!names) throw std::runtime_error(names.error().text());
    return std::ranges::any_of(*names, [&](const std::string& name) {
        if (name.find_first_not_of("0123456789") != std::string::npos) return false;
        const auto line = base::read_file_if_exists("/proc/" + name + "/cmdline");
        if (!line || !*line) return false;
        const std::vector<std::string> words = base::split(**line, '\0');
        return std::ranges::find(words, program().string()) != words.end();
    });
}

PersonsAgent::PersonsAgent(fs::path home) : x_home(std::move(home)) {
    run(x_home, {"/usr/bin/gpg-agent", "--homedir", x_home.string(), "--daemon"});
    x_pid = pid();
    if (x_pid == 0) throw std::runtime_error("no gpg-agent runs");
}

PersonsAgent::~PersonsAgent() {
    for (const std::vector<std::string>& last : {std::vector<std::string>{"--kill", "all"},
                                                 std::vector<std::string>{"--remove-socketdir"}}) {
        std::vector<std::string> words{"/usr/bin/gpgconf", "--homedir", x_home.string()};
        words.insert(words.end(), last.begin(), last.end());
        [[maybe_unused]] const auto ignored = base::run(command_for(x_home, std::move(words)));
    }
}

void PersonsAgent::tell(std::string_view passphrase) const {
    const std::string folder = run(x_home, {"/usr/bin/gpgconf", "--list-dirs", "libexecdir"});
    const std::string program = std::string(base::trim(folder)) + "/gpg-preset-passphrase";
    const std::string listing =
        run(x_home, {"/usr/bin/gpg", "--homedir", x_home.string(), "--batch", "--no-tty",
                     "--with-colons", "--with-keygrip", "--list-secret-keys"});
    bool told = false;
    for (const std::string& line : base::split(listing, '\n')) {
        const std::vector<std::string> fields = base::split(line, ':');
        if (fields[0] != "grp" || fields.size() < 10) continue;
        run(x_home, {program, "--preset", fields[9]}, passphrase);
        told = true;
    }
    if (!told) throw std::runtime_error("there is no secret key");
}

bool PersonsAgent::runs() const { return pid() == x_pid; }

pid_t PersonsAgent::pid() const {
    const std::string said =
        run(x_home, {"/usr/bin/gpg-connect-agent", "--homedir", x_home.string(), "--no-autostart",
                     "GETINFO pid", "/bye"});
    return said.starts_with("D ") ? std::atoi(said.c_str() + 2) : 0;
}

}  // namespace sf::test
