// SPDX-License-Identifier: Apache-2.0
#include "cli/package_search.hpp"

#include <algorithm>
#include <ctime>
#include <optional>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cli/build_inputs.hpp"
#include "cli/slurm_spec.hpp"
#include "model/cpu_level.hpp"
#include "model/names.hpp"

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

    // In the first of the caches that has it. One that cannot be reached, or is not to be believed,
    // is no reason to go on to another: whoever cuts the first off would choose the second.
    Result<FoundPackage> run() {
        if (x_what.offline && !x_what.cache.empty() &&
            x_what.cache.find("://") != std::string::npos)
            SF_CHECK(check_offline(x_what.cache));
        if (x_what.allow_unsigned && x_what.cache.empty())
            return fail_hint(Code::usage, "--allow-unsigned is said of one cache",
                             "name it: --cache NAME");
        SF_TRY(const std::vector<ChosenCache> caches, choose_caches(x_session, x_what.cache));
        std::vector<std::string> lacking;
        for (const ChosenCache& chosen : caches) {
            Result<FoundPackage> found = look_in(chosen);
            const bool two_words = !found && found.error().code == Code::refused && chosen.named &&
                                   chosen.named->allow_unsigned && !x_what.allow_unsigned &&
                                   !x_what.is_origin;
            if (two_words)
                found.error().hint =
                    "what nobody trusted has signed is installed from this cache with "
                    "--allow-unsigned alone, at your own risk";
            if (found || caches.size() == 1) return found;
            if (found.error().code != Code::absent) {
                base::Error error = std::move(found).error();
                error.message += fmt::format(" (cache {})", chosen.text());
                if (error.hint.empty())
                    error.hint = "--cache NAME takes another one of those listed";
                return tl::unexpected(std::move(error));
            }
            x_session.voice.info("{} has no {}: {}", chosen.text(), wanted(),
                                 found.error().message);
            lacking.push_back(chosen.text());
        }
        return fail(Code::absent, "none of the caches listed here has {}: {}", wanted(),
                    base::join(lacking, ", "));
    }

private:
    [[nodiscard]] std::string wanted() const { return x_query.name + '@' + x_query.version; }

    Result<FoundPackage> look_in(const ChosenCache& chosen) {
        if (x_what.offline) SF_CHECK(check_offline(chosen.place));
        if (x_what.allow_unsigned) SF_CHECK(check_allowed(chosen));
        if (x_what.is_origin) SF_CHECK(check_origin(chosen));
        FoundPackage found;
        if (chosen.named) found.cache = chosen.named->name;
        SF_TRY(found.trust, open_cache(x_session, chosen, x_what.trust, x_what.accept_expired,
                                       x_what.allow_unsigned));
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
            return found;
        }
        SF_TRY(const install::MirrorReader reader,
               install::MirrorReader::open(*found.main, *found.trust.verifier, reading,
                                           x_session.voice));
        SF_TRY(found.package, reader.resolve(x_query));
        return found;
    }

    Session& x_session;
    const PackageSearch& x_what;
    const install::Query& x_query;
    const std::optional<install::LockFile>& x_lock;
};

}  // namespace

Result<FoundPackage> find_package(Session& session, const PackageSearch& search) {
    SF_TRY(const std::optional<install::LockFile> lock, frozen_lock(search));
    SF_TRY(const install::Query query, query_of(session, search, lock));
    return Search(session, search, query, lock).run();
}

}  // namespace sf::cli
