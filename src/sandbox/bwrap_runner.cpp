// SPDX-License-Identifier: Apache-2.0
#include "sandbox/bwrap_runner.hpp"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "sandbox/bwrap_status.hpp"
#include "sandbox/run_watch.hpp"
#include "sandbox/seccomp_filter.hpp"
#include "sandbox/uid_lease.hpp"

namespace sf::sandbox {

namespace {

using base::Code;
using base::Result;
using base::Status;
using std::chrono::milliseconds;

constexpr std::uint64_t open_files = 16384;
constexpr milliseconds turn{50};
constexpr milliseconds patience_to_die{10000};

// Where root's child mounts its private tmpfs, over whatever is there: any folder that exists will
// do.
Result<base::fs::path> mount_point() {
    for (const char* candidate : {"/mnt", "/media", "/srv", "/opt", "/run"})
        if (base::is_dir(candidate)) return base::fs::path(candidate);
    return base::fail(Code::absent, "none of /mnt, /media, /srv, /opt, /run is a folder here");
}

// Options for --args: NUL-terminated words in a memory file.
Result<base::Fd> words_file(const std::vector<std::string>& words) {
    base::Fd file(::memfd_create("bwrap-args", MFD_CLOEXEC));
    if (!file.valid()) return base::fail_errno(errno, "make a memory file");
    std::string text;
    for (const auto& word : words) text.append(word).push_back('\0');
    SF_CHECK(base::write_all(file.get(), base::as_bytes(text), "a memory file"));
    if (::lseek(file.get(), 0, SEEK_SET) != 0)
        return base::fail_errno(errno, "rewind a memory file");
    return file;
}

// What bwrap wrote last, to say why it did not start. Only for logs that are files.
class LogTail {
public:
    explicit LogTail(int log_fd) : x_fd(log_fd) {
        struct stat info {};
        if (log_fd >= 0 && ::fstat(log_fd, &info) == 0 && S_ISREG(info.st_mode))
            x_from = info.st_size;
    }
    [[nodiscard]] std::string text() const {
        if (x_from < 0) return {};
        auto file = base::open_file("/proc/self/fd/" + std::to_string(x_fd), O_RDONLY);
        if (!file) return {};
        std::array<char, 2048> room;
        const auto got = ::pread(file->get(), room.data(), room.size(), x_from);
        if (got <= 0) return {};
        return base::escape_untrusted(
            base::trim(std::string_view(room.data(), static_cast<std::size_t>(got))));
    }

private:
    int x_fd;
    off_t x_from = -1;
};

tl::unexpected<base::Error> not_started(const std::string& why) {
    std::string hint;
    if (why.find("namespace") != std::string::npos || why.find("uid map") != std::string::npos)
        hint =
            "this machine does not let ordinary users make user namespaces; as root: sysctl -w "
            "kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu 24.04 and newer), sysctl -w "
            "kernel.unprivileged_userns_clone=1 (older Debian), sysctl -w "
            "user.max_user_namespaces=10000 (Enterprise Linux)";
    else if (why.find("Unknown option") != std::string::npos)
        hint = "bubblewrap 0.8 or newer is needed; bwrap --version tells which one is here";
    return base::fail_hint(Code::failed,
                           why.empty() ? std::string("the sandbox did not start")
                                       : "the sandbox did not start: " + why,
                           std::move(hint));
}

// One run, from the plan to an empty process table.
class Run {
public:
    Run(const BwrapOptions& options, const Lease& lease, const SandboxPlan& plan, int log_fd)
        : x_options(options), x_identity(lease.identity()), x_plan(plan), x_log(log_fd) {}

    Result<RunResult> go() {
        SF_CHECK(prepare());
        SF_CHECK(base::check_stop());
        const LogTail tail(x_log);
        SF_TRY(auto child, base::Child::spawn(x_command));
        x_inherited.clear();  // our copies of the child's ends
        RunResult result;
        SF_CHECK(watch(child, result));
        SF_CHECK(x_status->wait_until_gone(patience_to_die));
        if (x_identity) SF_CHECK(end_processes_of(x_identity->uid, patience_to_die));
        result.wall_seconds = x_watch->seconds();
        result.resources = child.resources();
        if (result.outcome != Outcome::ok) return result;  // we ended it
        if (!x_status->exit_code()) {
            if (result.exit.signal == 0) return not_started(tail.text());
            result.outcome = Outcome::failed;
            result.detail = "the sandbox was " + result.exit.text() + " from outside";
            return result;
        }
        judge_exit(*x_status->exit_code(), x_plan, *x_watch, result);
        return result;
    }

private:
    Status prepare();
    Status watch(base::Child& child, RunResult& result);
    int pass(base::Fd fd);

