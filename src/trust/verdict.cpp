// SPDX-License-Identifier: Apache-2.0
#include "trust/verdict.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "base/unnamed_file.hpp"
#include "trust/armor.hpp"
#include "trust/clearsign.hpp"
#include "trust/gpg.hpp"

namespace sf::trust {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t clock_tolerance = 600;  // seconds
constexpr unsigned no_public_key = 9;          // ERRSIG's reason
constexpr unsigned bad_hash_algorithm = 5;

bool strong_hash(unsigned algorithm) {  // SHA-256, SHA-384, SHA-512
    return algorithm == 8 || algorithm == 9 || algorithm == 10;
}

const Key* owner_of(std::string_view key, const std::vector<Key>& listed) {
    for (const Key& candidate : listed) {
        if (candidate.part(key) != nullptr) return &candidate;
    }
    return nullptr;
}

unsigned class_of(Signed what) { return what == Signed::file ? 0 : 1; }

// In a folder of ours that goes when we do: durable for nobody.
base::Status write_for_gpgv(const fs::path& path, std::string_view bytes) {
    return base::write_staged(path, bytes, 0600);
}

base::Result<base::Fd> in_unnamed_file(const fs::path& folder, std::string_view bytes) {
    SF_TRY(base::Fd file, base::unnamed_file(folder));
    SF_CHECK(base::write_all(file.get(), base::as_bytes(bytes), folder));
    return file;
}

Finding judge_good(const SignatureStatus& signature, const Key& key, std::int64_t now,
                   Signed what) {
    const KeyPart* part = key.part(signature.key);
    if (part == nullptr || key.primary.fingerprint.text() != signature.primary) {
        return Finding::unknown_signer;
    }
    if (!strong_enough(*part) || !strong_enough(key.primary)) return Finding::weak_key;
    if (!strong_hash(signature.hash_algorithm)) return Finding::weak_hash;
    if (signature.signature_class != class_of(what)) return Finding::wrong_kind;
    if (signature.created > now + clock_tolerance) return Finding::future;
    if (signature.created < part->created || signature.created < key.primary.created) {
        return Finding::uncheckable;
    }
    return Finding::good;
}

Finding judge_one(const SignatureStatus& signature, const std::vector<Key>& listed,
                  std::int64_t now, Signed what, const Withdrawn& withdrawn) {
    const Key* key =
        owner_of(signature.primary.empty() ? signature.key : signature.primary, listed);
    if (key == nullptr) return Finding::unknown_signer;
    // Whatever such a key says, whenever it says it was: its thief chooses the time.
    if (withdrawn.contains(key->primary.fingerprint)) {
        return signature.state == SignatureState::bad ? Finding::tampered : Finding::withdrawn_key;
    }
    switch (signature.state) {
        case SignatureState::good: return judge_good(signature, *key, now, what);
        case SignatureState::bad: return Finding::tampered;
        case SignatureState::expired_signature: return Finding::expired_signature;
        case SignatureState::expired_key: return Finding::expired_key;
        case SignatureState::revoked_key: return Finding::revoked_key;
        case SignatureState::unchecked: break;
    }
    if (signature.error == bad_hash_algorithm || !strong_hash(signature.hash_algorithm)) {
        return Finding::weak_hash;
    }
    return signature.error == no_public_key ? Finding::unknown_signer : Finding::uncheckable;
}

// These refuse whatever else is there, the first of them first.
constexpr Finding fatal[] = {Finding::tampered, Finding::revoked_key, Finding::expired_key,
                             Finding::expired_signature};
// Without a good signature, the first of these says why.
constexpr Finding reasons[] = {Finding::withdrawn_key, Finding::weak_key,   Finding::weak_hash,
                               Finding::future,        Finding::wrong_kind, Finding::uncheckable,
                               Finding::unknown_signer};

}  // namespace

