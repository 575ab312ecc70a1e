// SPDX-License-Identifier: Apache-2.0
// The malicious actions: each calls the kernel directly and names what it answered.
#include <arpa/inet.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <netdb.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "unit/sandbox/probe.hpp"

namespace sf::sandbox {

namespace {

std::string outcome(long result) { return result < 0 ? strerrorname_np(errno) : "ok"; }

std::string opening(const char* path, int flags) {
    const int fd = ::open(path, flags | O_CLOEXEC, 0644);
    auto text = outcome(fd);
    if (fd >= 0) ::close(fd);
    return text;
}

std::string making(int family, int type, int protocol) {
    const int fd = ::socket(family, type, protocol);
    auto text = outcome(fd);
    if (fd >= 0) ::close(fd);
    return text;
}

const char* setting(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "0" : value;
}

std::string connecting(int type, const char* address, int port) {
    const int fd = ::socket(AF_INET, type, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET, address, &to.sin_addr);
    auto text = outcome(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to));
    ::close(fd);
    return text;
}

std::string connecting_abstract() {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    const std::string name = setting("ABSTRACT");
    std::memcpy(to.sun_path + 1, name.data(), name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    auto text = outcome(::connect(fd, reinterpret_cast<sockaddr*>(&to), size));
    ::close(fd);
    return text;
}

std::string resolving() {
    addrinfo* found = nullptr;
    const int rc = ::getaddrinfo("example.org", "80", nullptr, &found);
    if (rc == 0) ::freeaddrinfo(found);
    return rc == 0 ? "ok" : "no address";
}

// What a child that runs `body` ends with.
std::string ending(const std::function<void()>& body) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        // A sanitizer would catch it and exit.
        ::signal(SIGSEGV, SIG_DFL);
        body();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
    return "exit " + std::to_string(WEXITSTATUS(status));
}

std::string cloning(unsigned long flags) {
    const long pid = ::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (pid == 0) ::_exit(0);
    auto text = outcome(pid);
    if (pid > 0) ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
    return text;
}

std::string reading_vm(pid_t pid) {
    char byte = 0;
    iovec here{&byte, 1};
    iovec there{&byte, 1};
    return outcome(::process_vm_readv(pid, &here, 1, &there, 1, 0));
}

constexpr long raw(auto number) { return static_cast<long>(number); }

}  // namespace

std::string unfiltered_32_bit_call() {
#if defined(__x86_64__)
    return ending([] { asm volatile("int $0x80" ::"a"(20)); });
#else
    return {};
#endif
}

