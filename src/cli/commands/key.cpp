// SPDX-License-Identifier: Apache-2.0
// key create|list|export|import|trust (and revoke, revocations: key_revocation.cpp): the keys that
// sign here, and whose signatures count here.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <map>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/command_group.hpp"
#include "cli/commands.hpp"
#include "cli/signing_key.hpp"
#include "cli/trusted_keys.hpp"
#include "trust/keyring.hpp"
#include "trust/trust_store.hpp"

namespace sf::cli {

namespace {

struct CreateOptions {
    trust::KeyRequest request;
    std::string kind = "rsa4096";
    std::string passphrase_file;
    int passphrase_fd = -1;
    bool ask = false;
    bool unprotected = false;
};

struct ExportOptions {
    std::string fingerprint;
    std::string output;
};

struct TrustOptions {
    std::string fingerprint;
    std::string label;
    bool root = false;
};

std::string user_id(const trust::Key& key) {
    return key.user_ids.empty() ? "(no name)" : base::escape_untrusted(key.user_ids.front());
}

// What a key is good for here.
enum class Standing { unknown, trusted, root };

base::Json key_json(const trust::Key& key, Standing standing) {
    base::Json names = base::Json::array();
    for (const std::string& name : key.user_ids) names.push_back(base::escape_untrusted(name));
    base::Json object{{"fingerprint", key.primary.fingerprint.text()},
                      {"algorithm", trust::algorithm_text(key.primary)},
                      {"created", base::utc_date(key.primary.created)},
                      {"revoked", key.primary.revoked},
                      {"expired", key.primary.expired},
                      {"secret", key.secret},
                      {"trusted", standing == Standing::trusted},
                      {"root", standing == Standing::root},
                      {"user_ids", std::move(names)}};
    if (key.primary.expires) object["expires"] = base::utc_date(*key.primary.expires);
    return object;
}

// "RSA 4096, made 2026-01-31, expires 2028-01-31, can sign here, trusted"
std::string key_text(const trust::Key& key, Standing standing) {
    std::string text = fmt::format(
        "{}, made {}, {}", trust::algorithm_text(key.primary), base::utc_date(key.primary.created),
        key.primary.expires ? "expires " + base::utc_date(*key.primary.expires)
                            : std::string("never expires"));
    if (key.primary.revoked) text += ", REVOKED";
    if (key.primary.expired) text += ", EXPIRED";
    if (key.secret) text += ", can sign here";
    if (standing == Standing::root) return text + ", a root: its lists of revocations count";
    return text + (standing == Standing::trusted ? ", trusted" : ", not trusted");
}

// By fingerprint, the label: this user's list and the site's.
base::Result<std::map<std::string, std::string>> trusted_labels(Session& session) {
    SF_TRY(const trust::TrustedKeys trusted,
           trust::load_trusted({trust_folder(session), trust::system_trust_folder}));
    for (const std::string& warning : trusted.warnings) session.voice.warning("{}", warning);
    std::map<std::string, std::string> labels;
    for (const trust::TrustEntry& entry : trusted.entries) {
        labels.emplace(entry.fingerprint.text(), entry.label);
    }
    return labels;
}

void show_key(Session& session, const trust::Key& key, Standing standing) {
    session.voice.line(key.primary.fingerprint.text());
    session.voice.line("  " + user_id(key));
    session.voice.line("  " + key_text(key, standing));
    session.voice.event("key", key_json(key, standing));
}

base::Result<trust::Passphrase> passphrase_of(const CreateOptions& options) {
    using From = trust::Passphrase::From;
    trust::Passphrase passphrase;
    if (!options.passphrase_file.empty()) {
        passphrase.from = From::file;
        passphrase.file = options.passphrase_file;
    } else if (options.passphrase_fd >= 0) {
        // One that is not open may become one of our own files by the time it is read.
        if (::fcntl(options.passphrase_fd, F_GETFD) < 0) {
            return base::fail_hint(
                base::Code::usage,
                fmt::format("--passphrase-fd: descriptor {} is not open", options.passphrase_fd),
                fmt::format("slurm-factory key create … --passphrase-fd {0} "
                            "{0}<FILE",
                            options.passphrase_fd));
        }
        passphrase.from = From::descriptor;
        passphrase.descriptor = options.passphrase_fd;
    } else if (options.ask) {
        name_terminal();
        if (::getenv("GPG_TTY") == nullptr && ::getenv("DISPLAY") == nullptr &&
            ::getenv("WAYLAND_DISPLAY") == nullptr) {
            return base::fail_hint(base::Code::usage,
                                   "--ask-passphrase needs a terminal, and there is none",
                                   "--passphrase-file FILE or --passphrase-fd N");
        }
        passphrase.from = From::agent;
    }
    return passphrase;
}

base::Status run_create(Session& session, CreateOptions options) {
    const int ways = static_cast<int>(!options.passphrase_file.empty()) +
                     static_cast<int>(options.passphrase_fd >= 0) + static_cast<int>(options.ask) +
                     static_cast<int>(options.unprotected);
    if (ways > 1) {
        return base::fail_hint(base::Code::usage,
                               "--passphrase-file, --passphrase-fd, --ask-passphrase and "
                               "--no-passphrase exclude each other",
                               "slurm-factory key create --help");
    }
    SF_TRY(options.request.passphrase, passphrase_of(options));
    options.request.kind =
        options.kind == "ed25519" ? trust::KeyKind::ed25519 : trust::KeyKind::rsa4096;
    const trust::Keyring keyring = keyring_of(session);
    SF_TRY(const trust::Key key, keyring.create(options.request));
    if (options.request.passphrase.from == trust::Passphrase::From::nothing &&
        !options.unprotected) {
        session.voice.notice(
            "the key has no passphrase: whoever can read {} can sign with it (--passphrase-file, "
            "--passphrase-fd or --ask-passphrase protect a new one)",
            base::escape_untrusted(keyring.home().string()));
    }
    show_key(session, key, Standing::unknown);
    const std::string& name = key.primary.fingerprint.text();
    session.voice.info(
        "next: slurm-factory key trust {} (to verify on this machine)\n"
        "      slurm-factory key export {} -o key.asc (for other machines)",
        name, name);
    return {};
}

base::Status run_list(Session& session) {
    SF_TRY(const std::vector<trust::Key> keys, keyring_of(session).list());
    SF_TRY(auto labels, trusted_labels(session));
    SF_TRY(const trust::TrustedKeys roots, trusted_roots(session, {}));
    const auto is_root = [&](const trust::Key& key) {
        return std::ranges::find(roots.entries, key.primary.fingerprint,
                                 &trust::TrustEntry::fingerprint) != roots.entries.end();
    };
    for (const trust::Key& key : keys) {
        const bool trusted = labels.erase(key.primary.fingerprint.text()) > 0;
        show_key(session, key,
                 trusted        ? Standing::trusted
                 : is_root(key) ? Standing::root
                                : Standing::unknown);
    }
    for (const auto& [fingerprint, label] : labels) {  // of the site, or deleted from the keyring
        session.voice.line(fingerprint);
        session.voice.line("  trusted, not in the keyring: " +
                           (label.empty() ? "(no label)" : base::escape_untrusted(label)));
        session.voice.event("key",
                            {{"fingerprint", fingerprint}, {"trusted", true}, {"label", label}});
    }
    if (keys.empty() && labels.empty()) {
        session.voice.info(
            "there are no keys yet; next: slurm-factory key create --name NAME --email ADDRESS");
    }
    return {};
}

base::Status run_export(Session& session, const ExportOptions& options) {
    SF_TRY(const trust::Fingerprint fingerprint,
           trust::Fingerprint::from_person(options.fingerprint));
    SF_TRY(const std::string text, keyring_of(session).export_public(fingerprint));
    if (!options.output.empty()) {
        SF_CHECK(base::write_file(options.output, text));
        session.voice.info("wrote {}", base::escape_untrusted(options.output));
    } else {
        session.voice.line(std::string(base::trim(text)));
    }
    session.voice.event(
        "key_exported",
        {{"fingerprint", fingerprint.text()}, {"file", options.output}, {"armored", text}});
    return {};
}

base::Status run_import(Session& session, const std::string& file) {
    SF_TRY(const auto labels, trusted_labels(session));
    SF_TRY(const trust::ImportResult result, keyring_of(session).import(file));
    for (const trust::Key& key : result.keys) {
        const bool trusted = labels.contains(key.primary.fingerprint.text());
        show_key(session, key, trusted ? Standing::trusted : Standing::unknown);
        SF_TRY(const std::string text, keyring_of(session).export_public(key.primary.fingerprint));
        // What the file says of a listed key, above all a revocation, counts at once.
        SF_TRY(trust::TrustStore store, trust::TrustStore::open(trust_folder(session)));
        SF_TRY(const bool listed, store.refresh(key.primary.fingerprint, text));
        if (!trusted && !listed) {
            session.voice.info(
                "it is known now, not trusted; compare the fingerprint with one from a source you "
                "trust, then: slurm-factory key trust {}",
                key.primary.fingerprint.text());
        }
    }
    return {};
}

base::Status run_trust(Session& session, const TrustOptions& options) {
    SF_TRY(const trust::Fingerprint fingerprint,
           trust::Fingerprint::from_person(options.fingerprint));
    const trust::Keyring keyring = keyring_of(session);
    const base::Result<trust::Key> found = keyring.find(fingerprint);
    if (!found) {
        base::Error error = found.error();
        if (error.code == base::Code::absent) {
            error.hint =
                fmt::format("slurm-factory key import FILE, then slurm-factory key trust {}",
                            fingerprint.text());
        }
        return tl::unexpected(std::move(error));
    }
    if (found->primary.fingerprint != fingerprint) {
        return base::fail_hint(
            base::Code::usage,
            fmt::format("{} is a subkey; trust is given to primary keys", fingerprint.text()),
            "slurm-factory key trust " + found->primary.fingerprint.text());
    }
    SF_TRY(const std::string text, keyring.export_public(fingerprint));
    SF_TRY(trust::TrustStore store, trust::TrustStore::open(trust_folder(session)));
    const trust::TrustEntry entry{fingerprint,
                                  options.label.empty() ? user_id(*found) : options.label};
    SF_CHECK(options.root ? store.add_root(entry, text) : store.add(entry, text));
    show_key(session, *found, options.root ? Standing::root : Standing::trusted);
    return {};
}

void add_create(CLI::App& group, Session& session) {
    const auto options = std::make_shared<CreateOptions>();
    CLI::App* sub = group.add_subcommand("create", "Make a signing key; prints its fingerprint");
    sub->add_option("--name", options->request.name, "Whose key it is, for instance a site's name")
        ->required();
    sub->add_option("--email", options->request.email, "Where to ask about it")->required();
    sub->add_option("--kind", options->kind, "rsa4096 or ed25519")
        ->check(CLI::IsMember({"rsa4096", "ed25519"}))
        ->capture_default_str()
        ->type_name("KIND");
    sub->add_option("--expires", options->request.expires,
                    "0 (never), a number with d, w, m or y, or YYYY-MM-DD")
        ->capture_default_str()
        ->type_name("WHEN");
    // CLI11's excludes() shows them in the order of their addresses: help would change with each
    // run.
    sub->add_option("--passphrase-file", options->passphrase_file,
                    "The passphrase is the first line of this file (mode 0600)")
        ->type_name("FILE");
    sub->add_option("--passphrase-fd", options->passphrase_fd,
                    "The passphrase comes from this open file descriptor")
        ->check(CLI::NonNegativeNumber.description(""))
        ->type_name("N");
    sub->add_flag("--ask-passphrase", options->ask,
                  "GnuPG's agent asks for it on this terminal (pinentry)");
    sub->add_flag("--no-passphrase", options->unprotected,
                  "Without one, as is the default; this only silences the notice");
    sub->fallthrough();
    sub->footer(
        "Examples:\n"
        "  slurm-factory key create --name 'Our site' --email hpc@example.org\n"
        "  slurm-factory key create --name 'Our site' --email hpc@example.org --kind ed25519 \\\n"
        "      --passphrase-file /root/passphrase");
    sub->callback([&session, options] {
        session.action = [&session, options] { return run_create(session, *options); };
    });
}

void add_key_list(CLI::App& group, Session& session) {
    CLI::App* sub = group.add_subcommand("list", "The keys known here, and which are trusted");
    sub->fallthrough();
    sub->footer("Examples:\n  slurm-factory key list\n  slurm-factory key list --json");
    sub->callback([&session] { session.action = [&session] { return run_list(session); }; });
}

void add_export(CLI::App& group, Session& session) {
    const auto options = std::make_shared<ExportOptions>();
    CLI::App* sub = group.add_subcommand("export", "A key's public part, as armoured text");
    sub->add_option("FINGERPRINT", options->fingerprint, "All 40 digits; spaces are fine in quotes")
        ->required();
    sub->add_option("-o,--output", options->output, "Write to this file instead of stdout")
        ->type_name("FILE");
    sub->fallthrough();
    sub->footer("Examples:\n  slurm-factory key export FINGERPRINT -o site-key.asc");
    sub->callback([&session, options] {
        session.action = [&session, options] { return run_export(session, *options); };
    });
}

void add_import(CLI::App& group, Session& session) {
    const auto file = std::make_shared<std::string>();
    CLI::App* sub = group.add_subcommand("import", "Learn keys from a file; trusts none of them");
    sub->add_option("FILE", *file, "Public or secret keys, armoured or binary")->required();
    sub->fallthrough();
    sub->footer(
        "A secret key comes in this way too, never as an argument.\n"
        "Examples:\n"
        "  slurm-factory key import site-key.asc");
    sub->callback([&session, file] {
        session.action = [&session, file] { return run_import(session, *file); };
    });
}

void add_trust(CLI::App& group, Session& session) {
    const auto options = std::make_shared<TrustOptions>();
    CLI::App* sub = group.add_subcommand("trust", "Let this key's signatures count here");
    sub->add_option("FINGERPRINT", options->fingerprint, "All 40 digits; spaces are fine in quotes")
        ->required();
    sub->add_option("--label", options->label,
                    "What people call it (default: the name in the key)");
    sub->add_flag("--root", options->root,
                  "Its lists of revocations count (key revocations), and nothing else it signs");
    sub->fallthrough();
    sub->footer(
        "The key must be known (key import). A site's own list for all users is\n"
        "/etc/slurm-factory/trust.\n"
        "Examples:\n"
        "  slurm-factory key trust FINGERPRINT --label 'release team'");
    sub->callback([&session, options] {
        session.action = [&session, options] { return run_trust(session, *options); };
    });
}

}  // namespace

void add_key(CLI::App& app, Session& session) {
    CLI::App* group =
        add_command_group(app, "key", "The keys that sign here, and whose signatures count here");
    add_create(*group, session);
    add_key_list(*group, session);
    add_export(*group, session);
    add_import(*group, session);
    add_trust(*group, session);
    add_key_distrust(*group, session);
    add_key_revoke(*group, session);
    add_key_revocations(*group, session);
    group->footer(
        "Examples:\n"
        "  slurm-factory key create --name 'Our site' --email hpc@example.org\n"
        "  slurm-factory key list");
}

}  // namespace sf::cli
