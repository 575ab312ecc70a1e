// SPDX-License-Identifier: Apache-2.0
#include "syscall_tracer.hpp"

#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <sched.h>
#include <set>
#include <stdexcept>
#include <unistd.h>
#include <utility>

#include "base/files.hpp"
#include "base/text.hpp"
#include "traced_memory.hpp"

namespace sf::test {

namespace {

constexpr unsigned seconds_to_hang = 60;

// Calls that change or read files, by name, and which argument is a path, if any.
struct FileCall {
    const char* name;
    int path = -1;
};
const std::map<std::uint64_t, FileCall>& file_calls() {
    static const std::map<std::uint64_t, FileCall> calls{
        {SYS_write, {"write"}},
        {SYS_pwrite64, {"pwrite64"}},
        {SYS_read, {"read"}},
        {SYS_pread64, {"pread64"}},
        {SYS_fsync, {"fsync"}},
        {SYS_fdatasync, {"fdatasync"}},
        {SYS_syncfs, {"syncfs"}},
        {SYS_rename, {"rename", 0}},
        {SYS_renameat, {"renameat", 1}},
        {SYS_renameat2, {"renameat2", 1}},
        {SYS_open, {"open", 0}},
        {SYS_openat, {"openat", 1}},
        {SYS_openat2, {"openat2", 1}},
        {SYS_mkdir, {"mkdir", 0}},
        {SYS_mkdirat, {"mkdirat", 1}},
        {SYS_link, {"link", 0}},
        {SYS_linkat, {"linkat", 1}},
        {SYS_symlink, {"symlink", 1}},
        {SYS_symlinkat, {"symlinkat", 2}},
        {SYS_unlink, {"unlink", 0}},
        {SYS_unlinkat, {"unlinkat", 1}},
        {SYS_close, {"close"}},
        {SYS_fstat, {"fstat"}},
        {SYS_newfstatat, {"newfstatat", 1}},
        {SYS_ftruncate, {"ftruncate"}},
        {SYS_fallocate, {"fallocate"}},
        {SYS_getdents64, {"getdents64"}},
        {SYS_fchmod, {"fchmod"}},
        {SYS_fchmodat, {"fchmodat", 1}},
        {SYS_readlink, {"readlink", 0}},
        {SYS_readlinkat, {"readlinkat", 1}},
        {SYS_copy_file_range, {"copy_file_range"}},
        {SYS_flock, {"flock"}},
        {SYS_chmod, {"chmod", 0}},
        {SYS_statfs, {"statfs", 0}},
        {SYS_utimensat, {"utimensat"}},  // by its descriptor: futimens
    };
    return calls;
}

// Calls that only wait for another process, one after the other until it is there: how many they
// are depends on how fast the machine is just then. Of a row of them the first counts.
bool only_waits(std::uint64_t call) {
    return call == SYS_poll || call == SYS_ppoll || call == SYS_wait4 ||
           call == SYS_clock_nanosleep;
}

std::string path_of(pid_t thread, std::uint64_t descriptor) {
    std::error_code error;
    const auto link = fmt::format("/proc/{}/fd/{}", thread, descriptor);
    return std::filesystem::read_symlink(link, error).native();
}

void check(long result, const char* what) {
    if (result < 0) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

class Tracer {
public:
    Tracer(pid_t child, const Fault& fault) : x_child(child), x_fault(fault) {}

    Traced run() {
        int status = 0;
        check(::waitpid(x_child, &status, 0), "waitpid");
        check(::ptrace(PTRACE_SETOPTIONS, x_child, 0,
                       PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
                           PTRACE_O_EXITKILL),
              "PTRACE_SETOPTIONS");
        x_threads.insert(x_child);
        go_on(x_child, 0);
        ::alarm(seconds_to_hang);
        while (!x_threads.empty()) {
            const pid_t thread = ::waitpid(-1, &status, __WALL);
            if (thread < 0 && errno == EINTR) {
                x_traced.hung = true;
                ::kill(x_child, SIGKILL);
                continue;
            }
            check(thread, "waitpid");
            see(thread, status);
        }
        ::alarm(0);
        return std::move(x_traced);
    }

private:
    static void go_on(pid_t thread, int signal) {
        // It may have been killed meanwhile: then waitpid says so.
        if (::ptrace(PTRACE_SYSCALL, thread, 0, signal) < 0 && errno != ESRCH)
            check(-1, "PTRACE_SYSCALL");
    }

    void see(pid_t thread, int status) {
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (thread == x_child && WIFEXITED(status)) x_traced.exit = WEXITSTATUS(status);
            x_threads.erase(thread);
            return;
        }
        const bool is_new = x_threads.insert(thread).second;
        const int signal = WSTOPSIG(status);
        if (signal == (SIGTRAP | 0x80)) {
            see_call(thread);
            go_on(thread, 0);
        } else if (status >> 16 != 0 || (is_new && signal == SIGSTOP)) {
            go_on(thread, 0);  // a new thread, before or after its own first stop; exec
        } else if (signal == SIGSTOP) {
            go_on(thread, 0);
        } else {
            go_on(thread, signal);
        }
    }

    void see_call(pid_t thread) {
        __ptrace_syscall_info info{};
        if (::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) < 0) return;  // killed
        if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
            const auto failing = x_failing.find(thread);
            if (failing == x_failing.end()) return;
            set_result(thread, -x_fault.error);
            x_failing.erase(failing);
            return;
        }
        if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return;
        if (info.entry.nr == SYS_prctl && info.entry.args[0] == PR_SET_NAME) {
            x_counting = text_at(thread, info.entry.args[1]) == counted_name;
            return;
        }
        if (!x_counting) return;
        const bool waits = only_waits(info.entry.nr);
        const bool waited = std::exchange(x_waits[thread], waits);
        if (waits && waited) return;
        ++x_traced.calls;
        const auto file_call = file_calls().find(info.entry.nr);
        if (file_call != file_calls().end()) ++x_traced.file_calls;
        const bool kill = x_fault.kind == Fault::Kind::kill && x_traced.calls == x_fault.at;
        const bool fail = x_fault.kind == Fault::Kind::fail && file_call != file_calls().end() &&
                          x_traced.file_calls == x_fault.at;
        if (!kill && !fail) return;
        x_traced.hit = true;
        x_traced.call = std::to_string(info.entry.nr);
        if (file_call != file_calls().end()) {
            x_traced.call = file_call->second.name;
            const int path = file_call->second.path;
            // An empty path is the descriptor's own; another may begin at the one before it.
            std::string name = path >= 0 ? text_at(thread, info.entry.args[path]) : "";
            const bool has_folder = path > 0 && x_traced.call.find("at") != std::string::npos;
            if (name.empty()) {
                name = path_of(thread, info.entry.args[0]);
            } else if (has_folder && name[0] != '/') {
                const std::string folder = path_of(thread, info.entry.args[path - 1]);
                if (!folder.empty()) name = folder + '/' + name;
            }
            x_traced.call += ' ' + name;
        }
        if (kill) {
            ::kill(x_child, SIGKILL);
            return;
        }
        x_failing.insert(thread);
        if (info.entry.nr != SYS_close) skip(thread);
    }

