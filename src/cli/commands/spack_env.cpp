// SPDX-License-Identifier: Apache-2.0
// spack-env SPEC DIR: a Spack environment that installs Slurm from a signed cache and compiles
// nothing: spack.yaml, spack.lock, and the keys that are trusted here.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <ctime>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/gzip_text.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/spack_environment.hpp"
#include "cli/build_inputs.hpp"
#include "cli/cache_choice.hpp"
#include "cli/commands.hpp"
#include "cli/slurm_spec.hpp"
#include "cli/trusted_keys.hpp"
#include "install/mirror_reader.hpp"
#include "model/names.hpp"

namespace sf::cli {

namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Result;
using base::Status;

struct Options {
    std::string spec;
    std::string folder;
    std::string cache;
    std::string toolchain;
    std::string target = "x86_64_v3";
    TrustChoice trust;
    bool accept_expired = false;
    bool force = false;
};

// What Spack is to install, as it was signed.
Result<cache::SpackSpec> read_spec(cache::Backend& mirror, const cache::SpecManifest& manifest) {
    SF_TRY(const std::string key, cache::key_of(cache::BlobName{manifest.spec.sha256}));
    SF_TRY(const std::string packed,
           cache::read_ref(mirror, key, {manifest.spec.sha256, manifest.spec.size}));
    SF_TRY(const std::string text, cache::gunzip(packed, cache::max_index_node));
    SF_TRY(cache::SpackSpec spec, cache::spack_spec_from_json(text));
    SF_CHECK(cache::check_same(manifest, spec));
    return spec;
}

struct File {
    fs::path path;
    std::string text;
};

// Another's environment is not written over, nor half of it. False: all was there already.
Result<bool> write_files(const std::vector<File>& files, bool force) {
    std::vector<const File*> others;
    for (const File& file : files) {
        SF_TRY(const auto there, base::read_file_if_exists(file.path));
        if (there && *there == file.text) continue;
        if (there && !force)
            return base::fail_hint(
                Code::refused,
                fmt::format("{} is there already, and says something else",
                            base::escape_untrusted(file.path.native())),
                "another folder; or --force, if it may be replaced: Spack then installs anew");
        others.push_back(&file);
    }
    for (const File* file : others) SF_CHECK(base::write_file(file->path, file->text));
    return !others.empty();
}

Result<install::Resolved> resolve(Session& session, const Options& options, cache::Backend& main,
                                  const install::Query& query, const KeptCache& kept) {
    install::ReaderOptions reading;
    SF_TRY(reading.mirror, cache::folder_of({query.toolchain, model::series_of(query.version)}));
    reading.memory = session.state().caches();
    reading.now = std::time(nullptr);
    reading.accept_expired = options.accept_expired;
    reading.max_age = kept.max_age;
    reading.revocations = kept.revocations;
    SF_TRY(const install::MirrorReader reader,
           install::MirrorReader::open(main, *kept.verifier, reading, session.voice));
    return reader.resolve(query);
}

Status run_spack_env(Session& session, const Options& options) {
    SF_TRY(install::Query query, slurm_spec(options.spec));
    SF_TRY(const ChosenCache chosen, choose_cache(session, options.cache));
    SF_TRY(const std::string address, cache::spack_address(chosen.place));
    SF_TRY(const KeptCache kept, open_origin(session, options.cache, options.trust));
    if (!kept.place->whole())
        return base::fail_hint(Code::usage,
                               kept.place->place() + " is a file with a part of a cache",
                               "Spack reads a folder, a web server or a bucket: cache mirror");
    SF_TRY(const recipe::Catalog catalog, session.toolchains());
    BuildRequest request;
    request.toolchain = options.toolchain;
    SF_TRY(const model::Toolchain* toolchain, choose_toolchain(session, catalog, request));
    query.toolchain = toolchain->name;
    query.cpu = options.target;

    SF_TRY(const std::string folder,
           cache::folder_of({toolchain->name, model::series_of(query.version)}));
    cache::SubBackend main(*kept.place, folder);
    SF_TRY(const install::Resolved found, resolve(session, options, main, query, kept));
    SF_TRY(const cache::SpackSpec spec,
           base::during(read_spec(main, found.manifest), "reading what Spack is to install"));
    SF_TRY(cache::SpackEnvironment made, cache::spack_environment({&spec, address, toolchain->name,
                                                                   found.signer->primary.text()}));

    std::error_code error;
    const fs::path where = fs::absolute(options.folder, error);
    if (error) return base::fail_errno(error.value(), "find the current folder");
    const fs::path keys = where / "slurm-factory-keys.gpg";
    SF_CHECK(base::make_dirs(where));
    // Those that count for this cache, and no other: whoever gets them trusts them all.
    SF_TRY(const trust::TrustedKeys counting,
           trust::trusted_from(kept.trusted.entries, {kept.trusted.keyring}));
    // What Spack looks for comes last.
    SF_TRY(const bool changed, write_files({{keys, counting.keyring},
                                            {where / "spack.lock", std::move(made.lock)},
                                            {where / "spack.yaml", std::move(made.yaml)}},
                                           options.force));
    const auto needed = std::ranges::count_if(spec.nodes, [&](const cache::SpackNode& node) {
        return node.external_path.empty() && node.hash != spec.root().hash;
    });
    const std::string shown = base::escape_untrusted(where.native());
    session.voice.line(fmt::format("{}: {} {} for {}, {}, and {} packages that it needs{}", shown,
                                   found.bundle.name, found.bundle.version, toolchain->name,
                                   found.bundle.target, needed, changed ? "" : ", as it was"));
    session.voice.line(fmt::format("signed by {}", signer_text(*found.signer)));
    session.voice.line(fmt::format("  spack gpg trust {}/slurm-factory-keys.gpg", shown));
    session.voice.line(fmt::format("  spack -e {} install --cache-only", shown));
    session.voice.event("environment", {{"folder", where.native()},
                                        {"keys", keys.native()},
                                        {"name", found.bundle.name},
                                        {"version", found.bundle.version},
                                        {"toolchain", toolchain->name},
                                        {"target", found.bundle.target},
                                        {"hash", spec.root().hash},
                                        {"signer", found.signer->primary.text()},
                                        {"changed", changed}});
    return {};
}

}  // namespace