std::string try_all_actions() {
    const int file = ::open("/w/file", O_RDWR | O_CREAT, 0644);
    const pid_t outside = std::atoi(setting("OUTSIDE_PID"));
    const int port = std::atoi(setting("PORT"));
    const auto call = [](long number, auto... arguments) {
        return [=] { return outcome(::syscall(number, arguments...)); };
    };
    const std::vector<std::pair<std::string, std::function<std::string()>>> actions {
        // Controls: what a build may do.
        {"write in the writable folder", [] { return opening("/w/new", O_WRONLY | O_CREAT); }},
            {"chmod 0755", [] { return outcome(::chmod("/w/file", 0755)); }},
            {"local socket", [] { return making(AF_UNIX, SOCK_STREAM, 0); }},
            {"internet socket", [] { return making(AF_INET, SOCK_STREAM, 0); }},
            {"netlink route socket", [] { return making(AF_NETLINK, SOCK_RAW, 0); }},
            {"fork", [] { return ending([] {}); }},
            {"open without O_CREAT, mode bits set",
             call(SYS_openat, AT_FDCWD, "/w/file", O_RDONLY, raw(04755))},
            // The host's files.
            {"write core_pattern",
             [] { return opening("/proc/sys/kernel/core_pattern", O_WRONLY); }},
            {"write drop_caches", [] { return opening("/proc/sys/vm/drop_caches", O_WRONLY); }},
            {"write in /", [] { return opening("/new", O_WRONLY | O_CREAT); }},
            {"write in /usr", [] { return opening("/usr/new", O_WRONLY | O_CREAT); }},
            {"write in /etc", [] { return opening("/etc/new", O_WRONLY | O_CREAT); }},
            {"write in /dev", [] { return opening("/dev/new", O_WRONLY | O_CREAT); }},
            {"write a read-only bind", [] { return opening("/ro/file", O_WRONLY); }},
            {"write in /var/lib/dpkg",
             [] { return opening("/var/lib/dpkg/new", O_WRONLY | O_CREAT); }},
            {"read /root", [] { return opening("/root", O_RDONLY); }},
            {"read /home", [] { return opening("/home", O_RDONLY); }},
            {"read /sys", [] { return opening("/sys/fs/cgroup", O_RDONLY); }},
            {"read /mnt", [] { return opening("/mnt", O_RDONLY); }},
            {"docker's socket", [] { return opening("/run/docker.sock", O_RDONLY); }},
            {"a disk device", [] { return opening("/dev/vda", O_RDONLY); }},
            // Other processes.
            {"signal a process outside", [=] { return outcome(::kill(outside, 0)); }},
            {"ptrace a process outside",
             [=] { return outcome(::ptrace(PTRACE_SEIZE, outside, nullptr, nullptr)); }},
            {"process_vm_readv", [=] { return reading_vm(outside); }},
            // Networks.
            {"TCP to the host", [=] { return connecting(SOCK_STREAM, "127.0.0.1", port); }},
            {"TCP elsewhere", [] { return connecting(SOCK_STREAM, "192.0.2.1", 80); }},
            {"UDP elsewhere", [] { return connecting(SOCK_DGRAM, "192.0.2.1", 53); }},
            {"abstract socket of the host", connecting_abstract}, {"DNS", resolving},
            {"packet socket", [] { return making(AF_PACKET, SOCK_RAW, 0); }},
            {"vsock", [] { return making(AF_VSOCK, SOCK_STREAM, 0); }},
            {"netlink generic", [] { return making(AF_NETLINK, SOCK_RAW, 16); }},
            {"kernel crypto socket", [] { return making(AF_ALG, SOCK_SEQPACKET, 0); }},
            {"raw socket", [] { return making(AF_INET, SOCK_RAW, IPPROTO_ICMP); }},
            // Mounts and namespaces.
            {"mount", [] { return outcome(::mount("x", "/tmp", "tmpfs", 0, nullptr)); }},
            {"mount proc", [] { return outcome(::mount("x", "/w", "proc", 0, nullptr)); }},
            {"umount", [] { return outcome(::umount2("/tmp", MNT_DETACH)); }},
            {"pivot_root", call(SYS_pivot_root, "/w", "/w")},
            {"chroot", [] { return outcome(::chroot("/w")); }},
            {"fsopen", call(SYS_fsopen, "tmpfs", 0)},
            {"open_tree", call(SYS_open_tree, AT_FDCWD, "/usr", 1)},
            {"move_mount", call(SYS_move_mount, -1, "", -1, "", 0)},
            {"mount_setattr", call(442, AT_FDCWD, "/usr", 0, nullptr, 0)},
            {"unshare user", [] { return outcome(::unshare(CLONE_NEWUSER)); }},
            {"unshare mounts", [] { return outcome(::unshare(CLONE_NEWNS)); }},
            {"setns", [] { return outcome(::setns(0, 0)); }},
            {"clone new user", [] { return cloning(CLONE_NEWUSER); }},
            {"clone new net", [] { return cloning(CLONE_NEWNET); }},
            {"clone new pid", [] { return cloning(CLONE_NEWPID); }},
            {"clone3", call(435, nullptr, 0)},
            // Kernel surface.
            {"keyctl", call(SYS_keyctl, 0, -3, 0)},
            {"add_key", call(SYS_add_key, "user", "x", "y", 1, -3)},
            {"request_key", call(SYS_request_key, "user", "x", nullptr, 0)},
            {"bpf", call(SYS_bpf, 0, nullptr, 0)},
            {"perf_event_open", call(SYS_perf_event_open, nullptr, 0, -1, -1, 0)},
            {"userfaultfd", call(SYS_userfaultfd, 0)}, {"io_uring_setup", call(425, 1, nullptr)},
            {"open_by_handle_at", call(SYS_open_by_handle_at, AT_FDCWD, nullptr, 0)},
            {"kexec_load", call(SYS_kexec_load, 0, 0, nullptr, 0)},
            {"init_module", call(SYS_init_module, nullptr, 0, "")},
            {"finit_module", call(SYS_finit_module, -1, "", 0)},
            {"delete_module", call(SYS_delete_module, "x", 0)},
            {"syslog", call(SYS_syslog, 10, nullptr, 0)},
            {"fanotify_init", call(SYS_fanotify_init, 0, 0)},
            {"TIOCSTI", call(SYS_ioctl, 0, raw(TIOCSTI), "x")},
            {"TIOCSTI, high bits set", call(SYS_ioctl, 0, raw(0x100000000UL | TIOCSTI), "x")},
            {"TIOCLINUX", call(SYS_ioctl, 0, raw(TIOCLINUX), "x")},
            // Rights.
            {"chmod setuid", [] { return outcome(::chmod("/w/file", 04755)); }},
            {"chmod setgid", [] { return outcome(::chmod("/w/file", 02755)); }},
            {"fchmod setuid", [=] { return outcome(::fchmod(file, 04755)); }},
            {"fchmodat setuid", [] { return outcome(::fchmodat(AT_FDCWD, "/w/file", 04755, 0)); }},
            {"fchmodat2 setuid", call(452, AT_FDCWD, "/w/file", 04755, 0)},
            {"create setuid",
             call(SYS_openat, AT_FDCWD, "/w/suid", O_WRONLY | O_CREAT, raw(04755))},
            {"create setuid without a name",
             call(SYS_openat, AT_FDCWD, "/w", O_WRONLY | O_TMPFILE, raw(04755))},
            {"openat2", call(437, AT_FDCWD, "/w/file", nullptr, 0)},
            {"make a device", [] { return outcome(::mknod("/w/null", S_IFCHR | 0666, 0x103)); }},
            {"set an extended attribute",
             [] { return outcome(::setxattr("/w/file", "user.x", "y", 1, 0)); }},
            {"setuid 0", [] { return outcome(::setuid(0)); }},
            {"chown to root", [] { return outcome(::chown("/w/file", 0, 0)); }},
            {"no new privileges",
             [] { return std::to_string(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)); }},
            {"core dumps",
             [] {
                 rlimit limit{};
                 ::getrlimit(RLIMIT_CORE, &limit);
                 return std::to_string(limit.rlim_max);
             }},
#if defined(__x86_64__)
            {"a 32-bit call", unfiltered_32_bit_call},
            {"an x32 call", [] { return ending([] { ::syscall(0x40000000L | SYS_getpid); }); }},
#endif
    };
    std::string text;
    for (const auto& [name, action] : actions) text += name + ": " + action() + "\n";
    return text;
}

}  // namespace sf::sandbox