Verdict judge(const GpgStatus& status, const std::vector<Key>& listed, std::int64_t now,
              Signed what, const Withdrawn& withdrawn) {
    std::vector<Verdict> verdicts;
    std::vector<std::string> signers;
    for (const SignatureStatus& signature : status.signatures) {
        const Finding finding = judge_one(signature, listed, now, what, withdrawn);
        const Key* key =
            owner_of(signature.primary.empty() ? signature.key : signature.primary, listed);
        Verdict verdict{finding, signature.key, {}, signature.created, what, {}, {}};
        if (key != nullptr) verdict.primary = key->primary.fingerprint.text();
        if (finding == Finding::good) signers.push_back(verdict.primary);
        if (finding == Finding::withdrawn_key)
            verdict.reason = withdrawn.at(key->primary.fingerprint);
        verdicts.push_back(std::move(verdict));
    }
    const auto first = [&](Finding wanted) -> const Verdict* {
        const auto found = std::ranges::find(verdicts, wanted, &Verdict::finding);
        return found == verdicts.end() ? nullptr : &*found;
    };
    for (Finding finding : fatal) {
        if (const Verdict* verdict = first(finding)) return *verdict;
    }
    if (status.no_data || status.unexpected) return {};
    if (const Verdict* verdict = first(Finding::good)) {
        Verdict good = *verdict;
        good.signers = std::move(signers);
        return good;
    }
    for (Finding finding : reasons) {
        if (const Verdict* verdict = first(finding)) return *verdict;
    }
    return {};
}

std::string verdict_text(const Verdict& verdict, std::string_view file) {
    const std::string name = base::escape_untrusted(file);
    const std::string& signer = verdict.primary.empty() ? verdict.key : verdict.primary;
    switch (verdict.finding) {
        case Finding::good: return {};
        case Finding::no_signature: return fmt::format("{} carries no usable signature", name);
        case Finding::tampered:
            return fmt::format("{} is not what {} signed: it was changed after signing", name,
                               signer);
        case Finding::revoked_key:
            return fmt::format("{} is signed with a revoked key: {}", name, signer);
        case Finding::withdrawn_key:
            return fmt::format("{} is signed with a key that was withdrawn: {} ({})", name, signer,
                               base::escape_untrusted(verdict.reason));
        case Finding::expired_key:
            return fmt::format("{} is signed with an expired key: {}", name, signer);
        case Finding::expired_signature:
            return fmt::format("the signature of {} by {} has expired", name, signer);
        case Finding::weak_key:
            return fmt::format(
                "{} is signed with a key that is too weak: {} (RSA of 3072 bits, ECDSA or EdDSA "
                "is the least)",
                name, signer);
        case Finding::weak_hash:
            return fmt::format(
                "the signature of {} by {} uses a hash that is too weak (SHA-256 is the least)",
                name, signer);
        case Finding::future:
            return fmt::format("the signature of {} by {} was made in the future: a clock is wrong",
                               name, signer);
        case Finding::wrong_kind:
            return fmt::format("the signature of {} by {} is not one of {}", name, signer,
                               verdict.what == Signed::file ? "a file's bytes" : "a text");
        case Finding::uncheckable:
            return fmt::format("the signature of {} by {} cannot be checked", name, signer);
        case Finding::unknown_signer:
            return fmt::format("{} is signed by a key that is not trusted: {}", name,
                               verdict.key.empty() ? "unknown" : verdict.key);
    }
    return fmt::format("{} is refused", name);
}

std::string clock_advice() {
    return fmt::format(
        "or set this machine's clock if {} is wrong: a key made later does not count",
        base::utc_date(std::time(nullptr)));
}

base::Result<Verifier> Verifier::create(const TrustedKeys& trusted, VerifierOptions options) {
    if (trusted.keys.empty() && !trusted.warnings.empty()) {
        return base::fail_hint(base::Code::refused, base::join(trusted.warnings, "; "),
                               "slurm-factory key import FILE, then slurm-factory key trust "
                               "FINGERPRINT again; " +
                                   clock_advice());
    }
    if (trusted.keys.empty()) {
        return base::fail_hint(base::Code::refused, "no key is trusted here yet",
                               "slurm-factory key import FILE, compare the fingerprint with one "
                               "from another channel, then slurm-factory key trust FINGERPRINT");
    }
    return with_keys(trusted, std::move(options));
}

