// SPDX-License-Identifier: Apache-2.0
// gpg's agent for who signs with a passphrase that an agent knows or asks for. A person's own,
// which runs under the home's own name and may have been told the passphrase, is used, and goes on
// afterwards. Else one of ours, which lives as long as the object: a passphrase is typed once, not
// for each signature. Knows nothing of keys. One thread.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "base/files.hpp"
#include "base/result.hpp"

namespace sf::trust {

class KeptAgent {
public:
    // `home` must exist, belong to us and be closed to others.
    [[nodiscard]] static base::Result<std::unique_ptr<KeptAgent>> of(
        const std::filesystem::path& home);
    KeptAgent(const KeptAgent&) = delete;
    KeptAgent& operator=(const KeptAgent&) = delete;
    KeptAgent(KeptAgent&&) = delete;
    KeptAgent& operator=(KeptAgent&&) = delete;
    ~KeptAgent();

    // The home, by the name under which GnuPG finds this agent, and may start it.
    [[nodiscard]] const std::filesystem::path& use() {
        x_used = true;
        return x_name;
    }

private:
    // A name of our own for the home, and a lock that says that its maker lives.
    struct Own {
        base::TempDir room;
        base::FileLock alive;
    };
    KeptAgent(std::filesystem::path name, std::optional<Own> own)
        : x_name(std::move(name)), x_own(std::move(own)) {}
    std::filesystem::path x_name;
    std::optional<Own> x_own;  // none: a person's agent
    bool x_used = false;
};

// Ends the agent that was started for the home under this name, with whom it asks for a passphrase;
// one that runs there under another name is somebody else's, unless a killed run has left it. Then
// forget_sockets(). `locked`: nobody else is at work in the home (home_lock_name).
void end_agent(const std::filesystem::path& name, bool locked);

// Where /run/user/<uid> exists the sockets are there, in a folder of their own for each name of a
// home, which gpg makes even if it then finds no agent. Takes it away, and with it an agent that
// listens there: not for a name that is a person's. Elsewhere they go with the home: nothing is
// started for it.
void forget_sockets(const std::filesystem::path& name);

}  // namespace sf::trust
