// SPDX-License-Identifier: Apache-2.0
// An address, taken apart once and checked: http, https or file, no control characters, no spaces.
// It prints redacted unless asked otherwise by name, so that user info and query secrets cannot
// slip into a message. Knows nothing of requests. Values, any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sf::net {

class Url {
public:
    static constexpr std::size_t max_length = 8192;

    // The message of an error never quotes what might be a secret.
    [[nodiscard]] static base::Result<Url> parse(std::string_view text);

    [[nodiscard]] const std::string& scheme() const { return x_scheme; }  // lower case
    [[nodiscard]] const std::string& host() const {
        return x_host;
    }                                // lower case, [v6] with brackets
    [[nodiscard]] int port() const;  // the scheme's own if not given
    [[nodiscard]] const std::string& path() const { return x_path; }  // as written, "/" at least
    [[nodiscard]] bool is_file() const { return x_scheme == "file"; }
    [[nodiscard]] bool has_user() const { return !x_user.empty(); }
    [[nodiscard]] const std::string& user() const { return x_user; }  // secret: for the wire only
    // The last component of the path, percent-decoded; empty if it ends with "/".
    [[nodiscard]] std::string file_name() const;
    // file: only: the path, percent-decoded. Absent if it holds a NUL.
    [[nodiscard]] base::Result<std::string> file_path() const;

    // Same scheme, host and port: credentials for one are credentials for the other.
    [[nodiscard]] bool same_origin(const Url& other) const;

    // "https://***@host/path?***": for people, logs and records.
    [[nodiscard]] std::string redacted() const;
    // Everything, secrets included: for the wire only.
    [[nodiscard]] std::string with_secrets() const;
    // The same place without user info.
    [[nodiscard]] Url without_user() const;
    // `relative` (already percent-encoded, no leading "/") below this path; the query is dropped.
    [[nodiscard]] Url below(std::string_view relative) const;

private:
    std::string x_scheme;
    std::string x_user;  // "name:password" as written
    std::string x_host;
    std::string x_port;  // digits, or empty
    std::string x_path;
    std::string x_query;  // without "?"
};

// "%2F" for every byte that is not unreserved (RFC 3986); "/" is kept.
[[nodiscard]] std::string percent_encode(std::string_view text);
// Malformed escapes stay as they are: total.
[[nodiscard]] std::string percent_decode(std::string_view text);

}  // namespace sf::net
