// SPDX-License-Identifier: Apache-2.0
#include "cli/public_keys.hpp"

#include "base/files.hpp"
#include "trust/keyring.hpp"

namespace sf::cli {

using base::Result;

publish::MirrorIndex::KeysOf keys_from(const trust::TrustedKeys& trusted,
                                       const std::filesystem::path& work) {
    return [&trusted, &work](
               const std::set<std::string>& signers) -> Result<std::vector<publish::PublishedKey>> {
        SF_TRY(const base::TempDir room, base::TempDir::create(work, "keys-"));
        SF_CHECK(base::write_file(room.path() / "trusted", trusted.keyring));
        const trust::Keyring keyring(room.path() / "gnupg");
        SF_CHECK(keyring.import(room.path() / "trusted").map([](const trust::ImportResult&) {}));
        std::vector<publish::PublishedKey> keys;
        for (const std::string& signer : signers) {
            SF_TRY(const trust::Fingerprint fingerprint, trust::Fingerprint::parse(signer));
            SF_TRY(std::string text, keyring.export_public(fingerprint));
            keys.push_back({signer, std::move(text)});
        }
        return keys;
    };
}

}  // namespace sf::cli
