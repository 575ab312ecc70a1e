// SPDX-License-Identifier: Apache-2.0
#include "build/builder.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <fcntl.h>
#include <fstream>
#include <regex>
#include <sstream>
#include <thread>
#include <unistd.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "build/evidence.hpp"
#include "pack/gate.hpp"
#include "pack/package_writer.hpp"
#include "pack/source_archive.hpp"

namespace sf::build {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
using model::NodeId;
namespace fs = std::filesystem;

namespace {

constexpr int jobserver_read = 3;  // numbers in the sandbox
constexpr int jobserver_write = 4;
constexpr int times_write = 5;
constexpr std::size_t shown_log_lines = 25;

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Hands a tree to another user without following a single link. Nothing runs in it meanwhile.
Status give_tree(const fs::path& path, const base::Identity& owner) {
    if (::lchown(path.c_str(), owner.uid, owner.gid) != 0)
        return base::fail_errno(errno, "change the owner of " + path.string());
    std::error_code error;
    for (fs::recursive_directory_iterator it(path, error), end; !error && it != end;
         it.increment(error))
        if (::lchown(it->path().c_str(), owner.uid, owner.gid) != 0)
            return base::fail_errno(
                errno, "change the owner of " + base::escape_untrusted(it->path().native()));
    if (error) return base::fail_errno(error.value(), "walk " + path.string());
    return {};
}

std::string last_lines(const fs::path& log) {
    std::ifstream file(log);
    std::deque<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        lines.push_back("    " + base::escape_untrusted(line));
        if (lines.size() > shown_log_lines) lines.pop_front();
    }
    return base::join({lines.begin(), lines.end()}, "\n");
}

// The sum of what `times` of a POSIX shell printed ("0m0.01s 0m0.00s\n1m2.50s 0m3.25s\n"); text
// that is anything else counts nothing, since it came out of the sandbox.
double cpu_seconds_told(int descriptor) {
    char buffer[256] = {};
    if (::read(descriptor, buffer, sizeof buffer - 1) <= 0) return 0;
    static const std::regex time(R"((\d{1,9})m(\d{1,9}\.\d{1,9})s)");
    double sum = 0;
    std::istringstream words{std::string(buffer)};
    for (std::string word; words >> word;) {
        std::smatch parts;
        if (!std::regex_match(word, parts, time)) return 0;
        sum += std::stod(parts[1]) * 60 + std::stod(parts[2]);
    }
    return sum;
}

// One package being built: the folders it works in, and the steps in their order.
class PackageBuild {
public:
    PackageBuild(const BuildContext& context, NodeId id, JobBudget::Share& share)
        : x_context(context),
          x_id(id),
          x_share(share),
          x_spec(context.plan.dag.at(id)),
          x_recipe(context.plan.recipe(id)),
          x_version(context.plan.version(id)),
          x_name(x_spec.store_name()),
          x_work(context.state.work() / x_name),
          x_logs(context.state.logs() / context.options.run_id / x_name) {}

    Result<Built> run() {
        Result<Built> built = run_in_work_folder();
        if (!built) {
            x_lease.reset();  // with it goes whatever still ran
            SF_CHECK(keep_evidence());
        }
        if (!built && x_context.options.keep_failed && built.error().code != Code::interrupted) {
            std::string& hint = built.error().hint;
            hint += fmt::format("{}the build folder was kept: {} (slurm-factory clean deletes it)",
                                hint.empty() ? "" : "; ", base::escape_untrusted(x_work.native()));
        } else {
            // Litter is not a failure of the build: the next one of this package deletes it.
            const Status cleaned = base::remove_tree(x_work);
            if (!cleaned && built) return tl::unexpected(cleaned.error());
        }
        return built;
    }

private:
    [[nodiscard]] fs::path out() const { return x_work / "out"; }
    [[nodiscard]] fs::path build_folder() const { return x_work / "build"; }

    // Why a step failed is told best by what the build folder holds, and it is about to be deleted.
    Status keep_evidence() {
        if (!base::is_dir(x_logs)) return {};
        std::string environment;
        for (const auto& [name, value] : x_environment)
            environment += fmt::format("{}={}\n", name, value);
        SF_CHECK(base::write_file(x_logs / "environment.txt", environment));
        SF_TRY([[maybe_unused]] const std::size_t files, gather_evidence(build_folder(), x_logs));
        return {};
    }

