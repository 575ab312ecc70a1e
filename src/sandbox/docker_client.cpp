// SPDX-License-Identifier: Apache-2.0
#include "sandbox/docker_client.hpp"

#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

#include "base/text.hpp"

namespace sf::sandbox {

using base::Code;
using base::Result;
using base::Status;

namespace {

constexpr std::chrono::minutes patience{10};  // importing a root on a slow disk

tl::unexpected<base::Error> refused(const std::string& doing, const std::string& words) {
    const std::string said = base::escape_untrusted(base::trim(words));
    std::string hint;
    if (said.find("permission denied") != std::string::npos)
        hint =
            "you may not talk to the Docker daemon: run it as root or as a member of group docker";
    else if (said.find("daemon running") != std::string::npos ||
             said.find("Cannot connect") != std::string::npos)
        hint = "start it (as root: systemctl start docker), or use --runtime bwrap";
    return base::fail_hint(Code::failed, fmt::format("docker could not {}: {}", doing, said),
                           std::move(hint));
}

}  // namespace

Result<DockerClient> DockerClient::find(const std::string& host) {
    const auto program = base::find_program("docker");
    if (!program)
        return base::fail_hint(Code::absent, "docker is not installed",
                               "as root: apt-get install docker.io (Debian, Ubuntu), or use "
                               "--runtime bwrap");
    std::string where = host;
    // The one setting of docker's that says where its daemon is.
    if (const char* set = std::getenv("DOCKER_HOST"); where.empty() && set != nullptr) where = set;
    return DockerClient(program->string(), std::move(where));
}

base::Command DockerClient::command(const std::vector<std::string>& words) const {
    base::Command command;
    command.argv = {x_program};
    if (!x_host.empty()) command.argv.insert(command.argv.end(), {"--host", x_host});
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    // No configuration of the person's: credentials and proxies have no business here.
    command.environment = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"},
                           {"LC_ALL", "C.UTF-8"},
                           {"HOME", "/nonexistent"},
                           {"DOCKER_CONFIG", "/nonexistent"}};
    command.directory = "/";
    return command;
}

Result<std::string> DockerClient::call(const std::vector<std::string>& words,
                                       const std::string& doing) const {
    base::Command docker = command(words);
    docker.deadline = patience;
    SF_TRY(const base::Finished finished, base::run(docker));
    if (finished.timed_out)
        return base::fail(
            Code::failed, "docker could not {}: no answer within {}", doing,
            base::human_seconds(static_cast<double>(std::chrono::seconds(patience).count())));
    if (!finished.exit.ok()) return refused(doing, finished.err);
    return std::string(base::trim(finished.out));
}

Status DockerClient::import_image(const base::fs::path& folder,
                                  const std::vector<std::string>& parts,
                                  const std::string& tag) const {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return base::fail_errno(errno, "make a pipe");
    base::Fd read_end(ends[0]);
    base::Fd write_end(ends[1]);
    base::Command tar;
    tar.argv = {"tar", "-C", folder.string(), "--numeric-owner", "-cf", "-", "--"};
    tar.argv.insert(tar.argv.end(), parts.begin(), parts.end());
    tar.environment = {{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C.UTF-8"}};
    tar.stdout_fd = write_end.get();
    SF_TRY(auto packing, base::Child::spawn(tar));
    write_end = {};
    base::Command import = command({"import", "--", "-", tag});
    import.stdin_fd = read_end.get();
    import.deadline = patience;
    SF_TRY(const base::Finished finished, base::run(import));
    read_end = {};  // tar must not wait for a reader that is gone
    SF_TRY(const base::Exit packed, packing.wait());
    if (finished.timed_out || !finished.exit.ok())
        return refused("take the root as an image", finished.err);
    if (!packed.ok())
        return base::fail(Code::failed, "tar could not read {}: {}", folder.string(),
                          packed.text());
    return {};
}

}  // namespace sf::sandbox
