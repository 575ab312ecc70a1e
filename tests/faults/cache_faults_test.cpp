// SPDX-License-Identifier: Apache-2.0
// What publishes, installs, goes back and takes away, killed at every system call it makes, and
// with every call that touches files failing once: the cache and the prefix are as before or as
// after, nothing is ever between, and the same command once more brings them to what it should be.
// So is what a client, or a publisher, remembers of a cache: it never goes back; and so is whom a
// client trusts, while it learns that a key is revoked. Quick: it is killed at every tenth call or
// so, every twentieth or so fails with one of nine errors in turn; SF_ROUNDS=all: every call, with
// each of the nine. SF_SHARD=2/4: the second of four processes that share them.
#include <gmock/gmock.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <unistd.h>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cache/snapshot.hpp"
#include "revoked_key.hpp"
#include "small_cache.hpp"
#include "syscall_tracer.hpp"
#include "trust/revocation_list.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;

constexpr const char* old_version = "25.11.1";
constexpr const char* new_version = "25.11.2";
constexpr const char* third_version = "25.11.3";

void must(const base::Status& status) { ASSERT_TRUE(status) << status.error().text(); }

// What a folder holds: path to content, or to where a link leads. What belongs to a run that was
// killed and is waiting to be swept, and the times of generations, are left out.
std::map<std::string, std::string> content(const fs::path& folder) {
    std::map<std::string, std::string> found;
    if (!base::exists(folder)) return found;
    for (auto each = fs::recursive_directory_iterator(folder);
         each != fs::recursive_directory_iterator(); ++each) {
        const std::string path = each->path().lexically_relative(folder).native();
        if (path == ".sf-stage" || path == "generations" || path == ".sf-lock") {
            if (each->is_directory() && !each->is_symlink()) each.disable_recursion_pending();
            continue;
        }
        if (each->is_symlink())
            found[path] = "-> " + fs::read_symlink(each->path()).native();
        else if (each->is_regular_file())
            found[path] = base::read_file(each->path()).value_or("(unreadable)");
    }
    return found;
}

std::map<std::string, std::string> below(const std::map<std::string, std::string>& all,
                                         const std::string& front) {
    std::map<std::string, std::string> some;
    for (const auto& [path, what] : all)
        if (path.starts_with(front)) some.emplace(path, what);
    return some;
}

