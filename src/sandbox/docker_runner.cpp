// SPDX-License-Identifier: Apache-2.0
#include "sandbox/docker_runner.hpp"

#include <sys/stat.h>

#include <atomic>
#include <charconv>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/digest.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "sandbox/docker_client.hpp"
#include "sandbox/docker_plan.hpp"
#include "sandbox/run_watch.hpp"
#include "sandbox/uid_lease.hpp"

namespace sf::sandbox {

using base::Code;
using base::Result;
using base::Status;

namespace {

constexpr std::chrono::milliseconds turn{50};
constexpr std::chrono::milliseconds patience_to_die{10000};
constexpr const char* image_name = "slurm-factory-root";

// "sf-<pid>-<number>-<nanoseconds>": no two of a machine.
std::string container_name() {
    static std::atomic<unsigned> counter{0};
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return fmt::format("sf-{}-{}-{}", ::getpid(), ++counter,
                       std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

// Containers of programs that were killed: they ended with them, but are still listed.
Status remove_orphans(const DockerClient& docker) {
    SF_TRY(const std::string listed,
           docker.call({"ps", "--all", "--filter", "status=exited", "--filter",
                        std::string("label=") + docker_label, "--format", "{{.Names}}"},
                       "list its containers"));
    for (const std::string& name : base::split(listed, '\n')) {
        const std::vector<std::string> parts = base::split(name, '-');
        pid_t owner = 0;
        if (parts.size() != 4 ||
            std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), owner).ec !=
                std::errc() ||
            ::kill(owner, 0) == 0 || errno != ESRCH)
            continue;
        // Another run may have been quicker.
        static_cast<void>(docker.call({"rm", "--volumes", name}, "remove a container"));
    }
    return {};
}

// A container from its creation to its removal.
class Container {
public:
    Container(const DockerClient& docker, std::string name)
        : x_docker(docker), x_name(std::move(name)) {}
    Container(const Container&) = delete;
    Container& operator=(const Container&) = delete;
    ~Container() {
        // What cannot be removed now holds nothing but its name; docker lists it.
        if (x_made) static_cast<void>(remove());
    }

    Status create(const std::vector<std::string>& words) {
        SF_CHECK(x_docker.call(words, "make a container").map([](const std::string&) {}));
        x_made = true;
        return {};
    }
    Status remove() {
        x_made = false;
        return x_docker.call({"rm", "--force", "--volumes", x_name}, "remove a container")
            .map([](const std::string&) {});
    }
    Status kill() {
        return x_docker.call({"kill", x_name}, "end a container").map([](const std::string&) {});
    }
    // "false 0 ": running, exit code, the daemon's own trouble in starting it.
    [[nodiscard]] Result<std::string> state() const {
        return x_docker.call({"inspect", "--format",
                              "{{.State.Running}} {{.State.ExitCode}} {{.State.OOMKilled}} "
                              "{{.State.Error}}",
                              x_name},
                             "look at a container");
    }

private:
    const DockerClient& x_docker;
    std::string x_name;
    bool x_made = false;
};

struct EndState {
    int code = 0;
    bool out_of_memory = false;
};
Result<EndState> parse_state(const std::string& text) {
    const std::vector<std::string> words = base::split(text, ' ');
    EndState end;
    const bool told =
        words.size() >= 3 && words[0] == "false" &&
        std::from_chars(words[1].data(), words[1].data() + words[1].size(), end.code).ec ==
            std::errc();
    if (!told || words.size() > 3)
        return base::fail(Code::failed, "the container did not run: docker says {}",
                          base::escape_untrusted(text));
    end.out_of_memory = words[2] == "true";
    return end;
}

// The command that holds the container: as long as its input, a pipe, has a writer.
struct Attached {
    base::Fd keep_open;
    base::Child child;
};
Result<Attached> start(const DockerClient& docker, const std::string& name, int log_fd) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return base::fail_errno(errno, "make a pipe");
    const base::Fd read_end(ends[0]);
    base::Fd write_end(ends[1]);
    base::Command command = docker.command({"start", "--attach", "--interactive", name});
    command.stdin_fd = read_end.get();
    command.stdout_fd = log_fd;
    command.stderr_fd = log_fd;
    SF_TRY(auto child, base::Child::spawn(command));
    return Attached{std::move(write_end), std::move(child)};
}

Status watch(Attached& attached, Container& container, RunWatch& watch, RunResult& result) {
    for (;;) {
        SF_TRY(const auto exit, attached.child.wait_for(turn));
        if (exit) {
            result.exit = *exit;
            return {};
        }
        auto reason = watch.look();
        if (!reason) continue;
        result.outcome = reason->outcome;
        result.detail = std::move(reason->detail);
        attached.keep_open = {};  // ends it, should the kill not arrive
        static_cast<void>(container.kill());
        SF_TRY(const auto gone, attached.child.wait_for(patience_to_die));
        if (!gone) attached.child.kill_group(SIGKILL);
        SF_TRY(result.exit, attached.child.wait());
        return {};
    }
}

}  // namespace

