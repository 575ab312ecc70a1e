// SPDX-License-Identifier: Apache-2.0
// verify: is a prefix what was installed to it?
#include <CLI/CLI.hpp>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/health_words.hpp"
#include "cli/prefix_choice.hpp"

namespace sf::cli {

namespace {

struct Options {
    std::string prefix;
    bool deep = false;
    TrustChoice trust;
};

base::Status run_verify(Session& session, const Options& options) {
    SF_TRY(const std::filesystem::path prefix, installed_prefix(options.prefix));
    tree::CheckOptions how;
    how.deep = options.deep;
    if (options.deep) {
        SF_TRY(const SignatureJudge judge, SignatureJudge::create(session, options.trust));
        how.judge = judge.question();
    }
    SF_TRY(const tree::CheckReport report, tree::check_installed(prefix, how));
    for (const std::string& each : report.notices)
        session.voice.notice("{}", base::escape_untrusted(each));
    say_defects(session, report);
    const std::string shown = base::escape_untrusted(prefix.native());
    session.voice.event("verified", {{"prefix", prefix.native()},
                                     {"deep", report.deep},
                                     {"generations", report.generations},
                                     {"versions", report.versions},
                                     {"packages", report.packages},
                                     {"files", report.files},
                                     {"defects", report.defects.size()},
                                     {"notices", report.notices}});
    if (!report.defects.empty()) return defects_left(prefix, report);
    session.voice.line(fmt::format(
        "{} is what was installed: {} generations, {} versions in place, {} packages, {} files{}",
        shown, report.generations, report.versions, report.packages, report.files,
        report.deep ? ", each byte" : " (--deep reads every byte)"));
    return {};
}

}  // namespace

void add_verify(CLI::App& app, Session& session) {
    CLI::App* command = app.add_subcommand("verify", "Is a prefix what was installed to it?");
    const auto options = std::make_shared<Options>();
    add_prefix_option(*command, options->prefix);
    command->add_flag("--deep", options->deep,
                      "Read every file, and judge the manifests' signatures");
    add_trust_options(*command, options->trust);
    command->fallthrough();
    command->footer(
        "Names each file that is not as it was installed, the rule, and what mends it; changes\n"
        "nothing. Exit code 1 if there is one.\n"
        "Examples:\n"
        "  slurm-factory verify\n"
        "  slurm-factory verify --deep --prefix /opt/slurm --json");
    command->callback([&session, options] {
        session.action = [&session, options] { return run_verify(session, *options); };
    });
}

}  // namespace sf::cli
