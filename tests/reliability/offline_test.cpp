// SPDX-License-Identifier: Apache-2.0
// G3 of the threat model, and of B1 what can be seen from outside: who installs from one file
// without a network, or judges signatures, calls nobody: every system call of the program and of
// all that it starts is looked at. And, L1, what a clock does that is ten years off, is set while
// an installation is on its way, or has come to where 32 bits end, of the whole program and of
// GnuPG.
#include <sys/wait.h>

#include <cstdlib>
#include <ctime>
#include <limits>
#include <set>
#include <unistd.h>

#include "base/text.hpp"
#include "faults/process_watch.hpp"
#include "reliability/soundness.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr const char* version = "25.11.2";
constexpr std::int64_t ten_years = 3653 * std::int64_t{86'400};

using Why = ::testing::Matcher<const std::string&>;
// GnuPG takes in no key that is to be made yet.
const Why not_here = HasSubstr("is not here");

class Offline : public ::testing::Test {
protected:
    Offline() : x_site({"25.11.1", version}, room_in_memory()), x_sound(x_site) {
        x_key = base::read_file(x_site.small().folder() / "fingerprint").value();
        const Said made = x_site.run({"bundle", "create", "--offline",
                                      std::string("slurm@") + version, "--toolchain", "bookworm",
                                      "--cache", x_site.cache().native(), "-o", file().native()});
        if (made.code != 0) throw std::runtime_error(made.text());
        // Who uses GnuPG by himself may let it ask the network for keys: nothing of that counts.
        const fs::path gnupg = x_site.at("home") / ".gnupg";
        fs::create_directories(gnupg);
        fs::permissions(gnupg, fs::perms::owner_all);
        for (const char* name : {"gpg.conf", "gpgv.conf"})
            EXPECT_TRUE(base::write_file(gnupg / name,
                                         "auto-key-retrieve\nauto-key-locate keyserver\n"
                                         "keyserver hkps://keys.example.org\n"));
    }
    fs::path file() const { return x_site.at("slurm.tar"); }

    // GnuPG has its sockets here where there is such a folder, as for who is logged in; else in the
    // home that it is given. Each home has a folder there.
    static fs::path sockets() { return fmt::format("/run/user/{}/gnupg", ::geteuid()); }

    // What the real program does in a network with nothing in it, if we may make one; whom it
    // calls must be its own: sockets in folders of its own.
    Watched run(const Words& words, const std::string& client = "inside", std::int64_t later = 0,
                std::uint64_t after = 0) {
        Watch what;
        what.command = {program()};
        what.command.insert(what.command.end(), words.begin(), words.end());
        what.environment = {"PATH=/usr/bin:/bin:/usr/sbin:/sbin",
                            "HOME=" + x_site.at("home").native(), "LC_ALL=C.UTF-8",
                            "SLURM_FACTORY_CACHE_DIR=" + x_site.at(client).native()};
        what.output = x_site.at("said");
        what.later = later;
        what.after = after;
        what.without_network = ::geteuid() == 0;
        Watched seen = watch(what);
        x_processes += seen.processes;
        EXPECT_FALSE(seen.folders.contains("?")) << "a folder whose name is not known";
        for (const std::string& folder : seen.folders)
            if (folder.starts_with((sockets() / "d.").native())) x_socket_folders.insert(folder);
        EXPECT_FALSE(seen.hung);
        if (later != 0) {
            EXPECT_GT(seen.clocks, 0U) << "nobody has asked for the time";
        }
        for (const std::string& call : seen.calls) {
            ++x_own;
            const bool own = call.starts_with("connect " + x_site.folder().native()) ||
                             call.starts_with("connect /tmp/sfk-") ||
                             call.starts_with("connect " + (sockets() / "d.").native());
            EXPECT_TRUE(own) << base::join(words, " ") << ": " << call;
        }
        return seen;
    }
    Words install(const fs::path& prefix, const Words& more = {}) const {
        Words words{"install",     std::string("slurm@") + version,
                    "--cache",     file().native(),
                    "--toolchain", "bookworm",
                    "--prefix",    prefix.native(),
                    "--offline",   "--key",
                    x_key};
        words.insert(words.end(), more.begin(), more.end());
        return words;
    }

    fs::path installed() const { return x_site.at("installed"); }
    fs::path lock() const { return x_site.at("slurm.lock"); }
    void install_by_a_good_clock() {
        const Watched good = run(install(installed(), {"--write-lock", lock().native()}));
        ASSERT_EQ(good.exit, 0) << good.said;
    }
    // A new client, and what was installed before, by a clock that is so far off. `counts`: what
    // the site takes all the same, what was chosen before, and what is installed; with others
    // nothing does. `why`: what refusals say.
    void check_clock(const std::string& client, std::int64_t later, bool counts, const Why& why) {
        SCOPED_TRACE(client);
        const fs::path other = x_site.at("other " + client);
        const Watched refused = run(install(other), client, later);
        EXPECT_EQ(refused.exit, 1) << refused.said;
        EXPECT_THAT(refused.said, why);
        const Watched bundle =
            run({"bundle", "verify", file().native(), "--key", x_key}, client, later);
        EXPECT_EQ(bundle.exit, 1) << bundle.said;
        EXPECT_THAT(bundle.said, why);
        EXPECT_FALSE(base::exists(other / "store") || base::exists(other / "view"));
        // What the site takes all the same; no clock makes good what is of the future.
        const Watched asked = run(install(other, {"--accept-expired"}), client, later);
        EXPECT_EQ(asked.exit, counts ? 0 : 1) << asked.said;
        // What was chosen before does not age, nor does what is installed.
        const fs::path chosen = x_site.at("frozen " + client);
        const Watched frozen =
            run({"install", "--frozen", lock().native(), "--cache", file().native(), "--prefix",
                 chosen.native(), "--offline", "--key", x_key},
                client, later);
        EXPECT_EQ(frozen.exit, counts ? 0 : 1) << frozen.said;
        EXPECT_EQ(base::exists(chosen / "store"), counts);
        if (counts) {
            x_sound.check_has(other, version, true);
            x_sound.check_has(chosen, version, true);
        }
        const Watched verified =
            run({"verify", "--deep", "--prefix", installed().native()}, "client", later);
        EXPECT_EQ(verified.exit, counts ? 0 : 1) << verified.said;
        fmt::print("{}: install: {}  bundle: {}  verify: {}", client, refused.said, bundle.said,
                   verified.said);
    }
    // What clients go by, of each mirror.
    Tree snapshots() const {
        Tree found;
        for (const auto& [path, what] : tree_of(x_site.cache()))
            if (path.ends_with("/_sf/snapshot.json")) found.emplace(path, what);
        return found;
    }

    Site x_site;
    Soundness x_sound;
    std::string x_key;
    std::uint64_t x_processes = 0;
    std::uint64_t x_own = 0;                 // sockets of its own, of GnuPG's agent
    std::set<std::string> x_socket_folders;  // that GnuPG made
};

// A socket is seen where there is one: who asks a server is caught.
TEST_F(Offline, G3TheWatchSeesACall) {
    Watch what;
    what.command = {program(),
                    "install",
                    "slurm@25.11",
                    "--cache",
                    "http://127.0.0.1:9/",
                    "--toolchain",
                    "bookworm",
                    "--prefix",
                    x_site.at("p").native(),
                    "--key",
                    x_key};
    what.environment = {"PATH=/usr/bin:/bin", "HOME=" + x_site.at("home").native(),
                        "SLURM_FACTORY_CACHE_DIR=" + x_site.at("client").native()};
    what.output = x_site.at("said");
    const Watched seen = watch(what);
    EXPECT_EQ(seen.exit, 1) << seen.said;
    EXPECT_THAT(seen.calls, ::testing::Contains(HasSubstr("socket 2"))) << seen.said;
    EXPECT_THAT(seen.calls, ::testing::Contains("connect to family 2")) << seen.said;
}

TEST_F(Offline, G3InstallsFromOneFile) {
    const std::uint64_t turns = rounds(2, 20);
    static_cast<void>(begin_suite("G3", fmt::format("{} installations", turns), x_site.folder()));
    for (std::uint64_t i = 0; i < turns && !HasFailure(); ++i) {
        // A machine that has seen nothing yet.
        const std::string client = fmt::format("inside {}", i);
        const fs::path prefix = x_site.at("prefix");
        const Watched done = run(install(prefix), client);
        ASSERT_EQ(done.exit, 0) << done.said;
        x_sound.check_has(prefix, version, true);
        x_sound.check(prefix);
        const Watched verified = run({"verify", "--deep", "--prefix", prefix.native()}, client);
        EXPECT_EQ(verified.exit, 0) << verified.said;
        fs::remove_all(prefix);
    }
    say("G3",
        fmt::format("{} processes were looked at ({}); {} calls to sockets of their own, "
                    "none to others",
                    x_processes, ::geteuid() == 0 ? "in a network of their own" : "in this network",
                    x_own));
}

// Ten years before or after: of a clock that is late what has expired is refused unless it was
// asked for or chosen before; of one that is early everything is of the future, and is refused.
TEST_F(Offline, G3ClocksThatAreTenYearsOff) {
    static_cast<void>(begin_suite("G3 clocks", "2 clocks", x_site.folder()));
    install_by_a_good_clock();
    check_clock("early", -ten_years, false, AnyOf(HasSubstr("in the future"), not_here));
    check_clock("late", ten_years, true, HasSubstr("expired"));
    x_sound.check(installed());
    say("G3 clocks", fmt::format("{} processes; as the table says", x_processes));
}

// L1: past what 31 bits hold nothing is different; past 32, GnuPG, which counts with as many, is
// back in 1970, where no key has been made: everything is refused, and what is installed stays.
TEST_F(Offline, L1WhereClocksEnd) {
    static_cast<void>(begin_suite("L1 ends", "4 clocks", x_site.folder()));
    constexpr std::int64_t day = 86'400, of_31_bits = std::int64_t{1} << 31,
                           of_32_bits = std::int64_t{1} << 32;
    install_by_a_good_clock();
    const std::int64_t now = std::time(nullptr);
    check_clock("comes to 2038", of_31_bits - 1 - now, true, HasSubstr("expired"));
    check_clock("in 2038", of_31_bits + day - now, true, HasSubstr("expired"));
    check_clock("before 2106", of_32_bits - day - now, true, HasSubstr("expired"));
    check_clock("after 2106", of_32_bits + day - now, false,
                AnyOf(HasSubstr("expired"), HasSubstr("in the future"), not_here));
    x_sound.check(installed());
    say("L1 ends", fmt::format("{} processes; as the table says", x_processes));
}

// L1: whoever asks is told the right time so many times, and from then on one that is ten years
// off. It is installed, whole, or refused; with the right time again nothing is in the way.
TEST_F(Offline, L1TheClockIsSetMeanwhile) {
    const std::uint64_t turns = rounds(4, 100);
    Random random =
        begin_suite("L1 jumps", fmt::format("{} jumps of ten years", turns), x_site.folder());
    // How often they ask at all.
    const Watched asked = run(install(x_site.at("alone")), "counted", ten_years,
                              std::numeric_limits<std::uint64_t>::max());
    ASSERT_EQ(asked.exit, 0) << asked.said;
    std::uint64_t done = 0;
    for (std::uint64_t i = 0; i < turns && !HasFailure(); ++i) {
        const std::int64_t jump = i % 2 == 0 ? ten_years : -ten_years;
        const std::uint64_t after = 1 + below(random, asked.clocks);
        const std::string client = fmt::format("jump {}", i);
        const fs::path prefix = x_site.at("prefix");
        const Watched seen = run(install(prefix), client, jump, after);
        SCOPED_TRACE(fmt::format("{} s after {} of {}: exit {}: {}", jump, after, asked.clocks,
                                 seen.exit, seen.said));
        if (seen.exit == 0) {
            ++done;
            x_sound.check_has(prefix, version, true);
        } else {
            EXPECT_EQ(seen.exit, 1);
            // Nor believes one that it has taken in already.
            EXPECT_THAT(seen.said, AnyOf(HasSubstr("expired"), HasSubstr("in the future"), not_here,
                                         HasSubstr("cannot be checked")));
            EXPECT_EQ(Soundness::current(prefix), "");
        }
        x_sound.check(prefix);
        const Watched again = run(install(prefix), client);
        EXPECT_EQ(again.exit, 0) << again.said;
        x_sound.check_has(prefix, version, true);
        fs::remove_all(prefix);
    }
    say("L1 jumps", fmt::format("{} of {} installed all the same, the others were refused; they "
                                "ask for the time {} times",
                                done, turns, asked.clocks));
}

// L1: nobody publishes what no client would take: a publisher whose clock is late is told so by the
// place's own, and of one that is early GnuPG has no key yet. Nothing changes in the cache.
TEST_F(Offline, L1PublishersWithAWrongClock) {
    static_cast<void>(begin_suite("L1 publishers", "2 clocks", x_site.folder()));
    const fs::path machine = x_site.at("machine");
    ASSERT_TRUE(x_site.small().copy_keys(machine));
    const Tree before = snapshots();
    for (const std::int64_t later : {ten_years, -ten_years}) {
        Watch what;
        what.command = {own_program(), "--publish", x_site.small().folder().native(),
                        machine.native(), "25.11.3"};
        what.environment = {"PATH=/usr/bin:/bin:/usr/sbin:/sbin",
                            "HOME=" + x_site.at("home").native(), "LC_ALL=C.UTF-8"};
        what.output = x_site.at("said");
        what.later = later;
        const Watched seen = watch(what);
        SCOPED_TRACE(fmt::format("{} s: {}", later, seen.said));
        EXPECT_FALSE(seen.hung);
        EXPECT_GT(seen.clocks, 0U);
        EXPECT_EQ(seen.exit, 1);
        EXPECT_NE(seen.said, "");
        if (later > 0) {
            EXPECT_THAT(seen.said, HasSubstr("this machine's clock is"));
            EXPECT_THAT(seen.said, HasSubstr("ahead of that of"));
        }
        EXPECT_EQ(snapshots(), before);
        fmt::print("{} s: {}", later, seen.said);
    }
    // What was refused is in nobody's way.
    EXPECT_TRUE(x_site.small().publish("25.11.3"));
    const Said later_on = x_site.run(x_site.install("25.11.3", x_site.at("prefix")));
    EXPECT_EQ(later_on.code, 0) << later_on.text();
    say("L1 publishers", "refused, and nothing was changed");
}

// Keys are imported, listed and trusted, and signatures of those judged whom nobody knows: GnuPG is
// never let near a key server.
TEST_F(Offline, B1NobodyIsAskedForKeys) {
    static_cast<void>(begin_suite("B1", "6 commands", x_site.folder()));
    const std::string other(40, '7');
    const fs::path armoured = x_site.small().folder() / "release.asc";
    const Watched stranger =
        run({"install", std::string("slurm@") + version, "--cache", x_site.cache().native(),
             "--toolchain", "bookworm", "--prefix", x_site.at("p").native(), "--key", other});
    EXPECT_EQ(stranger.exit, 1) << stranger.said;
    const Watched untrusted = run({"bundle", "verify", file().native()});
    EXPECT_EQ(untrusted.exit, 1) << untrusted.said;
    for (const Words& words :
         {Words{"key", "import", armoured.native()}, Words{"key", "trust", x_key},
          Words{"key", "list"}, Words{"cache", "verify", x_site.cache().native(), "--deep"}}) {
        const Watched done = run(words);
        EXPECT_EQ(done.exit, 0) << base::join(words, " ") << ": " << done.said;
    }
    // Of GnuPG's own settings nothing was changed, and none of its folders stays.
    EXPECT_EQ(x_socket_folders.empty(), !base::exists(sockets().parent_path()));
    for (const std::string& folder : x_socket_folders) EXPECT_FALSE(base::exists(folder)) << folder;
    EXPECT_EQ(base::list_dir(x_site.at("home") / ".gnupg").value().size(), 2U);
    say("B1", fmt::format("{} processes were looked at; {} calls to sockets of their own, none to "
                          "others",
                          x_processes, x_own));
}

}  // namespace
}  // namespace sf::test
