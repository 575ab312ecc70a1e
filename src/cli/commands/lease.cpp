// SPDX-License-Identifier: Apache-2.0
// lease: this host says what it runs from a prefix that several hosts share.
#include <CLI/CLI.hpp>

#include <ctime>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/prefix_choice.hpp"
#include "tree/leases.hpp"

namespace sf::cli {

namespace {

struct Options {
    std::string prefix;
    unsigned hours = 24;
    bool print = false;
    bool release = false;
};

base::Status run_lease(Session& session, const Options& options) {
    SF_TRY(const std::filesystem::path said, installed_prefix(options.prefix));
    std::error_code error;
    const std::filesystem::path prefix = std::filesystem::canonical(said, error);
    if (error)
        return base::fail_errno(error.value(),
                                "find the prefix " + base::escape_untrusted(said.native()));
    if (options.release) {
        SF_TRY(const std::string host, tree::host_name());
        SF_CHECK(tree::drop_leases(prefix, host));
        session.voice.line(host + " has no lease");
        session.voice.event("released", {{"host", host}, {"prefix", prefix.native()}});
        return {};
    }
    constexpr std::int64_t seconds_an_hour = 3600;
    SF_TRY(const tree::Lease lease,
           tree::lease_of_this_host(prefix, std::time(nullptr), options.hours * seconds_an_hour));
    if (options.print) {
        SF_TRY(const std::string text, tree::to_json(lease));
        session.voice.text(text);
        return {};
    }
    SF_CHECK(tree::write_lease(prefix, lease));
    session.voice.line(fmt::format("{} holds {} generations and {} packages until {}", lease.host,
                                   lease.generations.size(), lease.packages.size(),
                                   base::utc_time(lease.expires)));
    session.voice.event("leased", {{"prefix", prefix.native()},
                                   {"host", lease.host},
                                   {"boot", lease.boot},
                                   {"expires", lease.expires},
                                   {"generations", lease.generations},
                                   {"packages", lease.packages}});
    return {};
}

}  // namespace

void add_lease(CLI::App& app, Session& session) {
    CLI::App* command =
        app.add_subcommand("lease", "Say what this host runs from a prefix that several share");
    const auto options = std::make_shared<Options>();
    add_prefix_option(*command, options->prefix);
    constexpr unsigned most_hours = 24 * 365;
    command->add_option("--hours", options->hours, "How long it holds (default: 24)")
        ->check(CLI::Range(1U, most_hours))
        ->type_name("N");
    command->add_flag("--print", options->print,
                      "Write it to standard output: for hosts that cannot write to the prefix");
    command->add_flag("--release", options->release, "Take back what this host has said");
    command->fallthrough();
    command->footer(
        "gc and uninstall remove nothing that a host holds. Renew it before it ends, by cron or a\n"
        "timer; one that has ended says that nothing is known of its host.\n"
        "Examples:\n"
        "  slurm-factory lease --prefix /shared/slurm\n"
        "  slurm-factory lease --prefix /shared/slurm --hours 48 --print");
    command->callback([&session, options] {
        session.action = [&session, options] { return run_lease(session, *options); };
    });
}

}  // namespace sf::cli
