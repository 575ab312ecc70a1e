// SPDX-License-Identifier: Apache-2.0
// Whom gpg-agent asks for a passphrase: a program that speaks its way (Assuan), and notes that it
// was asked. And a person's own agent, which may be told the passphrase beforehand. Real gpg-agent;
// failures of GnuPG end the test. One thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace sf::test {

class Pinentry {
public:
    // For agents of `home` that start later; it is made if it is not there. The program and its
    // notes lie in `folder`. Gives up whenever it is asked, until it is told otherwise.
    Pinentry(std::filesystem::path home, std::filesystem::path folder);

    void answer(std::string_view passphrase) const;
    // "83886179 Operation cancelled": a number of libgpg-error, and words.
    void refuse(std::string_view error) const;
    // As where nobody sits at the terminal: it waits until it is ended.
    void wait() const;
    // From the next agent on there is no such program.
    void vanish() const;
    [[nodiscard]] std::size_t asked() const;  // how often, all in all
    [[nodiscard]] bool at_work() const;       // one runs now

    static constexpr std::string_view cancelled = "83886179 Operation cancelled <Pinentry>";
    // As pinentry-curses says without a terminal.
    static constexpr std::string_view no_terminal =
        "83918950 Inappropriate ioctl for device <Pinentry>";

private:
    [[nodiscard]] std::filesystem::path program() const { return x_folder / "pinentry"; }
    [[nodiscard]] std::filesystem::path notes() const { return x_folder / "asked"; }
    void configure(const std::filesystem::path& program) const;
    // `reply`: lines of sh, for when it is to get a passphrase.
    void write(const std::string& reply) const;
    std::filesystem::path x_home;
    std::filesystem::path x_folder;
};

// As who types `gpg-agent --daemon`, with GNUPGHOME in the environment.
class PersonsAgent {
public:
    explicit PersonsAgent(std::filesystem::path home);
    PersonsAgent(const PersonsAgent&) = delete;
    PersonsAgent& operator=(const PersonsAgent&) = delete;
    ~PersonsAgent();

    // The passphrase of every secret key there.
    void tell(std::string_view passphrase) const;
    [[nodiscard]] bool runs() const;  // still, and not another in its place

private:
    [[nodiscard]] pid_t pid() const;  // 0: none runs
    std::filesystem::path x_home;
    pid_t x_pid = 0;
};

}  // namespace sf::test
