// SPDX-License-Identifier: Apache-2.0
#include "sandbox/uid_lease.hpp"

#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <thread>
#include <unistd.h>

#include "base/text.hpp"

namespace sf::sandbox {

namespace {

class UidLease : public Lease {
public:
    UidLease(base::Fd lock, uid_t uid) : x_lock(std::move(lock)), x_uid(uid) {}
    [[nodiscard]] std::optional<base::Identity> identity() const override {
        return base::Identity{x_uid, x_uid};
    }

private:
    base::Fd x_lock;  // closing it gives the uid back
    uid_t x_uid;
};

class OwnUser : public Lease {
public:
    [[nodiscard]] std::optional<base::Identity> identity() const override { return std::nullopt; }
};

bool names_a_user(uid_t uid) {
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, 16384> room;
    return ::getpwuid_r(uid, &entry, room.data(), room.size(), &found) == 0 && found != nullptr;
}

// The field "Name:\tvalue…" of a /proc/PID/status text.
std::string_view field(std::string_view status, std::string_view name) {
    for (std::size_t at = 0; at < status.size();) {
        const auto end = std::min(status.find('\n', at), status.size());
        const auto line = status.substr(at, end - at);
        if (line.starts_with(name)) return base::trim(line.substr(name.size()));
        at = end + 1;
    }
    return {};
}

bool alive(std::string_view status) {
    const auto state = field(status, "State:");
    return !state.starts_with('Z') && !state.starts_with('X');
}

// Calls `each` with the status text of every process. One that ends meanwhile has none any more.
template <class Each>
base::Status for_each_process(Each each) {
    SF_TRY(const auto names, base::list_dir("/proc"));
    for (const auto& name : names) {
        pid_t pid = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (error != std::errc{} || end != name.data() + name.size()) continue;
        if (const auto status = base::read_file("/proc/" + name + "/status")) each(pid, *status);
    }
    return {};
}

}  // namespace

base::Result<std::vector<pid_t>> processes_of(uid_t uid) {
    const auto wanted = std::to_string(uid);
    std::vector<pid_t> found;
    SF_CHECK(for_each_process([&](pid_t pid, const std::string& status) {
        const auto uids = base::split(field(status, "Uid:"), '\t');
        if (alive(status) && std::find(uids.begin(), uids.end(), wanted) != uids.end())
            found.push_back(pid);
    }));
    return found;
}

base::Result<std::uint64_t> tasks_of(uid_t uid) {
    const auto wanted = std::to_string(uid);
    std::uint64_t tasks = 0;
    SF_CHECK(for_each_process([&](pid_t, const std::string& status) {
        const auto uids = base::split(field(status, "Uid:"), '\t');
        const auto threads = field(status, "Threads:");
        std::uint64_t count = 1;
        std::from_chars(threads.data(), threads.data() + threads.size(), count);
        if (!uids.empty() && uids.front() == wanted) tasks += count;
    }));
    return tasks;
}

base::Status end_processes_of(uid_t uid, std::chrono::milliseconds patience) {
    const auto end = std::chrono::steady_clock::now() + patience;
    for (;;) {
        SF_TRY(const auto alive, processes_of(uid));
        if (alive.empty()) return {};
        for (const auto pid : alive) ::kill(pid, SIGKILL);
        if (std::chrono::steady_clock::now() > end)
            return base::fail(base::Code::failed,
                              "{} processes of uid {} do not end, the first is {}", alive.size(),
                              uid, alive.front());
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

base::Result<std::unique_ptr<Lease>> UidLender::lend() const {
    if (::geteuid() != 0) return own_user();
    return base::during(lend_uid(), "leasing an unprivileged uid");
}

base::Result<std::unique_ptr<Lease>> UidLender::lend_uid() const {
    SF_CHECK(base::make_dirs(x_folder));
    for (uid_t uid = x_first; uid < x_first + x_count; ++uid) {
        const base::fs::path path = x_folder / std::to_string(uid);
        SF_TRY(auto lock, base::open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
        if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK || errno == EINTR) continue;
            return base::fail_errno(errno, "lock " + path.string());
        }
        if (names_a_user(uid)) continue;
        SF_TRY(const auto alive, processes_of(uid));
        if (!alive.empty()) continue;
        return std::make_unique<UidLease>(std::move(lock), uid);
    }
    return base::fail_hint(base::Code::exhausted,
                           fmt::format("every uid from {} to {} is lent to another build or in use",
                                       x_first, x_first + x_count - 1),
                           "wait for other builds to end, or configure another range of uids");
}

std::unique_ptr<Lease> own_user() { return std::make_unique<OwnUser>(); }

}  // namespace sf::sandbox
