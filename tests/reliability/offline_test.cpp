// SPDX-License-Identifier: Apache-2.0
// G3 of the threat model, and of B1 what can be seen from outside: who installs from one file
// without a network, or judges signatures, calls nobody: every system call of the program and of
// all that it starts is looked at. And what a clock does that is ten years off, of the whole
// program and of GnuPG.
#include <sys/wait.h>

#include <cstdlib>
#include <ctime>
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
    static std::vector<std::string> socket_folders() {
        return base::list_dir_if_exists(sockets()).value();
    }

    // What the real program does in a network with nothing in it, if we may make one; whom it
    // calls must be its own: sockets in folders of its own.
    Watched run(const Words& words, const std::string& client = "inside", std::int64_t later = 0) {
        Watch what;
        what.command = {program()};
        what.command.insert(what.command.end(), words.begin(), words.end());
        what.environment = {"PATH=/usr/bin:/bin:/usr/sbin:/sbin",
                            "HOME=" + x_site.at("home").native(), "LC_ALL=C.UTF-8",
                            "SLURM_FACTORY_CACHE_DIR=" + x_site.at(client).native()};
        what.output = x_site.at("said");
        what.later = later;
        what.without_network = ::geteuid() == 0;
        Watched seen = watch(what);
        x_processes += seen.processes;
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

    Site x_site;
    Soundness x_sound;
    std::string x_key;
    std::uint64_t x_processes = 0;
    std::uint64_t x_own = 0;  // sockets of its own, of GnuPG's agent
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
    const fs::path prefix = x_site.at("prefix");
    const fs::path lock = x_site.at("slurm.lock");
    const Watched good = run(install(prefix, {"--write-lock", lock.native()}));
    ASSERT_EQ(good.exit, 0) << good.said;
    for (const std::int64_t later : {-ten_years, ten_years}) {
        const bool late = later > 0;
        const fs::path other = x_site.at(late ? "late" : "early");
        const std::string client = other.filename();
        SCOPED_TRACE(client);
        // Of a clock that is early GnuPG believes that the key is not there yet.
        const auto why = AnyOf(HasSubstr(late ? "expired" : "in the future"),
                               HasSubstr(late ? "expired" : "is not here"));
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
        EXPECT_EQ(asked.exit, late ? 0 : 1) << asked.said;
        // What was chosen before does not age, nor does what is installed.
        const fs::path chosen = x_site.at("frozen " + client);
        const Watched frozen =
            run({"install", "--frozen", lock.native(), "--cache", file().native(), "--prefix",
                 chosen.native(), "--offline", "--key", x_key},
                client, later);
        EXPECT_EQ(frozen.exit, late ? 0 : 1) << frozen.said;
        EXPECT_EQ(base::exists(chosen / "store"), late);
        if (late) {
            x_sound.check_has(other, version, true);
            x_sound.check_has(chosen, version, true);
        }
        const Watched verified =
            run({"verify", "--deep", "--prefix", prefix.native()}, "client", later);
        EXPECT_EQ(verified.exit, late ? 0 : 1) << verified.said;
        fmt::print("{}: install: {}  bundle: {}  verify: {}", client, refused.said, bundle.said,
                   verified.said);
    }
    x_sound.check(prefix);
    say("G3 clocks", fmt::format("{} processes; as the table says", x_processes));
}

// Keys are imported, listed and trusted, and signatures of those judged whom nobody knows: GnuPG is
// never let near a key server.
TEST_F(Offline, B1NobodyIsAskedForKeys) {
    static_cast<void>(begin_suite("B1", "6 commands", x_site.folder()));
    const std::vector<std::string> folders = socket_folders();
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
    EXPECT_EQ(socket_folders(), folders);
    EXPECT_EQ(base::list_dir(x_site.at("home") / ".gnupg").value().size(), 2U);
    say("B1", fmt::format("{} processes were looked at; {} calls to sockets of their own, none to "
                          "others",
                          x_processes, x_own));
}

}  // namespace
}  // namespace sf::test