    Result<Built> run_in_work_folder() {
        SF_CHECK(base::remove_tree(x_work));
        SF_CHECK(base::make_dirs(x_logs));
        for (const char* folder : {"build/src", "build/obj", "out", "patches", "package"})
            SF_CHECK(base::make_dirs(x_work / folder));
        SF_TRY(x_lease, x_context.runner.lease());

        SF_CHECK(note_origins());
        SF_CHECK(timed("unpack", [&] { return unpack(); }));
        StepOptions options{x_context.options.jobs, x_context.options.ccache};
        if (x_version.build.jobs == recipe::Jobs::serial) options.fixed_jobs = 1;
        SF_TRY(x_environment, environment_of(x_context.plan, x_id, options));
        SF_TRY(const std::vector<Step> steps, steps_of(x_context.plan, x_id, options));
        for (const Step& step : steps) SF_CHECK(run_step(step));

        if (const auto owner = x_lease->identity()) {
            SF_CHECK(give_tree(out(), {::geteuid(), ::getegid()}));
        }
        x_lease.reset();
        return finish();
    }

    template <class Work>
    Status timed(const std::string& step, Work work) {
        x_context.observer.step_started(x_name, step);
        const auto start = std::chrono::steady_clock::now();
        Status status = base::during(Status(work()), step + " of " + x_name);
        x_steps[step].wall_seconds += seconds_since(start);
        return status;
    }

    Status unpack() {
        const fs::path& archive = x_context.sources.at(model::index(x_id));
        SF_TRY(const base::Fd file, base::open_file(archive, O_RDONLY));
        // Hashed here as well: what is fetched was decided before it was known what is built.
        SF_TRY(const base::Digest digest,
               base::during(base::sha256_fd(file.get()),
                            "reading " + base::escape_untrusted(archive.native())));
        if (digest != x_version.source.sha256)
            return base::fail_hint(Code::corrupt,
                                   fmt::format("{} is damaged: sha256 is {}, expected {}",
                                               base::escape_untrusted(archive.native()),
                                               digest.hex(), x_version.source.sha256.hex()),
                                   "run this again: it is fetched anew");
        if (::lseek(file.get(), 0, SEEK_SET) != 0)
            return base::fail_errno(errno, "rewind " + base::escape_untrusted(archive.native()));
        SF_TRY(const base::Fd folder,
               base::open_file(build_folder() / "src", O_RDONLY | O_DIRECTORY));
        SF_TRY([[maybe_unused]] const pack::ArchiveTotals totals,
               pack::unpack_source({file.get(), archive.filename().string()}, {}, folder.get()));
        for (const recipe::Patch& patch : x_version.patches) {
            SF_TRY(const std::string text, base::read_file(patch.path));
            if (base::sha256(text) != patch.sha256)
                return fail(Code::corrupt, "{} is not the patch that {} names: its sha256 is {}",
                            patch.path.string(), x_recipe.path.string(), base::sha256(text).hex());
            SF_CHECK(base::write_file(x_work / "patches" / patch.path.filename(), text));
        }
        if (const auto owner = x_lease->identity()) {
            SF_CHECK(give_tree(build_folder(), *owner));
            SF_CHECK(give_tree(out(), *owner));
        }
        return {};
    }

    [[nodiscard]] Result<sandbox::SandboxPlan> plan_of(const Step& step) {
        sandbox::SandboxPlan plan;
        plan.root = x_context.root;
        plan.binds = {{build_folder(), inside::build, true},
                      {out(), placeholder_prefix(x_spec), true},
                      {x_work / "patches", inside::patches, false},
                      {x_context.sandbox_files, inside::wrappers, false}};
        const PackageStore store(x_context.state);
        for (const NodeId dependency : x_context.plan.dag.build_closure(x_id)) {
            const model::Spec& spec = x_context.plan.dag.at(dependency);
            plan.binds.push_back({store.tree(spec.store_name()), placeholder_prefix(spec), false});
        }
        if (x_context.options.ccache && x_version.build.ccache) {
            const fs::path cache = ccache_folder();
            if (!x_ccache_used) SF_CHECK(note_in_ccache());
            SF_CHECK(base::make_dirs(cache));
            // The uid differs from lease to lease; what is inside follows it.
            if (const auto owner = x_lease->identity(); owner && !x_ccache_used)
                SF_CHECK(give_tree(cache, *owner));
            x_ccache_used = true;
            plan.binds.push_back({cache, inside::ccache, true});
        }
        plan.environment = x_environment;
        if (x_version.build.jobs == recipe::Jobs::jobserver &&
            x_context.runner.passes_descriptors()) {
            plan.environment["MAKEFLAGS"] =
                fmt::format(" -j --jobserver-auth={},{}", jobserver_read, jobserver_write);
            plan.pass = {{x_share.read_end(), jobserver_read},
                         {x_share.write_end(), jobserver_write}};
        }
        plan.directory = step.directory;
        // The sandbox's own init reaps what runs in it, so no CPU time reaches us by wait(): a
        // shell inside says how much its children used, where the engine lets us hear it. The step
        // itself does not see that descriptor.
        if (x_context.runner.passes_descriptors())
            plan.argv = {"/bin/sh", "-c",
                         fmt::format("/bin/sh -euc \"$1\" {0}>&-; rc=$?; times >&{0}; exit $rc",
                                     times_write),
                         "step", step.script};
        else
            plan.argv = {"/bin/sh", "-euc", step.script};
        plan.limits = x_context.options.limits;
        return plan;
    }