base::Result<Verifier> Verifier::of_nobody(VerifierOptions options) {
    return with_keys({}, std::move(options));
}

base::Result<Verifier> Verifier::with_keys(const TrustedKeys& trusted, VerifierOptions options) {
    SF_CHECK(check_program(options.gpgv.string()));
    SF_TRY(base::TempDir room, short_temporary_folder());
    SF_CHECK(write_for_gpgv(room.path() / "keyring.gpg", trusted.keyring));
    SF_CHECK(make_private_folder(room.path() / "home"));
    return Verifier(trusted, std::move(options), std::move(room));
}

base::Command Verifier::gpgv(std::vector<std::string> arguments, std::uint64_t bytes) const {
    base::Command command;
    const fs::path home = x_room.path() / "home";
    command.argv = {x_options.gpgv.string(), "--homedir", home.string(), "--keyring",
                    (x_room.path() / "keyring.gpg").string()};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment = gpg_environment(home);
    command.directory = home;
    command.deadline = x_options.deadline + std::chrono::seconds(bytes >> 20U);
    return command;
}

base::Result<Verdict> Verifier::judged(const base::Command& call, const base::Finished& finished,
                                       const base::Result<GpgStatus>& status, std::string_view file,
                                       Signed what) const {
    const std::string name = base::escape_untrusted(file);
    if (finished.timed_out) {
        return base::fail(
            base::Code::refused,
            "the signature of {} is not verified: gpgv did not finish within {}", name,
            base::human_seconds(std::chrono::duration<double>(*call.deadline).count()));
    }
    if (finished.exit.signal != 0 || finished.exit.code > 2) {
        return base::fail(base::Code::refused, "the signature of {} is not verified: gpgv: {}",
                          name, finished.exit.text());
    }
    SF_TRY(const GpgStatus told, base::during(status, "checking the signature of " + name));
    const std::int64_t now = x_options.now != 0 ? x_options.now : std::time(nullptr);
    return judge(told, x_trusted.keys, now, what, x_trusted.withdrawn);
}

base::Result<GoodSignature> Verifier::conclude(const Verdict& verdict,
                                               std::string_view file) const {
    if (verdict.finding != Finding::good) {
        const char* const hint =
            verdict.finding == Finding::unknown_signer ? how_to_trust_signer : "";
        return base::fail_hint(base::Code::refused, verdict_text(verdict, file), hint);
    }
    SF_TRY(Fingerprint primary, Fingerprint::parse(verdict.primary));
    SF_TRY(Fingerprint key, Fingerprint::parse(verdict.key));
    std::string label = x_trusted.label_of(primary);
    return GoodSignature{std::move(primary), std::move(key), std::move(label), verdict.created,
                         verdict.signers};
}

base::Result<GoodSignature> Verifier::verify(int descriptor, std::string_view armored,
                                             std::string_view file) const {
    SF_TRY(const Verdict verdict, judge_file(descriptor, armored, file));
    return conclude(verdict, file);
}

base::Result<Verdict> Verifier::judge_file(int descriptor, std::string_view armored,
                                           std::string_view file) const {
    const std::string name = base::escape_untrusted(file);
    SF_TRY(const std::string packets,
           base::during(dearmor_signature(armored), "checking the signature of " + name));
    // A name per call is not needed: a Verifier serves one thread at a time.
    const fs::path signature = x_room.path() / "signature";
    SF_CHECK(write_for_gpgv(signature, packets));
    if (::lseek(descriptor, 0, SEEK_SET) != 0) return base::fail_errno(errno, "rewind " + name);

    struct stat status {};
    if (::fstat(descriptor, &status) != 0) return base::fail_errno(errno, "look at " + name);
    base::Command command = gpgv({"--status-fd", "1", "--", signature.string(), "-"},
                                 static_cast<std::uint64_t>(status.st_size));
    command.stdin_fd = descriptor;
    SF_TRY(const base::Finished finished, base::run(command));
    if (::lseek(descriptor, 0, SEEK_SET) != 0) return base::fail_errno(errno, "rewind " + name);
    return judged(command, finished, parse_status(finished.out), file, Signed::file);
}

