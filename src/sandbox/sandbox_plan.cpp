// SPDX-License-Identifier: Apache-2.0
#include "sandbox/sandbox_plan.hpp"

#include <algorithm>
#include <numeric>

#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::sandbox {

namespace {

constexpr std::uint64_t small_tmpfs = std::uint64_t{64} << 20;

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

base::Status check_target(const std::string& target, std::string_view what) {
    const base::fs::path path(target);
    if (target.empty() || has_nul(target) || !path.is_absolute() ||
        path.lexically_normal().string() != target)
        return base::fail(base::Code::usage, "{} '{}' is not an absolute, normal path", what,
                          base::escape_untrusted(target));
    return {};
}

void add(std::vector<std::string>& to, std::initializer_list<std::string> words) {
    to.insert(to.end(), words);
}

}  // namespace

base::Result<RootLayout> read_layout(const std::filesystem::path& root) {
    RootLayout layout;
    layout.links.clear();
    for (const char* name : {"bin", "lib", "lib32", "lib64", "libx32", "sbin"}) {
        const auto path = root / name;
        std::error_code error;
        const auto status = base::fs::symlink_status(path, error);
        if (base::fs::is_symlink(status)) {
            auto target = base::fs::read_symlink(path, error);
            if (error) return base::fail_errno(error.value(), "read link " + path.string());
            // Links that leave the root make no sense in it; bin and friends point into usr.
            layout.links[name] = target.relative_path().string();
        } else if (base::fs::is_directory(status)) {
            layout.folders.insert(name);
        }
    }
    if (!base::is_dir(root / "usr") || !base::is_dir(root / "etc"))
        return base::fail(base::Code::absent, "'{}' is no root file system: usr or etc is missing",
                          root.string());
    layout.dpkg_database = base::is_dir(root / "var/lib/dpkg");
    return layout;
}

base::Status check_plan(const SandboxPlan& plan) {
    using base::Code;
    if (!plan.root.is_absolute())
        return base::fail(Code::usage, "the root '{}' is not an absolute path", plan.root.string());
    SF_CHECK(check_target(plan.directory, "working directory"));
    for (const auto& bind : plan.binds) {
        SF_CHECK(check_target(bind.target, "bind target"));
        if (!bind.source.is_absolute() || has_nul(bind.source.native()))
            return base::fail(Code::usage, "the bind source '{}' is not an absolute path",
                              base::escape_untrusted(bind.source.string()));
        for (const char* ours : {"/", "/proc", "/dev"})
            if (bind.target == ours ||
                (ours[1] != 0 && bind.target.starts_with(std::string(ours) + "/")))
                return base::fail(Code::usage, "nothing can be bound at '{}'", bind.target);
    }
    if (plan.argv.empty()) return base::fail(Code::usage, "the plan has no command");
    SF_CHECK(check_target(plan.argv.front(), "program"));
    for (const auto& word : plan.argv)
        if (has_nul(word)) return base::fail(Code::usage, "an argument holds a NUL byte");
    for (const auto& [name, value] : plan.environment)
        if (name.empty() || has_nul(name) || has_nul(value) || name.find('=') != std::string::npos)
            return base::fail(Code::usage, "'{}' cannot be set in an environment",
                              base::escape_untrusted(name));
    for (const auto& fd : plan.pass)
        if (fd.parent < 0 || fd.child < 3)
            return base::fail(Code::usage, "descriptor {} cannot be passed as {}", fd.parent,
                              fd.child);
    return {};
}

std::vector<std::string> bwrap_options(const SandboxPlan& plan,
                                       const std::vector<std::filesystem::path>& sources,
                                       const RootLayout& layout) {
    std::vector<std::string> out;
    // Not --unshare-all: that goes on without a user namespace where there is none.
    add(out, {"--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
              "--unshare-cgroup-try", "--disable-userns", "--die-with-parent"});
    if (plan.new_session) add(out, {"--new-session"});
    const auto user = std::to_string(sandbox_user);
    add(out, {"--uid", user, "--gid", user, "--cap-drop", "ALL", "--hostname", plan.hostname});

    const auto& root = sources.front();
    add(out, {"--ro-bind", (root / "usr").string(), "/usr"});
    add(out, {"--ro-bind", (root / "etc").string(), "/etc"});
    for (const auto& [name, target] : layout.links) add(out, {"--symlink", target, "/" + name});
    for (const auto& name : layout.folders)
        add(out, {"--ro-bind", (root / name).string(), "/" + name});
    if (layout.dpkg_database)
        add(out, {"--ro-bind", (root / "var/lib/dpkg").string(), "/var/lib/dpkg"});
    add(out, {"--symlink", "../tmp", "/var/tmp"});

    // bwrap's /dev is a tmpfs without a limit: its shm gets one, the rest becomes read-only.
    const auto tmp_bytes = std::to_string(plan.limits.tmp_bytes);
    const auto few_bytes = std::to_string(std::min(small_tmpfs, plan.limits.tmp_bytes));
    add(out, {"--proc", "/proc", "--dev", "/dev"});
    add(out, {"--perms", "1777", "--size", few_bytes, "--tmpfs", "/dev/shm"});
    add(out, {"--remount-ro", "/dev"});
    add(out, {"--perms", "1777", "--size", tmp_bytes, "--tmpfs", "/tmp"});
    add(out, {"--size", few_bytes, "--tmpfs", "/run"});

    // A folder before what lies in it, whatever the plan's order.
    std::vector<std::size_t> order(plan.binds.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t left, std::size_t right) {
        return plan.binds[left].target < plan.binds[right].target;
    });
    for (const auto i : order) {
        const auto& bind = plan.binds[i];
        add(out, {bind.writable ? "--bind" : "--ro-bind", sources.at(i + 1).string(), bind.target});
    }
    add(out, {"--remount-ro", "/"});

    add(out, {"--clearenv"});
    for (const auto& [name, value] : plan.environment) add(out, {"--setenv", name, value});
    add(out, {"--chdir", plan.directory});
    return out;
}

std::vector<std::string> bwrap_arguments(const SandboxPlan& plan,
                                         const std::vector<std::filesystem::path>& sources,
                                         const RootLayout& layout) {
    auto out = bwrap_options(plan, sources, layout);
    out.emplace_back("--");
    out.insert(out.end(), plan.argv.begin(), plan.argv.end());
    return out;
}

std::string to_text(const SandboxPlan& plan) {
    std::string out = fmt::format("root       {} (read-only)\n", plan.root.string());
    for (const auto& bind : plan.binds)
        out += fmt::format("bind       {} at {} ({})\n", bind.source.string(), bind.target,
                           bind.writable ? "writable" : "read-only");
    for (const auto& [name, value] : plan.environment)
        out += fmt::format("environ    {}={}\n", name, base::shell_quote(value));
    for (const auto& fd : plan.pass) out += fmt::format("descriptor {}\n", fd.child);
    const auto& limits = plan.limits;
    out += fmt::format(
        "limits     {} of time, {} of memory a process, {} processes, {} a file, {} of disk, {} in "
        "/tmp\n",
        base::human_seconds(static_cast<double>(limits.time.count())),
        base::human_bytes(limits.memory_bytes), limits.processes,
        base::human_bytes(limits.file_bytes), base::human_bytes(limits.disk_bytes),
        base::human_bytes(limits.tmp_bytes));
    out += fmt::format("host name  {}\n", plan.hostname);
    out += fmt::format("directory  {}\n", plan.directory);
    out += fmt::format("run        {}\n", base::shell_join(plan.argv));
    return out;
}

}  // namespace sf::sandbox