    Status run_step(const Step& step) {
        x_context.observer.step_started(x_name, step.name);
        SF_TRY(sandbox::SandboxPlan plan, plan_of(step));
        const bool own_words = x_version.build.jobs == recipe::Jobs::fixed ||
                               x_version.build.system == recipe::BuildSystem::cmake ||
                               x_version.build.system == recipe::BuildSystem::meson;
        const bool served = !own_words && x_context.runner.passes_descriptors();
        x_share.set_hungry(step.compiles && served);
        if (step.compiles && !served && x_version.build.jobs != recipe::Jobs::serial) {
            // Said on ninja's command line, or to make by its environment: what we could get.
            const unsigned got = x_share.hold_fixed(x_context.options.jobs);
            const std::string jobs = fmt::format(" -j{}", got);
            if (own_words)
                plan.argv.back() = base::replace_all(
                    plan.argv.back(), fmt::format(" -j{}", x_context.options.jobs), jobs);
            else
                plan.environment["MAKEFLAGS"] = jobs;
        }

        const fs::path log = x_logs / fmt::format("{:02}-{}.log", ++x_step_number, step.name);
        SF_TRY(const base::Fd log_file,
               base::open_file(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND));
        const std::string heading = fmt::format("# {} of {}, in {}\n{}\n\n", step.name, x_name,
                                                step.directory, step.script);
        SF_CHECK(base::write_all(log_file.get(), base::as_bytes(heading), log));
        int times[2];
        if (::pipe2(times, O_CLOEXEC | O_NONBLOCK) != 0)
            return base::fail_errno(errno, "make a pipe");
        const base::Fd times_read_end(times[0]);
        const base::Fd times_write_end(times[1]);
        if (x_context.runner.passes_descriptors())
            plan.pass.push_back({times_write_end.get(), times_write});
        Result<sandbox::RunResult> result = x_context.runner.run(*x_lease, plan, log_file.get());
        x_share.release_fixed();
        x_share.set_hungry(false);
        if (!result) return tl::unexpected(std::move(result).error());
        StepTime& time = x_steps[step.name];
        time.wall_seconds += result->wall_seconds;
        // Where nobody tells, wall time is the better guess than none.
        time.cpu_seconds += x_context.runner.passes_descriptors()
                                ? cpu_seconds_told(times_read_end.get())
                                : result->wall_seconds;
        return verdict(step, *result, log);
    }

    Status verdict(const Step& step, const sandbox::RunResult& result, const fs::path& log) const {
        if (result.outcome == sandbox::Outcome::ok) return {};
        if (result.outcome == sandbox::Outcome::stopped)
            return fail(Code::interrupted, "{} of {} was stopped", step.name, x_name);
        const std::string why =
            result.outcome == sandbox::Outcome::failed
                ? result.exit.text() + (result.detail.empty() ? "" : ", ") + result.detail
                : result.detail;
        const Code code =
            result.outcome == sandbox::Outcome::failed ? Code::failed : Code::exhausted;
        return base::fail_hint(code,
                               fmt::format("{} of {} failed: {}\n  last lines of {}:\n{}",
                                           step.name, x_name, why, log.string(), last_lines(log)),
                               "the whole log is " + log.string());
    }

    Result<pack::GateRequest> gate_request() const {
        pack::GateRequest request;
        request.prefix = out();
        request.store_name = x_name;
        const PackageStore store(x_context.state);
        for (const NodeId dependency : x_context.plan.dag.runtime_closure(x_id)) {
            if (dependency == x_id) continue;
            const model::Spec& spec = x_context.plan.dag.at(dependency);
            const std::string name = spec.store_name();
            const bool direct = std::ranges::find(x_spec.link_dependencies, dependency) !=
                                x_spec.link_dependencies.end();
            request.dependencies.push_back({spec.name, name, store.tree(name), direct});
        }
        request.root = x_context.root;
        request.host_sonames = x_context.host_libraries;
        for (const auto& each : x_recipe.host_libraries)
            request.host_sonames.push_back(each.soname);
        for (const auto& each : x_version.package.public_sonames)
            request.public_sonames.push_back(each.soname);
        for (const auto& each : x_version.package.dlopens)
            request.dlopens.push_back({each.files, each.sonames});
        request.expected = x_version.package.expect;
        for (const auto& each : x_version.package.placeholder_exceptions)
            request.placeholder_exceptions.push_back(each.file);
        return request;
    }

