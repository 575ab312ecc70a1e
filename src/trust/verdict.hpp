// SPDX-License-Identifier: Apache-2.0
// Is this file signed by somebody we trust? gpgv checks the mathematics in a process of its own,
// with an empty home and a deadline; the verdict rests on its status lines alone, because its exit
// status is 0 for revoked, expired and weak keys, and not 0 beside one signature of an unknown key.
// docs/formats/trust.md has the rules. A Verifier may be used by one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "base/process.hpp"
#include "trust/gpg.hpp"
#include "trust/key.hpp"
#include "trust/status.hpp"
#include "trust/trust_store.hpp"

namespace sf::trust {

// What to do next where the signer is nobody that this machine trusts.
inline constexpr const char* how_to_trust_signer =
    "if you expect this signer, get its public key and compare the fingerprint through another "
    "channel, then: slurm-factory key import FILE && slurm-factory key trust FINGERPRINT";

// GnuPG reads no key that was made later than the clock says: it counts as none.
[[nodiscard]] std::string clock_advice();

enum class Finding {
    good,
    no_signature,   // there is none, or its file is damaged
    tampered,       // the bytes are not those that were signed
    withdrawn_key,  // a list of revocations names it
    revoked_key,
    expired_key,
    expired_signature,
    weak_key,
    weak_hash,
    future,       // made later than our clock allows
    wrong_kind,   // of something else than was asked: a text, a file's bytes, a key
    uncheckable,  // by a trusted key, but gpgv cannot check it
    unknown_signer,
};

// What is asked to be signed.
enum class Signed { file, text };

struct Verdict {
    Finding finding = Finding::no_signature;
    std::string key;      // fingerprint of the key that signed, or its id if that is all we know
    std::string primary;  // fingerprint of its primary key, if listed
    std::int64_t created = 0;
    Signed what = Signed::file;
    std::string reason;                // of Finding::withdrawn_key
    std::vector<std::string> signers;  // of Finding::good: the primaries of all who signed well
};

// By primary fingerprint, why its signatures do not count.
using Withdrawn = std::map<Fingerprint, std::string>;

// The rules. Signatures of keys that are not listed, or are withdrawn, count neither for nor
// against.
[[nodiscard]] Verdict judge(const GpgStatus& status, const std::vector<Key>& listed,
                            std::int64_t now, Signed what = Signed::file,
                            const Withdrawn& withdrawn = {});

// One line for people; "" for Finding::good.
[[nodiscard]] std::string verdict_text(const Verdict& verdict, std::string_view file);

struct VerifierOptions {
    std::filesystem::path gpgv{std::string(gpgv_program)};
    // Of one gpgv, for a small text; each whole MiB that it reads adds a second.
    std::chrono::milliseconds deadline = std::chrono::seconds(30);
    std::int64_t now = 0;  // seconds since 1970; 0: this machine's clock
};

struct GoodSignature {
    Fingerprint primary;
    Fingerprint key;  // the subkey, or the primary itself
    std::string label;
    std::int64_t created = 0;
    std::vector<std::string> signers;  // primaries of all listed keys that signed, this one too
};

struct SignedText {
    GoodSignature signature;
    std::string text;
};

// Of a place where a site allows what nobody it trusts has signed.
struct MaybeSigned {
    std::optional<GoodSignature> signature;
    std::string text;
};

class Verifier {
public:
    // Code::refused if nobody is trusted at all.
    [[nodiscard]] static base::Result<Verifier> create(const TrustedKeys& trusted,
                                                       VerifierOptions options = {});

    // To whom every signature is one of a key that is not listed.
    [[nodiscard]] static base::Result<Verifier> of_nobody(VerifierOptions options = {});

    // Of the whole of a regular file, from its first byte; the offset is rewound. `file` is for
    // messages only: bytes are read from `descriptor`. Everything but a good signature is an error.
    [[nodiscard]] base::Result<GoodSignature> verify(int descriptor, std::string_view armored,
                                                     std::string_view file) const;
    [[nodiscard]] base::Result<GoodSignature> verify_bytes(std::string_view bytes,
                                                           std::string_view armored,
                                                           std::string_view file) const;

    // Of one clearsigned text and nothing around it (clearsign.hpp). The text is what gpgv gave
    // out, and also what stands there: where the two differ, it is refused.
    [[nodiscard]] base::Result<SignedText> verify_clearsigned(std::string_view bytes,
                                                              std::string_view file) const;

    // The two for places where a site allows what nobody it trusts has signed: a text without any
    // signature, and a signature of a key that is not listed, are no error, and have no signer.
    // What was changed after signing, and keys that are revoked, withdrawn, expired or weak, are
    // errors as ever.
    [[nodiscard]] base::Result<MaybeSigned> read_maybe_signed(std::string_view bytes,
                                                              std::string_view file) const;
    // `armored` may be empty.
    [[nodiscard]] base::Result<std::optional<GoodSignature>> verify_if_listed(
        std::string_view bytes, std::string_view armored, std::string_view file) const;

private:
    struct Judged {
        Verdict verdict;
        std::string text;  // by our own reading; by gpgv's as well, if the verdict is good
    };
    // gpgv with our keys and an empty home, that reads `bytes`; what it is to look at is added at
    // the end.
    [[nodiscard]] base::Command gpgv(std::vector<std::string> arguments, std::uint64_t bytes) const;
    // What the end of such a call, and its status lines, mean.
    [[nodiscard]] base::Result<Verdict> judged(const base::Command& call,
                                               const base::Finished& finished,
                                               const base::Result<GpgStatus>& status,
                                               std::string_view file, Signed what) const;
    [[nodiscard]] base::Result<Verdict> judge_file(int descriptor, std::string_view armored,
                                                   std::string_view file) const;
    [[nodiscard]] base::Result<Judged> judge_text(std::string_view bytes,
                                                  std::string_view file) const;
    // All but a good one is an error.
    [[nodiscard]] base::Result<GoodSignature> conclude(const Verdict& verdict,
                                                       std::string_view file) const;

    [[nodiscard]] static base::Result<Verifier> with_keys(const TrustedKeys& trusted,
                                                          VerifierOptions options);

    Verifier(TrustedKeys trusted, VerifierOptions options, base::TempDir room)
        : x_trusted(std::move(trusted)), x_options(std::move(options)), x_room(std::move(room)) {}
    TrustedKeys x_trusted;
    VerifierOptions x_options;
    base::TempDir x_room;
};

}  // namespace sf::trust
