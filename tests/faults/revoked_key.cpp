// SPDX-License-Identifier: Apache-2.0
#include "revoked_key.hpp"

#include <string>

#include "base/files.hpp"
#include "small_cache.hpp"
#include "trust/keyring.hpp"
#include "trust/trust_store.hpp"

namespace sf::test {

base::Status RevokedKey::prepare() const {
    SF_TRY(const std::string text, base::read_file(x_folder / "fingerprint"));
    SF_TRY(const trust::Fingerprint key, trust::Fingerprint::parse(text));
    SF_TRY(const std::string armoured, base::read_file(x_folder / "release.asc"));
    SF_TRY(trust::TrustStore store, trust::TrustStore::open(trust()));
    SF_CHECK(store.add({key, "release"}, armoured));
    const std::filesystem::path owner = x_folder / "owner";
    SF_CHECK(SmallCache(x_folder).copy_keys(owner));
    SF_TRY(const std::string revoked,
           trust::Keyring(owner / "gnupg").revoke(key, trust::RevocationReason::compromised, {}));
    return base::write_file(file(), revoked);
}

base::Status RevokedKey::learn() const {
    SF_CHECK(trust::load_trusted({trust()}).map([](const auto&) {}));
    const trust::Keyring keyring(x_folder / "client keys");
    SF_TRY(const trust::ImportResult came, keyring.import(file()));
    for (const trust::Key& key : came.keys) {
        const trust::Fingerprint& fingerprint = key.primary.fingerprint;
        SF_TRY(const std::string text, keyring.export_public(fingerprint));
        SF_TRY(trust::TrustStore store, trust::TrustStore::open(trust()));
        SF_CHECK(store.refresh(fingerprint, text).map([](bool) {}));
    }
    return {};
}

base::Result<bool> RevokedKey::is_known() const {
    SF_TRY(const trust::TrustedKeys trusted, trust::load_trusted({trust()}));
    if (trusted.entries.size() != 1 || trusted.keys.size() != 1 ||
        trusted.keys[0].primary.fingerprint != trusted.entries[0].fingerprint)
        return base::fail(base::Code::corrupt, "{} keys are trusted, {} of them are here",
                          trusted.entries.size(), trusted.keys.size());
    return trusted.keys[0].primary.revoked;
}

}  // namespace sf::test
