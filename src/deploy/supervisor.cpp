// SPDX-License-Identifier: Apache-2.0
#include "deploy/supervisor.hpp"

#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "deploy/await.hpp"
#include "deploy/listening.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::fail_errno;
using base::Result;
using base::Status;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr milliseconds turn{100};
constexpr seconds telling_pause{60};  // what takes longer to begin to listen is told of
constexpr seconds kill_patience{30};
constexpr seconds run_without_port{5};  // is ready after that, where nobody can tell its port
constexpr seconds good_run{60};
// Of all daemons together, each with its own patience, to start or to end.
constexpr seconds whole_patience{3 * 3600};
constexpr std::string_view waiting_mark = "waiting: ";

struct Daemon {
    Service service;
    Ids ids;
    std::optional<base::Child> child;
    Listeners before;  // who listened before it was started
    Clock::time_point started;
    Clock::time_point next_start;
    unsigned failures = 0;
};

void tell(int descriptor, const std::string& text) {
    if (descriptor < 0) return;
    const std::string line = base::replace_all(text, "\n", " ") + "\n";
    // Whoever started us may be gone; that is no reason to stop.
    if (::write(descriptor, line.data(), line.size()) < 0) return;
}

class Supervisor {
public:
    Supervisor(Host& host, base::Reporter& reporter, int ready_fd, bool after_boot)
        : x_host(host), x_reporter(reporter), x_ready_fd(ready_fd), x_after_boot(after_boot) {}

    Status load(const std::string& list) {
        SF_TRY(const std::string text, x_host.read(list));
        SF_TRY(const std::vector<Service> services,
               base::during(services_from_json(text), "reading " + list));
        return add(services);
    }

    Status add(const std::vector<Service>& services) {
        Accounts accounts;
        SF_TRY(const std::string passwd, x_host.read("/etc/passwd"));
        SF_TRY(const std::string groups, x_host.read("/etc/group"));
        add_local(accounts, passwd, groups);
        for (const Service& service : services) {
            Daemon daemon;
            daemon.service = service;
            SF_TRY(daemon.ids, ids_of(service.owner, accounts));
            x_daemons.push_back(std::move(daemon));
        }
        return {};
    }

    // All in order, each when the one before is ready. What was started stays when one fails.
    Status start_all() {
        for (Daemon& daemon : x_daemons) {
            SF_TRY(daemon.before, find_listeners(x_host));
            SF_CHECK(base::during(start(daemon), "starting " + daemon.service.name));
            SF_CHECK(wait_until_ready(daemon));
        }
        return {};
    }

    void run() {
        while (!base::stop_requested()) {
            for (Daemon& daemon : x_daemons) look_after(daemon);
            x_host.sleep(turn);
        }
        x_reporter.info("ending, as asked");
        for (auto at = x_daemons.rbegin(); at != x_daemons.rend(); ++at) end(*at);
    }

    Status check() {
        for (Daemon& daemon : x_daemons) {
            if (!daemon.child) continue;  // ended by us
            SF_TRY(const auto exit, daemon.child->wait_for(milliseconds{0}));
            if (exit) return ended_by_itself(daemon.service, *exit);
        }
        return {};
    }