    // What was taken of all that is at hand here, now. What is replaced while this is being built
    // counts both as it was and as it is.
    Status note_origins() {
        for (const NodeId dependency : x_context.plan.dag.build_closure(x_id)) {
            SF_TRY(const MadeOf origins,
                   origins_of(x_context.plan.dag.at(dependency).store_name()));
            add(x_made_of, origins);
        }
        return {};
    }
    // While another process replaces it, it is not there for a moment.
    Result<MadeOf> origins_of(const std::string& name) const {
        const PackageStore store(x_context.state);
        constexpr int tries = 100;
        for (int left = tries; left > 0; --left) {
            SF_TRY(const MadeOf origins, store.made_of(name));
            SF_TRY(const auto there, store.find(name));
            if (there) return origins;
            SF_CHECK(base::check_stop());
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        return base::fail_hint(
            Code::absent,
            fmt::format("{}, which {} is built with, is not in the store", name, x_name),
            "the same command once more brings it");
    }

    [[nodiscard]] fs::path ccache_folder() const {
        return x_context.state.ccache() / x_spec.toolchain / x_spec.name;
    }
    // A compiler cache is made of what was at hand whenever it was written to, as packages are.
    // Where somebody of that is believed no more, or nobody knows, it is begun anew. The record
    // lies beside it, where no build can write.
    Status note_in_ccache() {
        const fs::path cache = ccache_folder();
        const fs::path record = cache.native() + ".made-of.json";
        SF_TRY(const base::FileLock lock, base::FileLock::acquire(cache.native() + ".lock"));
        SF_TRY(const auto text, base::read_file_if_exists(record));
        const Result<MadeOf> before = made_of_from_json(text.value_or(""));
        bool believed = before.has_value();
        if (believed && x_context.doubt)
            for (const TakenPackage& each : *before) {
                SF_TRY(const auto why, x_context.doubt(each));
                believed = believed && !why;
            }
        if (!believed) SF_CHECK(base::remove_tree(cache));
        MadeOf all = x_made_of;
        if (believed) add(all, *before);
        if (believed && all == *before) return {};
        SF_TRY(const std::string json, to_json(all));
        return base::write_file(record, json);
    }

    Status commit(const model::Package& package) {
        SF_CHECK(note_origins());
        if (x_ccache_used) SF_CHECK(note_in_ccache());
        return PackageStore(x_context.state)
            .commit(package, out(), x_work / "package", {}, x_made_of);
    }

    Result<Built> finish() {
        Built built;
        model::Package& package = built.package;
        package.name = x_spec.name;
        package.version = x_spec.version;
        package.toolchain = x_spec.toolchain;
        package.target = x_spec.target;
        package.identity = x_spec.identity;
        package.identity_text = x_spec.identity_text;
        package.license = x_recipe.license;
        package.ccache_used = x_context.options.ccache && x_version.build.ccache;
        for (const NodeId dependency : x_spec.link_dependencies)
            package.dependencies.push_back(x_context.plan.dag.at(dependency).store_name());
        std::sort(package.dependencies.begin(), package.dependencies.end());

        pack::GateReport report;
        SF_CHECK(timed("gate", [&]() -> Status {
            SF_TRY(const pack::GateRequest request, gate_request());
            SF_TRY(report, pack::run_gate(request));
            return {};
        }));
        report.fill(package);
        SF_CHECK(timed("pack", [&]() -> Status {
            SF_TRY(pack::PackageArchives archives,
                   pack::write_package(out(), x_name, report, x_work / "package",
                                       x_context.options.compression_level, source_date_epoch));
            package.run = archives.run;
            package.dev = archives.dev;
            package.dbg = archives.dbg;
            return {};
        }));
        SF_CHECK(timed("commit", [&] { return commit(package); }));
        built.steps = x_steps;
        return built;
    }

    const BuildContext& x_context;
    NodeId x_id;
    JobBudget::Share& x_share;
    const model::Spec& x_spec;
    const recipe::Recipe& x_recipe;
    const recipe::Version& x_version;
    std::string x_name;
    fs::path x_work;
    fs::path x_logs;
    std::unique_ptr<sandbox::Lease> x_lease;
    base::Environment x_environment;
    MadeOf x_made_of;
    std::map<std::string, StepTime> x_steps;
    int x_step_number = 0;
    bool x_ccache_used = false;
};

}  // namespace

Result<Built> build_package(const BuildContext& context, NodeId id, JobBudget::Share& share) {
    return PackageBuild(context, id, share).run();
}

}  // namespace sf::build
