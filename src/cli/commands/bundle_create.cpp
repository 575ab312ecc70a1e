// SPDX-License-Identifier: Apache-2.0
// bundle create --offline SPEC: one file out of a signed cache, for machines without a network.
#include <CLI/CLI.hpp>

#include <ctime>

#include "base/atomic_file.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/closure.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/tar_backend.hpp"
#include "cli/commands.hpp"
#include "cli/offline_bundle.hpp"
#include "cli/package_search.hpp"
#include "cli/public_keys.hpp"
#include "cli/trusted_keys.hpp"
#include "install/offline_verify.hpp"
#include "model/cpu_level.hpp"
#include "model/names.hpp"
#include "publish/offline_file.hpp"

namespace sf::cli {

namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::int64_t day = 86'400;

struct Options {
    PackageSearch search;
    std::string output;
    std::string tool;
    bool offline = false;
};

class HashingSink : public base::Sink {
public:
    explicit HashingSink(base::Sink& to) : x_to(to) {}
    Status write(base::Bytes bytes) override {
        x_size += bytes.size();
        SF_CHECK(x_hash.write(bytes));
        return x_to.write(bytes);
    }
    [[nodiscard]] base::Digest finish() { return x_hash.finish(); }
    [[nodiscard]] std::uint64_t size() const { return x_size; }

private:
    base::Sink& x_to;
    base::Sha256 x_hash;
    std::uint64_t x_size = 0;
};

Status check_options(const Options& options) {
    if (!options.offline)
        return base::fail_hint(Code::usage,
                               "bundle create makes files for machines without a "
                               "network only",
                               "say --offline; the bundle of a build is made by build-slurm");
    const std::string& target = options.search.target;
    if (!target.empty() && !model::cpu_runs(target, target))
        return base::fail_hint(
            Code::usage,
            fmt::format("'{}' is no level of a processor", base::escape_untrusted(target)),
            "for instance: --target x86_64_v3");
    std::error_code error;
    const auto status = std::filesystem::status(options.output, error);
    if (!error && std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
        return base::fail(Code::usage, "{} is there and is no file: it is not replaced",
                          base::escape_untrusted(options.output));
    return {};
}

// The list of revocations as it lies there, and the public keys of all who signed: nobody has to
// believe them, who gets the file has the fingerprints from somewhere else.
Result<std::map<std::string, std::string>> companions(const FoundPackage& found,
                                                      const cache::Closure& closure,
                                                      const base::TempDir& work) {
    std::map<std::string, std::string> texts;
    const auto add_keys = [&](const trust::TrustedKeys& known,
                              const std::set<std::string>& signers) -> Status {
        SF_TRY(const auto keys, keys_from(known, work.path())(signers));
        for (const publish::PublishedKey& key : keys) {
            SF_TRY(std::string name, cache::key_of(cache::PublicKeyName{key.primary}));
            texts.emplace(std::move(name), key.armored);
        }
        return {};
    };
    SF_CHECK(add_keys(found.trust.trusted, closure.signers));
    SF_TRY(const std::string key, cache::key_of(cache::FixedName::revocations));
    SF_TRY(auto list, cache::read_object(*found.trust.place, key, 3 * trust::max_revocations));
    if (!list) return texts;
    texts.emplace(key, std::move(list->text));
    std::set<std::string> roots;
    for (const trust::Key& root : found.trust.roots.keys)
        roots.insert(root.primary.fingerprint.text());
    if (!roots.empty()) SF_CHECK(add_keys(found.trust.roots, roots));
    return texts;
}

// Read back, and judged as who gets it does: what a disk has spoilt is seen here.
Status read_back(Session& session, const FoundPackage& found, const PackageSearch& search,
                 const std::filesystem::path& file) {
    SF_TRY(const auto place, cache::TarBackend::open(file));
    install::ReaderOptions options;
    options.now = std::time(nullptr);
    options.accept_expired = search.accept_expired;
    options.max_age = found.trust.max_age;
    options.revocations = found.trust.revocations;
    return base::during(
        install::verify_offline(*place, *found.trust.verifier, options, session.voice)
            .map([](const install::OfflineVerified&) {}),
        "reading back what was written");
}

// Until when an installation takes it, unless the site says otherwise.
std::int64_t good_until(const cache::Closure& closure) {
    std::int64_t until = closure.mirrors.front().snapshot.expires;
    for (const cache::ClosureMirror& mirror : closure.mirrors)
        until = std::min(until, mirror.snapshot.expires);
    return until;
}

void tell(Session& session, const Options& options, const FoundPackage& found,
          const publish::OfflineReport& report, const HashingSink& written,
          const base::Digest& sha256, std::int64_t until) {
    const cache::OfflineRecord& record = report.record;
    const std::string file = base::escape_untrusted(options.output);
    session.voice.line(fmt::format("{}: {} {} for {}, {}: {} packages, {} objects, {}", file,
                                   record.name, record.version, record.toolchain, record.target,
                                   found.package.bundle.packages.size(), report.objects,
                                   base::human_bytes(written.size())));
    session.voice.line("  sha256 " + sha256.hex());
    session.voice.line(fmt::format("  signed by {}; expires {}", signer_text(*found.package.signer),
                                   base::utc_date(until)));
    if (record.tool) {
        session.voice.line(fmt::format("  with tool/{}, sha256 {}", record.tool->name,
                                       record.tool->archive.sha256.hex()));
    } else {
        session.voice.line(
            "  without the program: --tool FILE takes the archive along that tools/portable.sh "
            "makes");
    }
    session.voice.line(fmt::format(
        "  there: slurm-factory install {}@{} --toolchain {} --cache {} --key {}", record.name,
        record.version, record.toolchain,
        base::escape_untrusted(std::filesystem::path(options.output).filename().native()),
        found.package.signer->primary.text()));
    base::Json result{{"file", options.output},
                      {"sha256", sha256.hex()},
                      {"size", written.size()},
                      {"objects", report.objects},
                      {"name", record.name},
                      {"version", record.version},
                      {"toolchain", record.toolchain},
                      {"target", record.target},
                      {"hash", record.hash},
                      {"signer", found.package.signer->primary.text()},
                      {"expires", until}};
    if (record.tool) result["tool"] = record.tool->name;
    session.voice.event("offline_created", std::move(result));
}

Status run(Session& session, const Options& options) {
    SF_CHECK(check_options(options));
    SF_TRY(const FoundPackage found, find_package(session, options.search));
    const install::Resolved& package = found.package;
    session.voice.info("{} {} for {}, {}, signed by {}", package.bundle.name,
                       package.bundle.version, package.bundle.toolchain, package.bundle.target,
                       signer_text(*package.signer));
    SF_TRY(const cache::Closure closure,
           cache::walk_closure(
               *found.trust.place,
               {package.bundle.name, package.bundle.version, package.bundle.toolchain,
                package.build.hash},
               {&*found.trust.verifier, session.state().caches(), std::time(nullptr)}));
    SF_CHECK(base::make_dirs(session.state().work()));
    SF_TRY(const base::TempDir work, base::TempDir::create(session.state().work(), "offline-"));
    publish::OfflineContents contents;
    contents.closure = &closure;
    SF_TRY(contents.texts, companions(found, closure, work));
    contents.tool = options.tool;
    contents.work = work.path();
    SF_TRY(base::AtomicFile file, base::AtomicFile::create(options.output));
    HashingSink sink(file);
    SF_TRY(const publish::OfflineReport report,
           publish::write_offline(*found.trust.place, contents, sink));
    SF_CHECK(read_back(session, found, options.search, file.temporary()));
    SF_CHECK(file.commit());
    const std::int64_t until = good_until(closure);
    const std::int64_t left = (until - std::time(nullptr)) / day;
    if (found.trust.max_age == 0 && left < 7)
        session.voice.warning(
            "it is good for {} more days: have the publisher sign afresh first (cache refresh), or "
            "see --max-age-days of 'cache add'",
            std::max<std::int64_t>(left, 0));
    tell(session, options, found, report, sink, sink.finish(), until);
    return {};
}

}  // namespace

void add_bundle_create(CLI::App& group, Session& session) {
    const auto options = std::make_shared<Options>();
    options->search.is_origin = true;
    CLI::App* command = group.add_subcommand(
        "create", "One file out of a signed cache, for machines without a network");
    command->add_option("SPEC", options->search.spec, "slurm@SERIES or slurm@VERSION")->required();
    command->add_flag("--offline", options->offline, "What this makes; to be said");
    command
        ->add_option("-o,--output", options->output, "The file; replaced once the new one is whole")
        ->required()
        ->type_name("FILE");
    add_search_caches(*command, options->search, "From which");
    command
        ->add_option("--toolchain", options->search.toolchain,
                     "The distribution it was built for (default: this machine's)")
        ->type_name("NAME");
    command
        ->add_option("--target", options->search.target,
                     "For processors of this level (default: this machine's)")
        ->type_name("LEVEL");
    command
        ->add_option("--tool", options->tool,
                     "Take this program along: the archive that tools/portable.sh makes")
        ->type_name("FILE");
    command->add_flag("--accept-expired", options->search.accept_expired,
                      "Also from a snapshot whose time is over: newer packages may be held back");
    add_trust_options(*command, options->search.trust);
    command->fallthrough();
    command->footer(
        "It holds what the publisher signed, byte by byte: no key is needed. Public keys in it "
        "are\n"
        "believed by nobody: who installs says --key FINGERPRINT, or trusts the key already.\n"
        "Examples:\n"
        "  slurm-factory bundle create --offline slurm@25.11 --cache https://cache.example.org "
        "-o slurm.tar\n"
        "  slurm-factory install slurm@25.11 --cache slurm.tar --key FINGERPRINT");
    command->callback([&session, options] {
        session.action = [&session, options] { return run(session, *options); };
    });
}

}  // namespace sf::cli
