// SPDX-License-Identifier: Apache-2.0
#include "deploy/host_lease.hpp"

#include <algorithm>
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
using base::fail;
using base::Result;
using base::Status;
using std::chrono::milliseconds;

namespace {

constexpr std::int64_t seconds_an_hour = 3600;
constexpr std::chrono::minutes failure_pause{10};

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

Result<tree::Lease> lease_now(const fs::path& tree) {
    return tree::lease_of_this_host(tree, std::time(nullptr), lease_hours * seconds_an_hour);
}

Status print(const fs::path& tree) {
    SF_TRY(const tree::Lease lease, lease_now(tree));
    SF_TRY(const std::string text, tree::to_json(lease));
    return base::write_all(STDOUT_FILENO, base::as_bytes(text), "standard output");
}

Status renew(const fs::path& tree, base::Reporter& reporter) {
    SF_TRY(const tree::Lease lease, lease_now(tree));
    SF_CHECK(tree::write_lease(tree, lease));
    reporter.info("{} says until {} what it runs from {}: {} generations, {} packages in use",
                  lease.host, base::utc_stamp(lease.expires), base::escape_untrusted(tree.native()),
                  lease.generations.size(), lease.packages.size());
    return {};
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
        } else if (word.starts_with('/') && options.tree.empty()) {
            options.tree = word;
        } else {
            return fail(Code::usage, "lease takes no '{}'", base::escape_untrusted(word));
        }
    }
    if (options.keep && options.print)
        return fail(Code::usage, "--keep and --print contradict each other");
    if (options.tree.empty()) return fail(Code::usage, "lease needs the absolute path of the tree");
    return options;
}

Status hold_lease(const LeaseOptions& options, base::Reporter& reporter) {
    if (options.print) return print(options.tree);
    for (;;) {
        const Status renewed = renew(options.tree, reporter);
        if (!options.keep) return renewed;
        if (base::stop_requested()) return {};
        if (!renewed) reporter.warning("{}", renewed.error().text());
        wait_for(renewed ? milliseconds(std::chrono::hours(renewal_hours)) : failure_pause);
        if (base::stop_requested()) return {};
    }
}

Status end_lease(const fs::path& tree) {
    if (!base::is_dir(tree)) return {};
    SF_TRY(const std::string host, tree::host_name());
    return tree::drop_leases(tree, host);
}

}  // namespace sf::deploy
