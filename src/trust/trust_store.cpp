// SPDX-License-Identifier: Apache-2.0
#include "trust/trust_store.hpp"

#include <algorithm>
#include <set>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "trust/armor.hpp"
#include "trust/gpg.hpp"
#include "trust/safe_file.hpp"

namespace sf::trust {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t max_trust_file = std::uint64_t{1} << 20;
constexpr std::uint64_t max_key_file = std::uint64_t{4} << 20;
constexpr std::size_t max_label = 200;
constexpr std::string_view list_name = "trust.json";

auto bad_list(std::string_view what) {
    return base::fail(base::Code::corrupt, "the trust file is not understood: {}", what);
}

// Imports all into an empty home: merged keys, without secrets and without what GnuPG cannot read.
base::Result<GpgSession> merge(const std::vector<std::string>& public_keys) {
    SF_TRY(GpgSession session, GpgSession::scratch());
    for (const std::string& text : public_keys) {
        const std::string whole = with_checksums(text);
        // gpg's exit status tells little here; what came in is listed afterwards.
        SF_TRY(const base::Finished finished,
               session.run(
                   {.arguments = {"--import-options",
                                  "no-repair-keys,keep-ownertrust,no-import-clean", "--import"},
                    .input = whole}));
        if (finished.exit.signal != 0) {
            return base::fail(base::Code::failed, "gpg: {}", finished.exit.text());
        }
    }
    return session;
}

base::Result<std::vector<Key>> list(GpgSession& session) {
    SF_TRY(const base::Finished finished,
           session.run_ok({.arguments = {"--with-colons", "--fixed-list-mode",
                                         "--with-subkey-fingerprint", "--list-keys"}}));
    return parse_key_listing(finished.out);
}

base::Result<std::string> export_keys(GpgSession& session, const std::vector<Key>& keys,
                                      bool armored) {
    GpgCall call;
    if (armored) call.arguments.emplace_back("--armor");
    call.arguments.emplace_back("--export");
    for (const Key& key : keys) call.arguments.push_back(key.primary.fingerprint.text());
    if (keys.empty()) return std::string();
    SF_TRY(base::Finished finished, session.run_ok(call));
    return std::move(finished.out);
}

// The public part of one key from what was known and what is new.
base::Result<std::pair<Key, std::string>> merged_key(const Fingerprint& fingerprint,
                                                     const std::vector<std::string>& texts) {
    SF_TRY(GpgSession session, merge(texts));
    SF_TRY(std::vector<Key> keys, list(session));
    std::erase_if(keys, [&](const Key& key) { return key.primary.fingerprint != fingerprint; });
    if (keys.empty()) {
        return base::fail(base::Code::absent,
                          "the public key {} is not there (a subkey's fingerprint cannot be "
                          "trusted, only its primary key's)",
                          fingerprint.text());
    }
    SF_TRY(std::string text, export_keys(session, keys, true));
    return std::pair(std::move(keys.front()), std::move(text));
}

struct ReadKeys {
    std::vector<Key> keys;
    std::string packets;  // of all of them
};

// What takes three runs of gpg below in one: it brings a key in, lists it and gives it out, and
// keeps nothing. That is the same for the one key of one text, and for nothing else: gpg begins its
// output anew with each key, and merges nothing. nullopt: it is not so simple.
base::Result<std::optional<ReadKeys>> read_one_key(const std::string& public_key,
                                                   const Fingerprint& wanted) {
    SF_TRY(GpgSession session, GpgSession::scratch());
    const fs::path packets = session.room() / "packets";
    const std::string whole = with_checksums(public_key);
    const std::string import_options =
        "import-show,import-export,no-repair-keys,keep-ownertrust,no-import-clean";
    // Another trust model asks the trust database about a revoked key, and there is none.
    SF_TRY(const base::Finished finished,
           session.run(
               {.arguments = {"--trust-model", "direct", "--with-colons", "--fixed-list-mode",
                              "--with-subkey-fingerprint", "--status-fd", "2", "--import-options",
                              import_options, "--output", packets.string(), "--import"},
                .input = whole}));
    if (!finished.exit.ok()) return std::optional<ReadKeys>();
    // One thing came in: the key, and no revocation beside it.
    if (("\n" + finished.err).find("\n[GNUPG:] IMPORT_RES 1 ") == std::string::npos)
        return std::optional<ReadKeys>();
    // A key that another may revoke, and one without a valid user id, are listed otherwise alone.
    for (const std::string& line : base::split(finished.out, '\n'))
        if (line.starts_with("rvk:") || line.starts_with("pub:i:") || line.starts_with("rvs:"))
            return std::optional<ReadKeys>();
    const auto keys = parse_key_listing(finished.out);
    if (!keys || keys->size() != 1 || keys->front().secret ||
        keys->front().primary.fingerprint != wanted)
        return std::optional<ReadKeys>();
    SF_TRY(std::string bytes, base::read_file(packets));
    return std::optional(ReadKeys{*keys, std::move(bytes)});
}

// The general way.
base::Result<ReadKeys> read_merged(const std::vector<std::string>& public_keys,
                                   const std::vector<TrustEntry>& wanted) {
    SF_TRY(GpgSession session, merge(public_keys));
    ReadKeys read;
    SF_TRY(read.keys, list(session));
    std::erase_if(read.keys, [&](const Key& key) {
        return std::ranges::find(wanted, key.primary.fingerprint, &TrustEntry::fingerprint) ==
               wanted.end();
    });
    SF_TRY(read.packets, export_keys(session, read.keys, false));
    return read;
}

}  // namespace

