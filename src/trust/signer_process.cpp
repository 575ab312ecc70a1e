// SPDX-License-Identifier: Apache-2.0
#include "trust/signer_process.hpp"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "trust/clearsign.hpp"

namespace sf::trust {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

// A person may be typing a passphrase, for each of several keys; a bundle is large.
constexpr auto patience = std::chrono::minutes(45);

tl::unexpected<base::Error> gone() {
    return base::fail_hint(Code::failed, "the signer has ended",
                           "run this again; if it happens again, report it");
}

// What a pinentry needs to ask a person, and nothing else.
base::Environment environment_for(const SignerStart& start) {
    base::Environment environment{{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C"}, {"TZ", "UTC"}};
    const bool asks = std::ranges::any_of(
        start.keys, [](const SignerKey& key) { return key.from == Passphrase::From::agent; });
    if (!asks) return environment;
    const base::Environment ours = base::current_environment();
    for (const char* name : {"GPG_TTY", "TERM", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY",
                             "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"})
        if (const auto found = ours.find(name); found != ours.end()) environment.insert(*found);
    return environment;
}

}  // namespace

Result<std::unique_ptr<SignerProcess>> SignerProcess::start(const SignerStart& start) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return base::fail_errno(errno, "make a socket for the signer");
    base::Fd ours(ends[0]);
    base::Fd theirs(ends[1]);
    const timeval longest{30, 0};
    for (const int end : {ours.get(), theirs.get()})
        if (::setsockopt(end, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof longest) != 0)
            return base::fail_errno(errno, "make a socket for the signer");
    SF_TRY(const base::Fd nowhere, base::open_file("/dev/null", O_WRONLY));
    base::Command command;
    command.argv = {start.program.string(), signer_verb};
    command.environment = environment_for(start);
    command.stdout_fd = nowhere.get();  // results go there, and it has none
    command.pass = {{theirs.get(), signer_socket}};
    SF_TRY(base::Child child, base::Child::spawn(command));
    theirs.reset();  // or nobody here would ever learn that it has ended
    std::unique_ptr<SignerProcess> signer(new SignerProcess(std::move(child), std::move(ours)));
    SF_CHECK(signer->begin(start));
    return signer;
}

SignerProcess::~SignerProcess() {
    x_socket.reset();  // it ends by itself then; what it does now, it finishes
    for (const auto wait : {std::chrono::seconds(2), std::chrono::seconds(15)}) {
        const auto ended = x_child.wait_for(wait);
        if (!ended || *ended) return;
        x_child.kill_alone(SIGTERM);
    }
}

Status SignerProcess::begin(const SignerStart& start) {
    SignerRequest request;
    request.home = start.home.string();
    request.keys = start.keys;
    SF_TRY(const Answer answer, ask(request, start.passphrase_descriptor));
    SF_TRY(x_fingerprint, Fingerprint::parse(answer.reply.fingerprint));
    for (const std::string& each : answer.reply.primaries) {
        SF_TRY(Fingerprint primary, Fingerprint::parse(each));
        x_primaries.push_back(std::move(primary));
    }
    if (x_primaries.empty()) return fail(Code::corrupt, "the signer names no key");
    return {};
}

Result<SignerProcess::Answer> SignerProcess::ask(const SignerRequest& request,
                                                 int descriptor) const {
    SF_TRY(const std::string text, to_json(request));
    const std::scoped_lock lock(x_one_question);
    if (x_lost) return gone();
    x_lost = true;
    if (!send_message(x_socket.get(), text, descriptor)) return gone();
    SF_TRY(Answer answer, await());
    x_lost = false;
    if (answer.reply.error) return tl::unexpected(std::move(*answer.reply.error));
    return answer;
}

Result<SignerProcess::Answer> SignerProcess::await() const {
    const auto end = std::chrono::steady_clock::now() + patience;
    pollfd wait{x_socket.get(), POLLIN, 0};
    while (::poll(&wait, 1, 200) <= 0) {
        SF_CHECK(base::check_stop());
        if (std::chrono::steady_clock::now() > end)
            return fail(Code::exhausted, "the signer does not answer");
    }
    SF_TRY(const std::optional<SignerMessage> message, receive_message(x_socket.get()));
    if (!message) return gone();
    Answer answer;
    SF_TRY(answer.reply, signer_reply_from_json(message->text));
    if (message->descriptor.valid()) {
        SF_TRY(answer.body, text_of_descriptor(message->descriptor.get(), max_clearsigned_bytes));
    }
    return answer;
}

Result<std::string> SignerProcess::sign(Paper paper, std::string_view text) const {
    SF_TRY(const base::Fd body, text_in_memory(text));
    SignerRequest request;
    request.what = SignerRequest::Do::sign;
    request.paper = paper;
    return ask(request, body.get()).map([](const Answer& answer) { return answer.body; });
}

Result<std::string> SignerProcess::sign_bundle(int descriptor) const {
    SignerRequest request;
    request.what = SignerRequest::Do::sign;
    request.paper = Paper::bundle;
    return ask(request, descriptor).map([](const Answer& answer) { return answer.body; });
}

Status SignerProcess::admit(Evidence evidence, std::string_view text) const {
    SF_TRY(const base::Fd body, text_in_memory(text));
    SignerRequest request;
    request.what = SignerRequest::Do::admit;
    request.evidence = evidence;
    return ask(request, body.get()).map([](const Answer&) {});
}

Status SignerProcess::admit_file(int descriptor) const {
    SignerRequest request;
    request.what = SignerRequest::Do::admit;
    request.evidence = Evidence::blob;
    return ask(request, descriptor).map([](const Answer&) {});
}

}  // namespace sf::trust
