// SPDX-License-Identifier: Apache-2.0
#include "proof/proof_plan.hpp"

#include "base/text.hpp"

namespace sf::proof {

namespace {

// Right below the root: bubblewrap makes folders on the way to a bind for their owner alone, and
// munged wants its socket to be reachable for all.
constexpr const char* helper_inside = "/slurm-setup";
constexpr const char* state_inside = "/rehearsal";
constexpr const char* user_name = "rehearsal";
constexpr const char* host_name = "node1";
// Deeper than any build; what a user's home may be called.
constexpr const char* moved_below = "much deeper than it was built/für Häuser/tree";

}  // namespace

std::array<Place, 2> places_of(const fs::path& room, const std::array<std::string, 2>& names) {
    const std::string first = '/' + names[0];
    const std::string second = '/' + names[1];
    return {{{room / names[0], first, room / names[0], first},
             {room / names[1], second, room / names[1] / moved_below, second + '/' + moved_below}}};
}

sandbox::SandboxPlan rehearsal_plan(const RehearsalPlace& rehearsal) {
    sandbox::SandboxPlan plan;
    plan.root = rehearsal.root;
    plan.binds = {{rehearsal.place.bound, rehearsal.place.target, false},
                  {rehearsal.helper, helper_inside, false},
                  {rehearsal.state, state_inside, true}};
    for (const auto& [name, content] : account_files({}))
        plan.binds.push_back({rehearsal.etc / name, "/etc/" + name, false});
    plan.environment = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"LC_ALL", "C.UTF-8"}};
    plan.hostname = host_name;
    plan.argv = {helper_inside, "rehearse", "--tree=" + rehearsal.place.inside,
                 "--version=" + rehearsal.version, std::string("--folder=") + state_inside};
    if (rehearsal.gpu) plan.argv.emplace_back("--gpu");
    plan.limits.time = std::chrono::seconds(300);
    plan.limits.processes = 1024;
    plan.limits.file_bytes = std::uint64_t{1} << 30;
    plan.limits.disk_bytes = std::uint64_t{2} << 30;
    plan.limits.tmp_bytes = std::uint64_t{256} << 20;
    return plan;
}

std::vector<std::pair<std::string, std::string>> account_files(base::Identity user) {
    return {{"passwd", fmt::format("root:x:0:0:root:/:/bin/sh\n"
                                   "{}:x:{}:{}::/:/bin/sh\n",
                                   user_name, user.uid, user.gid)},
            {"group", fmt::format("root:x:0:\n{}:x:{}:\n", user_name, user.gid)},
            {"hosts", fmt::format("127.0.0.1 localhost {0}\n::1 localhost {0}\n", host_name)}};
}

Rehearsed read_rehearsal(std::string_view printed) {
    Rehearsed rehearsed;
    for (const std::string& line : base::split(printed, '\n')) {
        const auto rest = [&](std::string_view word) {
            return base::escape_untrusted(line.substr(word.size()));
        };
        if (line.starts_with("step: ")) rehearsed.step = rest("step: ");
        if (line.starts_with("proved: ")) rehearsed.proved.push_back(rest("proved: "));
        if (line.starts_with("failed: ")) rehearsed.failure = rest("failed: ");
    }
    return rehearsed;
}

std::string telling_daemon(const Rehearsed& rehearsed) {
    for (const char* name : {"munged", "slurmctld", "slurmrestd", "slurmd"})
        if (rehearsed.failure.find(std::string(name) + ' ') != std::string::npos) return name;
    if (rehearsed.step == "munge") return "munged";
    if (rehearsed.step == "slurmctld" || rehearsed.step == "plugins") return "slurmctld";
    if (rehearsed.step == "slurmrestd") return "slurmrestd";
    return "slurmd";
}

}  // namespace sf::proof