    Status end_well() {
        SF_CHECK(check());
        Status status;
        for (auto at = x_daemons.rbegin(); at != x_daemons.rend(); ++at) {
            const auto exit = end(*at);
            // Dying of the signal that asked is an end as good as any.
            const bool good = exit && (exit->ok() || exit->signal == SIGTERM);
            if (status && !good) {
                status = fail(Code::failed, "{} does not end well: {}{}", at->service.name,
                              exit ? exit->text() : "killed after some patience",
                              last_lines(at->service.log));
            }
        }
        return status;
    }

private:
    // Users of the supervised daemons are local or known by number: see Service::owner.
    static Result<Ids> ids_of(const Owner& owner, const Accounts& accounts) {
        const User* user = accounts.user(owner.user);
        const Group* group = accounts.group(owner.group);
        if (user != nullptr) return Ids{user->uid, group != nullptr ? group->gid : user->gid};
        Ids ids;
        const auto parse = [](const std::string& text, unsigned& into) {
            const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), into);
            return error == std::errc() && at == text.data() + text.size();
        };
        if (parse(owner.user, ids.uid) && parse(owner.group, ids.gid)) return ids;
        return fail(Code::failed, "there is no user {}", base::escape_untrusted(owner.user));
    }

    Status start(Daemon& daemon) {
        const Service& service = daemon.service;
        SF_TRY(const base::Fd log,
               base::open_file(service.log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK,
                               0640));
        base::Command command;
        command.argv = service.argv;
        command.environment = service.environment;
        command.directory = "/";
        command.stdout_fd = log.get();
        command.stderr_fd = log.get();
        command.new_session = true;
        command.limits.no_core = false;
        // Root needs no change, and keeps what it has: slurmd starts jobs of every user.
        // Nor does whoever is that user already.
        if (daemon.ids.uid != 0 && daemon.ids.uid != ::geteuid())
            command.identity = base::Identity{daemon.ids.uid, daemon.ids.gid};
        SF_TRY(base::Child child, base::Child::spawn(command));
        x_reporter.info("started {} as process {}", service.name, child.pid());
        daemon.child.emplace(std::move(child));
        daemon.started = Clock::now();
        return {};
    }

    Result<bool> is_ready(const Daemon& daemon) {
        const Service& service = daemon.service;
        if (service.ready_socket.empty() && service.ready_port == 0) return true;
        SF_TRY(const Listeners listeners, find_listeners(x_host));
        if (!service.ready_socket.empty() && !listeners.sockets.contains(service.ready_socket))
            return false;
        // Asked each time: where Slurm fetches its configuration, it comes meanwhile.
        const auto port = configured_port(x_host, service.port, service.ready_port);
        if (!port) return Clock::now() - daemon.started > run_without_port;
        if (*port == 0) return true;
        if (!daemon.before.ports.contains(*port)) return listeners.ports.contains(*port);
        if (!service.port.file.empty() && !base::exists(service.port.file))
            return false;  // what is to come may name another
        // sackd runs all the same, and never hears of a change.
        return tl::unexpected(port_in_use(*port, service.name));
    }

    Status wait_until_ready(Daemon& daemon) {
        const Service& service = daemon.service;
        const bool longer = x_after_boot && service.boot_patience > service.patience;
        const seconds patience = longer ? service.boot_patience : service.patience;
        const Clock::time_point end = Clock::now() + patience;
        const seconds quiet = longer ? std::min(service.patience, telling_pause) : telling_pause;
        Clock::time_point tell_at = Clock::now() + quiet;
        for (;;) {
            SF_CHECK(base::check_stop());
            SF_TRY(const auto exit, daemon.child->wait_for(milliseconds{0}));
            if (exit) return ended_by_itself(service, *exit);
            SF_TRY(const bool ready, is_ready(daemon));
            if (ready) return {};
            if (Clock::now() > end) {
                return base::fail_hint(Code::exhausted,
                                       fmt::format("{} does not listen after {} s{}", service.name,
                                                   patience.count(), last_lines(service.log)),
                                       "its console is " + service.log);
            }
            if (Clock::now() > tell_at) {
                tell_at = end + turn;  // once
                tell(x_ready_fd, fmt::format("{}{} does not listen after {} s, and has {} s{}",
                                             waiting_mark, service.name, quiet.count(),
                                             patience.count(), last_lines(service.log)));
            }
            x_host.sleep(turn);
        }
    }

    tl::unexpected<base::Error> ended_by_itself(const Service& service, const base::Exit& exit) {
        return base::fail_hint(Code::failed,
                               fmt::format("{} ended by itself: {}{}", service.name, exit.text(),
                                           last_lines(service.log)),
                               "its console is " + service.log);
    }

    // What a daemon said last is the reason more often than not.
    std::string last_lines(const std::string& log) {
        const auto text = x_host.read(log);
        if (!text) return {};
        std::string said;
        std::vector<std::string> lines = base::split(std::string(base::trim(*text)), '\n');
        if (lines.size() > 3) lines.erase(lines.begin(), lines.end() - 3);
        for (const std::string& line : lines)
            said += "; " + base::escape_untrusted(line.substr(0, 300));
        return said;
    }

    void look_after(Daemon& daemon) {
        if (daemon.child) {
            const auto exit = daemon.child->wait_for(milliseconds{0});
            if (exit && !*exit) return;  // it runs
            const bool ran_well = Clock::now() - daemon.started > good_run;
            daemon.failures = ran_well ? 1 : daemon.failures + 1;
            const seconds pause = restart_pause(daemon.failures);
            daemon.next_start = Clock::now() + pause;
            x_reporter.warning("{} ended by itself: {}; started again in {} s", daemon.service.name,
                               exit ? (*exit)->text() : exit.error().text(), pause.count());
            daemon.child.reset();
            return;
        }
        if (Clock::now() < daemon.next_start) return;
        if (const Status started = start(daemon); !started) {
            daemon.failures += 1;
            daemon.next_start = Clock::now() + restart_pause(daemon.failures);
            x_reporter.warning("cannot start {}: {}", daemon.service.name, started.error().text());
        }
    }

    // nullopt: it had to be killed, or had ended before.
    std::optional<base::Exit> end(Daemon& daemon) {
        if (!daemon.child) return std::nullopt;
        bool killed = false;
        daemon.child->kill_alone(SIGTERM);
        auto exit = daemon.child->wait_for(daemon.service.patience);
        if (exit && !*exit) {
            x_reporter.warning("{} does not end: killed", daemon.service.name);
            daemon.child->kill_alone(SIGKILL);
            killed = true;
            exit = daemon.child->wait_for(kill_patience);
        }
        if (exit && *exit) x_reporter.info("{} ended: {}", daemon.service.name, (*exit)->text());
        daemon.child.reset();
        if (!exit || killed) return std::nullopt;
        return *exit;
    }

    Host& x_host;
    base::Reporter& x_reporter;
    int x_ready_fd;
    bool x_after_boot;
    std::vector<Daemon> x_daemons;
};

