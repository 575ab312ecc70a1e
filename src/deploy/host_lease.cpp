// SPDX-License-Identifier: Apache-2.0
#include "deploy/host_lease.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>
#include <poll.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "tree/leases.hpp"

namespace sf::deploy {

namespace fs = std::filesystem;
using base::Code;
using base::Result;
using base::Status;
using std::chrono::milliseconds;

namespace {

constexpr std::int64_t seconds_an_hour = 3600;
constexpr std::chrono::hours failure_pause{1};
constexpr int most_hours = 24 * 365;

// In long pieces: a node has better things to do. A signal ends one at once, unless it comes right
// before it; the supervisor is more patient than that.
void wait_for(milliseconds time) {
    constexpr milliseconds piece = std::chrono::seconds(20);
    const auto end = std::chrono::steady_clock::now() + time;
    for (auto now = std::chrono::steady_clock::now(); now < end && !base::stop_requested();
         now = std::chrono::steady_clock::now()) {
        const auto left = std::chrono::ceil<milliseconds>(end - now);
        ::poll(nullptr, 0, static_cast<int>(std::min(piece, left).count()));
    }
}

Result<tree::Lease> lease_now(const LeaseOptions& options) {
    return tree::lease_of_this_host(options.tree, std::time(nullptr),
                                    options.hours * seconds_an_hour);
}

Status print(const LeaseOptions& options) {
    SF_TRY(const tree::Lease lease, lease_now(options));
    SF_TRY(const std::string text, tree::to_json(lease));
    return base::write_all(STDOUT_FILENO, base::as_bytes(text), "standard output");
}

Status renew(const LeaseOptions& options, base::Reporter& reporter) {
    SF_CHECK(tree::check_lease_can_be_written(options.tree));
    SF_TRY(const tree::Lease lease, lease_now(options));
    SF_CHECK(tree::write_lease(options.tree, lease));
    reporter.info("{} says until {} what it runs from {}: {} generations, {} packages in use",
                  lease.host, base::utc_stamp(lease.expires),
                  base::escape_untrusted(options.tree.native()), lease.generations.size(),
                  lease.packages.size());
    return {};
}

tl::unexpected<base::Error> wrong_words(const std::string& what) {
    return base::fail_hint(Code::usage, what,
                           "slurm-setup lease [--print|--keep] [--hours=N] TREE");
}

Result<int> parse_hours(std::string_view text) {
    int hours = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, hours);
    if (error == std::errc() && at == end && hours >= 1 && hours <= most_hours) return hours;
    return wrong_words(fmt::format("'{}' is no number of hours up to {}",
                                   base::escape_untrusted(text), most_hours));
}

}  // namespace

Result<std::string> why_tree_is_shared(const fs::path& tree) {
    SF_TRY(const tree::Leases leases, tree::read_leases(tree));
    fs::path there = tree;
    while (!base::exists(there) && there.has_relative_path()) there = there.parent_path();
    return tree::why_shared(there, leases);
}

Result<LeaseOptions> parse_lease(const std::vector<std::string>& words) {
    LeaseOptions options;
    for (const std::string& word : words) {
        if (word == "--keep") {
            options.keep = true;
        } else if (word == "--print") {
            options.print = true;
        } else if (constexpr std::string_view hours = "--hours="; word.starts_with(hours)) {
            SF_TRY(options.hours, parse_hours(std::string_view(word).substr(hours.size())));
        } else if (word.starts_with('/') && options.tree.empty()) {
            options.tree = word;
        } else {
            return wrong_words(fmt::format("lease takes no '{}'", base::escape_untrusted(word)));
        }
    }
    if (options.keep && options.print)
        return wrong_words("--keep and --print contradict each other");
    if (options.tree.empty()) return wrong_words("lease needs the absolute path of the tree");
    return options;
}

Status hold_lease(const LeaseOptions& options, base::Reporter& reporter) {
    if (options.print) return print(options);
    for (;;) {
        Status renewed = renew(options, reporter);
        if (!options.keep) return renewed;
        if (base::stop_requested()) return {};
        if (!renewed) reporter.warning("{}", renewed.error().text());
        wait_for(renewed ? milliseconds(std::chrono::hours(renewal_hours)) : failure_pause);
        if (base::stop_requested()) return {};
    }
}

Result<fs::path> lease_path(const fs::path& tree) {
    tree::Lease lease;
    SF_TRY(lease.host, tree::host_name());
    SF_TRY(lease.boot, tree::boot_id());
    SF_TRY(const std::string name, tree::lease_file(lease));
    return tree / tree::leases_folder / name;
}

Status end_lease(const fs::path& tree, base::Reporter& reporter) {
    if (!base::is_dir(tree / tree::leases_folder)) return {};
    LeaseOptions last;
    last.tree = tree;
    SF_TRY(const tree::Lease lease, lease_now(last));
    if (lease.packages.empty()) return tree::drop_leases(tree, lease.host);
    SF_CHECK(tree::write_lease(tree, lease));
    SF_TRY(const fs::path file, lease_path(tree));
    reporter.notice(
        "jobs or other processes of this host still run from {}: its lease stays, and counts until "
        "{}. After that 'gc' and 'uninstall' refuse there until {} is removed: remove it once they "
        "have ended",
        base::escape_untrusted(tree.native()), base::utc_stamp(lease.expires),
        base::escape_untrusted(file.native()));
    return {};
}

}  // namespace sf::deploy
