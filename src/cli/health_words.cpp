// SPDX-License-Identifier: Apache-2.0
#include "cli/health_words.hpp"

#include <unistd.h>

#include "base/text.hpp"

namespace sf::cli {

namespace {

// For people: as many as can be read.
constexpr std::size_t lines_shown = 50;

}  // namespace

base::Result<SignatureJudge> SignatureJudge::create(Session& session, const TrustChoice& choice) {
    SignatureJudge judge;
    judge.x_session = &session;
    SF_TRY(const trust::TrustedKeys trusted, trusted_keys(session, choice));
    if (trusted.entries.empty()) return judge;
    SF_TRY(trust::Verifier verifier, trust::Verifier::create(trusted));
    judge.x_verifier = std::make_shared<const trust::Verifier>(std::move(verifier));
    return judge;
}

tree::JudgeSignature SignatureJudge::question() const {
    if (x_verifier == nullptr) {
        x_session->voice.notice(
            "no key is trusted here: signatures were not judged (slurm-factory key trust)");
        return {};
    }
    return [verifier = x_verifier](const std::string& text, const std::string& signature,
                                   const std::string& file) -> base::Status {
        return verifier->verify_bytes(text, signature, file).map([](const trust::GoodSignature&) {
        });
    };
}

void say_defects(Session& session, const tree::CheckReport& report) {
    std::size_t shown = 0;
    std::string next;
    for (const tree::Defect& each : report.defects) {
        session.voice.event("defect", {{"path", base::escape_untrusted(each.path)},
                                       {"rule", each.rule},
                                       {"next", each.next}});
        if (++shown > lines_shown) continue;
        session.voice.line(fmt::format("{}: {}", base::escape_untrusted(each.path), each.rule));
        // The next step once for those that share it.
        const bool last = &each == &report.defects.back() || shown == lines_shown;
        if (last || (&each + 1)->next != each.next) session.voice.line("    " + each.next);
    }
    if (shown > lines_shown)
        session.voice.line(fmt::format("and {} more (--json names all)", shown - lines_shown));
}

base::Status defects_left(const std::filesystem::path& prefix, const tree::CheckReport& report) {
    const std::size_t count = report.defects.size();
    return base::fail(base::Code::corrupt, "{} is not what was installed: {} defect{}",
                      base::escape_untrusted(prefix.native()), count, count == 1 ? "" : "s");
}

void say_removal(Session& session, const tree::Removal& removal, std::uint64_t bytes, bool done) {
    const char* word = done ? "removed" : "would remove";
    for (const std::uint64_t number : removal.generations)
        session.voice.line(fmt::format("{} generation {}", word, number));
    for (const std::string& version : removal.versions)
        session.voice.line(
            fmt::format("{} version {}: its view, manifest and files", word, version));
    for (const std::string& path : removal.loose)
        session.voice.line(fmt::format("{} {}", word, base::escape_untrusted(path)));
    for (const std::string& name : removal.packages)
        session.voice.line(fmt::format("{} store/{}", word, base::escape_untrusted(name)));
    if (removal.empty())
        session.voice.line("nothing to remove");
    else
        session.voice.line(fmt::format("{} in all {}", word, base::human_bytes(bytes)));
}

base::Json json_of(const tree::Removal& removal) {
    return {{"generations", removal.generations},
            {"versions", removal.versions},
            {"loose", removal.loose},
            {"packages", removal.packages}};
}

void say_unseen(Session& session, std::size_t processes) {
    if (processes != 0)
        session.voice.notice("{} process{} could not be looked at: {}", processes,
                             processes == 1 ? "" : "es",
                             ::geteuid() == 0 ? "what they run is hidden from root too"
                                              : "only root sees what others run");
}

tree::RemovalOptions removal_options(Session& session) {
    tree::RemovalOptions how;
    how.waiting = [&session] {
        session.voice.info("an installation is at work in this prefix; waiting for it");
    };
    how.on_step = [&session](std::string_view step) {
        session.voice.debug("{}", step);
        return base::Status();
    };
    return how;
}

}  // namespace sf::cli