namespace {

base::Result<std::vector<TrustEntry>> parse_list(const base::Json& list, const char* member,
                                                 std::set<Fingerprint>& seen) {
    if (!list.is_array()) return bad_list(fmt::format("\"{}\" is not a list", member));
    std::vector<TrustEntry> entries;
    for (const base::Json& item : list) {
        if (!item.is_object() || !item.contains("fingerprint") ||
            !item["fingerprint"].is_string()) {
            return bad_list("a key without a \"fingerprint\"");
        }
        std::string label;
        for (const auto& [name, value] : item.items()) {
            if (name == "fingerprint") continue;
            if (name != "label" || !value.is_string()) {
                return bad_list("a key may hold \"fingerprint\" and \"label\", nothing else");
            }
            label = value.get<std::string>();
        }
        if (label.size() > max_label) return bad_list("a label is too long");
        SF_TRY(Fingerprint fingerprint, Fingerprint::parse(item["fingerprint"].get<std::string>()));
        if (!seen.insert(fingerprint).second) return bad_list("a fingerprint is there twice");
        entries.push_back({std::move(fingerprint), std::move(label)});
    }
    return entries;
}

base::Result<std::string> list_text(const char* member, const std::vector<TrustEntry>& entries) {
    // By hand, a key on a line: people read and compare this file.
    std::string text = fmt::format("  \"{}\": [", member);
    bool first = true;
    for (const TrustEntry& entry : entries) {
        SF_TRY(const std::string label, base::canonical_json(base::Json(entry.label)));
        text += first ? "\n" : ",\n";
        first = false;
        text += fmt::format("    {{\"fingerprint\": \"{}\", \"label\": {}}}",
                            entry.fingerprint.text(), label);
    }
    text += entries.empty() ? "]" : "\n  ]";
    return text;
}

}  // namespace

base::Result<TrustFile> parse_trust_file(std::string_view text) {
    SF_TRY(const base::Json root, base::parse_json(text, 4));
    const bool roots = root.is_object() && root.contains("roots");
    if (!root.is_object() || root.size() != (roots ? 3U : 2U) || !root.contains("trust") ||
        !root.contains("keys")) {
        return bad_list("it must hold \"trust\" and \"keys\", may hold \"roots\", nothing else");
    }
    if (!root["trust"].is_number_unsigned() || root["trust"].get<std::uint64_t>() != 1) {
        return bad_list("its version is not 1");
    }
    TrustFile file;
    std::set<Fingerprint> seen;
    SF_TRY(file.keys, parse_list(root["keys"], "keys", seen));
    if (roots) {
        SF_TRY(file.roots, parse_list(root["roots"], "roots", seen));
    }
    return file;
}