// Nobody else may open it: whoever can read a file can lock it, and would be taken for us.
Result<base::Fd> lock_pid_file(const std::string& path) {
    SF_TRY(base::Fd file, base::open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    if (::fchmod(file.get(), 0600) != 0) return fail_errno(errno, "set the mode of " + path);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return fail(Code::refused, "a supervisor runs already ({})", path);
        return fail_errno(errno, "lock " + path);
    }
    const std::string text = std::to_string(::getpid()) + "\n";
    if (::ftruncate(file.get(), 0) != 0) return fail_errno(errno, "write " + path);
    SF_CHECK(base::write_all(file.get(), base::as_bytes(text), path));
    return file;
}

}  // namespace

struct Daemons::Watched {
    Watched(Host& host, base::Reporter& reporter) : all(host, reporter, -1, false) {}
    Supervisor all;
};

Daemons::Daemons(std::unique_ptr<Watched> watched) : x_watched(std::move(watched)) {}
Daemons::Daemons(Daemons&&) noexcept = default;
Daemons::~Daemons() = default;

Result<Daemons> Daemons::start(const std::vector<Service>& services, Host& host,
                               base::Reporter& reporter) {
    auto watched = std::make_unique<Watched>(host, reporter);
    SF_CHECK(watched->all.add(services));
    SF_CHECK(watched->all.start_all());
    return Daemons(std::move(watched));
}

Status Daemons::check() { return x_watched->all.check(); }
Status Daemons::end() { return x_watched->all.end_well(); }

seconds restart_pause(unsigned failures) {
    const unsigned doublings = std::min(failures, 7U);
    return std::min(seconds{60}, seconds{(1U << doublings) / 2U});
}

Status supervise(const SupervisorOptions& options, Host& host, base::Reporter& reporter) {
    // Closed with us, or by a crash: the lock is the kernel's.
    auto lock = lock_pid_file(options.pid_file);
    if (!lock) {
        tell(options.ready_fd, lock.error().text());
        return tl::unexpected(lock.error());
    }
    Supervisor supervisor(host, reporter, options.ready_fd, options.after_boot);
    Status status = supervisor.load(options.list);
    if (status) status = supervisor.start_all();
    if (!status) {
        reporter.warning("{}", status.error().text());
        tell(options.ready_fd, status.error().text());
        base::request_stop(SIGTERM);
        supervisor.run();  // ends what was started
        return status;
    }
    reporter.info("all are up");
    tell(options.ready_fd, "ready");
    if (options.ready_fd >= 0) ::close(options.ready_fd);
    supervisor.run();
    SF_CHECK(base::remove_file(options.pid_file));
    return {};
}

