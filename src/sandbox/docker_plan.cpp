// SPDX-License-Identifier: Apache-2.0
#include "sandbox/docker_plan.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sf::sandbox {

namespace {

using Words = std::vector<std::string>;

// Process 1 of the container: runs the command, and ends it when its own input ends, which happens
// when the program that started the container is gone, however it went. When process 1 ends, the
// kernel ends all others. `$1`: address space in KiB.
constexpr const char* keeper =
    "ulimit -v \"$1\" && shift && exec 9<&0 </dev/null || exit 126\n"
    "\"$@\" 9<&- & job=$!\n"
    "{ cat <&9 >/dev/null; kill -KILL $job; } 2>/dev/null &\n"
    "wait $job";

void add(Words& to, std::initializer_list<std::string> words) { to.insert(to.end(), words); }

// A field of --mount, which Docker reads as one line of CSV (RFC 4180).
std::string csv(std::string field) {
    if (field.find_first_of(",\"\n\r") == std::string::npos) return field;
    return '"' + base::replace_all(std::move(field), "\"", "\"\"") + '"';
}

std::string mount_of(const Bind& bind) {
    std::string text =
        "type=bind," + csv("source=" + bind.source.string()) + "," + csv("target=" + bind.target);
    if (!bind.writable) text += ",readonly";
    return text;
}

std::string limit(const char* name, std::uint64_t value) {
    return fmt::format("{0}={1}:{1}", name, value);
}

}  // namespace

std::vector<std::string> visible_parts(const RootLayout& layout) {
    Words parts{"etc", "usr"};
    for (const auto& [name, target] : layout.links) parts.push_back(name);
    parts.insert(parts.end(), layout.folders.begin(), layout.folders.end());
    if (layout.dpkg_database) parts.emplace_back("var/lib/dpkg");
    std::sort(parts.begin(), parts.end());
    return parts;
}

std::vector<std::string> docker_create_words(const SandboxPlan& plan,
                                             const DockerContainer& container) {
    const SandboxLimits& limits = plan.limits;
    Words out{"create"};
    add(out,
        {"--name", container.name, "--label", docker_label, "--interactive", "--pull", "never"});
    add(out, {"--network", "none", "--read-only", "--cap-drop", "ALL"});
    add(out, {"--security-opt", "no-new-privileges", "--hostname", plan.hostname});
    add(out, {"--user", fmt::format("{}:{}", container.user.uid, container.user.gid)});
    add(out, {"--pids-limit", std::to_string(limits.processes)});
    add(out, {"--ulimit", limit("fsize", limits.file_bytes)});
    add(out, {"--ulimit", limit("nproc", limits.processes), "--ulimit", limit("core", 0)});
    add(out,
        {"--tmpfs", fmt::format("/tmp:rw,exec,nosuid,nodev,mode=1777,size={}", limits.tmp_bytes)});
    add(out, {"--tmpfs", "/run:rw,nosuid,nodev,mode=0755,size=64m"});
    for (const Bind& bind : plan.binds) add(out, {"--mount", mount_of(bind)});
    add(out, {"--workdir", plan.directory, "--entrypoint", "/usr/bin/env", container.image});

    // Docker sets HOSTNAME, HOME and PATH by itself; a build must see what it sees elsewhere.
    out.emplace_back("-i");
    for (const auto& [name, value] : plan.environment)
        out.push_back(fmt::format("{}={}", name, value));
    add(out, {"/bin/sh", "-c", keeper, "keeper", std::to_string(limits.memory_bytes / 1024)});
    out.insert(out.end(), plan.argv.begin(), plan.argv.end());
    return out;
}

}  // namespace sf::sandbox
