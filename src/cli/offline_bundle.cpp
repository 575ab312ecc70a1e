// SPDX-License-Identifier: Apache-2.0
#include "cli/offline_bundle.hpp"

#include <ctime>

#include "base/text.hpp"

namespace sf::cli {

using base::Code;
using base::Result;
using base::Status;

namespace {

Status check_digest(const OfflineChoice& choice) {
    if (choice.sha256.empty()) return {};
    const auto wanted = base::Digest::parse(choice.sha256);
    if (!wanted)
        return base::fail(Code::usage, "--sha256 wants 64 hexadecimal digits, not '{}'",
                          base::escape_untrusted(choice.sha256));
    SF_TRY(const base::Digest got, base::sha256_file(choice.file));
    if (got == *wanted) return {};
    return base::fail_hint(
        Code::corrupt,
        fmt::format("{} is not the file that was meant: its SHA-256 is {}, not "
                    "{}",
                    base::escape_untrusted(choice.file), got.hex(), wanted->hex()),
        "copy it again");
}

}  // namespace

Result<install::OfflineVerified> verify_offline_file(Session& session,
                                                     const OfflineChoice& choice) {
    SF_CHECK(check_digest(choice));
    SF_TRY(const auto chosen, choose_caches(session, choice.file));
    SF_TRY(const CacheTrust opened,
           open_cache(session, chosen.front(), choice.trust, choice.accept_expired));
    install::ReaderOptions options;
    options.memory = session.state().caches();
    options.now = std::time(nullptr);
    options.accept_expired = choice.accept_expired;
    options.max_age = opened.max_age;
    options.revocations = opened.revocations;
    return install::verify_offline(*opened.place, *opened.verifier, options, session.voice);
}

void tell_offline_file(Session& session, const std::string& file,
                       const install::OfflineVerified& verified) {
    const install::Resolved& package = verified.package;
    const std::string shown = base::escape_untrusted(file);
    session.voice.line(
        fmt::format("{}: a part of a cache, signed by {}", shown, signer_text(*package.signer)));
    session.voice.line(fmt::format("  {} {} for {}, {}: {} packages", package.bundle.name,
                                   package.bundle.version, package.bundle.toolchain,
                                   package.bundle.target, package.bundle.packages.size()));
    base::Json mirrors = base::Json::array();
    for (const cache::ClosureMirror& mirror : verified.mirrors) {
        const cache::Snapshot& snapshot = mirror.snapshot;
        session.voice.line(fmt::format("  snapshot {} of {}, of {}, expires {}", snapshot.serial,
                                       mirror.folder, base::utc_date(snapshot.issued),
                                       base::utc_date(snapshot.expires)));
        mirrors.push_back({{"mirror", mirror.folder},
                           {"repository", snapshot.repository},
                           {"serial", snapshot.serial},
                           {"issued", snapshot.issued},
                           {"expires", snapshot.expires}});
    }
    session.voice.line(fmt::format("  {} objects, {}: each read and compared", verified.objects,
                                   base::human_bytes(verified.bytes)));
    if (!verified.has_revocations) session.voice.line("  without a list of revocations");
    base::Json result{{"file", file},
                      {"name", package.bundle.name},
                      {"version", package.bundle.version},
                      {"toolchain", package.bundle.toolchain},
                      {"target", package.bundle.target},
                      {"hash", package.build.hash},
                      {"signer", package.signer->primary.text()},
                      {"mirrors", std::move(mirrors)},
                      {"objects", verified.objects},
                      {"bytes", verified.bytes},
                      {"keys", verified.keys},
                      {"revocations", verified.has_revocations}};
    if (verified.record.tool) {
        const cache::OfflineTool& tool = *verified.record.tool;
        session.voice.line(
            fmt::format("  with tool/{}, for which nothing here vouches: its SHA-256 is {}",
                        tool.name, tool.archive.sha256.hex()));
        result["tool"] = {{"name", tool.name}, {"sha256", tool.archive.sha256.hex()}};
    }
    session.voice.event("offline_file", std::move(result));
}

}  // namespace sf::cli