    static void skip(pid_t thread) {
        user_regs_struct registers{};
        check(::ptrace(PTRACE_GETREGS, thread, 0, &registers), "PTRACE_GETREGS");
        registers.orig_rax = ~0ULL;
        check(::ptrace(PTRACE_SETREGS, thread, 0, &registers), "PTRACE_SETREGS");
    }
    static void set_result(pid_t thread, int result) {
        user_regs_struct registers{};
        check(::ptrace(PTRACE_GETREGS, thread, 0, &registers), "PTRACE_GETREGS");
        registers.rax = static_cast<unsigned long long>(static_cast<long long>(result));
        check(::ptrace(PTRACE_SETREGS, thread, 0, &registers), "PTRACE_SETREGS");
    }

    pid_t x_child;
    Fault x_fault;
    Traced x_traced;
    std::set<pid_t> x_threads;
    std::set<pid_t> x_failing;
    std::map<pid_t, bool> x_waits;  // whether a thread's last call only waited
    bool x_counting = false;
};

// fork, into a namespace of processes if asked for and allowed.
pid_t fork_with(Sight sight) {
    if (sight == Sight::few) {
        // As fork() does it: this process has one thread.
        const long child = ::syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
        if (child > 0) return static_cast<pid_t>(child);
        if (child == 0) {
            if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                ::mount("proc", "/proc", "proc", 0, nullptr) != 0)
                ::_exit(126);
            // Somebody to look at.
            if (::fork() == 0)
                for (;;) ::pause();
            return 0;
        }
        if (errno != EPERM) check(child, "clone");
    }
    const pid_t child = ::fork();
    check(child, "fork");
    return child;
}

// The child that is to become the program: does not return.
[[noreturn]] void become(const std::vector<std::string>& command,
                         const std::filesystem::path& output, bool traced) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    if (traced) {
        ::ptrace(PTRACE_TRACEME, 0, 0, 0);
        ::raise(SIGSTOP);
    }
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
}

void wake_by_alarm() {
    struct sigaction wake {};
    wake.sa_handler = [](int) {};  // waitpid is to return, not to be restarted
    ::sigaction(SIGALRM, &wake, nullptr);
}

}  // namespace

Traced trace(const std::vector<std::string>& command, const Fault& fault,
             const std::filesystem::path& output, Sight sight) {
    wake_by_alarm();
    const pid_t child = fork_with(sight);
    if (child == 0) become(command, output, true);
    Traced traced = Tracer(child, fault).run();
    traced.said = base::read_file(output).value_or("");
    return traced;
}

Traced run_untraced(const std::vector<std::string>& command, const std::filesystem::path& output,
                    Sight sight) {
    wake_by_alarm();
    const pid_t child = fork_with(sight);
    if (child == 0) become(command, output, false);
    Traced traced;
    int status = 0;
    ::alarm(seconds_to_hang);
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) check(-1, "waitpid");
        traced.hung = true;
        ::kill(child, SIGKILL);
    }
    ::alarm(0);
    if (WIFEXITED(status)) traced.exit = WEXITSTATUS(status);
    traced.said = base::read_file(output).value_or("");
    return traced;
}

}  // namespace sf::test