class CacheFaults : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        x_home = new base::TempDir(
            base::TempDir::create(::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", "sff-")
                .value());
        const SmallCache cache(run());
        must(cache.make());
        must(cache.publish(old_version));
        must(cache.install(old_version, cache.prefix()));
        x_old = content(cache.prefix());
        keep("old");
        must(cache.publish(new_version));
        keep("published");
        must(cache.install(new_version, cache.prefix()));
        x_new = content(cache.prefix());
        keep("installed");
        must(cache.uninstall(old_version));
        x_kept = content(cache.prefix());
        // One may go back to the one before: the first of three is what is collected.
        take("installed");
        must(cache.publish(third_version));
        must(cache.install(third_version, cache.prefix()));
        x_three = content(cache.prefix());
        keep("three");
        must(cache.collect());
        x_collected = content(cache.prefix());
        ASSERT_LT(x_collected.size(), x_three.size());
        // A list of revocations was heeded, and there is a newer one.
        take("published");
        must(cache.take_back(1));
        must(cache.heed());
        must(cache.take_back(2));
        keep("taken back");
        // The key is revoked: a client that trusts it has the file that says so.
        take("published");
        must(RevokedKey(run()).prepare());
        keep("revoked");
    }
    static void TearDownTestSuite() {
        delete x_home;
        x_home = nullptr;
    }
    static fs::path run() { return x_home->path() / "run"; }
    // Always at one path: what is remembered of a cache is kept by its place.
    static void keep(const std::string& name) { copy(run(), x_home->path() / name); }
    static void take(const std::string& name) {
        fs::remove_all(run());
        copy(x_home->path() / name, run());
    }
    static void copy(const fs::path& from, const fs::path& to) {
        fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    }
    static std::vector<std::string> words(const std::string& what) {
        return {fs::read_symlink("/proc/self/exe").native(), "--do", what, run().native()};
    }
    // Who looks at every process of the machine sees few: it does the same to each.
    static Sight sight(const std::string& what) {
        return what == "uninstall" || what == "gc" ? Sight::few : Sight::all;
    }
    static Traced trace_one(const std::string& what, const Fault& fault) {
        return trace(words(what), fault, x_home->path() / "output", sight(what));
    }
    static bool all() {
        const char* rounds = std::getenv("SF_ROUNDS");
        return rounds != nullptr && std::string(rounds) == "all";
    }
    // Of `faults` those that are this process's.
    static std::vector<Fault> share(const std::vector<Fault>& faults) {
        const char* const shard = std::getenv("SF_SHARD");
        std::size_t mine = 1, shards = 1;
        if (shard != nullptr &&
            (std::sscanf(shard, "%zu/%zu", &mine, &shards) != 2 || mine < 1 || shards < mine))
            throw std::runtime_error("SF_SHARD is not like 1/4");
        std::vector<Fault> some;
        for (std::size_t i = mine - 1; i < faults.size(); i += shards) some.push_back(faults[i]);
        return some;
    }

    // The view shows the old or the new version, whole; what it shows is what it was.
    static void prefix_is_sound() {
        const auto found = content(run() / "prefix");
        const std::string srun =
            base::read_file(run() / "prefix/view/bin/srun").value_or("(no srun)");
        ASSERT_THAT(srun, AnyOf("srun 25.11.11", "srun 25.11.21"));
        const auto& whole = srun == "srun 25.11.11" ? x_old : x_new;
        for (const auto& [path, what] : whole) {
            // What the versions share points to one of them; a switch is several links.
            if (what.starts_with("-> ") && !path.starts_with("store/")) continue;
            const auto there = found.find(path);
            ASSERT_TRUE(there != found.end()) << path << " is gone, with " << srun;
            if (!path.starts_with("view")) {
                ASSERT_EQ(there->second, what) << path;
            }
        }
        // Whatever lies in the store is whole.
        for (const auto& [path, what] : below(found, "store/"))
            ASSERT_EQ(what, x_new.contains(path) ? x_new.at(path) : "(unknown)") << path;
    }
    // What stays is there, whole; so is whatever of the other version is there still.
    static void rest_is_sound(const std::map<std::string, std::string>& kept,
                              const std::map<std::string, std::string>& before) {
        const auto found = content(run() / "prefix");
        for (const auto& [path, what] : kept) {
            const auto there = found.find(path);
            ASSERT_TRUE(there != found.end()) << path << " is gone";
            // What the versions share is handed on: it leads to one of them.
            if (!what.starts_with("-> ")) {
                ASSERT_EQ(there->second, what) << path;
            }
        }
        for (const auto& [path, what] : found)
            ASSERT_EQ(what, before.contains(path) ? before.at(path) : "(unknown)") << path;
    }
    // A client that has seen nothing yet installs the old or the new version from the cache.
    static void cache_is_sound() {
        const SmallCache cache(run());
        fs::remove_all(run() / "fresh");
        fs::remove_all(run() / "new client");
        must(cache.install("25.11", run() / "fresh", "new client"));
        ASSERT_THAT(base::read_file(run() / "fresh/view/bin/srun").value_or("(no srun)"),
                    AnyOf("srun 25.11.11", "srun 25.11.21"));
    }

    // The key is trusted still, or known to be revoked; nobody else is, and it is not forgotten.
    static void trust_is_sound() {
        const auto known = RevokedKey(run()).is_known();
        ASSERT_TRUE(known) << known.error().text();
    }

    // What is remembered of caches and lists, by the file's name: its number. All of it is whole.
    using Memory = std::map<std::string, std::uint64_t>;
    static Memory memory(const std::string& what) {
        Memory found;
        const fs::path folder = run() / (what == "publish" ? "publisher" : "client");
        if (!base::exists(folder)) return found;
        const auto names = base::list_dir(folder).value();
        for (const std::string& name : names) {
            if (!name.ends_with(".json")) continue;
            const std::string text = base::read_file(folder / name).value();
            if (name.ends_with(".revocations.json")) {
                const auto seen = trust::seen_revocations_from_json(text);
                EXPECT_TRUE(seen) << name << ": " << text;
                found[name] = seen ? seen->serial : 0;
            } else if (name.ends_with(".revocations.list.json")) {
                const auto json = base::parse_json(text);
                const auto list = trust::revocations_from_text(
                    json ? json->value("list", std::string()) : std::string());
                EXPECT_TRUE(list) << name << ": " << text;
                found[name] = list ? list->serial : 0;
            } else {
                const auto seen = cache::seen_from_json(text);
                EXPECT_TRUE(seen) << name << ": " << text;
                found[name] = seen ? seen->serial : 0;
            }
        }
        return found;
    }
    // Nothing of it is gone or older than before, nothing newer than what there is to be seen.
    static void memory_is_sound(const Memory& now, const Memory& before, const Memory& after) {
        for (const auto& [name, serial] : before) {
            ASSERT_TRUE(now.contains(name)) << "forgotten: " << name;
            ASSERT_GE(now.at(name), serial) << name;
        }
        for (const auto& [name, serial] : now) {
            ASSERT_TRUE(after.contains(name)) << name;
            ASSERT_LE(serial, after.at(name)) << name;
        }
    }

    // What a message that tells of a call that failed lacks; "": nothing. The file is named, or a
    // folder of a package, a stage or a memory that holds it: some have another name until they
    // are whole. What has no name is told by what was done to it.
    static std::string lacking(const Traced& traced, int error) {
        const std::string& said = traced.said;
        const std::string call = traced.call.substr(0, traced.call.find(' '));
        const fs::path path = traced.call.substr(traced.call.find(' ') + 1);
        const auto has = [&](const std::string& text) {
            return !text.empty() && said.find(text) != std::string::npos;
        };
        const bool pipe = path.native().find("pipe:[") == 0;
        // What was not seen is then found in the way.
        const bool in_the_way = call == "newfstatat" && has(std::strerror(EEXIST));
        if (!has(std::strerror(error)) && !in_the_way) return "the error's text";
        const bool nameless = pipe || path.native().find(" (deleted)") != std::string::npos;
        if (nameless && has("cannot ")) return {};
        if (path == path.root_path()) return has(" /: ") ? "" : "the path /";
        if (has(path.filename().native())) return {};
        for (fs::path folder = path.parent_path(); folder.has_relative_path();
             folder = folder.parent_path()) {
            if (folder == run() || folder == run() / "prefix" || folder == run() / "cache" ||
                folder == "/tmp")
                break;
            if (has(folder.native())) return {};
        }
        return "the path " + path.native();
    }

    enum class About { prefix, cache, rest, collected, memory, trust };
    // Does `what` from the state `from` with each fault; then once more without.
    void with_faults(const std::string& what, const std::string& from, About about,
                     const std::vector<Fault>& faults) {
        // What there is to be seen.
        const Memory after = memory(what);
        for (const Fault& fault : faults) {
            take(from);
            const Memory before = memory(what);
            const Traced traced = trace_one(what, fault);
            const std::string where =
                fmt::format("{} {} at {} ({}): {}", what,
                            fault.kind == Fault::Kind::kill ? "killed" : std::strerror(fault.error),
                            fault.at, traced.call, traced.said);
            SCOPED_TRACE(where);
            ASSERT_FALSE(traced.hung);
            if (traced.hit) ++x_hit;
            if (fault.kind == Fault::Kind::fail && traced.hit) failed_well(traced, fault.error);
            if (about == About::prefix) prefix_is_sound();
            if (about == About::cache) cache_is_sound();
            if (about == About::rest) rest_is_sound(x_kept, x_new);
            if (about == About::collected) rest_is_sound(x_collected, x_three);
            if (about == About::trust) trust_is_sound();
            if (HasFatalFailure()) return;
            memory_is_sound(memory(what), before, after);
            if (HasFailure()) return;
            if (traced.exit == 0) done(what);
            const Traced again = run_untraced(words(what), x_home->path() / "output", sight(what));
            ASSERT_FALSE(again.hung) << "once more, without a fault: " << again.said;
            // It may have been done before it was ended: there is nothing before the old one then.
            if (what != "rollback") {
                ASSERT_EQ(again.exit, 0) << again.said;
            }
            // Between what says that a version is there and its packages: what is left of them then
            // is for gc, as the second one finds nothing to uninstall.
            if (what == "uninstall" && content(run() / "prefix") != x_kept)
                must(SmallCache(run()).collect());
            done(what);
            if (HasFatalFailure()) return;
            // A publisher that was killed may publish once more what was published.
            if (what != "publish") {
                ASSERT_EQ(memory(what), after);
            }
        }
        // All that there are, at once.
        EXPECT_THAT(x_lacking, ::testing::IsEmpty());
        // Where it does not come to as many calls as it did, little is tried.
        EXPECT_GE(x_hit * 10, faults.size() * 9);
        say(what, faults.size());
    }
    void failed_well(const Traced& traced, int error) {
        const std::string call = traced.call.substr(0, traced.call.find(' '));
        ++x_failed[traced.exit == 0 ? "went on after " + call : "failed"];
        // What was not made durable is never called done; but for copies of what the cache
        // has (cache/kept_objects.hpp), which are asked for again.
        const bool copies = traced.call.find("/objects") != std::string::npos;
        if ((call.ends_with("sync") || call == "syncfs") && !copies) {
            ASSERT_EQ(traced.exit, 1);
        }
        // A message, and no crash.
        ASSERT_THAT(traced.exit, AnyOf(0, 1));
        const std::string lacks = traced.exit == 1 ? lacking(traced, error) : "";
        if (!lacks.empty())
            x_lacking.insert(fmt::format("{} at {}: {}: it lacks {}", std::strerror(error),
                                         traced.call, base::trim(traced.said), lacks));
    }
    static void done(const std::string& what) {
        if (what == "install") {
            ASSERT_EQ(content(run() / "prefix"), x_new);
        } else if (what == "uninstall") {
            ASSERT_EQ(content(run() / "prefix"), x_kept);
        } else if (what == "gc") {
            ASSERT_EQ(content(run() / "prefix"), x_collected);
        } else if (what == "rollback") {
            ASSERT_EQ(base::read_file(run() / "prefix/view/bin/srun").value_or(""),
                      "srun 25.11.11");
        } else if (what == "heed") {
            for (const auto& [name, serial] : memory(what)) {
                ASSERT_TRUE(name.find(".revocations.") == std::string::npos || serial == 2) << name;
            }
        } else if (what == "import") {
            const auto known = RevokedKey(run()).is_known();
            ASSERT_TRUE(known) << known.error().text();
            ASSERT_TRUE(*known) << "the key still counts";
        } else {
            const SmallCache cache(run());
            fs::remove_all(run() / "newest");
            must(cache.install(new_version, run() / "newest", "newest client"));
            ASSERT_EQ(base::read_file(run() / "newest/view/bin/srun").value_or(""),
                      "srun 25.11.21");
        }
    }
    void say(const std::string& what, std::size_t count) {
        fmt::print("{}: {} faults, {} of them met", what, count, x_hit);
        for (const auto& [how, times] : x_failed) fmt::print(", {} times it {}", times, how);
        fmt::print("\n");
        x_failed.clear();
    }

    // What is printed before hours of faults is seen before them.
    template <class... Args>
    static void tell(fmt::format_string<Args...> format, Args&&... args) {
        fmt::print(format, std::forward<Args>(args)...);
        std::fflush(stdout);
    }
    // The quick tests take every `every`th of its calls.
    void kill_at_calls(const std::string& what, const std::string& from, About about,
                       std::uint64_t every) {
        take(from);
        const Traced whole = trace_one(what, {});
        ASSERT_EQ(whole.exit, 0) << whole.said;
        const std::uint64_t step = all() ? 1 : every;
        tell("{} makes {} system calls; it is killed at every {}. of them\n", what, whole.calls,
             step);
        std::vector<Fault> faults;
        for (std::uint64_t call = (step + 1) / 2; call <= whole.calls; call += step)
            faults.push_back({Fault::Kind::kill, call, 0});
        with_faults(what, from, about, share(faults));
    }
    void fail_calls(const std::string& what, const std::string& from, About about,
                    std::uint64_t every) {
        take(from);
        const Traced whole = trace_one(what, {});
        ASSERT_EQ(whole.exit, 0) << whole.said;
        const std::uint64_t step = all() ? 1 : every;
        constexpr int errors[] = {ENOSPC, EIO,    EDQUOT, EROFS, EACCES,
                                  EMFILE, ENOLCK, EINTR,  ESTALE};
        tell("{} makes {} system calls on files; every {}. fails, {}\n", what, whole.file_calls,
             step, all() ? "with each of nine errors" : "with one of nine errors in turn");
        std::vector<Fault> faults;
        std::size_t turn = 0;
        for (std::uint64_t call = (step + 1) / 2; call <= whole.file_calls; call += step) {
            for (std::size_t i = 0; i < (all() ? std::size(errors) : 1); ++i)
                faults.push_back({Fault::Kind::fail, call, errors[turn++ % std::size(errors)]});
        }
        with_faults(what, from, about, share(faults));
    }

    static base::TempDir* x_home;
    static std::map<std::string, std::string> x_old, x_new;
    static std::map<std::string, std::string> x_kept;  // of the new, once the old is uninstalled
    static std::map<std::string, std::string> x_three, x_collected;
    std::map<std::string, int> x_failed;
    std::set<std::string> x_lacking;  // what messages do not say
    std::uint64_t x_hit = 0;
};
base::TempDir* CacheFaults::x_home = nullptr;
std::map<std::string, std::string> CacheFaults::x_old, CacheFaults::x_new, CacheFaults::x_kept;
std::map<std::string, std::string> CacheFaults::x_three, CacheFaults::x_collected;