base::Result<std::string> trust_file_text(const TrustFile& file) {
    SF_TRY(std::string text, list_text("keys", file.keys));
    if (!file.roots.empty()) {
        SF_TRY(const std::string roots, list_text("roots", file.roots));
        text += ",\n" + roots;
    }
    text = "{\n  \"trust\": 1,\n" + text + "\n}\n";
    SF_TRY([[maybe_unused]] const auto again, parse_trust_file(text));
    return text;
}

std::string TrustedKeys::label_of(const Fingerprint& primary) const {
    const auto found = std::ranges::find(entries, primary, &TrustEntry::fingerprint);
    return found == entries.end() ? std::string() : found->label;
}

std::optional<std::string> TrustedKeys::doubt_of(std::string_view primary,
                                                 std::string_view key) const {
    const auto is_it = [&](const Fingerprint& each) { return each.text() == primary; };
    for (const auto& [fingerprint, reason] : withdrawn)
        if (is_it(fingerprint))
            return fmt::format("this key is withdrawn: {}", base::escape_untrusted(reason));
    if (std::ranges::none_of(entries, is_it, &TrustEntry::fingerprint))
        return "this key is not trusted here";
    for (const Key& each : keys) {
        if (!is_it(each.primary.fingerprint)) continue;
        const KeyPart* const part = each.part(key);
        if (each.primary.revoked || (part != nullptr && part->revoked))
            return "this key is revoked";
        if (part == nullptr) return "the key that signed is no part of it as it is known here";
        return std::nullopt;
    }
    return "its public part is not here";
}

base::Result<TrustStore> TrustStore::open(fs::path folder) {
    SF_TRY(const bool there, check_safe_folder(folder));
    if (!there) return TrustStore(std::move(folder), {});
    SF_TRY(const auto text, read_safe(folder / list_name, max_trust_file));
    if (!text) return TrustStore(std::move(folder), {});
    SF_TRY(TrustFile lists,
           base::during(parse_trust_file(*text),
                        "reading " + base::escape_untrusted((folder / list_name).string())));
    return TrustStore(std::move(folder), std::move(lists));
}

fs::path TrustStore::key_file(const Fingerprint& fingerprint) const {
    return x_folder / (fingerprint.text() + ".asc");
}

bool TrustStore::lists(const Fingerprint& fingerprint) const {
    const auto has = [&](const std::vector<TrustEntry>& list) {
        return std::ranges::find(list, fingerprint, &TrustEntry::fingerprint) != list.end();
    };
    return has(x_lists.keys) || has(x_lists.roots);
}

base::Status TrustStore::add(const TrustEntry& entry, std::string_view public_key) {
    return add_to(&TrustFile::keys, entry, public_key);
}

base::Status TrustStore::add_root(const TrustEntry& entry, std::string_view public_key) {
    return add_to(&TrustFile::roots, entry, public_key);
}

base::Status TrustStore::add_to(List list, const TrustEntry& entry, std::string_view public_key) {
    TrustFile lists = x_lists;
    std::vector<TrustEntry>& entries = lists.*list;
    const auto found = std::ranges::find(entries, entry.fingerprint, &TrustEntry::fingerprint);
    if (found == entries.end() && this->lists(entry.fingerprint)) {
        return base::fail_hint(
            base::Code::refused,
            fmt::format("the key {} is listed {} already, and one key is not both",
                        entry.fingerprint.text(),
                        list == &TrustFile::roots ? "for packages" : "as a root"),
            "use another key for lists of revocations, kept off every network");
    }
    std::vector<std::string> texts{std::string(public_key)};
    SF_TRY(auto known, read_safe(key_file(entry.fingerprint), max_key_file));
    if (known) texts.push_back(std::move(*known));
    SF_TRY(const auto merged, merged_key(entry.fingerprint, texts));
    const Key& key = merged.first;
    if (key.primary.revoked) {
        return base::fail(base::Code::refused, "the key {} is revoked", entry.fingerprint.text());
    }
    if (!strong_enough(key.primary)) {
        return base::fail(base::Code::refused,
                          "the key {} is too weak: {} (RSA of 3072 bits, ECDSA or EdDSA is the "
                          "least)",
                          entry.fingerprint.text(), algorithm_text(key.primary));
    }
    if (found == entries.end()) {
        entries.push_back(entry);
    } else {
        found->label = entry.label;
    }
    std::ranges::sort(entries, {}, &TrustEntry::fingerprint);
    SF_TRY(const std::string text, trust_file_text(lists));
    SF_CHECK(base::make_dirs(x_folder));
    SF_CHECK(base::write_file(key_file(entry.fingerprint), merged.second));
    SF_CHECK(base::write_file(x_folder / list_name, text));
    x_lists = std::move(lists);
    return {};
}

