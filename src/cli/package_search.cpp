// SPDX-License-Identifier: Apache-2.0
#include "cli/package_search.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <ctime>
#include <optional>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cli/build_inputs.hpp"
#include "cli/slurm_spec.hpp"
#include "model/bundle_layout.hpp"
#include "model/cpu_level.hpp"
#include "model/names.hpp"
#include "trust/verdict.hpp"

namespace sf::cli {

using base::Code;
using base::fail;
using base::fail_hint;
using base::Result;
using base::Status;

namespace {

constexpr std::uint64_t max_lock = std::uint64_t{4} << 20;

Result<std::optional<install::LockFile>> frozen_lock(const PackageSearch& search) {
    if (search.frozen.empty()) {
        if (!search.spec.empty()) return std::optional<install::LockFile>();
        return fail_hint(Code::usage, "what is to be installed?",
                         "for instance: slurm@25.11, or --frozen LOCKFILE");
    }
    const std::string shown = base::escape_untrusted(search.frozen);
    SF_TRY(const std::string text, base::read_file(search.frozen, max_lock));
    if (!base::parse_json(text))
        return fail_hint(Code::corrupt, shown + " is no lock file",
                         "one is written by: slurm-factory install SPEC --write-lock FILE");
    SF_TRY(install::LockFile lock, base::during(install::lock_from_json(text), "reading " + shown));
    if (!search.spec.empty()) {
        SF_TRY(const install::Query said, slurm_spec(search.spec));
        const bool same = lock.name == said.name && (lock.version == said.version ||
                                                     lock.version.starts_with(said.version + '.'));
        if (!same)
            return fail(Code::usage, "{} is of {} {}, not of {}", shown, lock.name, lock.version,
                        base::escape_untrusted(search.spec));
    }
    if (!search.toolchain.empty() && search.toolchain != lock.build.toolchain)
        return fail(Code::usage, "{} is for {}, not for {}", shown, lock.build.toolchain,
                    base::escape_untrusted(search.toolchain));
    return std::optional(std::move(lock));
}

// What is asked for: by the words of the command line, or by a lock file.
Result<install::Query> query_of(Session& session, const PackageSearch& search,
                                const std::optional<install::LockFile>& lock) {
    install::Query query;
    if (lock) {
        query.name = lock->name;
        query.version = lock->version;
        query.toolchain = lock->build.toolchain;
    } else {
        SF_TRY(query, slurm_spec(search.spec));
        SF_TRY(const recipe::Catalog catalog, session.toolchains());
        BuildRequest request;
        request.toolchain = search.toolchain;
        SF_TRY(const model::Toolchain* toolchain, choose_toolchain(session, catalog, request));
        query.toolchain = toolchain->name;
    }
    query.cpu = search.target;
    if (query.cpu.empty()) {
        SF_TRY(const std::string cpuinfo, base::read_file("/proc/cpuinfo"));
        query.cpu = model::cpu_level(cpuinfo);
    }
    if (lock && !model::cpu_runs(query.cpu, lock->build.target))
        return fail(Code::refused, "the lock file is for {} processors, this one is {}",
                    lock->build.target, query.cpu);
    return query;
}

// Two say so: the file of the site, and whoever installs.
Status check_allowed(const ChosenCache& chosen) {
    if (chosen.named && chosen.named->allow_unsigned) return {};
    return fail_hint(
        Code::refused,
        fmt::format("--allow-unsigned: for the cache {} it is not allowed here", chosen.text()),
        "who answers for this machine says so with the cache's name: slurm-factory cache add NAME "
        "PLACE --allow-unsigned");
}

class Search {
public:
    Search(Session& session, const PackageSearch& what, const install::Query& query,
           const std::optional<install::LockFile>& lock)
        : x_session(session), x_what(what), x_query(query), x_lock(lock) {}

    Result<FoundPackage> run() {
        const std::vector<std::string>& said = x_what.caches;
        if (x_what.offline)
            for (const std::string& cache : said)
                if (cache.find("://") != std::string::npos) SF_CHECK(check_offline(cache));
        if (x_what.allow_unsigned && said.size() != 1)
            return fail_hint(Code::usage, "--allow-unsigned is said of one cache",
                             "name it, and no other: --cache NAME");
        if (said.size() > 1) return newest();
        return first(said.empty() ? std::string() : said.front());
    }

private:
    // In the first of the caches that has it. One that cannot be reached, or is not to be believed,
    // is no reason to go on to another: whoever cuts the first off would choose the second.
    Result<FoundPackage> first(const std::string& said) {
        SF_TRY(const std::vector<ChosenCache> caches, choose_caches(x_session, said));
        std::vector<std::string> lacking;
        for (const ChosenCache& chosen : caches) {
            Result<FoundPackage> found = look_in(chosen);
            if (found || caches.size() == 1) return found;
            if (found.error().code != Code::absent)
                return of_cache(chosen, std::move(found).error(),
                                "--cache NAME takes another one of those listed");
            tell_absent(chosen, found.error());
            lacking.push_back(chosen.text());
        }
        return fail(Code::absent, "none of the caches listed here has {}: {}", wanted(),
                    base::join(lacking, ", "));
    }