Result<std::unique_ptr<Lease>> DockerRunner::lease() { return x_options.uids.lend(); }

Status DockerRunner::probe() {
    SF_TRY(const DockerClient docker, DockerClient::find(x_options.host));
    SF_CHECK(docker.call({"version", "--format", "{{.Server.Version}}"}, "reach its daemon")
                 .map([](const std::string&) {}));
    return remove_orphans(docker);
}

// A root's folder is named by its digest, and never changes: so is the image.
Result<std::string> DockerRunner::image_of(const base::fs::path& root) {
    SF_TRY(const DockerClient docker, DockerClient::find(x_options.host));
    const std::string tag = fmt::format("{}:{}", image_name, base::sha256(root.string()).hex());
    auto images = x_images.lock();  // one import at a time
    if (images->contains(tag)) return tag;
    SF_TRY(const std::string known,
           docker.call({"image", "ls", "--quiet", tag}, "list its images"));
    if (known.empty()) {
        SF_TRY(const RootLayout layout, read_layout(root));
        SF_CHECK(docker.import_image(root, visible_parts(layout), tag));
    }
    images->insert(tag);
    return tag;
}

// Numbers mean the same inside and outside.
base::Identity DockerRunner::user_inside(const Lease& lease) const {
    return lease.identity().value_or(base::Identity{::getuid(), ::getgid()});
}

Result<RunResult> DockerRunner::run(const Lease& lease, const SandboxPlan& plan, int log_fd) {
    const base::Identity user = user_inside(lease);
    if (user.uid == 0)
        return base::fail(Code::refused, "root never runs a build's commands: a lease is needed");
    if (!plan.pass.empty() || !plan.new_session)
        return base::fail(Code::refused, "docker passes neither descriptors nor terminals");
    SF_CHECK(check_plan(plan));
    SandboxPlan real = plan;
    SF_TRY(real.root, real_path(plan.root));
    std::vector<base::fs::path> writable;
    for (Bind& bind : real.binds) {
        SF_TRY(bind.source, real_path(bind.source));
        if (bind.writable) writable.push_back(bind.source);
    }
    SF_TRY(const DockerClient docker, DockerClient::find(x_options.host));
    SF_TRY(const std::string image, image_of(real.root));
    SF_CHECK(base::check_stop());

    const std::string name = container_name();
    Container container(docker, name);
    SF_CHECK(container.create(docker_create_words(real, {name, image, user})));
    RunWatch watching(real, {writable, log_fd, real.limits.disk_bytes, x_options.free_reserve,
                             x_options.watch_interval});
    RunResult result;
    SF_TRY(auto attached, start(docker, name, log_fd));
    SF_CHECK(watch(attached, container, watching, result));
    result.wall_seconds = watching.seconds();
    SF_TRY(const std::string state, container.state());
    SF_CHECK(container.remove());
    if (lease.identity()) SF_CHECK(end_processes_of(user.uid, patience_to_die));
    if (result.outcome != Outcome::ok) return result;  // we ended it

    SF_TRY(const EndState end, parse_state(state));
    judge_exit(end.code, real, watching, result);
    if (end.out_of_memory) result.detail += ", out of memory";
    return result;
}

}  // namespace sf::sandbox
