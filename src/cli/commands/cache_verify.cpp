// SPDX-License-Identifier: Apache-2.0
// cache verify PLACE: is everything there, and what somebody trusted signed?
#include <CLI/CLI.hpp>

#include <ctime>

#include "base/text.hpp"
#include "cache/objects.hpp"
#include "cli/cache_choice.hpp"
#include "cli/cache_place.hpp"
#include "cli/cache_verbs.hpp"
#include "cli/trusted_keys.hpp"
#include "install/mirror_audit.hpp"

namespace sf::cli {

namespace {

using base::Code;
using base::Status;

struct Options {
    std::string place;
    MirrorChoice mirrors;
    TrustChoice trust;
    bool deep = false;
};

const char* code_text(Code code) {
    switch (code) {
        case Code::absent: return "absent";
        case Code::unreachable: return "unreachable";
        case Code::corrupt: return "corrupt";
        case Code::refused: return "refused";
        default: return "failed";
    }
}

void tell_defect(Session& session, const std::string& mirror, const install::Defect& defect) {
    session.voice.line(fmt::format("  WRONG: {}: {}", defect.object, defect.error.text()));
    if (!defect.error.hint.empty())
        session.voice.line(fmt::format("         next: {}", defect.error.hint));
    session.voice.event("defect", {{"mirror", mirror},
                                   {"object", defect.object},
                                   {"code", code_text(defect.error.code)},
                                   {"message", defect.error.text()},
                                   {"hint", defect.error.hint}});
}

void tell(Session& session, const std::string& mirror, const install::AuditReport& report,
          bool deep) {
    const cache::Snapshot& snapshot = report.snapshot;
    session.voice.line(fmt::format("{}: {}", mirror,
                                   !report.defects.empty()
                                       ? fmt::format("{} defects", report.defects.size())
                                   : report.part ? "good, and a part"
                                                 : "good"));
    session.voice.line(fmt::format("  snapshot {} of {}, expires {}, signed by {}", snapshot.serial,
                                   base::utc_date(snapshot.issued),
                                   base::utc_date(snapshot.expires), report.signer));
    // For who publishes to tell others, by another way than the cache.
    session.voice.line(fmt::format("  for cache add: --repository {}={}:{}", snapshot.mirror,
                                   snapshot.repository, snapshot.serial));
    session.voice.line(fmt::format("  {} packages, {} objects, {}{}", report.packages,
                                   report.objects, base::human_bytes(report.bytes),
                                   deep ? ", all read" : ", lengths compared (--deep reads)"));
    // Its own word: who took something away could say the same.
    if (report.part)
        session.voice.line(
            fmt::format("  note: it says that it is a copy of a part, and holds {}: {} of the {} "
                        "packages that the snapshot names were not looked for",
                        report.part->text(), report.left_out, report.packages + report.left_out));
    for (const std::string& note : report.notes) session.voice.line("  note: " + note);
    if (report.unnamed > 0)
        session.voice.line(fmt::format("  note: {} objects ({}) that nothing names: cache prune",
                                       report.unnamed, base::human_bytes(report.unnamed_bytes)));
    for (const install::Defect& defect : report.defects) tell_defect(session, mirror, defect);
    base::Json result{{"mirror", mirror},
                      {"repository", snapshot.repository},
                      {"serial", snapshot.serial},
                      {"issued", snapshot.issued},
                      {"expires", snapshot.expires},
                      {"signer", report.signer},
                      {"packages", report.packages},
                      {"objects", report.objects},
                      {"bytes", report.bytes},
                      {"read", report.read},
                      {"defects", report.defects.size()},
                      {"notes", report.notes}};
    if (report.part)
        result["part"] = {{"versions", report.part->versions},
                          {"sources", report.part->sources},
                          {"left_out", report.left_out}};
    if (report.listed) {
        result["unnamed"] = report.unnamed;
        result["unnamed_bytes"] = report.unnamed_bytes;
    }
    session.voice.event("mirror_verified", std::move(result));
}

Status run(Session& session, const Options& options) {
    SF_TRY(const KeptCache kept, open_kept(session, options.place, options.trust));
    cache::Backend* place = kept.place.get();
    const trust::Verifier& verifier = *kept.verifier;
    SF_TRY(const auto mirrors, find_mirrors(session, *place, options.mirrors));
    std::size_t defects = 0;
    for (const cache::MirrorName& name : mirrors) {
        SF_TRY(const std::string folder, cache::folder_of(name));
        SF_TRY(const std::string deps, cache::folder_of({name.toolchain, ""}));
        cache::SubBackend mirror(*place, folder);
        cache::SubBackend dependencies(*place, deps);
        install::AuditOptions how;
        how.mirror = folder;
        how.memory = session.state().caches();
        how.now = std::time(nullptr);
        how.deep = options.deep;
        how.place = place;
        if (!name.series.empty()) how.dependencies = &dependencies;
        session.voice.info("verifying {}", mirror.place());
        auto report = install::audit(mirror, verifier, how);
        if (!report && report.error().code == Code::interrupted)
            return tl::unexpected(report.error());
        if (!report) {
            // Nothing in it can be believed; the other mirrors can still be looked at.
            defects += 1;
            session.voice.line(mirror.place() + ": not to be believed");
            if (report.error().hint.empty())
                report.error().hint = "ask who publishes this cache; install nothing from it";
            tell_defect(session, mirror.place(), {"the snapshot", report.error()});
            continue;
        }
        defects += report->defects.size();
        tell(session, mirror.place(), *report, options.deep);
    }
    if (defects == 0) return {};
    return base::fail_hint(Code::corrupt, fmt::format("{} has {} defects", place->place(), defects),
                           "each is told above, with what to do");
}

}  // namespace

void add_cache_verify(CLI::App& group, Session& session) {
    CLI::App* command = group.add_subcommand(
        "verify", "Is everything there, and is it what somebody trusted signed?");
    const auto options = std::make_shared<Options>();
    command->add_option("PLACE", options->place, std::string("The cache: ") + place_kinds)
        ->required();
    command->add_flag("--deep", options->deep,
                      "Read every archive and compare its digest, not only its length");
    add_mirror_options(*command, options->mirrors);
    add_trust_options(*command, options->trust);
    command->fallthrough();
    command->footer(
        "Looks at it as a client does: the snapshot's signature, age and number, every node of "
        "the\n"
        "index, every signed manifest, every archive. All defects are told. Exits 1 if there is "
        "one.\n"
        "Examples:\n"
        "  slurm-factory cache verify /srv/slurm-cache --deep\n"
        "  slurm-factory cache verify https://cache.example.org --toolchain bookworm --json");
    command->callback([&session, options] {
        session.action = [&session, options] { return run(session, *options); };
    });
}

}  // namespace sf::cli
