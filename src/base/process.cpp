// SPDX-License-Identifier: Apache-2.0
// The parent's side: preparing a spawn, waiting, capturing. What happens between fork and exec is
// in process_child.cpp.
#include "base/process.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <thread>
#include <unistd.h>

#include "base/files.hpp"
#include "base/process_child.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"

extern char** environ;

namespace sf::base {

namespace {

constexpr std::size_t capture_limit = std::size_t{16} << 20;

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

struct Pipe {
    Fd read;
    Fd write;
};

Result<Pipe> make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "make a pipe");
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

}  // namespace

Environment current_environment() {
    Environment environment;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const std::size_t equals = text.find('=');
        if (equals != std::string_view::npos)
            environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return environment;
}

std::string Exit::text() const {
    if (signal == 0) return fmt::format("exit status {}", code);
    return fmt::format("killed by signal {} ({})", signal, ::strsignal(signal));
}

std::optional<std::filesystem::path> find_program(std::string_view name) {
    if (name.find('/') != std::string_view::npos) {
        if (::access(std::string(name).c_str(), X_OK) == 0) return std::filesystem::path(name);
        return std::nullopt;
    }
    const char* own = ::getenv("PATH");
    const std::string path =
        std::string(own != nullptr ? own : "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin";
    for (const std::string& folder : split(path, ':')) {
        const std::filesystem::path candidate = std::filesystem::path(folder) / name;
        if (!folder.empty() && ::access(candidate.c_str(), X_OK) == 0 && !is_dir(candidate))
            return candidate;
    }
    return std::nullopt;
}

Result<Child> Child::spawn(const Command& command) {
    const std::string& name = command.argv.at(0);
    const std::optional<std::filesystem::path> program = find_program(name);
    if (!program)
        return fail(Code::absent, "program {} is not on this machine", escape_untrusted(name));

    SF_TRY(Pipe report, make_pipe());
    const ChildPlan plan(command, program->native(), report.write.get());
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno(errno, "start " + name);
    if (pid == 0) plan.become();  // never returns

    Child child(pid, !command.foreground);
    report.write.reset();
    ChildFailure failure;
    ssize_t got = 0;
    do got = ::read(report.read.get(), &failure, sizeof failure);
    while (got < 0 && errno == EINTR);
    if (got < 0) return fail_errno(errno, "learn whether " + escape_untrusted(name) + " started");
    if (got == sizeof failure) {
        SF_TRY([[maybe_unused]] const Exit exit, child.wait());
        return during(Result<Child>(fail_errno(failure.error, failure.stage_text())),
                      "starting " + escape_untrusted(name));
    }
    return child;
}

Child::Child(Child&& other) noexcept
    : x_pid(std::exchange(other.x_pid, -1)),
      x_own_group(other.x_own_group),
      x_exit(other.x_exit),
      x_resources(other.x_resources) {}

Child::~Child() {
    if (x_pid < 0 || x_exit) return;
    kill_group(SIGKILL);
    int status = 0;
    while (::waitpid(x_pid, &status, 0) < 0 && errno == EINTR) {
    }
}

void Child::kill_group(int signal) const {
    if (x_pid <= 0 || x_exit) return;
    // A child that has only just been forked is not in its own group yet.
    if (!x_own_group || ::kill(-x_pid, signal) != 0) ::kill(x_pid, signal);
}

void Child::kill_alone(int signal) const {
    if (x_pid > 0 && !x_exit) ::kill(x_pid, signal);
}

Result<std::optional<Exit>> Child::wait_for(std::chrono::milliseconds patience) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point end = Clock::now() + patience;
    std::chrono::milliseconds nap{1};
    while (!x_exit) {
        int status = 0;
        rusage use{};
        const pid_t done = ::wait4(x_pid, &status, WNOHANG, &use);
        if (done < 0 && errno != EINTR) return fail_errno(errno, "wait for a child process");
        if (done == x_pid) {
            Exit exit;
            if (WIFSIGNALED(status)) {
                exit.signal = WTERMSIG(status);
                exit.code = 128 + exit.signal;
            } else {
                exit.code = WEXITSTATUS(status);
            }
            x_exit = exit;
            x_resources = {seconds(use.ru_utime), seconds(use.ru_stime),
                           static_cast<std::uint64_t>(use.ru_maxrss) * 1024};
            break;
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
        if (left.count() <= 0) return std::optional<Exit>();
        // Short naps first: most helpers end within milliseconds, builds within minutes.
        std::this_thread::sleep_for(std::min(nap, left));
        nap = std::min(nap * 2, std::chrono::milliseconds{20});
    }
    return x_exit;
}

Result<Exit> Child::wait() {
    for (;;) {
        SF_TRY(const std::optional<Exit> exit, wait_for(std::chrono::hours{1}));
        if (exit) return *exit;
    }
}

namespace {

// Collects what a child prints and feeds it its input, until both its streams have ended.
class Conversation {
public:
    explicit Conversation(std::string_view input) : x_input(input) {}
    Fd to_child, from_out, from_err;
    Finished result;
    // Of a pipe: what came through it may not be all. A child that does not want the rest of its
    // input is none.
    int error = 0;

    [[nodiscard]] bool open() const {
        return to_child.valid() || from_out.valid() || from_err.valid();
    }

    void turn(int milliseconds) {
        std::array<pollfd, 3> wait{{{to_child.get(), POLLOUT, 0},
                                    {from_out.get(), POLLIN, 0},
                                    {from_err.get(), POLLIN, 0}}};
        if (::poll(wait.data(), wait.size(), milliseconds) <= 0) return;
        if (wait[0].revents != 0) feed();
        if (wait[1].revents != 0) collect(from_out, result.out);
        if (wait[2].revents != 0) collect(from_err, result.err);
    }

private:
    static bool is_passing(int number) { return number == EAGAIN || number == EINTR; }

    void feed() {
        if (x_input.empty()) return to_child.reset();
        const ssize_t put = ::write(to_child.get(), x_input.data(), x_input.size());
        if (put < 0 && is_passing(errno)) return;
        if (put < 0 && errno != EPIPE) error = errno;
        if (put > 0) x_input.remove_prefix(static_cast<std::size_t>(put));
        if (put < 0 || x_input.empty()) to_child.reset();
    }
    void collect(Fd& from, std::string& into) {
        char buffer[65536];
        const ssize_t got = ::read(from.get(), buffer, sizeof buffer);
        if (got > 0) {
            const std::size_t room = capture_limit - std::min(into.size(), capture_limit);
            into.append(buffer, std::min(room, static_cast<std::size_t>(got)));
        } else if (got == 0 || !is_passing(errno)) {
            if (got < 0) error = errno;
            from.reset();
        }
    }
    std::string_view x_input;
};

}  // namespace

Result<Finished> run(const Command& command, std::string_view input) {
    Command prepared = command;
    Conversation talk(input);
    Pipe in, out, err;
    if (!input.empty()) {
        SF_TRY(in, make_pipe());
        prepared.stdin_fd = in.read.get();
    }
    if (command.stdout_fd < 0) {
        SF_TRY(out, make_pipe());
        prepared.stdout_fd = out.write.get();
    }
    if (command.stderr_fd < 0) {
        SF_TRY(err, make_pipe());
        prepared.stderr_fd = err.write.get();
    }
    SF_TRY(Child child, Child::spawn(prepared));
    in.read.reset();
    out.write.reset();
    err.write.reset();
    talk.to_child = std::move(in.write);
    talk.from_out = std::move(out.read);
    talk.from_err = std::move(err.read);
    for (const Fd* end : {&talk.to_child, &talk.from_out, &talk.from_err})
        if (end->valid()) ::fcntl(end->get(), F_SETFL, O_NONBLOCK);

    const auto start = std::chrono::steady_clock::now();
    std::optional<Exit> exit;
    while (!exit) {
        if (talk.open()) talk.turn(20);
        SF_TRY(exit, child.wait_for(std::chrono::milliseconds{talk.open() ? 0 : 50}));
        if (exit) break;
        if (stop_requested() && !command.though_stopped) {
            child.kill_group(SIGTERM);
            SF_TRY(exit, child.wait_for(std::chrono::milliseconds{1000}));
            if (!exit) child.kill_group(SIGKILL);
            return tl::unexpected(check_stop().error());
        }
        if (command.deadline && std::chrono::steady_clock::now() - start > *command.deadline) {
            talk.result.timed_out = true;
            child.kill_group(SIGKILL);
        }
    }
    // What is in the pipes still counts; a grandchild that keeps them open does not hold us up.
    for (int i = 0; i < 64 && talk.open(); ++i) {
        const std::size_t before = talk.result.out.size() + talk.result.err.size();
        talk.turn(i == 0 ? 0 : 5);
        if (talk.result.out.size() + talk.result.err.size() == before && i > 2) break;
    }
    if (talk.error != 0)
        return fail_errno(talk.error, "exchange data with " + escape_untrusted(command.argv[0]));
    talk.result.exit = *exit;
    talk.result.resources = child.resources();
    return std::move(talk.result);
}

}  // namespace sf::base
