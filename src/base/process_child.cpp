// SPDX-License-Identifier: Apache-2.0
#include "base/process_child.hpp"

#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "base/files.hpp"

namespace sf::base {

namespace {

// const_cast is execve's fault: it takes char* const[] and promises not to write.
char* argument(const std::string& text) { return const_cast<char*>(text.c_str()); }

int close_from(unsigned first, long open_max) {
    if (::syscall(SYS_close_range, first, ~0U, 0U) == 0) return 0;
    if (errno != ENOSYS && errno != EPERM) return errno;
    for (long fd = first; fd < open_max; ++fd) ::close(static_cast<int>(fd));
    return 0;
}

}  // namespace

std::string ChildFailure::stage_text() const {
    switch (stage) {
        case ChildStage::group: return "make a process group";
        case ChildStage::mounts: return "make a private mount namespace";
        case ChildStage::limits: return "set resource limits";
        case ChildStage::identity: return "become an unprivileged user";
        case ChildStage::descriptors: return "arrange file descriptors";
        case ChildStage::directory: return "enter the working directory";
        case ChildStage::execute: return "execute the program";
    }
    return "start the program";
}

ChildPlan::ChildPlan(const Command& command, std::string program, int report_fd)
    : x_command(command),
      x_program(std::move(program)),
      x_report(report_fd),
      x_parent(::getpid()),
      x_open_max(std::min<long>(::sysconf(_SC_OPEN_MAX), 65536)) {
    for (const std::string& word : command.argv) x_argv.push_back(argument(word));
    x_argv.push_back(nullptr);
    x_environment.reserve(command.environment.size());
    for (const auto& [name, value] : command.environment)
        x_environment.push_back(fmt::format("{}={}", name, value));
    for (const std::string& entry : x_environment) x_envp.push_back(argument(entry));
    x_envp.push_back(nullptr);

    const auto limit = [&](int resource, std::optional<std::uint64_t> value) {
        if (value) x_limits.push_back({resource, {*value, *value}});
    };
    limit(RLIMIT_NPROC, command.limits.processes);
    limit(RLIMIT_FSIZE, command.limits.file_bytes);
    limit(RLIMIT_AS, command.limits.memory_bytes);
    limit(RLIMIT_NOFILE, command.limits.open_files);
    if (command.limits.no_core) limit(RLIMIT_CORE, 0);

    if (command.mounts) {
        for (const RootBind& bind : command.mounts->binds)
            x_places.push_back({bind.source.native(), (command.mounts->at / bind.name).native(),
                                std::filesystem::is_directory(bind.source)});
    }
    x_descriptors = {{command.stdin_fd, 0}, {command.stdout_fd, 1}, {command.stderr_fd, 2}};
    if (command.stdout_fd < 0) x_descriptors[1].parent = 1;
    if (command.stderr_fd < 0) x_descriptors[2].parent = 2;
    if (command.stdin_fd < 0 && command.foreground) x_descriptors[0].parent = 0;
    for (const PassedFd& passed : command.pass) {
        x_descriptors.push_back(passed);
        x_highest = std::max(x_highest, passed.child);
    }
}

int ChildPlan::make_mounts() const {
    const PrivateMounts& mounts = *x_command.mounts;
    if (::unshare(CLONE_NEWNS) != 0) return errno;
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return errno;
    // The sources are opened before the tmpfs covers them, after the namespace is ours: a bind
    // from another namespace's mount is refused.
    constexpr std::size_t most = 512;
    if (x_places.size() > most) return E2BIG;
    int sources[most];
    for (std::size_t i = 0; i < x_places.size(); ++i) {
        sources[i] = ::open(x_places[i].source.c_str(), O_PATH | O_CLOEXEC);
        if (sources[i] < 0) return errno;
    }
    if (::mount("tmpfs", mounts.at.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") !=
        0)
        return errno;
    for (std::size_t i = 0; i < x_places.size(); ++i) {
        const char* target = x_places[i].target.c_str();
        if (x_places[i].folder) {
            if (::mkdir(target, 0755) != 0) return errno;
        } else {
            const int file = ::open(target, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
            if (file < 0) return errno;
            ::close(file);
        }
        char source[64];
        if (std::snprintf(source, sizeof source, "/proc/self/fd/%d", sources[i]) < 0) return EINVAL;
        if (::mount(source, target, nullptr, MS_BIND, nullptr) != 0) return errno;
        ::close(sources[i]);
    }
    return 0;
}

int ChildPlan::place_descriptors(int& report) const {
    // First out of the way, above every number that is wanted, then into place.
    const int above = x_highest + 2;
    constexpr std::size_t most = 64;
    int moved[most];
    if (x_descriptors.size() > most) return E2BIG;
    for (std::size_t i = 0; i < x_descriptors.size(); ++i) {
        int parent = x_descriptors[i].parent;
        if (parent < 0) parent = ::open("/dev/null", O_RDWR | O_CLOEXEC);
        moved[i] = ::fcntl(parent, F_DUPFD_CLOEXEC, above);
        if (moved[i] < 0) return errno;
    }
    const int kept = ::fcntl(report, F_DUPFD_CLOEXEC, above);
    if (kept < 0) return errno;
    for (std::size_t i = 0; i < x_descriptors.size(); ++i)
        if (::dup2(moved[i], x_descriptors[i].child) < 0) return errno;
    // Gaps between wanted numbers are closed, then everything above but the report pipe.
    for (int fd = 3; fd <= x_highest; ++fd) {
        const bool wanted = std::any_of(x_descriptors.begin(), x_descriptors.end(),
                                        [&](const PassedFd& each) { return each.child == fd; });
        if (!wanted) ::close(fd);
    }
    report = x_highest + 1;
    if (::dup3(kept, report, O_CLOEXEC) < 0) return errno;
    return close_from(static_cast<unsigned>(report) + 1U, x_open_max);
}

void ChildPlan::give_up(ChildStage stage, int error, int report) const {
    const ChildFailure failure{error, stage};
    // If even this write fails the parent sees the exit status alone; nothing better is possible.
    if (::write(report, &failure, sizeof failure) < 0) ::_exit(126);
    ::_exit(127);
}

void ChildPlan::become() const {
    int report = x_report;
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &action, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);

    if (x_command.new_session) {
        if (::setsid() < 0) give_up(ChildStage::group, errno, report);
    } else if (!x_command.foreground && ::setpgid(0, 0) != 0) {
        give_up(ChildStage::group, errno, report);
    }
    if (x_command.mounts)
        if (const int error = make_mounts(); error != 0) give_up(ChildStage::mounts, error, report);
    if (const int error = place_descriptors(report); error != 0)
        give_up(ChildStage::descriptors, error, report);
    for (const Limit& limit : x_limits) {
        rlimit value = limit.value;
        rlimit current{};
        if (::getrlimit(static_cast<__rlimit_resource_t>(limit.resource), &current) == 0 &&
            value.rlim_max > current.rlim_max)
            value = {current.rlim_max, current.rlim_max};  // nobody but root may raise a limit
        if (::setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &value) != 0)
            give_up(ChildStage::limits, errno, report);
    }
    if (x_command.identity) {
        // Raw calls: glibc's wrappers would signal threads that this copy does not have.
        const auto [uid, gid] = *x_command.identity;
        if (::syscall(SYS_setgroups, 0, nullptr) != 0 ||
            ::syscall(SYS_setresgid, gid, gid, gid) != 0 ||
            ::syscall(SYS_setresuid, uid, uid, uid) != 0)
            give_up(ChildStage::identity, errno, report);
    }
    if (!x_command.foreground && !x_command.outlives_us) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != x_parent) ::_exit(127);  // the parent died before the line above
    }
    if (!x_command.directory.empty() && ::chdir(x_command.directory.c_str()) != 0)
        give_up(ChildStage::directory, errno, report);
    ::execve(x_program.c_str(), x_argv.data(), x_envp.data());
    give_up(ChildStage::execute, errno, report);
}

}  // namespace sf::base
