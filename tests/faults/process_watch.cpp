// SPDX-License-Identifier: Apache-2.0
#include "process_watch.hpp"

#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <ctime>
#include <elf.h>
#include <fcntl.h>
#include <map>
#include <sched.h>
#include <stdexcept>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "traced_memory.hpp"

namespace sf::test {

namespace {

constexpr unsigned seconds_to_hang = 120;

void check(long result, const char* what) {
    if (result < 0) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

template <class T>
bool read_from(pid_t thread, std::uint64_t address, T& value) {
    const iovec here{&value, sizeof value};
    const iovec there{reinterpret_cast<void*>(address), sizeof value};  // NOLINT: a number to us
    return ::process_vm_readv(thread, &here, 1, &there, 1, 0) == sizeof value;
}
template <class T>
void write_to(pid_t thread, std::uint64_t address, const T& value) {
    const iovec here{const_cast<T*>(&value), sizeof value};
    const iovec there{reinterpret_cast<void*>(address), sizeof value};  // NOLINT
    if (::process_vm_writev(thread, &here, 1, &there, 1, 0) != sizeof value)
        throw std::runtime_error("process_vm_writev");
}

class Watcher {
public:
    Watcher(pid_t child, const Watch& what)
        : x_child(child), x_later(what.later), x_after(what.after) {}

    Watched run() {
        int status = 0;
        check(::waitpid(x_child, &status, 0), "waitpid");
        check(::ptrace(PTRACE_SETOPTIONS, x_child, 0,
                       PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                           PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL),
              "PTRACE_SETOPTIONS");
        x_seen.processes = 1;
        x_threads.insert(x_child);
        go_on(x_child, 0);
        ::alarm(seconds_to_hang);
        // What it leaves running is of no interest once it has ended, but for those whom it calls.
        while (!x_threads.empty()) {
            const pid_t thread = ::waitpid(-1, &status, __WALL);
            if (thread < 0 && errno == EINTR) {
                x_seen.hung = true;
                for (const pid_t each : x_threads) ::kill(each, SIGKILL);
                continue;
            }
            check(thread, "waitpid");
            see(thread, status);
        }
        ::alarm(0);
        return std::move(x_seen);
    }

private:
    static void go_on(pid_t thread, int signal) {
        if (::ptrace(PTRACE_SYSCALL, thread, 0, signal) < 0 && errno != ESRCH)
            check(-1, "PTRACE_SYSCALL");
    }

    void see(pid_t thread, int status) {
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            x_threads.erase(thread);
            x_entered.erase(thread);
            if (thread != x_child) return;
            if (WIFEXITED(status)) x_seen.exit = WEXITSTATUS(status);
            // An agent that it has started would stay for ever.
            for (const pid_t each : x_threads) ::kill(each, SIGKILL);
            return;
        }
        const bool is_new = x_threads.insert(thread).second;
        const int signal = WSTOPSIG(status);
        const int event = status >> 16;
        if (signal == (SIGTRAP | 0x80)) {
            see_call(thread);
            go_on(thread, 0);
        } else if (event != 0) {
            if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) ++x_seen.processes;
            if (event == PTRACE_EVENT_EXEC && x_later != 0) hide_kernel_clock(thread);
            go_on(thread, 0);
        } else if (signal == SIGSTOP && (is_new || !x_entered.contains(thread))) {
            go_on(thread, 0);  // a new one's own first stop
        } else {
            go_on(thread, signal);
        }
    }

