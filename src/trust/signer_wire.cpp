// SPDX-License-Identifier: Apache-2.0
// Both directions of each message stand side by side, so that they cannot drift apart.
#include "trust/signer_wire.hpp"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/json_reader.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"

namespace sf::trust {

using base::Code;
using base::fail;
using base::Json;
using base::JsonReader;
using base::Result;
using base::Status;

namespace {

template <class Value>
struct Word {
    Value value;
    std::string_view word;
};

constexpr std::array<Word<SignerRequest::Do>, 3> verbs{{{SignerRequest::Do::begin, "begin"},
                                                        {SignerRequest::Do::admit, "admit"},
                                                        {SignerRequest::Do::sign, "sign"}}};
constexpr std::array<Word<Passphrase::From>, 4> sources{
    {{Passphrase::From::nothing, "nothing"},
     {Passphrase::From::descriptor, "descriptor"},
     {Passphrase::From::file, "file"},
     {Passphrase::From::agent, "agent"}}};
constexpr std::array<Word<Paper>, 7> papers{{{Paper::package, "package"},
                                             {Paper::bundle_manifest, "bundle_manifest"},
                                             {Paper::bundle, "bundle"},
                                             {Paper::provenance, "provenance"},
                                             {Paper::spec_manifest, "spec_manifest"},
                                             {Paper::snapshot, "snapshot"},
                                             {Paper::revocations, "revocations"}}};
constexpr std::array<Word<Evidence>, 9> evidences{{{Evidence::plan, "plan"},
                                                   {Evidence::blob, "blob"},
                                                   {Evidence::package, "package"},
                                                   {Evidence::spec, "spec"},
                                                   {Evidence::manifest, "manifest"},
                                                   {Evidence::node, "node"},
                                                   {Evidence::snapshot, "snapshot"},
                                                   {Evidence::provenance, "provenance"},
                                                   {Evidence::revocations, "revocations"}}};
constexpr std::array<Word<Code>, 8> codes{{{Code::failed, "failed"},
                                           {Code::usage, "usage"},
                                           {Code::absent, "absent"},
                                           {Code::unreachable, "unreachable"},
                                           {Code::corrupt, "corrupt"},
                                           {Code::refused, "refused"},
                                           {Code::exhausted, "exhausted"},
                                           {Code::interrupted, "interrupted"}}};

template <class Words, class Value>
std::string word_of(const Words& words, Value value) {
    return std::string(std::ranges::find(words, value, &Words::value_type::value)->word);
}

template <class Words, class Value>
Status read_word(JsonReader& reader, const char* key, const Words& words, Value& into) {
    std::string word;
    reader.text(key, word);
    SF_CHECK(reader.status());
    const auto found =
        std::ranges::find_if(words, [&](const auto& each) { return each.word == word; });
    if (found == words.end())
        return fail(Code::corrupt, "'{}' is no {} here", base::escape_untrusted(word), key);
    into = found->value;
    return {};
}

Status check_text(std::string_view again, std::string_view text) {
    if (again == text) return {};
    return fail(Code::corrupt, "a message is not in its one text form");
}

// NUL would end it for the system, and not for us.
bool is_path(std::string_view path) {
    return path.starts_with('/') && path.find('\0') == std::string_view::npos;
}

Status read_key(const Json& json, SignerKey& key) {
    JsonReader reader(json, "a key");
    reader.text("fingerprint", key.fingerprint);
    SF_CHECK(reader.status());
    SF_CHECK(Fingerprint::parse(key.fingerprint).map([](const Fingerprint&) {}));
    SF_CHECK(read_word(reader, "passphrase", sources, key.from));
    if (key.from != Passphrase::From::file) return {};
    reader.text("file", key.file);
    SF_CHECK(reader.status());
    return is_path(key.file) ? Status() : fail(Code::corrupt, "a passphrase file is no path");
}

// Long ones are cut: a message must fit, and each byte may take five when it is escaped.
std::string shown(const std::string& text, std::size_t most) {
    return base::escape_untrusted(text.substr(0, most));
}

}  // namespace

std::string word_of(Paper paper) { return word_of(papers, paper); }

Result<Paper> paper_of(std::string_view word) {
    const auto found = std::ranges::find(papers, word, &Word<Paper>::word);
    if (found != papers.end()) return found->value;
    return fail(Code::corrupt, "'{}' is nothing that is signed", base::escape_untrusted(word));
}

Result<std::string> to_json(const SignerRequest& request) {
    Json json{{"do", word_of(verbs, request.what)}};
    switch (request.what) {
        case SignerRequest::Do::begin: {
            Json keys = Json::array();
            for (const SignerKey& key : request.keys) {
                Json one{{"fingerprint", key.fingerprint},
                         {"passphrase", word_of(sources, key.from)}};
                if (key.from == Passphrase::From::file) one["file"] = key.file;
                keys.push_back(std::move(one));
            }
            json["home"] = request.home;
            json["keys"] = std::move(keys);
            break;
        }
        case SignerRequest::Do::admit: json["what"] = word_of(evidences, request.evidence); break;
        case SignerRequest::Do::sign: json["what"] = word_of(papers, request.paper); break;
    }
    return base::canonical_json(json);
}

Result<SignerRequest> signer_request_from_json(std::string_view text) {
    if (text.size() > max_signer_message) return fail(Code::corrupt, "a message is too long");
    SF_TRY(const Json json, base::parse_json(text, 4));
    JsonReader reader(json, "a request");
    SignerRequest request;
    SF_CHECK(read_word(reader, "do", verbs, request.what));
    switch (request.what) {
        case SignerRequest::Do::begin:
            reader.text("home", request.home);
            reader.each("keys", [&](const Json& item) -> Status {
                return read_key(item, request.keys.emplace_back());
            });
            SF_CHECK(reader.status());
            if (!is_path(request.home)) return fail(Code::corrupt, "the home is no path");
            if (request.keys.empty() || request.keys.size() > max_signer_keys)
                return fail(Code::corrupt, "one key signs, or up to {} do", max_signer_keys);
            break;
        case SignerRequest::Do::admit:
            SF_CHECK(read_word(reader, "what", evidences, request.evidence));
            break;
        case SignerRequest::Do::sign:
            SF_CHECK(read_word(reader, "what", papers, request.paper));
            break;
    }
    SF_TRY(const std::string again, to_json(request));
    SF_CHECK(check_text(again, text));
    return request;
}

Result<std::string> to_json(const SignerReply& reply) {
    if (!reply.error)
        return base::canonical_json(
            {{"fingerprint", reply.fingerprint}, {"primaries", reply.primaries}});
    std::vector<std::string> frames;
    for (const std::string& frame : reply.error->frames)
        if (frames.size() < 8) frames.push_back(shown(frame, 250));
    return base::canonical_json({{"code", word_of(codes, reply.error->code)},
                                 {"error", shown(reply.error->message, 2500)},
                                 {"frames", frames},
                                 {"hint", shown(reply.error->hint, 1000)}});
}

Result<SignerReply> signer_reply_from_json(std::string_view text) {
    if (text.size() > max_signer_message) return fail(Code::corrupt, "a message is too long");
    SF_TRY(const Json json, base::parse_json(text, 4));
    JsonReader reader(json, "a reply");
    SignerReply reply;
    if (reader.has("code")) {
        base::Error& error = reply.error.emplace();
        SF_CHECK(read_word(reader, "code", codes, error.code));
        reader.text("error", error.message);
        reader.texts("frames", error.frames);
        reader.text("hint", error.hint);
    } else {
        reader.text("fingerprint", reply.fingerprint);
        reader.texts("primaries", reply.primaries);
    }
    SF_CHECK(reader.status());
    return reply;
}

Status send_message(int socket, std::string_view text, int descriptor) {
    if (text.size() > max_signer_message)
        return fail(Code::failed, "a message is too long to send");
    iovec part{const_cast<char*>(text.data()), text.size()};  // sendmsg promises not to write
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    if (descriptor >= 0) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    for (;;) {
        if (::sendmsg(socket, &message, MSG_NOSIGNAL) >= 0) return {};
        if (errno == EINTR) {
            SF_CHECK(base::check_stop());
            continue;
        }
        return fail(Code::unreachable, "the other side is gone: {}", std::strerror(errno));
    }
}

Result<std::optional<SignerMessage>> receive_message(int socket) {
    std::string room(max_signer_message, '\0');
    constexpr std::size_t most = 8;  // descriptors; more are closed by the kernel, and told
    alignas(cmsghdr) std::array<char, CMSG_SPACE(most * sizeof(int))> control{};
    iovec part{room.data(), room.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t got = 0;
    while ((got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0) {
        if (errno == ECONNRESET) return std::optional<SignerMessage>();
        if (errno != EINTR) return base::fail_errno(errno, "receive a message");
        SF_CHECK(base::check_stop());
    }
    std::vector<base::Fd> descriptors;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
            descriptors.emplace_back(descriptor);
        }
    }
    if (got == 0 && descriptors.empty()) return std::optional<SignerMessage>();
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || descriptors.size() > 1)
        return fail(Code::corrupt, "a message is too long, or brings too much with it");
    room.resize(static_cast<std::size_t>(got));
    SignerMessage received{std::move(room), {}};
    if (!descriptors.empty()) received.descriptor = std::move(descriptors.front());
    return std::optional(std::move(received));
}

Result<base::Fd> text_in_memory(std::string_view text) {
    base::Fd file(::memfd_create("text", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file.valid()) return base::fail_errno(errno, "make a file in memory");
    SF_CHECK(base::write_all(file.get(), base::as_bytes(text), "memory"));
    if (::fcntl(file.get(), F_ADD_SEALS,
                F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        return base::fail_errno(errno, "seal a file in memory");
    return file;
}

Result<std::string> text_of_descriptor(int descriptor, std::uint64_t most) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) return base::fail_errno(errno, "look at a text");
    if (!S_ISREG(status.st_mode)) return fail(Code::corrupt, "a text is not in a regular file");
    if (status.st_size < 0 || static_cast<std::uint64_t>(status.st_size) > most)
        return fail(Code::corrupt, "a text has more than {} bytes", most);
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t have = 0;
    while (have < text.size()) {
        const ssize_t got =
            ::pread(descriptor, text.data() + have, text.size() - have, static_cast<off_t>(have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return base::fail_errno(errno, "read a text");
        if (got == 0) return fail(Code::corrupt, "a text became shorter while it was read");
        have += static_cast<std::size_t>(got);
    }
    return text;
}

}  // namespace sf::trust