    // Of several that were named: the newest that any of them offers, of those that have it the
    // first. Whoever named them will have the others where one cannot be reached; he is told what
    // that may mean. One that is not to be believed is no reason to go on, as above.
    Result<FoundPackage> newest() {
        SF_TRY(const std::vector<ChosenCache> caches, named());
        std::optional<FoundPackage> best;
        std::vector<std::string> lacking;
        std::vector<std::string> away;
        std::optional<base::Error> why_away;
        for (const ChosenCache& chosen : caches) {
            Result<FoundPackage> found = look_in(chosen);
            if (!found && found.error().code == Code::unreachable && !base::stop_requested()) {
                x_session.voice.warning("the cache {} cannot be reached: {}", chosen.text(),
                                        found.error().text());
                x_session.voice.event("cache_unreachable", {{"cache", chosen.place}});
                away.push_back(chosen.text());
                if (!why_away) why_away = std::move(found).error();
                continue;
            }
            if (!found && found.error().code == Code::absent) {
                tell_absent(chosen, found.error());
                lacking.push_back(chosen.text());
                continue;
            }
            if (!found)
                return of_cache(chosen, std::move(found).error(),
                                "leave that cache out to install from the others");
            if (!best || base::compare_versions(found->package.bundle.version,
                                                best->package.bundle.version) > 0)
                best = std::move(*found);
            if (x_lock) break;  // there is one such package
        }
        if (best) {
            tell_away(away, *best);
            return std::move(*best);
        }
        if (why_away) {
            why_away->message =
                fmt::format("{}: {} cannot be reached{}: {}", wanted(), base::join(away, ", "),
                            lacking.empty() ? "" : ", and no other cache that was named has it",
                            why_away->message);
            return tl::unexpected(std::move(*why_away));
        }
        return fail(Code::absent, "none of the caches that were named has {}: {}", wanted(),
                    base::join(lacking, ", "));
    }

    // Each place once.
    Result<std::vector<ChosenCache>> named() {
        std::vector<ChosenCache> caches;
        for (const std::string& said : x_what.caches) {
            SF_TRY(ChosenCache chosen, choose_cache(x_session, said));
            if (std::ranges::find(caches, chosen.place, &ChosenCache::place) == caches.end())
                caches.push_back(std::move(chosen));
        }
        return caches;
    }

    void tell_absent(const ChosenCache& chosen, const base::Error& error) {
        x_session.voice.info("{} has no {}: {}", chosen.text(), wanted(), error.message);
    }

    // An older release is never taken without a word.
    void tell_away(const std::vector<std::string>& away, const FoundPackage& best) {
        if (away.empty()) return;
        const std::string& version = best.package.bundle.version;
        const std::string where = best.trust.place->place();
        if (x_lock || version == x_query.version)
            x_session.voice.warning("{} {} is taken from {}, without {}", x_query.name, version,
                                    where, base::join(away, ", "));
        else
            x_session.voice.warning(
                "{} {} is taken from {}: {}, which cannot be reached, may have a newer {}",
                x_query.name, version, where, base::join(away, ", "), x_query.version);
    }

    static Result<FoundPackage> of_cache(const ChosenCache& chosen, base::Error error,
                                         const char* hint) {
        error.message += fmt::format(" (cache {})", chosen.text());
        if (error.hint.empty()) error.hint = hint;
        return tl::unexpected(std::move(error));
    }

    [[nodiscard]] std::string wanted() const { return x_query.name + '@' + x_query.version; }

    // Who has allowed it of this cache may have meant this call.
    [[nodiscard]] base::Error nobody_trusted(const ChosenCache& chosen, base::Error error) const {
        const bool two_words = error.code == Code::refused && chosen.named &&
                               chosen.named->allow_unsigned && !x_what.allow_unsigned &&
                               !x_what.is_origin;
        if (two_words)
            error.hint =
                "what nobody trusted has signed is installed from this cache with "
                "--allow-unsigned alone, at your own risk";
        return error;
    }

