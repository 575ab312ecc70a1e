// SPDX-License-Identifier: Apache-2.0
// What a program and its signer say to each other (docs/formats/signer.md): one short JSON text a
// message over a SOCK_SEQPACKET socket, whatever is longer as a descriptor beside it. Readers are
// total and strict: a message has one text form. Knows nothing of what is said. Any thread, one for
// each end.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "trust/passphrase.hpp"
#include "trust/signer.hpp"

namespace sf::trust {

inline constexpr std::size_t max_signer_message = std::size_t{32} << 10;
inline constexpr std::size_t max_signer_keys = 16;
// Of what is handed over to be read whole; files are hashed, whatever their length.
inline constexpr std::uint64_t max_signer_text = std::uint64_t{256} << 20;

struct SignerKey {
    std::string fingerprint;                            // in the form of files
    Passphrase::From from = Passphrase::From::nothing;  // descriptor: the one beside the message
    std::string file;                                   // From::file: absolute
    bool operator==(const SignerKey&) const = default;
};

struct SignerRequest {
    enum class Do { begin, admit, sign };
    Do what = Do::begin;
    std::string home;                    // begin: the private GnuPG home, absolute
    std::vector<SignerKey> keys;         // begin: that sign together
    Evidence evidence = Evidence::blob;  // admit: the descriptor beside it
    Paper paper = Paper::package;        // sign: likewise
};

struct SignerReply {
    std::optional<base::Error> error;
    std::string fingerprint;             // of begin
    std::vector<std::string> primaries;  // of begin
};

[[nodiscard]] std::string word_of(Paper paper);
[[nodiscard]] base::Result<Paper> paper_of(std::string_view word);

[[nodiscard]] base::Result<std::string> to_json(const SignerRequest& request);
[[nodiscard]] base::Result<SignerRequest> signer_request_from_json(std::string_view text);
[[nodiscard]] base::Result<std::string> to_json(const SignerReply& reply);
[[nodiscard]] base::Result<SignerReply> signer_reply_from_json(std::string_view text);

struct SignerMessage {
    std::string text;
    base::Fd descriptor;  // at most one
};

// Code::unreachable: the other side is gone, or takes nothing for half a minute.
[[nodiscard]] base::Status send_message(int socket, std::string_view text, int descriptor = -1);
// Waits. nullopt: the other side has closed. Code::corrupt: longer than a message may be, or with
// more than one descriptor. A signal that asks to stop ends it.
[[nodiscard]] base::Result<std::optional<SignerMessage>> receive_message(int socket);

// A text as a descriptor that nobody can change any more.
[[nodiscard]] base::Result<base::Fd> text_in_memory(std::string_view text);
// The whole of it, copied; a regular file of at most `most` bytes, or Code::corrupt.
[[nodiscard]] base::Result<std::string> text_of_descriptor(int descriptor, std::uint64_t most);

}  // namespace sf::trust
