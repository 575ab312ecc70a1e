// SPDX-License-Identifier: Apache-2.0
// The command line of a user who trusts publishers of the tests.
#pragma once

#include <string>

#include "support/mirrors.hpp"
#include "trust/trust_store.hpp"
#include "unit/cli/command_line.hpp"

namespace sf::cli::test {

class TrustingCommandLine : public CommandLine {
protected:
    void trust(const sf::test::Publisher& who, const std::string& label) {
        auto trusted = trust::TrustStore::open(state() / "keys/trust").value();
        ASSERT_TRUE(trusted.add({who.key->primary.fingerprint, label}, who.public_key));
    }
};

}  // namespace sf::cli::test