base::Result<GoodSignature> Verifier::verify_bytes(std::string_view bytes, std::string_view armored,
                                                   std::string_view file) const {
    SF_TRY(const base::Fd descriptor, in_unnamed_file(x_room.path(), bytes));
    return verify(descriptor.get(), armored, file);
}

base::Result<std::optional<GoodSignature>> Verifier::verify_if_listed(std::string_view bytes,
                                                                      std::string_view armored,
                                                                      std::string_view file) const {
    if (armored.empty()) return std::optional<GoodSignature>();
    SF_TRY(const base::Fd descriptor, in_unnamed_file(x_room.path(), bytes));
    SF_TRY(const Verdict verdict, judge_file(descriptor.get(), armored, file));
    if (verdict.finding == Finding::unknown_signer) return std::optional<GoodSignature>();
    SF_TRY(GoodSignature good, conclude(verdict, file));
    return std::optional(std::move(good));
}

base::Result<SignedText> Verifier::verify_clearsigned(std::string_view bytes,
                                                      std::string_view file) const {
    SF_TRY(Judged judged, judge_text(bytes, file));
    SF_TRY(GoodSignature good, conclude(judged.verdict, file));
    return SignedText{std::move(good), std::move(judged.text)};
}

base::Result<MaybeSigned> Verifier::read_maybe_signed(std::string_view bytes,
                                                      std::string_view file) const {
    if (!bytes.starts_with("-----BEGIN PGP")) return MaybeSigned{std::nullopt, std::string(bytes)};
    SF_TRY(Judged judged, judge_text(bytes, file));
    if (judged.verdict.finding == Finding::unknown_signer)
        return MaybeSigned{std::nullopt, std::move(judged.text)};
    SF_TRY(GoodSignature good, conclude(judged.verdict, file));
    return MaybeSigned{std::move(good), std::move(judged.text)};
}

base::Result<Verifier::Judged> Verifier::judge_text(std::string_view bytes,
                                                    std::string_view file) const {
    const std::string checking = "checking the signature of " + base::escape_untrusted(file);
    SF_TRY(std::string framed, base::during(frame_of_clearsigned(bytes), checking));
    // The text and what is said of it come out by two ways, so that no text can look like a status.
    const fs::path said = x_room.path() / "status";
    SF_TRY(const base::Fd status_file, base::open_file(said, O_RDWR | O_CREAT | O_TRUNC, 0600));
    constexpr int status_fd = 3;
    base::Command command =
        gpgv({"--status-fd", std::to_string(status_fd), "--output", "-", "--", "-"}, bytes.size());
    command.pass = {{status_file.get(), status_fd}};
    SF_TRY(base::Finished finished, base::run(command, bytes));
    SF_TRY(const std::string lines, base::read_file(said));
    const base::Result<GpgStatus> status = parse_status(lines);
    SF_TRY(Verdict verdict, judged(command, finished, status, file, Signed::text));
    // Cannot be, after what frame_of_clearsigned() lets pass; a GnuPG that thinks otherwise is
    // noticed here.
    if (verdict.finding == Finding::good && (status->texts != 1 || finished.out != framed)) {
        return base::during(
            base::Result<Judged>(base::fail(
                base::Code::refused, "gpgv gives out another text than the one that stands there")),
            checking);
    }
    return Judged{std::move(verdict), std::move(framed)};
}

}  // namespace sf::trust
