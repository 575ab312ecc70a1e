// SPDX-License-Identifier: Apache-2.0
#include "sandbox/root_making.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/stop.hpp"
#include "base/text.hpp"

namespace sf::sandbox {

namespace {

using base::Code;
using base::Result;
using base::Status;
using std::chrono::milliseconds;

// A root with build tools, unpacked and once more as an archive.
constexpr std::uint64_t wanted_space = std::uint64_t{800} << 20;
// With less nothing more comes of it; apt has been seen to wait for ever then.
constexpr std::uint64_t least_space = std::uint64_t{1} << 20;

Status not_enough(const base::fs::path& folder, std::uint64_t wanted, std::uint64_t free) {
    return base::fail_hint(
        Code::exhausted,
        fmt::format("not enough space: a root needs {} in {}, where {} are free",
                    base::human_bytes(wanted), base::escape_untrusted(folder.native()),
                    base::human_bytes(free)),
        "free some there, and run this again");
}

// Passes on mmdebstrap's own headings ("I: downloading packages with apt...") as they are written.
class Headings {
public:
    Headings(const base::fs::path& log, base::Reporter& reporter) : x_reporter(reporter) {
        if (auto file = base::open_file(log, O_RDONLY)) x_file = std::move(*file);
    }
    void pass_on() {
        std::array<char, 4096> room;
        for (;;) {
            const auto got = x_file.valid() ? ::read(x_file.get(), room.data(), room.size()) : 0;
            if (got <= 0) return;
            x_text.append(room.data(), static_cast<std::size_t>(got));
            for (auto end = x_text.find('\n'); end != std::string::npos; end = x_text.find('\n')) {
                const auto line = std::string_view(x_text).substr(0, end);
                if (line.starts_with("I: ") && line.ends_with("..."))
                    x_reporter.info("{}", base::escape_untrusted(line.substr(3, line.size() - 6)));
                x_text.erase(0, end + 1);
            }
        }
    }

private:
    base::Reporter& x_reporter;
    base::Fd x_file;
    std::string x_text;
};

bool says_unreachable(std::string_view log) {
    for (const char* words : {"Could not resolve", "Temporary failure resolving",
                              "Could not connect", "Unable to connect", "Connection timed out",
                              "Network is unreachable", "Connection refused", "Connection failed"})
        if (log.find(words) != std::string_view::npos) return true;
    return false;
}

bool says_unsigned(std::string_view log) {
    for (const char* words : {"NO_PUBKEY", "is not signed", "signatures couldn't be verified",
                              "signatures were invalid", "EXPKEYSIG", "BADSIG"})
        if (log.find(words) != std::string_view::npos) return true;
    return false;
}

// The log is for others to read; a proxy's address may hold a password.
base::Command without_secrets(base::Command command) {
    for (auto& [name, value] : command.environment)
        if (const auto at = value.rfind('@'); at != std::string::npos) value.replace(0, at, "***");
    return command;
}

}  // namespace

std::string last_lines(std::string_view log, std::size_t count) {
    std::vector<std::string> lines;
    for (auto& line : base::split(log, '\n'))
        if (!base::trim(line).empty()) lines.push_back("  " + base::escape_untrusted(line));
    if (lines.size() > count)
        lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
    return base::join(lines, "\n");
}

base::fs::path RootMaking::temporary() const {
    if (x_as_root) return x_staging;
    // Subordinate uids cannot pass through a private home; and what is unpacked does not fit every
    // /tmp, which may be in memory.
    if (::access("/var/tmp", W_OK | X_OK) == 0) return "/var/tmp";
    return "/tmp";
}

// mmdebstrap's apt reads the keyring as a subordinate uid, which may not pass through our folders.
Status RootMaking::expose_keyring() {
    if (x_as_root || x_request.keyring.empty() ||
        x_request.keyring == base::fs::path(x_request.toolchain.keyring.file))
        return {};
    SF_TRY(auto folder, base::TempDir::create(temporary(), "sf-keyring-"));
    SF_TRY(const auto content, base::read_file(x_request.keyring));
    const auto copy = folder.path() / x_request.keyring.filename();
    SF_CHECK(base::write_file(copy, content, 0644));
    if (::chmod(folder.path().c_str(), 0755) != 0)
        return base::fail_errno(errno, "open " + folder.path().string() + " to others");
    x_request.keyring = copy;
    x_exposed.emplace(std::move(folder));
    return {};
}

Result<base::Fd> RootMaking::make_tar() {
    SF_TRY(const std::uint64_t free, base::free_space(temporary()));
    if (free < wanted_space)
        return tl::unexpected(not_enough(temporary(), wanted_space, free).error());
    SF_CHECK(expose_keyring());
    if (x_request.mirrors.empty())
        return base::fail(Code::absent, "no address of an archive of {} is known",
                          x_request.toolchain.family);
    const auto& security =
        x_request.security_mirrors.empty() ? x_request.mirrors : x_request.security_mirrors;
    const auto tries =
        std::min<std::size_t>(4, std::max(x_request.mirrors.size(), security.size()));
    for (std::size_t i = 0;; ++i) {
        const auto& mirror = x_request.mirrors[i % x_request.mirrors.size()];
        const auto& security_mirror = security[i % security.size()];
        SF_TRY(auto command,
               mmdebstrap_command(x_request, mirror, security_mirror, x_as_root, temporary()));
        // A site's way out.
        for (const auto& [name, value] : base::current_environment())
            for (const char* proxy : {"http_proxy", "https_proxy", "no_proxy"})
                if (name == proxy) command.environment[name] = value;
        const auto tar = x_staging / "root.tar";
        auto done = run(command, tar);
        if (done) {
            for (const auto& line : source_lines(x_request, mirror, security_mirror))
                x_sources.push_back("deb " + line.substr(line.find("] ") + 2));
            SF_TRY(auto file, base::open_file(tar, O_RDONLY));
            SF_CHECK(base::remove_file(tar));
            return file;
        }
        if (done.error().code != Code::unreachable || i + 1 >= tries)
            return tl::unexpected(std::move(done).error());
        x_reporter.notice("{} does not answer; trying the next address", mirror);
    }
}

Status RootMaking::run(const base::Command& prepared, const base::fs::path& tar) {
    SF_TRY(const auto out, base::open_file(tar, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    SF_TRY(const auto log, base::open_file(x_log, O_WRONLY | O_CREAT | O_TRUNC));
    const std::string heading = to_text(without_secrets(prepared)) + "\n";
    SF_CHECK(base::write_all(log.get(), base::as_bytes(heading), x_log));
    auto command = prepared;
    command.stdout_fd = out.get();
    command.stderr_fd = log.get();
    command.directory = "/";
    Headings headings(x_log, x_reporter);
    SF_TRY(auto child, base::Child::spawn(command));
    std::optional<base::Exit> exit;
    while (!exit) {
        SF_TRY(exit, child.wait_for(milliseconds(200)));
        headings.pass_on();
        const auto free = base::free_space(temporary());
        const bool full = free && *free < least_space;
        if (exit || (!full && !base::stop_requested())) continue;
        // It deletes what it has unpacked, which may belong to ids that are not ours.
        child.kill_group(SIGTERM);
        SF_TRY(exit, child.wait_for(milliseconds(30000)));
        if (!exit) child.kill_group(SIGKILL);
        SF_CHECK(base::check_stop());
        return not_enough(temporary(), wanted_space, *free);
    }
    if (exit->ok()) return {};
    SF_TRY(const auto text, base::read_file(x_log));
    const auto said = std::string_view(text).substr(std::min(heading.size(), text.size()));
    const auto code = says_unreachable(said) ? Code::unreachable
                      : says_unsigned(said)  ? Code::refused
                                             : Code::failed;
    const char* what = code == Code::unreachable ? "the archive does not answer"
                       : code == Code::refused   ? "the archive's signature is not good"
                                                 : "mmdebstrap failed";
    return base::fail_hint(
        code, fmt::format("{} ({}); its last lines:\n{}", what, exit->text(), last_lines(said, 12)),
        fmt::format("the whole log is {}", x_log.string()));
}

}  // namespace sf::sandbox
