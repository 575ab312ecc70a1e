// SPDX-License-Identifier: Apache-2.0
#include "trust/gpg_signer.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <fcntl.h>
#include <unistd.h>

#include "base/text.hpp"
#include "trust/armor.hpp"
#include "trust/clearsign.hpp"

namespace sf::trust {

namespace fs = std::filesystem;

namespace {

// Was somebody to be asked, and did it fail there: by a person who gave up, or without a terminal?
// In "[GNUPG:] FAILURE sign <number>" GnuPG says which of its parts failed, and with what error.
// What goes wrong once the passphrase was given is another's.
bool failed_asking(const base::Finished& finished) {
    constexpr std::uint32_t of_pinentry = 5;
    constexpr std::uint32_t no_pinentry = 85;
    for (const std::string& line : base::split(finished.out, '\n')) {
        const std::vector<std::string> words = base::split(line, ' ');
        if (words.size() != 4 || words[1] != "FAILURE") continue;
        std::uint32_t number = 0;
        std::from_chars(words[3].data(), words[3].data() + words[3].size(), number);
        if (number >> 24U == of_pinentry || (number & 0xFFFFU) == no_pinentry) return true;
    }
    return false;
}

tl::unexpected<base::Error> failure(const base::Finished& finished,
                                    const Fingerprint& fingerprint) {
    const std::string said = base::escape_untrusted(base::trim(finished.err));
    if (said.find("Bad passphrase") != std::string::npos ||
        said.find("No passphrase") != std::string::npos)
        return base::fail_hint(
            base::Code::refused,
            fmt::format("the passphrase of {} is wrong or missing", fingerprint.text()),
            ways_to_unlock);
    if (failed_asking(finished)) {
        const std::size_t colon = said.rfind(": ");  // "gpg: signing failed: No pinentry"
        return base::fail_hint(
            base::Code::refused,
            fmt::format("the key {} has a passphrase, and nobody has given it: {}",
                        fingerprint.text(),
                        colon == std::string::npos ? said : said.substr(colon + 2)),
            ways_to_unlock);
    }
    return base::fail(base::Code::failed, "gpg could not sign ({}): {}", finished.exit.text(),
                      said);
}

}  // namespace

// How gpg is asked, and what its status line must say of the signature.
struct GpgSigner::Kind {
    const char* command;
    const char* letter;
    const char* signature_class;
    std::uint64_t limit;  // of what it writes
};

base::Result<GpgSigner> GpgSigner::create(const Keyring& keyring, const Fingerprint& fingerprint,
                                          Passphrase passphrase) {
    SF_TRY(Key key, keyring.find_signing(fingerprint));
    base::Fd held;
    if (passphrase.from == Passphrase::From::descriptor) {
        SF_TRY(held, hold_passphrase(passphrase));
        passphrase.descriptor = held.get();
    }
    std::unique_ptr<KeptAgent> agent;
    if (passphrase.from == Passphrase::From::agent) {
        SF_TRY(agent, KeptAgent::of(keyring.home()));
    }
    return GpgSigner(keyring.home(), std::move(key), fingerprint, std::move(passphrase),
                     std::move(held), std::move(agent));
}

base::Status GpgSigner::rewind_passphrase() const {
    if (x_held.valid() && ::lseek(x_held.get(), 0, SEEK_SET) != 0)
        return base::fail_errno(errno, "rewind a file");
    return {};
}

base::Result<std::string> GpgSigner::run_gpg(const Kind& kind, int descriptor,
                                             std::string_view input) const {
    SF_TRY(GpgSession session, GpgSession::open(x_home, x_agent.get()));
    const fs::path output = session.room() / "signature.asc";
    std::string user = x_fingerprint.text();
    if (x_fingerprint != x_key.primary.fingerprint) user += '!';  // this subkey and no other
    SF_CHECK(rewind_passphrase());
    SF_TRY(const base::Finished finished,
           session.run({.arguments = {"--status-fd", "1", "--digest-algo", "SHA512",
                                      "--no-emit-version", "--no-comments", "--local-user", user,
                                      "--armor", "--output", output.string(), kind.command},
                        .input = input,
                        .stdin_fd = descriptor,
                        .passphrase = &x_passphrase,
                        .deadline = std::chrono::minutes(30)}));
    if (!finished.exit.ok()) return failure(finished, x_fingerprint);
    // [GNUPG:] SIG_CREATED <letter> <key algorithm> <hash> <class> <time> <fingerprint>
    bool created = false;
    for (const std::string& line : base::split(finished.out, '\n')) {
        const std::vector<std::string> words = base::split(line, ' ');
        if (words.size() == 8 && words[1] == "SIG_CREATED") {
            created = words[2] == kind.letter && words[4] == "10" &&
                      words[5] == kind.signature_class && x_key.part(words[7]) != nullptr;
        }
    }
    if (!created) return base::fail(base::Code::failed, "gpg signed otherwise than asked");
    return base::read_file(output, kind.limit);
}

base::Status GpgSigner::also(GpgSigner other) {
    const std::vector<Fingerprint> mine = primaries();
    const std::vector<Fingerprint> theirs = other.primaries();
    if (std::ranges::find_first_of(mine, theirs) != mine.end())
        return base::fail(base::Code::usage, "the key {} would sign twice",
                          other.x_key.primary.fingerprint.text());
    if (mine.size() + theirs.size() > max_signatures)
        return base::fail(base::Code::usage, "more than {} keys cannot sign together",
                          max_signatures);
    x_also.push_back(std::move(other));
    return {};
}

std::vector<Fingerprint> GpgSigner::primaries() const {
    std::vector<Fingerprint> all{x_key.primary.fingerprint};
    for (const GpgSigner& other : x_also)
        for (Fingerprint& each : other.primaries()) all.push_back(std::move(each));
    return all;
}

base::Result<std::string> GpgSigner::sign(Paper paper, std::string_view text) const {
    return is_clearsigned(paper) ? clearsign(text) : sign_bytes(text);
}

base::Result<std::string> GpgSigner::sign(int descriptor) const {
    SF_TRY(std::string signature, sign_alone(descriptor));
    if (x_also.empty()) return signature;
    SF_TRY(std::string packets, dearmor_signature(signature));
    for (const GpgSigner& other : x_also) {
        SF_TRY(const std::string theirs, other.sign(descriptor));
        SF_TRY(const std::string more, dearmor_signature(theirs));
        packets += more;
    }
    signature = armor_signature(packets);
    SF_CHECK(dearmor_signature(signature).map([](const std::string&) {}));
    return signature;
}

base::Result<std::string> GpgSigner::clearsign(std::string_view text) const {
    SF_TRY(std::string message, clearsign_alone(text));
    if (x_also.empty()) return message;
    const auto signature_of = [&](const std::string& whole) {
        return dearmor_signature(
            std::string_view(whole).substr(whole.rfind("-----BEGIN PGP SIGNATURE-----")));
    };
    SF_TRY(std::string packets, signature_of(message));
    for (const GpgSigner& other : x_also) {
        SF_TRY(const std::string theirs, other.clearsign(text));
        SF_TRY(const std::string more, signature_of(theirs));
        packets += more;
    }
    message = clearsigned_text(text, "SHA512", armor_signature(packets));
    SF_TRY(const std::string framed, base::during(frame_of_clearsigned(message), "clearsigning"));
    if (framed != text)
        return base::fail(base::Code::failed, "the keys signed another text than they were given");
    return message;
}

base::Result<std::string> GpgSigner::sign_alone(int descriptor) const {
    if (::lseek(descriptor, 0, SEEK_SET) != 0) return base::fail_errno(errno, "rewind a file");
    base::Result<std::string> signature =
        run_gpg({"--detach-sign", "D", "00", 2 * max_signature_bytes}, descriptor, {});
    if (::lseek(descriptor, 0, SEEK_SET) != 0) return base::fail_errno(errno, "rewind a file");
    if (signature) SF_CHECK(dearmor_signature(*signature).map([](const std::string&) {}));
    return signature;
}

base::Result<std::string> GpgSigner::clearsign_alone(std::string_view text) const {
    SF_CHECK(base::during(check_clearsign_text(text), "clearsigning"));
    SF_TRY(std::string message,
           run_gpg({"--clear-sign", "C", "01", max_clearsigned_bytes}, -1, text));
    SF_TRY(const std::string framed, base::during(frame_of_clearsigned(message), "clearsigning"));
    if (framed != text)
        return base::fail(base::Code::failed, "gpg signed another text than it was given");
    return message;
}

base::Result<std::string> GpgSigner::sign_bytes(std::string_view bytes) const {
    SF_TRY(const base::TempDir room, short_temporary_folder());
    const fs::path path = room.path() / "bytes";
    SF_CHECK(base::write_file(path, bytes, 0600));
    SF_TRY(const base::Fd descriptor, base::open_file(path, O_RDONLY));
    return sign(descriptor.get());
}

base::Status GpgSigner::sign_file(const fs::path& file) const {
    SF_TRY(const base::Fd descriptor, base::open_file(file, O_RDONLY | O_NOFOLLOW));
    SF_TRY(
        const std::string signature,
        base::during(sign(descriptor.get()), "signing " + base::escape_untrusted(file.string())));
    return base::write_file(file.string() + ".asc", signature);
}

}  // namespace sf::trust