TEST_F(CacheFaults, InstallKilledAtAnyCall) {
    kill_at_calls("install", "published", About::prefix, 10);
}
TEST_F(CacheFaults, InstallWithAnyCallFailing) {
    fail_calls("install", "published", About::prefix, 20);
}
TEST_F(CacheFaults, RollbackKilledAtAnyCall) {
    kill_at_calls("rollback", "installed", About::prefix, 10);
}
TEST_F(CacheFaults, RollbackWithAnyCallFailing) {
    fail_calls("rollback", "installed", About::prefix, 10);
}
TEST_F(CacheFaults, UninstallKilledAtAnyCall) {
    kill_at_calls("uninstall", "installed", About::rest, 10);
}
TEST_F(CacheFaults, UninstallWithAnyCallFailing) {
    fail_calls("uninstall", "installed", About::rest, 20);
}
TEST_F(CacheFaults, GcKilledAtAnyCall) { kill_at_calls("gc", "three", About::collected, 10); }
TEST_F(CacheFaults, GcWithAnyCallFailing) { fail_calls("gc", "three", About::collected, 20); }
TEST_F(CacheFaults, PublishKilledAtAnyCall) { kill_at_calls("publish", "old", About::cache, 20); }
TEST_F(CacheFaults, PublishWithAnyCallFailing) { fail_calls("publish", "old", About::cache, 40); }
TEST_F(CacheFaults, HeedKilledAtAnyCall) { kill_at_calls("heed", "taken back", About::memory, 10); }
TEST_F(CacheFaults, HeedWithAnyCallFailing) { fail_calls("heed", "taken back", About::memory, 10); }
TEST_F(CacheFaults, ImportKilledAtAnyCall) { kill_at_calls("import", "revoked", About::trust, 20); }
TEST_F(CacheFaults, ImportWithAnyCallFailing) { fail_calls("import", "revoked", About::trust, 20); }

// The process that a fault meets.
int act(const std::string& what, const fs::path& folder) {
    const SmallCache cache(folder);
    const auto count = [] { ::prctl(PR_SET_NAME, counted_name); };
    base::Status done;
    if (what == "publish") done = cache.publish(new_version, count);
    if (what != "publish") count();
    if (what == "install") done = cache.install("25.11", cache.prefix());
    if (what == "rollback") done = cache.rollback();
    if (what == "uninstall") done = cache.uninstall(old_version);
    if (what == "gc") done = cache.collect();
    if (what == "heed") done = cache.heed();
    if (what == "import") done = RevokedKey(folder).learn();
    ::prctl(PR_SET_NAME, not_counted_name);
    if (!done) fmt::print("{}\n", done.error().text());
    return done ? 0 : 1;
}

}  // namespace
}  // namespace sf::test

int main(int argc, char** argv) {
    if (argc == 4 && std::string(argv[1]) == "--do") return sf::test::act(argv[2], argv[3]);
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