void add_spack_env(CLI::App& app, Session& session) {
    CLI::App* command = app.add_subcommand(
        "spack-env", "Write a Spack environment that installs Slurm from a signed cache");
    const auto options = std::make_shared<Options>();
    command->add_option("SPEC", options->spec, "slurm@SERIES or slurm@VERSION")->required();
    command->add_option("DIR", options->folder, "The environment's folder")->required();
    command
        ->add_option("--cache", options->cache,
                     "Where: a name of 'cache list', a folder, file://, http://, https:// or s3://")
        ->required()
        ->envname("SLURM_FACTORY_CACHE")
        ->type_name("CACHE");
    command
        ->add_option("--toolchain", options->toolchain,
                     "The distribution it was built for (default: this machine's)")
        ->type_name("NAME");
    command
        ->add_option("--target", options->target,
                     "The CPU level of the machines it is for; what is best for it is taken")
        ->capture_default_str()
        ->type_name("LEVEL");
    add_trust_options(*command, options->trust);
    command->add_flag("--accept-expired", options->accept_expired,
                      "Take a snapshot whose time is over: newer packages may be held back");
    command->add_flag("--force", options->force, "Replace an environment that is there already");
    command->fallthrough();
    command->footer(
        "For Spack 1.0 and 1.1 as they are. DIR gets spack.yaml, which names the cache's mirrors\n"
        "alone and lets nothing be built, spack.lock, which names each package as it was signed,\n"
        "and the keys that are trusted here.\n"
        "Examples:\n"
        "  slurm-factory spack-env slurm@25.11 /opt/slurm-env --cache https://example.org/slurm\n"
        "  spack gpg trust /opt/slurm-env/slurm-factory-keys.gpg\n"
        "  spack -e /opt/slurm-env install --cache-only\n"
        "  spack -e /opt/slurm-env concretize --force     # let Spack choose again");
    command->callback([&session, options] {
        session.action = [&session, options] { return run_spack_env(session, *options); };
    });
}

}  // namespace sf::cli
