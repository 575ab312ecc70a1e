// SPDX-License-Identifier: Apache-2.0
#include "sandbox/seccomp_filter.hpp"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <unistd.h>

namespace sf::sandbox {

namespace {

using Kind = ArgumentTest::Kind;

// The value of a constant as the kernel sees it in a register.
constexpr std::uint64_t bits(auto value) { return static_cast<std::uint64_t>(value); }

// Both bits turn a file into something that runs with another's rights: no build needs to make one,
// and the gate refuses them anyway.
void deny_setid_bits(std::vector<DeniedCall>& list, bool setgid_folders) {
    const auto deny = [&](const std::string& name, unsigned mode_index,
                          const std::vector<ArgumentTest>& more = {}) {
        const bool may_be_folder = name.find("chmod") != std::string::npos;
        for (const auto bit : {S_ISUID, S_ISGID}) {
            if (bit == S_ISGID && may_be_folder && setgid_folders) continue;
            auto tests = more;
            tests.push_back({mode_index, Kind::masked_equal, bits(bit), bits(bit)});
            list.push_back({name, EPERM, std::move(tests)});
        }
    };
    deny("chmod", 1);
    deny("fchmod", 1);
    deny("fchmodat", 2);
    deny("creat", 1);
    deny("mknod", 1);
    deny("mknodat", 2);
    // The mode counts only where a file can be made; else that register holds anything.
    constexpr auto tmpfile_bit = O_TMPFILE & ~O_DIRECTORY;
    for (const auto flag : {O_CREAT, tmpfile_bit}) {
        deny("open", 2, {{1, Kind::masked_equal, bits(flag), bits(flag)}});
        deny("openat", 3, {{2, Kind::masked_equal, bits(flag), bits(flag)}});
    }
    // Their modes are behind pointers, which a filter cannot read; callers fall back to the above.
    list.push_back({"openat2", ENOSYS, {}, 437});
    list.push_back({"fchmodat2", ENOSYS, {}, 452});
}

void deny_namespaces(std::vector<DeniedCall>& list) {
    for (const auto flag : {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC,
                            CLONE_NEWUTS, CLONE_NEWCGROUP})
        list.push_back({"clone", EPERM, {{0, Kind::masked_equal, bits(flag), bits(flag)}}});
    list.push_back(
        {"clone3", ENOSYS, {}, 435});  // flags behind a pointer; libc falls back to clone
    for (const char* name :
         {"unshare", "setns", "mount", "umount", "umount2", "pivot_root", "chroot", "open_tree",
          "move_mount", "fsopen", "fsconfig", "fsmount", "fspick"})
        list.push_back({name, EPERM, {}});
    list.push_back({"mount_setattr", EPERM, {}, 442});
    list.push_back({"open_tree_attr", EPERM, {}, 467});
}

// Allowed are local and internet sockets (there is no network but a loopback of the sandbox's own)
// and netlink's routing family, which libc asks for interface addresses.
void deny_sockets(std::vector<DeniedCall>& list) {
    for (const char* name : {"socket", "socketpair"}) {
        for (std::uint64_t family = 0; family < AF_NETLINK; ++family)
            if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
                list.push_back({name, EAFNOSUPPORT, {{0, Kind::equal, family}}});
        list.push_back({name, EAFNOSUPPORT, {{0, Kind::greater, AF_NETLINK}}});
        list.push_back(
            {name, EAFNOSUPPORT, {{0, Kind::equal, AF_NETLINK}, {2, Kind::not_equal, 0}}});
    }
}

}  // namespace

std::vector<DeniedCall> denied_calls(bool setgid_folders) {
    std::vector<DeniedCall> list;
    deny_setid_bits(list, setgid_folders);
    deny_namespaces(list);
    deny_sockets(list);
    // Keys of the session outlive namespaces.
    for (const char* name : {"add_key", "request_key", "keyctl"}) list.push_back({name, EPERM, {}});
    for (const char* name : {"bpf",
                             "perf_event_open",
                             "open_by_handle_at",
                             "name_to_handle_at",
                             "kexec_load",
                             "kexec_file_load",
                             "init_module",
                             "finit_module",
                             "delete_module",
                             "syslog",
                             "lookup_dcookie",
                             "fanotify_init",
                             "acct",
                             "quotactl",
                             "swapon",
                             "swapoff",
                             "reboot",
                             "iopl",
                             "ioperm",
                             "settimeofday",
                             "clock_settime",
                             "clock_adjtime",
                             "adjtimex",
                             "sethostname",
                             "setdomainname",
                             "vhangup",
                             "nfsservctl",
                             "uselib",
                             "userfaultfd",
                             "move_pages",
                             "migrate_pages",
                             "process_vm_readv",
                             "process_vm_writev",
                             "kcmp"})
        list.push_back({name, EPERM, {}});
    list.push_back({"quotactl_fd", EPERM, {}, 443});
    // Its requests do what the calls above do, past this filter. ENOSYS: libraries fall back.
    for (const auto& [name, number] :
         {std::pair("io_uring_setup", 425), {"io_uring_enter", 426}, {"io_uring_register", 427}})
        list.push_back({name, ENOSYS, {}, number});
    // Extended attributes: capabilities and access lists have no place in a package.
    for (const char* name : {"setxattr", "lsetxattr", "fsetxattr"})
        list.push_back({name, ENOTSUP, {}});
    list.push_back({"setxattrat", ENOSYS, {}, 463});
    // Typing into the terminal that ran us. The kernel looks at the low 32 bits only.
    for (const auto request : {bits(TIOCSTI), bits(TIOCLINUX)})
        list.push_back({"ioctl", EPERM, {{1, Kind::masked_equal, 0xffffffffU, request}}});
    return list;
}

namespace {

struct Release {
    void operator()(void* filter) const { seccomp_release(filter); }
};

scmp_arg_cmp compare(const ArgumentTest& test) {
    scmp_arg_cmp out{};
    out.arg = test.index;
    out.datum_a = test.value;
    out.datum_b = test.masked;
    switch (test.kind) {
        case Kind::equal: out.op = SCMP_CMP_EQ; break;
        case Kind::not_equal: out.op = SCMP_CMP_NE; break;
        case Kind::greater: out.op = SCMP_CMP_GT; break;
        case Kind::masked_equal: out.op = SCMP_CMP_MASKED_EQ; break;
    }
    return out;
}

}  // namespace

base::Result<base::Fd> seccomp_program(bool setgid_folders) {
    const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ALLOW));
    if (!filter) return base::fail(base::Code::failed, "cannot start a system call filter");
    // Calls of another architecture (int 0x80, x32) would pass by every rule: whoever tries dies.
    if (const int rc =
            seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS))
        return base::fail_errno(-rc, "set the filter's action for foreign architectures");
    for (const auto& denied : denied_calls(setgid_folders)) {
        int number = seccomp_syscall_resolve_name(denied.name.c_str());
        if (number == __NR_SCMP_ERROR) number = denied.number;
        if (number < 0) continue;  // this architecture has no such call
        std::vector<scmp_arg_cmp> tests;
        for (const auto& test : denied.tests) tests.push_back(compare(test));
        const int rc = seccomp_rule_add_array(
            filter.get(), SCMP_ACT_ERRNO(static_cast<std::uint16_t>(denied.error)), number,
            static_cast<unsigned>(tests.size()), tests.empty() ? nullptr : tests.data());
        if (rc != 0) return base::fail_errno(-rc, "add the filter rule for " + denied.name);
    }
    base::Fd file(::memfd_create("seccomp", MFD_CLOEXEC));
    if (!file.valid()) return base::fail_errno(errno, "make a memory file");
    if (const int rc = seccomp_export_bpf(filter.get(), file.get()))
        return base::fail_errno(-rc, "compile the system call filter");
    if (::lseek(file.get(), 0, SEEK_SET) != 0)
        return base::fail_errno(errno, "rewind a memory file");
    return file;
}

}  // namespace sf::sandbox
