// SPDX-License-Identifier: Apache-2.0
#include "deploy/local_http.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <unistd.h>

#include "base/fd.hpp"
#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;

namespace {

constexpr std::size_t most = std::size_t{16} << 20;
constexpr timeval patience{30, 0};

// Where the body begins and how long it says it is; nullopt: not told yet.
struct Head {
    std::size_t body = 0;
    std::size_t length = 0;
};
std::optional<Head> head_of(const std::string& answer) {
    const std::size_t end = answer.find("\r\n\r\n");
    if (end == std::string::npos) return std::nullopt;
    for (std::string line : base::split(answer.substr(0, end), '\n')) {
        std::transform(line.begin(), line.end(), line.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        constexpr std::string_view name = "content-length:";
        if (!line.starts_with(name)) continue;
        const std::string number(base::trim(std::string_view(line).substr(name.size())));
        Head head{end + 4, 0};
        const char* last = number.data() + number.size();
        const auto [at, error] = std::from_chars(number.data(), last, head.length);
        if (error == std::errc() && at == last) return head;
    }
    return std::nullopt;
}

bool is_whole(const std::string& answer) {
    const std::optional<Head> head = head_of(answer);
    return head && answer.size() - head->body >= head->length;
}

}  // namespace

Result<std::string> body_of_answer(const std::string& answer) {
    const std::string status = answer.substr(0, answer.find('\r'));
    if (!status.starts_with("HTTP/1.1 200"))
        return fail(Code::failed, "the answer begins with '{}'",
                    base::escape_untrusted(status.substr(0, 80)));
    const std::optional<Head> head = head_of(answer);
    if (!head || answer.size() - head->body < head->length)
        return fail(Code::failed, "the answer is not whole");
    return answer.substr(head->body, head->length);
}

Result<std::string> local_http_get(const std::string& socket, const std::string& path,
                                   const std::vector<std::string>& headers) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket.size() >= sizeof address.sun_path)
        return fail(Code::usage, "{} is too long for a socket", base::escape_untrusted(socket));
    std::memcpy(address.sun_path, socket.c_str(), socket.size() + 1);
    const base::Fd line(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!line.valid()) return base::fail_errno(errno, "make a socket");
    for (const int which : {SO_RCVTIMEO, SO_SNDTIMEO}) {
        if (::setsockopt(line.get(), SOL_SOCKET, which, &patience, sizeof patience) != 0)
            return base::fail_errno(errno, "set a socket's patience");
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(patience.tv_sec);
    if (::connect(line.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return base::fail_errno(errno, "connect to " + base::escape_untrusted(socket));
    std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n";
    for (const std::string& header : headers) request += header + "\r\n";
    request += "\r\n";
    SF_CHECK(base::write_all(line.get(), base::as_bytes(request), socket));
    std::string answer;
    char room[65536];
    while (!is_whole(answer) && answer.size() < most) {
        SF_CHECK(base::check_stop());
        if (std::chrono::steady_clock::now() > end)
            return fail(Code::exhausted, "no whole answer after {} s", patience.tv_sec);
        const ssize_t got = ::read(line.get(), room, sizeof room);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return base::fail_errno(errno, "read an answer");
        if (got == 0) break;
        answer.append(room, static_cast<std::size_t>(got));
    }
    return body_of_answer(answer);
}

}  // namespace sf::deploy