    void see_call(pid_t thread) {
        __ptrace_syscall_info info{};
        if (::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) < 0) return;  // killed
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
            Call& call = x_entered[thread];
            call.number = info.entry.nr;
            std::copy_n(info.entry.args, 6, call.arguments);
            note(thread, call);
        } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && x_later != 0) {
            const auto call = x_entered.find(thread);
            if (call != x_entered.end()) shift(thread, call->second, info.exit.rval);
        }
    }

    struct Call {
        std::uint64_t number = 0;
        std::uint64_t arguments[6] = {};
    };

    void note(pid_t thread, const Call& call) {
        if (call.number == SYS_io_uring_setup) x_seen.calls.insert("io_uring");
        if (call.number == SYS_socket && call.arguments[0] != AF_UNIX)
            x_seen.calls.insert(fmt::format("socket {}", call.arguments[0]));
        if (call.number == SYS_mkdir) x_seen.folders.insert(text_at(thread, call.arguments[0]));
        if (call.number == SYS_mkdirat) x_seen.folders.insert(text_at(thread, call.arguments[1]));
        if (call.number != SYS_connect) return;
        sockaddr_un address{};
        const std::size_t length = std::min<std::size_t>(call.arguments[2], sizeof address - 1);
        const iovec here{&address, length};
        const iovec there{reinterpret_cast<void*>(call.arguments[1]), length};  // NOLINT
        if (::process_vm_readv(thread, &here, 1, &there, 1, 0) < 0 || address.sun_family != AF_UNIX)
            x_seen.calls.insert(fmt::format("connect to family {}", address.sun_family));
        else
            x_seen.calls.insert(fmt::format("connect {}", address.sun_path));
    }

    void shift(pid_t thread, const Call& call, std::int64_t result) {
        if (result < 0) return;
        if (call.number == SYS_clock_gettime &&
            (call.arguments[0] == CLOCK_REALTIME || call.arguments[0] == CLOCK_REALTIME_COARSE ||
             call.arguments[0] == CLOCK_TAI)) {
            shift_at<timespec>(thread, call.arguments[1]);
        } else if (call.number == SYS_gettimeofday && call.arguments[0] != 0) {
            shift_at<timeval>(thread, call.arguments[0]);
        } else if (call.number == SYS_time) {
            if (!has_jumped()) return;
            if (call.arguments[0] != 0)
                write_to(thread, call.arguments[0], std::int64_t{result + x_later});
            user_regs_struct registers{};
            check(::ptrace(PTRACE_GETREGS, thread, 0, &registers), "PTRACE_GETREGS");
            registers.rax += static_cast<unsigned long long>(x_later);
            check(::ptrace(PTRACE_SETREGS, thread, 0, &registers), "PTRACE_SETREGS");
        }
    }
    bool has_jumped() { return ++x_seen.clocks > x_after; }
    template <class T>
    void shift_at(pid_t thread, std::uint64_t address) {
        T value{};
        if (!has_jumped() || !read_from(thread, address, value)) return;
        value.tv_sec += x_later;
        write_to(thread, address, value);
    }

    // libc reads the time without a system call, in a page of the kernel's that the new program's
    // auxiliary vector tells of: it is not told.
    static void hide_kernel_clock(pid_t thread) {
        user_regs_struct registers{};
        check(::ptrace(PTRACE_GETREGS, thread, 0, &registers), "PTRACE_GETREGS");
        std::uint64_t at = registers.rsp;
        std::uint64_t count = 0;
        if (!read_from(thread, at, count)) return;
        at += 8 * (count + 2);  // argc, argv and its NULL
        for (std::uint64_t word = 1; word != 0; at += 8)
            if (!read_from(thread, at, word)) return;
        for (;; at += sizeof(Elf64_auxv_t)) {
            Elf64_auxv_t entry{};
            if (!read_from(thread, at, entry) || entry.a_type == AT_NULL) return;
            if (entry.a_type != AT_SYSINFO_EHDR) continue;
            entry.a_type = AT_IGNORE;
            write_to(thread, at, entry);
            return;
        }
    }

    pid_t x_child;
    std::int64_t x_later;
    std::uint64_t x_after;
    Watched x_seen;
    std::set<pid_t> x_threads;
    std::map<pid_t, Call> x_entered;
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
    std::vector<char*> all;
    for (const std::string& word : words) all.push_back(const_cast<char*>(word.c_str()));
    all.push_back(nullptr);
    return all;
}

}  // namespace

Watched watch(const Watch& what) {
    const std::vector<char*> arguments = pointers(what.command);
    const std::vector<char*> environment = pointers(what.environment);
    struct sigaction wake {};
    wake.sa_handler = [](int) {};  // waitpid is to return, not to be restarted
    ::sigaction(SIGALRM, &wake, nullptr);
    const pid_t child = ::fork();
    check(child, "fork");
    if (child == 0) {
        const int out = ::open(what.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        ::dup2(out, STDOUT_FILENO);
        ::dup2(out, STDERR_FILENO);
        if (what.without_network && ::unshare(CLONE_NEWNET) != 0) ::_exit(126);
        ::ptrace(PTRACE_TRACEME, 0, 0, 0);
        ::raise(SIGSTOP);
        ::execve(arguments[0], arguments.data(), environment.data());
        ::_exit(127);
    }
    Watched seen = Watcher(child, what).run();
    seen.said = base::read_file(what.output).value_or("");
    return seen;
}

}  // namespace sf::test
