// SPDX-License-Identifier: Apache-2.0
// The keyring that a distribution's archive is verified with. A Debian machine lacks Ubuntu's and
// the other way round, and often the package that brings it is only in a newer release: then it is
// fetched with apt from archives this machine trusts already, so trust never starts from nothing.
// One thread.
#pragma once

#include "base/files.hpp"
#include "base/log.hpp"
#include "model/toolchain.hpp"

namespace sf::sandbox {

// Where the keyring is: as its package installs it, else in `folder` (fetched before), else fetched
// now into `folder`. Needs no root. Code::absent with the command that installs it if all fails.
[[nodiscard]] base::Result<base::fs::path> find_keyring(const model::Keyring& keyring,
                                                        const base::fs::path& folder,
                                                        base::Reporter& reporter);

}  // namespace sf::sandbox