base::Result<bool> TrustStore::refresh(const Fingerprint& fingerprint,
                                       std::string_view public_key) {
    if (!lists(fingerprint)) return false;
    std::vector<std::string> texts{std::string(public_key)};
    SF_TRY(auto known, read_safe(key_file(fingerprint), max_key_file));
    if (known) texts.push_back(std::move(*known));
    SF_TRY(const auto merged, merged_key(fingerprint, texts));
    SF_CHECK(base::write_file(key_file(fingerprint), merged.second));
    return true;
}

base::Result<bool> TrustStore::remove(const Fingerprint& fingerprint) {
    if (!lists(fingerprint)) return false;
    TrustFile lists = x_lists;
    const auto is_it = [&](const TrustEntry& entry) { return entry.fingerprint == fingerprint; };
    std::erase_if(lists.keys, is_it);
    std::erase_if(lists.roots, is_it);
    SF_TRY(const std::string text, trust_file_text(lists));
    SF_CHECK(base::write_file(x_folder / list_name, text));
    x_lists = std::move(lists);
    // The public part stays: with it, a revocation learnt earlier is not lost when the key returns.
    return true;
}

base::Result<TrustedKeys> trusted_from(const std::vector<TrustEntry>& entries,
                                       const std::vector<std::string>& public_keys) {
    TrustedKeys trusted;
    trusted.entries = entries;
    if (entries.empty()) return trusted;
    std::optional<ReadKeys> read;
    if (entries.size() == 1 && public_keys.size() == 1) {
        SF_TRY(read, read_one_key(public_keys[0], entries[0].fingerprint));
    }
    if (!read) {
        SF_TRY(read, read_merged(public_keys, entries));
    }
    for (const TrustEntry& entry : entries) {
        const auto found = std::ranges::find_if(read->keys, [&](const Key& key) {
            return key.primary.fingerprint == entry.fingerprint;
        });
        if (found == read->keys.end()) {
            trusted.warnings.push_back(
                fmt::format("the trusted key {} has no usable public part here: its signatures "
                            "count as unknown",
                            entry.fingerprint.text()));
        } else {
            trusted.keys.push_back(std::move(*found));
        }
    }
    trusted.keyring = std::move(read->packets);
    return trusted;
}

base::Result<TrustedKeys> TrustStore::load(const std::vector<fs::path>& folders, List list) {
    std::vector<TrustEntry> entries;
    std::vector<std::string> texts;
    for (const fs::path& folder : folders) {
        SF_TRY(const TrustStore store, TrustStore::open(folder));
        for (const TrustEntry& entry : store.x_lists.*list) {
            if (std::ranges::find(entries, entry.fingerprint, &TrustEntry::fingerprint) ==
                entries.end()) {
                entries.push_back(entry);
            }
            SF_TRY(auto text, read_safe(store.key_file(entry.fingerprint), max_key_file));
            if (text) texts.push_back(std::move(*text));
        }
    }
    return trusted_from(entries, texts);
}

base::Result<TrustedKeys> load_trusted(const std::vector<fs::path>& folders) {
    return TrustStore::load(folders, &TrustFile::keys);
}

base::Result<TrustedKeys> load_roots(const std::vector<fs::path>& folders) {
    return TrustStore::load(folders, &TrustFile::roots);
}

}  // namespace sf::trust
