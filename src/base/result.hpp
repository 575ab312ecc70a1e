// SPDX-License-Identifier: Apache-2.0
// Result<T>: what can fail in the course of nature returns one of these; an exception means a bug.
// Few codes, to branch on; the message is for people. Values, no global state, any thread.
#pragma once

#include <fmt/format.h>
#include <tl/expected.hpp>

#include <string>
#include <utility>
#include <vector>

namespace sf::base {

// What callers branch on. Absent, unreachable and corrupt are three outcomes, never one.
enum class Code {
    failed,       // anything callers need not tell apart
    usage,        // the caller's words are off: exit code 2
    absent,       // it is not there, and that was answered for certain
    unreachable,  // nobody answered, or not in time
    corrupt,      // it is there and wrong: digest, format, truncation
    refused,      // a rule of ours forbids it (policy, signature, trust)
    exhausted,    // disk, inodes, memory, processes or time ran out
    interrupted,  // a signal asked us to stop
};

// An error as a person reads it: the innermost message, the frames around it (innermost first), and
// what to do next. Text from outside must have been passed through escape_untrusted() before.
struct Error {
    Code code = Code::failed;
    std::string message;
    std::vector<std::string> frames;
    std::string hint;  // the next step, for instance a command; may be empty

    // "while A: while B: message" on one line, without the hint.
    [[nodiscard]] std::string text() const;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(Code code, fmt::format_string<Args...> format,
                                         Args&&... args) {
    return tl::unexpected<Error>(
        Error{code, fmt::format(format, std::forward<Args>(args)...), {}, {}});
}

// The same with the next step for the reader.
[[nodiscard]] tl::unexpected<Error> fail_hint(Code code, std::string message, std::string hint);

// An errno as an error: "cannot <what>: <strerror>"; ENOSPC, EDQUOT, EMFILE, ENOMEM, EAGAIN from
// fork become Code::exhausted, ENOENT becomes Code::absent.
[[nodiscard]] tl::unexpected<Error> fail_errno(int error, std::string_view what);

// Adds the frame "while <doing>" to an error on its way up.
template <class T>
[[nodiscard]] Result<T> during(Result<T> result, std::string doing) {
    if (!result) result.error().frames.push_back(std::move(doing));
    return result;
}

}  // namespace sf::base

#define SF_JOIN_(a, b) a##b
#define SF_JOIN(a, b) SF_JOIN_(a, b)

// SF_TRY(auto bytes, read_file(path)): declare from a Result, or return its error.
#define SF_TRY(declaration, ...) SF_TRY_(SF_JOIN(sf_try_, __LINE__), declaration, __VA_ARGS__)
#define SF_TRY_(name, declaration, ...)                        \
    auto name = (__VA_ARGS__);                                 \
    if (!name) return tl::unexpected(std::move(name).error()); \
    declaration = std::move(*name)

// SF_CHECK(write(...)): return the error of a Status, if it is one.
#define SF_CHECK(...)                                            \
    do {                                                         \
        if (auto sf_status = (__VA_ARGS__); !sf_status)          \
            return tl::unexpected(std::move(sf_status).error()); \
    } while (false)
