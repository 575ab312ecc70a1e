// SPDX-License-Identifier: Apache-2.0
#include "sandbox/bwrap_status.hpp"

#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <thread>
#include <unistd.h>

#include "base/files.hpp"
#include "base/json.hpp"

namespace sf::sandbox {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

// Older systems' headers, on which the program is built to run everywhere, do not name these.
constexpr long pidfd_open_call = 434;
constexpr long pidfd_send_signal_call = 424;

}  // namespace

base::Result<std::pair<BwrapStatus, base::Fd>> BwrapStatus::create() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return base::fail_errno(errno, "make a pipe");
    base::Fd reading(ends[0]);
    base::Fd writing(ends[1]);
    if (::fcntl(reading.get(), F_SETFL, O_NONBLOCK) != 0)
        return base::fail_errno(errno, "set up a pipe");
    return std::pair(BwrapStatus(std::move(reading)), std::move(writing));
}

void BwrapStatus::read() {
    std::array<char, 1024> room;
    for (;;) {
        const auto got = ::read(x_pipe.get(), room.data(), room.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        x_text.append(room.data(), static_cast<std::size_t>(got));
    }
    for (auto end = x_text.find('\n'); end != std::string::npos; end = x_text.find('\n')) {
        take(std::string_view(x_text).substr(0, end));
        x_text.erase(0, end + 1);
    }
}

void BwrapStatus::take(std::string_view line) {
    const auto value = base::parse_json(line);
    if (!value || !value->is_object()) return;
    const auto number = [&](const char* key) -> std::optional<std::uint64_t> {
        const auto found = value->find(key);
        if (found == value->end() || !found->is_number_unsigned()) return std::nullopt;
        return found->get<std::uint64_t>();
    };
    if (const auto code = number("exit-code"); code && *code < 256)
        x_exit_code = static_cast<int>(*code);
    const auto pid = number("child-pid");
    const auto pid_namespace = number("pid-namespace");
    if (!pid || x_child > 0) return;
    x_child = static_cast<pid_t>(*pid);
    x_namespace = fmt::format("pid:[{}]", pid_namespace.value_or(0));
    x_child_fd = base::Fd(static_cast<int>(::syscall(pidfd_open_call, x_child, 0)));
    // By now the child may have ended and its number be another's, whom we must not kill.
    if (!is_ours()) x_child_fd.reset();
}

bool BwrapStatus::is_ours() const {
    std::error_code error;
    const auto link = base::fs::read_symlink(fmt::format("/proc/{}/ns/pid", x_child), error);
    return !error && link.string() == x_namespace;
}

void BwrapStatus::wait_for_child(base::Child& bwrap, milliseconds patience) {
    const auto end = Clock::now() + patience;
    for (read(); x_child < 0 && Clock::now() < end; read()) {
        const auto exit = bwrap.wait_for(milliseconds(5));
        if (!exit || *exit) return;
    }
}

void BwrapStatus::kill_child() const {
    if (x_child_fd.valid())
        ::syscall(pidfd_send_signal_call, x_child_fd.get(), SIGKILL, nullptr, 0);
    else if (x_child > 0 && is_ours())
        ::kill(x_child, SIGKILL);
}

bool BwrapStatus::child_gone(int patience) const {
    if (x_child_fd.valid()) {
        pollfd wait{x_child_fd.get(), POLLIN, 0};
        return ::poll(&wait, 1, patience) > 0;
    }
    if (x_child < 0 || !is_ours()) return true;
    std::this_thread::sleep_for(milliseconds(patience));
    return false;
}

base::Status BwrapStatus::wait_until_gone(milliseconds patience) {
    read();
    const auto end = Clock::now() + patience;
    while (!child_gone(10)) {
        kill_child();
        if (Clock::now() > end)
            return base::fail(base::Code::failed, "process {} of the sandbox does not end",
                              x_child);
    }
    return {};
}

}  // namespace sf::sandbox
