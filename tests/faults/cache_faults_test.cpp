// SPDX-License-Identifier: Apache-2.0
// What publishes, installs, goes back and takes away, killed at every system call it makes, and
// with every call that touches files failing once: the cache and the prefix are as before or as
// after, nothing is ever between, and the same command once more brings them to what it should be.
// Quick: a sample; SF_ROUNDS=all takes every call.
#include <gmock/gmock.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "base/files.hpp"
#include "base/text.hpp"
#include "small_cache.hpp"
#include "syscall_tracer.hpp"

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
        x_home = new base::TempDir(base::TempDir::create("/tmp", "sff-").value());
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
    static Traced trace_one(const std::string& what, const Fault& fault) {
        return trace({fs::read_symlink("/proc/self/exe").native(), "--do", what, run().native()},
                     fault, x_home->path() / "output");
    }
    // Which of `count` calls: all of them, or some.
    static std::vector<std::uint64_t> calls(std::uint64_t count, std::uint64_t some) {
        std::vector<std::uint64_t> chosen;
        const char* rounds = std::getenv("SF_ROUNDS");
        const bool all = rounds != nullptr && std::string(rounds) == "all";
        // Most of many calls look at one process of this machine after the other.
        constexpr std::uint64_t most = 1500;
        const std::uint64_t step =
            all ? count / most + 1 : std::max<std::uint64_t>(1, count / some);
        const std::uint64_t begin = all ? 1 : (step + 1) / 2;
        for (std::uint64_t call = begin; call <= count; call += step) chosen.push_back(call);
        return chosen;
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

    enum class About { prefix, cache, rest, collected };
    // Does `what` from the state `from` with each fault; then once more without.
    void with_faults(const std::string& what, const std::string& from, About about,
                     const std::vector<Fault>& faults) {
        for (const Fault& fault : faults) {
            take(from);
            const Traced traced = trace_one(what, fault);
            const std::string where =
                fmt::format("{} {} at {} ({}): {}", what,
                            fault.kind == Fault::Kind::kill ? "killed" : std::strerror(fault.error),
                            fault.at, traced.call, traced.said);
            SCOPED_TRACE(where);
            ASSERT_FALSE(traced.hung);
            if (fault.kind == Fault::Kind::fail && traced.hit) {
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
                if (traced.exit == 1) {
                    ASSERT_NE(traced.said, "");
                }
            }
            if (about == About::prefix) prefix_is_sound();
            if (about == About::cache) cache_is_sound();
            if (about == About::rest) rest_is_sound(x_kept, x_new);
            if (about == About::collected) rest_is_sound(x_collected, x_three);
            if (HasFatalFailure()) return;
            if (traced.exit == 0) done(what);
            const Traced again = trace_one(what, {});
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
        }
        say(what, faults.size());
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
        } else {
            const SmallCache cache(run());
            fs::remove_all(run() / "newest");
            must(cache.install(new_version, run() / "newest", "newest client"));
            ASSERT_EQ(base::read_file(run() / "newest/view/bin/srun").value_or(""),
                      "srun 25.11.21");
        }
    }
    void say(const std::string& what, std::size_t count) {
        fmt::print("{}: {} faults", what, count);
        for (const auto& [how, times] : x_failed) fmt::print(", {} times it {}", times, how);
        fmt::print("\n");
        x_failed.clear();
    }

    // Who looks at every process of the machine takes long at it.
    static std::uint64_t few(const std::string& what, std::uint64_t some) {
        return what == "uninstall" || what == "gc" ? some / 3 : some;
    }
    void kill_at_calls(const std::string& what, const std::string& from, About about) {
        take(from);
        const Traced whole = trace_one(what, {});
        ASSERT_EQ(whole.exit, 0) << whole.said;
        fmt::print("{} makes {} system calls\n", what, whole.calls);
        std::vector<Fault> faults;
        for (const std::uint64_t call : calls(whole.calls, few(what, 30)))
            faults.push_back({Fault::Kind::kill, call, 0});
        with_faults(what, from, about, faults);
    }
    void fail_calls(const std::string& what, const std::string& from, About about) {
        take(from);
        const Traced whole = trace_one(what, {});
        ASSERT_EQ(whole.exit, 0) << whole.said;
        fmt::print("{} makes {} system calls on files\n", what, whole.file_calls);
        constexpr int errors[] = {ENOSPC, EIO,    EDQUOT, EROFS, EACCES,
                                  EMFILE, ENOLCK, EINTR,  ESTALE};
        std::vector<Fault> faults;
        std::size_t turn = 0;
        for (const std::uint64_t call : calls(whole.file_calls, few(what, 40)))
            faults.push_back({Fault::Kind::fail, call, errors[turn++ % std::size(errors)]});
        with_faults(what, from, about, faults);
    }

    static base::TempDir* x_home;
    static std::map<std::string, std::string> x_old, x_new;
    static std::map<std::string, std::string> x_kept;  // of the new, once the old is uninstalled
    static std::map<std::string, std::string> x_three, x_collected;
    std::map<std::string, int> x_failed;
};
base::TempDir* CacheFaults::x_home = nullptr;
std::map<std::string, std::string> CacheFaults::x_old, CacheFaults::x_new, CacheFaults::x_kept;
std::map<std::string, std::string> CacheFaults::x_three, CacheFaults::x_collected;

TEST_F(CacheFaults, InstallKilledAtAnyCall) {
    kill_at_calls("install", "published", About::prefix);
}
TEST_F(CacheFaults, InstallWithAnyCallFailing) {
    fail_calls("install", "published", About::prefix);
}
TEST_F(CacheFaults, RollbackKilledAtAnyCall) {
    kill_at_calls("rollback", "installed", About::prefix);
}
TEST_F(CacheFaults, RollbackWithAnyCallFailing) {
    fail_calls("rollback", "installed", About::prefix);
}
TEST_F(CacheFaults, UninstallKilledAtAnyCall) {
    kill_at_calls("uninstall", "installed", About::rest);
}
TEST_F(CacheFaults, UninstallWithAnyCallFailing) {
    fail_calls("uninstall", "installed", About::rest);
}
TEST_F(CacheFaults, GcKilledAtAnyCall) { kill_at_calls("gc", "three", About::collected); }
TEST_F(CacheFaults, GcWithAnyCallFailing) { fail_calls("gc", "three", About::collected); }
TEST_F(CacheFaults, PublishKilledAtAnyCall) { kill_at_calls("publish", "old", About::cache); }
TEST_F(CacheFaults, PublishWithAnyCallFailing) { fail_calls("publish", "old", About::cache); }

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