    const BwrapOptions& x_options;
    std::optional<base::Identity> x_identity;
    const SandboxPlan& x_plan;
    int x_log;
    base::Command x_command;
    std::vector<base::Fd> x_inherited;
    std::optional<BwrapStatus> x_status;
    std::vector<base::fs::path> x_writable;
    std::optional<RunWatch> x_watch;
};

// Hands a descriptor to bwrap under a number that the plan does not use.
int Run::pass(base::Fd fd) {
    int number = 3;
    const auto used = [&] {
        return std::any_of(x_command.pass.begin(), x_command.pass.end(),
                           [&](const base::PassedFd& each) { return each.child == number; });
    };
    while (used()) ++number;
    x_command.pass.push_back({fd.get(), number});
    x_inherited.push_back(std::move(fd));
    return number;
}

Status Run::prepare() {
    SF_CHECK(check_plan(x_plan));
    const auto bwrap = base::find_program("bwrap");
    if (!bwrap)
        return base::fail_hint(
            Code::absent, "bwrap, which makes the sandboxes, is not installed",
            "as root: apt-get install bubblewrap (Debian, Ubuntu) or dnf install "
            "bubblewrap (Enterprise Linux)");
    SF_TRY(const auto root, real_path(x_plan.root));
    SF_TRY(const auto layout, read_layout(root));
    std::vector<base::fs::path> sources{root};
    bool setgid_folders = false;
    for (const auto& bind : x_plan.binds) {
        SF_TRY(auto source, real_path(bind.source));
        if (bind.writable) {
            x_writable.push_back(source);
            struct stat info {};
            if (::stat(source.c_str(), &info) == 0 && (info.st_mode & S_ISGID) != 0)
                setgid_folders = true;
        }
        sources.push_back(std::move(source));
    }
    if (x_identity) {
        // The leased uid may not pass through the folders above (/root is 0700), so root binds what
        // the plan names to where it may.
        SF_TRY(const auto at, mount_point());
        base::PrivateMounts mounts{at, {}};
        for (std::size_t i = 0; i < sources.size(); ++i) {
            auto name = i == 0 ? std::string("root") : std::to_string(i);
            mounts.binds.push_back({sources[i], name});
            sources[i] = at / name;
        }
        x_command.mounts = std::move(mounts);
        x_command.identity = x_identity;
    }

    x_command.environment = {};  // /proc/1/environ shows what bwrap was started with
    x_command.directory = "/";
    x_command.stdout_fd = x_log;
    x_command.stderr_fd = x_log;
    x_command.pass = x_plan.pass;
    if (!x_plan.new_session) {
        x_command.foreground = true;
        x_command.stdin_fd = STDIN_FILENO;
        x_command.stdout_fd = STDOUT_FILENO;
        x_command.stderr_fd = STDERR_FILENO;
    }
    const auto& limits = x_plan.limits;
    // An ordinary user's other processes count against the same limit.
    std::uint64_t others = 0;
    if (!x_identity) {
        SF_TRY(others, tasks_of(::getuid()));
    }
    x_command.limits = {limits.processes + others, limits.file_bytes, limits.memory_bytes,
                        open_files, true};

    SF_TRY(auto options, words_file(bwrap_options(x_plan, sources, layout)));
    SF_TRY(auto filter, seccomp_program(setgid_folders));
    SF_TRY(auto status, BwrapStatus::create());
    x_status.emplace(std::move(status.first));
    x_command.argv = {bwrap->string(),
                      "--args",
                      std::to_string(pass(std::move(options))),
                      "--seccomp",
                      std::to_string(pass(std::move(filter))),
                      "--json-status-fd",
                      std::to_string(pass(std::move(status.second))),
                      "--"};
    x_command.argv.insert(x_command.argv.end(), x_plan.argv.begin(), x_plan.argv.end());
    x_watch.emplace(x_plan, DiskWatch::Settings{x_writable, x_log, limits.disk_bytes,
                                                x_options.free_reserve, x_options.watch_interval});
    return {};
}

Status Run::watch(base::Child& child, RunResult& result) {
    for (;;) {
        SF_TRY(const auto exit, child.wait_for(turn));
        x_status->read();
        if (exit) {
            result.exit = *exit;
            return {};
        }
        auto reason = x_watch->look();
        if (!reason) continue;
        result.outcome = reason->outcome;
        result.detail = std::move(reason->detail);
        // Until bwrap has told its child's pid there is nothing inside yet, and killing it now
        // could leave that child waiting for ever.
        x_status->wait_for_child(child, patience_to_die);
        child.kill_group(SIGKILL);
        x_status->kill_child();
        SF_TRY(result.exit, child.wait());
        return {};
    }
}

}  // namespace

Result<std::unique_ptr<Lease>> BwrapRunner::lease() { return x_options.uids.lend(); }

Result<RunResult> BwrapRunner::run(const Lease& lease, const SandboxPlan& plan, int log_fd) {
    if (::geteuid() == 0 && !lease.identity())
        return base::fail(Code::refused, "root never runs a build's commands: a lease is needed");
    return Run(x_options, lease, plan, log_fd).go();
}

Result<RunResult> BwrapRunner::run_interactive(const Lease& lease, const SandboxPlan& plan) {
    auto foreground = plan;
    foreground.new_session = false;
    return run(lease, foreground, -1);
}

Status BwrapRunner::probe() {
    SF_TRY(const auto leased, lease());
    base::Fd log(::memfd_create("probe", MFD_CLOEXEC));
    if (!log.valid()) return base::fail_errno(errno, "make a memory file");
    SandboxPlan plan;
    plan.root = "/";
    plan.argv = {"/usr/bin/true"};
    plan.limits.time = std::chrono::seconds(30);
    SF_TRY(const auto result, run(*leased, plan, log.get()));
    if (result.outcome == Outcome::ok) return {};
    return base::fail(Code::failed, "a sandbox that does nothing failed: {}", result.detail);
}

}  // namespace sf::sandbox