    Result<FoundPackage> look_in(const ChosenCache& chosen) {
        Result<FoundPackage> found = judge(chosen);
        // What has a remedy of its own, a certificate, a password, a date, is not the signer's.
        if (!found &&
            (found.error().hint.empty() || found.error().hint == trust::how_to_trust_signer))
            return tl::unexpected(nobody_trusted(chosen, std::move(found).error()));
        return found;
    }

    Result<FoundPackage> judge(const ChosenCache& chosen) {
        if (x_what.offline) SF_CHECK(check_offline(chosen.place));
        if (x_what.allow_unsigned) SF_CHECK(check_allowed(chosen));
        if (x_what.is_origin) SF_CHECK(check_origin(chosen));
        FoundPackage found;
        if (chosen.named) found.cache = chosen.named->name;
        SF_TRY(found.trust, open_cache(x_session, chosen, x_what.trust, x_what.accept_expired,
                                       x_what.allow_unsigned, [&](base::Error error) {
                                           return nobody_trusted(chosen, std::move(error));
                                       }));
        SF_TRY(found.mirror,
               cache::folder_of({x_query.toolchain, model::series_of(x_query.version)}));
        SF_TRY(const std::string deps_folder, cache::folder_of({x_query.toolchain, ""}));
        found.main = std::make_unique<cache::SubBackend>(*found.trust.place, found.mirror);
        found.dependencies = std::make_unique<cache::SubBackend>(*found.trust.place, deps_folder);
        install::ReaderOptions reading;
        reading.mirror = found.mirror;
        reading.memory = x_session.state().caches();
        reading.now = std::time(nullptr);
        reading.accept_expired = x_what.accept_expired;
        reading.max_age = found.trust.max_age;
        reading.accept_unsigned = x_what.allow_unsigned;
        reading.revocations = found.trust.revocations;
        if (x_lock) {
            SF_TRY(found.package, install::MirrorReader::locked(*found.main, *found.trust.verifier,
                                                                reading, *x_lock, x_session.voice));
            SF_CHECK(has_archive(*found.main, found.package.bundle));
            return found;
        }
        SF_TRY(const install::MirrorReader reader,
               install::MirrorReader::open(*found.main, *found.trust.verifier, reading,
                                           x_session.voice));
        SF_TRY(found.package, reader.resolve(x_query));
        return found;
    }

    // Its signed manifest may be one that this machine has kept; then the cache was not asked yet.
    // One that cannot be reached may be no hindrance: all may be installed already.
    Status has_archive(cache::Backend& mirror, const model::Bundle& bundle) const {
        for (const model::Package& package : bundle.packages) {
            if (package.name != bundle.name) continue;
            if (!x_what.prefix.empty() &&
                base::exists(x_what.prefix / model::bundle_store_path(package.store_name())))
                return {};
            SF_TRY(const std::string key, cache::key_of(cache::BlobName{package.run.sha256}));
            const auto there = mirror.look(key);
            if (!there && x_what.caches.size() > 1) return tl::unexpected(there.error());
            if (!there || *there) continue;
            return fail_hint(
                Code::absent,
                fmt::format("looking for {} {} as it is locked: {} has no {}", bundle.name,
                            bundle.version, mirror.place(), package.store_name()),
                "another cache may have it (--cache); this one may have retired it: ask who "
                "publishes it, or lock a version that it has");
        }
        return {};
    }

    Session& x_session;
    const PackageSearch& x_what;
    const install::Query& x_query;
    const std::optional<install::LockFile>& x_lock;
};

}  // namespace

void add_search_caches(CLI::App& app, PackageSearch& search, const char* first_word) {
    app.add_option("--cache", search.caches,
                   fmt::format("{}: a name of 'cache list', a folder, file://, http://, https:// "
                               "or s3://; of several, given again for each, the newest release "
                               "that one of them offers (default: the first of those listed that "
                               "has it)",
                               first_word))
        ->envname("SLURM_FACTORY_CACHE")
        ->allow_extra_args(false)
        ->type_name("CACHE");
}

Result<FoundPackage> find_package(Session& session, const PackageSearch& search) {
    SF_TRY(const std::optional<install::LockFile> lock, frozen_lock(search));
    SF_TRY(const install::Query query, query_of(session, search, lock));
    return Search(session, search, query, lock).run();
}

}  // namespace sf::cli