Result<std::optional<pid_t>> running_supervisor(const std::string& pid_file) {
    if (!base::exists(pid_file)) return std::optional<pid_t>();
    SF_TRY(const base::Fd file, base::open_file(pid_file, O_RDONLY | O_NOFOLLOW));
    if (::flock(file.get(), LOCK_SH | LOCK_NB) == 0) return std::optional<pid_t>();
    if (errno != EWOULDBLOCK) return fail_errno(errno, "look at the lock of " + pid_file);
    SF_TRY(const std::string text, base::read_file(pid_file, 64));
    pid_t pid = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (error != std::errc() || pid < 2)
        return fail(Code::corrupt, "{} holds no process number", pid_file);
    return std::optional<pid_t>(pid);
}

namespace {

// What the supervisor says last, on a line of its own; "" if it ended without a word.
Result<std::string> last_word(int descriptor, base::Reporter& reporter) {
    std::string said;
    const Clock::time_point end = Clock::now() + whole_patience;
    while (Clock::now() < end) {
        SF_CHECK(base::check_stop());
        pollfd wait{descriptor, POLLIN, 0};
        const int turned = ::poll(&wait, 1, 1000);
        if (turned <= 0) continue;  // a signal, or nothing yet
        char room[4096];
        const ssize_t got = ::read(descriptor, room, sizeof room);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return std::string(base::trim(said));
        said.append(room, static_cast<std::size_t>(got));
        for (std::size_t at = said.find('\n'); at != std::string::npos; at = said.find('\n')) {
            const std::string line = said.substr(0, at);
            if (!line.starts_with(waiting_mark)) return line;
            reporter.notice("{}", line.substr(waiting_mark.size()));
            said.erase(0, at + 1);
        }
    }
    return fail(Code::exhausted, "the supervisor says nothing for {} s", whole_patience.count());
}

}  // namespace

Status start_supervisor(const std::string& helper, base::Reporter& reporter, bool after_boot,
                        const std::string& log_file) {
    SF_TRY(const base::Fd log,
           base::open_file(log_file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0640));
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "make a pipe");
    const base::Fd read_end(ends[0]);
    base::Fd write_end(ends[1]);
    base::Command command;
    command.argv = {helper, "supervise", "--ready-fd=3"};
    if (after_boot) command.argv.emplace_back("--after-boot");
    command.environment = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"LC_ALL", "C.UTF-8"}};
    command.directory = "/";
    command.stdout_fd = log.get();
    command.stderr_fd = log.get();
    command.pass = {{write_end.get(), 3}};
    command.new_session = true;
    command.outlives_us = true;
    command.limits.no_core = false;
    SF_TRY(base::Child child, base::Child::spawn(command));
    write_end.reset();
    const Result<std::string> said = last_word(read_end.get(), reporter);
    if (said && *said == "ready") {
        child.leave();
        return {};
    }
    // It ends what it had started, then itself; in its own time, should that be longer than ours.
    if (!said) child.kill_alone(SIGTERM);
    SF_TRY(const auto exit, child.wait_for(seconds{said ? 120 : 0}));
    if (!exit) child.leave();
    if (!said) return tl::unexpected(said.error());
    return base::fail_hint(
        Code::failed, said->empty() ? "the supervisor ended without a word" : *said,
        fmt::format("see {} and the logs in /var/log/slurm; mend it and run this again", log_file));
}

Status stop_supervisor(Host& host, const std::string& pid_file) {
    SF_TRY(const auto pid, running_supervisor(pid_file));
    if (!pid) return {};
    SF_CHECK(host.signal(*pid, SIGTERM));
    SF_TRY(const bool ended, await(host, whole_patience, [&](milliseconds) -> Result<bool> {
               SF_TRY(const auto now, running_supervisor(pid_file));
               return !now;
           }));
    if (ended) return {};
    return base::fail_hint(Code::exhausted,
                           fmt::format("the supervisor, process {}, does not end", *pid),
                           fmt::format("see what it waits for: {}", supervisor_log));
}

}  // namespace sf::deploy
