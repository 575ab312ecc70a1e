// SPDX-License-Identifier: Apache-2.0
#include "trust/kept_agent.hpp"

#include <sys/file.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "base/process.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "trust/gpg.hpp"

namespace sf::trust {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view socket_name = "S.gpg-agent";
constexpr std::string_view users_folders = "/run/user/";
// In the private folder of a run that keeps an agent, beside its name of the home.
constexpr std::string_view alive_lock_name = "alive";

base::Result<base::Finished> ask(std::string_view program, const fs::path& name,
                                 const std::vector<std::string>& words) {
    base::Command command;
    command.argv = {std::string(program), "--homedir", name.string()};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    command.environment = gpg_environment(name);
    command.deadline = std::chrono::seconds(10);
    command.though_stopped = true;
    return base::run(command);
}

void gpgconf(const fs::path& name, const std::vector<std::string>& words) {
    // An agent that does not listen ends by itself when it finds its socket gone.
    [[maybe_unused]] const auto ignored = ask(gpgconf_program, name, words);
}

// In its own words. No socket: none runs, or it does not answer.
struct Agent {
    fs::path socket;  // under the name of the home by which it was started
    pid_t pid = 0;
};

// The one that GnuPG finds by this name.
Agent agent_of(const fs::path& name) {
    const auto said = ask(gpg_connect_program, name,
                          {"--no-autostart", "GETINFO socket_name", "GETINFO pid", "/bye"});
    if (!said) return {};
    std::vector<std::string> answers;
    for (const std::string& line : base::split(said->out, '\n'))
        if (line.starts_with("D "))
            answers.push_back(base::replace_all(line.substr(2), "%25", "%"));
    if (answers.size() != 2) return {};
    Agent agent;
    agent.socket = answers[0];
    const std::string& number = answers[1];
    std::from_chars(number.data(), number.data() + number.size(), agent.pid);
    return agent;
}

bool is_below_users_folder(const fs::path& socket) {
    return socket.native().starts_with(users_folders);
}

// Where an agent may listen that GnuPG finds by this name; empty: none does. GnuPG makes the folder
// only to say where that is. It is taken away if it is empty, and never with a person's sockets.
fs::path socket_of(const fs::path& name) {
    const auto said = ask(gpgconf_program, name, {"--list-dirs", "agent-socket"});
    if (!said || !said->exit.ok()) return {};
    fs::path socket = std::string(base::trim(said->out));
    if (base::exists(socket)) return socket;
    if (is_below_users_folder(socket)) ::rmdir(socket.parent_path().c_str());
    return {};
}

// By its socket; ours are below a private folder of a run.
bool is_of_a_run(const fs::path& socket) {
    const std::string prefix(private_folder_prefix);
    return socket.native().starts_with("/tmp/" + prefix) ||
           socket.native().starts_with("/var/tmp/" + prefix);
}

// Does the run live that keeps the agent which listens there?
bool is_kept(const fs::path& socket) {
    const fs::path room = socket.parent_path().parent_path();
    const auto second = base::open_file(room / alive_lock_name, O_RDWR);
    return second && ::flock(second->get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

// Where sockets lie in the home, all who know it have the same agent, whatever their name for it.
// Of runs that keep none, who is at work holds the home's lock.
bool is_somebody_elses(const Agent& agent, const fs::path& name, bool locked) {
    if (agent.socket.empty() || agent.socket == name / socket_name) return false;
    std::error_code error;
    if (!fs::equivalent(agent.socket.parent_path(), name, error)) return false;
    return !locked || !is_of_a_run(agent.socket) || is_kept(agent.socket);
}

// A pinentry that waits for a person sees neither that the agent is gone nor, later, that the
// terminal is: it would take what is typed there, or a whole processor. It is in the agent's
// group, gives the terminal back at this signal, and the agent ends at it as well.
void end_asking(const Agent& agent, const fs::path& name) {
    // What a run in another container left has a number that may be anybody's here.
    const bool ours = agent.socket == name / socket_name || is_below_users_folder(agent.socket);
    if (ours && agent.pid > 1 && ::getpgid(agent.pid) == agent.pid) ::kill(-agent.pid, SIGTERM);
}

}  // namespace

void forget_sockets(const fs::path& name) {
    if (base::exists(fmt::format("{}{}", users_folders, ::geteuid())))
        gpgconf(name, {"--remove-socketdir"});
}

void end_agent(const fs::path& name, bool locked) {
    const Agent agent = agent_of(name);
    if (is_somebody_elses(agent, name, locked)) return;
    end_asking(agent, name);
    gpgconf(name, {"--kill", "all"});
    forget_sockets(name);
}

base::Result<std::unique_ptr<KeptAgent>> KeptAgent::of(const fs::path& home) {
    SF_CHECK(make_private_folder(home));
    SF_TRY(fs::path persons, absolute_home(home));
    if (!socket_of(persons).empty()) {
        const Agent agent = agent_of(persons);
        if (!agent.socket.empty() && !is_of_a_run(agent.socket))
            return std::unique_ptr<KeptAgent>(new KeptAgent(std::move(persons), std::nullopt));
    }
    SF_TRY(base::TempDir room, short_temporary_folder());
    SF_TRY(base::FileLock alive, base::FileLock::acquire(room.path() / alive_lock_name));
    SF_TRY(fs::path name, link_to_home(home, room.path()));
    return std::unique_ptr<KeptAgent>(
        new KeptAgent(std::move(name), Own{std::move(room), std::move(alive)}));
}

KeptAgent::~KeptAgent() {
    if (!x_own || !x_used) return;
    // Where it is in the home, another's gpg may be at work with it, and holds this lock. Whoever
    // is to stop waits for nobody.
    std::optional<base::FileLock> lock;
    if (!base::stop_requested()) {
        auto held = base::FileLock::acquire(x_name / home_lock_name);
        if (held) lock.emplace(std::move(*held));
    }
    end_agent(x_name, lock.has_value());
}

}  // namespace sf::trust
