// SPDX-License-Identifier: Apache-2.0
// Whom this site trusts: full primary fingerprints in trust.json, and beside it each key's public
// part (docs/formats/trust.md). Trust comes from the list alone; a key file without an entry means
// nothing. Roots are listed apart: they sign lists of revocations, and nothing else. Does not judge
// signatures. Values; one thread for each store, changes replace files whole.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "trust/fingerprint.hpp"
#include "trust/key.hpp"

namespace sf::trust {

inline constexpr std::string_view system_trust_folder = "/etc/slurm-factory/trust";

struct TrustEntry {
    Fingerprint fingerprint;  // of a primary key
    std::string label;        // for people; may be empty
};

// A fingerprint stands in one of the two, once.
struct TrustFile {
    std::vector<TrustEntry> keys;
    std::vector<TrustEntry> roots;  // whose lists of revocations count (revocation_list.hpp)
};

// trust.json, both ways; the parser is strict and total.
[[nodiscard]] base::Result<TrustFile> parse_trust_file(std::string_view text);
[[nodiscard]] base::Result<std::string> trust_file_text(const TrustFile& file);

// What a Verifier needs.
struct TrustedKeys {
    std::vector<TrustEntry> entries;
    std::vector<Key> keys;              // those of the entries whose public part we have
    std::string keyring;                // the same, as binary OpenPGP packets
    std::vector<std::string> warnings;  // entries without a usable public key
    // By primary fingerprint, the reason: keys that a list of revocations names. Their signatures
    // count for nothing; a good one of another key beside theirs still does.
    std::map<Fingerprint, std::string> withdrawn;

    [[nodiscard]] std::string label_of(const Fingerprint& primary) const;
    // Why what `key`, that primary or a subkey of it, has signed in its time counts no more: it is
    // not listed, revoked or withdrawn, or we have no public part to tell by. nullopt: it counts;
    // that a key has expired since takes nothing back.
    [[nodiscard]] std::optional<std::string> doubt_of(std::string_view primary,
                                                      std::string_view key) const;
};

class TrustStore {
public:
    // Absent is not an error: nobody is trusted then. Refused: files that others can write.
    [[nodiscard]] static base::Result<TrustStore> open(std::filesystem::path folder);

    [[nodiscard]] const std::vector<TrustEntry>& entries() const { return x_lists.keys; }
    [[nodiscard]] const std::vector<TrustEntry>& roots() const { return x_lists.roots; }
    [[nodiscard]] const std::filesystem::path& folder() const { return x_folder; }

    // `public_key` must hold this primary key and be strong enough; what is known of it already is
    // merged, so that a revocation is never lost. Writes the key first, then the list.
    base::Status add(const TrustEntry& entry, std::string_view public_key);
    // The same to the roots. Code::refused: it is listed as the other kind.
    base::Status add_root(const TrustEntry& entry, std::string_view public_key);
    // New facts (revocations, subkeys, expiry) about a listed key. False: it is not listed.
    [[nodiscard]] base::Result<bool> refresh(const Fingerprint& fingerprint,
                                             std::string_view public_key);
    // False: it was not listed.
    [[nodiscard]] base::Result<bool> remove(const Fingerprint& fingerprint);

private:
    using List = std::vector<TrustEntry> TrustFile::*;
    TrustStore(std::filesystem::path folder, TrustFile lists)
        : x_folder(std::move(folder)), x_lists(std::move(lists)) {}
    [[nodiscard]] std::filesystem::path key_file(const Fingerprint& fingerprint) const;
    [[nodiscard]] bool lists(const Fingerprint& fingerprint) const;
    base::Status add_to(List list, const TrustEntry& entry, std::string_view public_key);
    static base::Result<TrustedKeys> load(const std::vector<std::filesystem::path>& folders,
                                          List list);
    friend base::Result<TrustedKeys> load_trusted(const std::vector<std::filesystem::path>&);
    friend base::Result<TrustedKeys> load_roots(const std::vector<std::filesystem::path>&);
    std::filesystem::path x_folder;
    TrustFile x_lists;
};

// The keys of several stores together, for instance the system's and the user's.
[[nodiscard]] base::Result<TrustedKeys> load_trusted(
    const std::vector<std::filesystem::path>& folders);

// Their roots.
[[nodiscard]] base::Result<TrustedKeys> load_roots(
    const std::vector<std::filesystem::path>& folders);

// Keys known by the caller, not by a folder: for tools that are given a key file and a fingerprint.
[[nodiscard]] base::Result<TrustedKeys> trusted_from(const std::vector<TrustEntry>& entries,
                                                     const std::vector<std::string>& public_keys);

}  // namespace sf::trust
