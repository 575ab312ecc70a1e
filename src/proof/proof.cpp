// SPDX-License-Identifier: Apache-2.0
#include "proof/proof.hpp"

#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "install/bundle_install.hpp"
#include "proof/kept_logs.hpp"
#include "tree/tree_matcher.hpp"

namespace sf::proof {

using base::Code;
using base::Result;
using base::Status;

namespace {

constexpr std::string_view room_prefix = "verify-";
constexpr std::size_t shown_lines = 12;

// Eight letters and digits; the first is a letter.
Result<std::string> random_word() {
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char bytes[8];
    if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
        return base::fail_errno(errno, "get random bytes");
    std::string word;
    for (const unsigned char byte : bytes) word += letters[byte % letters.size()];
    word[0] = letters[bytes[0] % 26];
    return word;
}

std::size_t count_files(const std::vector<model::FileEntry>& tree) {
    return static_cast<std::size_t>(std::count_if(
        tree.begin(), tree.end(),
        [](const model::FileEntry& entry) { return entry.type == model::EntryType::file; }));
}

class Proving {
public:
    Proving(const ProofRequest& request, sandbox::Runner& runner, base::Reporter& reporter)
        : x_request(request), x_runner(runner), x_reporter(reporter) {}

    Result<Proof> run() {
        SF_TRY([[maybe_unused]] const base::FileLock lock, begin());
        SF_TRY(base::TempDir room, base::TempDir::create(x_request.work, room_prefix));
        SF_TRY(const std::string first, random_word());
        SF_TRY(const std::string second, random_word());
        x_room = room.path();
        const auto places = places_of(x_room, {first, second});
        Proof proof;
        proof.files = count_files(x_request.bundle.tree);
        SF_CHECK(unpack(places[0]));
        SF_TRY(PlaceProof unpacked, rehearse(places[0], 1));
        proof.places.push_back(std::move(unpacked));
        SF_CHECK(move(places[0], places[1]));
        SF_TRY(PlaceProof moved, rehearse(places[1], 2));
        proof.places.push_back(std::move(moved));
        SF_CHECK(base::during(base::remove_tree(room.release()), "removing what was unpacked"));
        return proof;
    }

private:
    // What a killed run left is deleted by the next one; the lock says that nobody uses it.
    Result<base::FileLock> begin() {
        SF_CHECK(base::make_dirs(x_request.locks));
        SF_CHECK(base::make_dirs(x_request.work));
        SF_TRY(base::FileLock lock, base::FileLock::acquire(x_request.locks / "verify.lock", [&] {
                   x_reporter.notice("another --verify is at work; waiting for it");
               }));
        SF_TRY(const std::vector<std::string> names, base::list_dir(x_request.work));
        for (const std::string& name : names)
            if (name.starts_with(room_prefix)) SF_CHECK(base::remove_tree(x_request.work / name));
        return lock;
    }

    Status compare(const Place& place) const {
        return base::during(tree::match_folder(place.tree, x_request.bundle.tree),
                            "comparing what was unpacked with the manifest");
    }

    Status unpack(const Place& place) {
        SF_CHECK(base::make_dirs(place.tree));
        SF_CHECK(install::unpack_bundle(x_request.bundle, place.tree)
                     .map([](const std::vector<model::FileEntry>&) {}));
        return compare(place);
    }

    // As mv does it, within one file system.
    Status move(const Place& from, const Place& to) {
        SF_CHECK(base::make_dirs(to.tree.parent_path()));
        SF_CHECK(base::during(base::rename(from.tree, to.tree), "moving the tree"));
        return compare(to);
    }

    Result<PlaceProof> rehearse(const Place& place, int number) {
        x_reporter.info("verify: a cluster from {}", place.inside);
        const fs::path logs = x_request.logs / fmt::format("verify-{}", number);
        SF_CHECK(base::make_dirs(logs));
        RehearsalPlace here{x_request.root,
                            x_request.helper,
                            x_room / fmt::format("state-{}", number),
                            x_room / fmt::format("etc-{}", number),
                            x_request.bundle.bundle.version,
                            x_request.gpu,
                            place};
        SF_TRY(const std::unique_ptr<sandbox::Lease> lease, x_runner.lease());
        SF_CHECK(base::make_dirs(here.state));
        SF_CHECK(base::make_dirs(here.etc));
        if (const auto owner = lease->identity();
            owner && ::lchown(here.state.c_str(), owner->uid, owner->gid) != 0)
            return base::fail_errno(errno, "change the owner of " + here.state.string());
        for (const auto& [name, content] : account_files(x_runner.user_inside(*lease)))
            SF_CHECK(base::write_file(here.etc / name, content));

        const sandbox::SandboxPlan plan = rehearsal_plan(here);
        const fs::path log = logs / "rehearsal.log";
        SF_TRY(const base::Fd log_file,
               base::open_file(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW));
        const Result<sandbox::RunResult> result = x_runner.run(*lease, plan, log_file.get());
        SF_CHECK(keep_logs(here.state, logs_folder, logs).map([](std::size_t) {}));
        if (!result) return tl::unexpected(result.error());
        SF_TRY(const std::string printed, base::read_file(log));
        const Rehearsed rehearsed = read_rehearsal(printed);
        SF_CHECK(judge(*result, rehearsed, place, logs));
        return PlaceProof{place.inside, rehearsed.proved, result->wall_seconds};
    }

    static Status judge(const sandbox::RunResult& result, const Rehearsed& rehearsed,
                        const Place& place, const fs::path& logs) {
        if (result.outcome == sandbox::Outcome::ok && rehearsed.step == "end") return {};
        if (result.outcome == sandbox::Outcome::stopped)
            return base::fail(Code::interrupted, "--verify was stopped");
        std::string why = rehearsed.failure;
        if (why.empty()) why = result.detail.empty() ? "it told no reason" : result.detail;
        std::string text = fmt::format("--verify at {}, step '{}': {}", place.inside,
                                       rehearsed.step.empty() ? "sandbox" : rehearsed.step, why);
        fs::path log = logs / (telling_daemon(rehearsed) + ".log");
        std::string lines = last_lines(log, shown_lines);
        if (lines.empty()) {
            log = logs / "rehearsal.log";
            lines = last_lines(log, shown_lines);
        }
        text += fmt::format("\n  last lines of {}:\n{}", log.string(), lines);
        const bool failed =
            result.outcome == sandbox::Outcome::failed || result.outcome == sandbox::Outcome::ok;
        return base::fail_hint(failed ? Code::failed : Code::exhausted, text,
                               "the logs of all daemons are kept in " + logs.string());
    }

    const ProofRequest& x_request;
    sandbox::Runner& x_runner;
    base::Reporter& x_reporter;
    fs::path x_room;
};

}  // namespace

Result<Proof> prove(const ProofRequest& request, sandbox::Runner& runner,
                    base::Reporter& reporter) {
    return Proving(request, runner, reporter).run();
}

}  // namespace sf::proof
