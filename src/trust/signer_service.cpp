// SPDX-License-Identifier: Apache-2.0
#include "trust/signer_service.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

#include "base/files.hpp"
#include "base/sanitizers.hpp"
#include "base/stop.hpp"
#include "trust/gpg_signer.hpp"
#include "trust/signer_wire.hpp"

namespace sf::trust {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

struct Hashed {
    base::Digest sha256;
    std::uint64_t size = 0;
};

// The whole file, by pread: the offset is the other side's too. `copy_to`, if it is not -1, gets
// the bytes that were hashed.
Result<Hashed> hash_file(int descriptor, int copy_to = -1) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) return base::fail_errno(errno, "look at a file");
    if (!S_ISREG(status.st_mode)) return fail(Code::corrupt, "what was handed over is no file");
    std::vector<std::byte> room(std::size_t{1} << 20);
    base::Sha256 hash;
    Hashed hashed;
    for (;;) {
        const ssize_t got =
            ::pread(descriptor, room.data(), room.size(), static_cast<off_t>(hashed.size));
        if (got < 0 && errno != EINTR) return base::fail_errno(errno, "read a file");
        SF_CHECK(base::check_stop());
        if (got < 0) continue;
        if (got == 0) break;
        const base::Bytes bytes(room.data(), static_cast<std::size_t>(got));
        SF_CHECK(hash.write(bytes));
        if (copy_to >= 0) SF_CHECK(base::write_all(copy_to, bytes, "a copy of the bundle"));
        hashed.size += static_cast<std::uint64_t>(got);
    }
    hashed.sha256 = hash.finish();
    return hashed;
}

Result<base::Fd> private_file() {
    SF_TRY(const base::TempDir room, base::TempDir::create("/var/tmp", "sfk-"));
    return base::open_file(room.path() / "bundle", O_RDWR | O_CREAT | O_EXCL, 0600);
}

class Service {
public:
    Service(int socket, SigningRules& rules) : x_socket(socket), x_rules(rules) {}

    Status run() {
        for (;;) {
            SF_TRY(std::optional<SignerMessage> message, receive_message(x_socket));
            if (!message) return {};
            const Result<SignerRequest> request = signer_request_from_json(message->text);
            if (!request) {
                SF_CHECK(answer(tl::unexpected(request.error())));
                return tl::unexpected(request.error());
            }
            if ((request->what == SignerRequest::Do::begin) == x_signer.has_value()) {
                Status late = fail(Code::corrupt, "a signer is begun once, and first");
                SF_CHECK(answer(tl::unexpected(late.error())));
                return late;
            }
            if (request->what == SignerRequest::Do::begin) {
                const Status begun = begin(*request, message->descriptor);
                SF_CHECK(answer(begun.map([] { return std::string(); })));
                if (!begun) return {};  // told
                continue;
            }
            SF_CHECK(
                answer(base::during(done(*request, message->descriptor), "asking the signer")));
        }
    }

private:
    Status begin(const SignerRequest& request, const base::Fd& passphrase) {
        const Keyring keyring(request.home);
        for (const SignerKey& key : request.keys) {
            Passphrase how;
            how.from = key.from;
            how.file = key.file;
            how.descriptor = passphrase.get();
            if (key.from == Passphrase::From::descriptor && !passphrase.valid())
                return fail(Code::corrupt, "there is no descriptor with a passphrase");
            SF_TRY(const Fingerprint fingerprint, Fingerprint::parse(key.fingerprint));
            SF_TRY(GpgSigner one, GpgSigner::create(keyring, fingerprint, std::move(how)));
            if (!x_signer)
                x_signer.emplace(std::move(one));
            else
                SF_CHECK(base::during(x_signer->also(std::move(one)), "--signing-key"));
        }
        std::vector<SigningIdentity> who;
        for (const Fingerprint& primary : x_signer->primaries()) {
            SF_TRY(std::string text, keyring.export_public(primary));
            who.push_back({primary, std::move(text)});
        }
        x_rules.begin(x_signer->fingerprint(), std::move(who));
        return {};
    }

    // What goes back, if anything does.
    Result<std::string> done(const SignerRequest& request, const base::Fd& descriptor) {
        if (!descriptor.valid()) return fail(Code::corrupt, "nothing was handed over");
        if (request.what == SignerRequest::Do::sign) return sign(request.paper, descriptor.get());
        if (request.evidence == Evidence::blob) {
            SF_TRY(const Hashed blob, hash_file(descriptor.get()));
            SF_CHECK(x_rules.admit_blob(blob.sha256, blob.size));
            return std::string();
        }
        SF_TRY(const std::string text, text_of_descriptor(descriptor.get(), max_signer_text));
        SF_CHECK(x_rules.admit(request.evidence, text));
        return std::string();
    }

    Result<std::string> sign(Paper paper, int descriptor) {
        if (paper == Paper::bundle) return sign_bundle(descriptor);
        SF_TRY(const std::string text, text_of_descriptor(descriptor, max_signer_text));
        SF_CHECK(x_rules.check(paper, text));
        SF_TRY(std::string result, x_signer->sign(paper, text));
        x_rules.signed_paper(paper, text, result);
        return result;
    }

    // Looked at, and signed, is a copy: the asker can still write to its own file.
    Result<std::string> sign_bundle(int descriptor) {
        SF_TRY(const base::Fd copy, private_file());
        SF_TRY(const Hashed bundle, hash_file(descriptor, copy.get()));
        SF_CHECK(x_rules.check_bundle(copy.get(), bundle.sha256, bundle.size));
        SF_TRY(std::string signature, x_signer->sign_bundle(copy.get()));
        x_rules.signed_paper(Paper::bundle, {}, signature);
        return signature;
    }

    Status answer(const Result<std::string>& result) {
        SignerReply reply;
        if (!result) reply.error = result.error();
        if (result && x_signer) {
            reply.fingerprint = x_signer->fingerprint().text();
            for (const Fingerprint& primary : x_signer->primaries())
                reply.primaries.push_back(primary.text());
        }
        SF_TRY(const std::string text, to_json(reply));
        base::Fd body;
        if (result && !result->empty()) {
            SF_TRY(body, text_in_memory(*result));
        }
        return send_message(x_socket, text, body.get());
    }

    int x_socket;
    SigningRules& x_rules;
    std::optional<GpgSigner> x_signer;
};

}  // namespace

Status lock_signer_down() {
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_CORE, &none) != 0) return base::fail_errno(errno, "forbid cores");
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return base::fail_errno(errno, "forbid new rights");
    if (!base::has_address_sanitizer && ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return base::fail_errno(errno, "hide from others");
    // Not SIGKILL, which is set until here: gpg's agent is to be ended first.
    if (::prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) != 0)
        return base::fail_errno(errno, "ask to be ended with the parent");
    ::umask(077);
    if (::chdir("/") != 0) return base::fail_errno(errno, "leave the folder");
    // Its name in lists of processes; without it only that is lost.
    static_cast<void>(::prctl(PR_SET_NAME, "sf-signer", 0, 0, 0));
    return {};
}

Status serve_signer(int socket, SigningRules& rules) { return Service(socket, rules).run(); }

}  // namespace sf::trust
