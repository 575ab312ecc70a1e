// SPDX-License-Identifier: Apache-2.0
// Signatures with a passphrase that gpg's agent asks for, or was told before: a person is asked
// once, a person's own agent goes on, where nobody can be asked it is said what to do, and nothing
// is left behind. Real GnuPG, with its sockets in both of the places where it may have them.
#include "trust/kept_agent.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <set>
#include <thread>
#include <unistd.h>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "support/pinentry.hpp"
#include "support/private_mounts.hpp"
#include "trust/gpg_signer.hpp"
#include "trust/verdict.hpp"

namespace sf::trust {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr const char* passphrase = "correct horse";

enum class Sockets { where_they_are, in_the_home };

bool within(std::chrono::milliseconds time, const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(10ms);
    }
    return true;
}

class KeptAgentTest : public ::testing::TestWithParam<Sockets> {
protected:
    void SetUp() override {
        if (GetParam() == Sockets::where_they_are) return;
        // Where there is no such folder, they are in the home anyway.
        if (!base::exists(fmt::format("/run/user/{}", ::geteuid()))) return;
        if (::geteuid() != 0 || !test::make_mounts_private())
            GTEST_SKIP() << "NOT RUN: private mounts need root";
        if (::mount("tmpfs", "/run/user", "tmpfs", 0, "size=64k") != 0)
            GTEST_SKIP() << "NOT RUN: this machine does not let root mount a tmpfs";
    }

    [[nodiscard]] Fingerprint make_key() const {
        const fs::path file = x_folder.path() / "passphrase";
        EXPECT_TRUE(base::write_file(file, std::string(passphrase) + '\n', 0600));
        KeyRequest request;
        request.name = "Release Key";
        request.email = "release@example.org";
        request.kind = KeyKind::ed25519;
        request.passphrase = {Passphrase::From::file, -1, file};
        return x_ring.create(request).value().primary.fingerprint;
    }
    [[nodiscard]] GpgSigner by_agent(const Fingerprint& key) const {
        return GpgSigner::create(x_ring, key, {Passphrase::From::agent, -1, {}}).value();
    }
    void expect_good(const Fingerprint& key, std::string_view bytes,
                     const base::Result<std::string>& signature) const {
        ASSERT_TRUE(signature) << signature.error().text();
        const auto verifier = Verifier::create(
            trusted_from({{key, "us"}}, {x_ring.export_public(key).value()}).value());
        ASSERT_TRUE(verifier) << verifier.error().text();
        const auto good = verifier->verify_bytes(bytes, *signature, "it");
        EXPECT_TRUE(good) << good.error().text();
    }
    // Notes the agents that run for the home now, by whatever name they know it, and how many.
    std::size_t note_agents() {
        std::size_t found = 0;
        const std::vector<std::string> names = base::list_dir("/proc").value();
        for (const std::string& name : names) {
            if (name.find_first_not_of("0123456789") != std::string::npos) continue;
            const auto line = base::read_file_if_exists("/proc/" + name + "/cmdline");
            if (!line || !*line) continue;
            const std::vector<std::string> words = base::split(**line, '\0');
            const auto option = std::ranges::find(words, "--homedir");
            if (!words[0].ends_with("gpg-agent") || words.end() - option < 2) continue;
            std::error_code error;
            if (!fs::equivalent(*std::next(option), x_ring.home(), error)) continue;
            x_seen.insert(name);
            x_names.insert(*std::next(option));
            ++found;
        }
        return found;
    }
    // Those that were noted; afterwards the name of their home is gone.
    [[nodiscard]] bool all_end() const {
        return within(5s, [&] {
            return std::ranges::none_of(x_seen, [](const std::string& pid) {
                const auto line = base::read_file_if_exists("/proc/" + pid + "/cmdline");
                return line && *line && !(*line)->empty();
            });
        });
    }

    base::TempDir x_folder = base::TempDir::create("/tmp", "sft-").value();
    Keyring x_ring{x_folder.path() / "gnupg"};
    test::Pinentry x_pinentry{x_ring.home(), x_folder.path()};
    std::set<std::string> x_seen;
    std::set<std::string> x_names;  // by which they know the home
};

class AfterAKilledRun : public KeptAgentTest {};

TEST_P(KeptAgentTest, APersonIsAskedOnceForAllThatIsSigned) {
    x_pinentry.answer(passphrase);
    const Fingerprint key = make_key();
    {
        const GpgSigner signer = by_agent(key);
        expect_good(key, "one", signer.sign_bytes("one"));
        EXPECT_GE(note_agents(), 1U);
        // Whoever looks at the keys meanwhile does not end it.
        const auto keys = x_ring.list();
        ASSERT_TRUE(keys) << keys.error().text();
        EXPECT_TRUE(keys->at(0).secret);
        EXPECT_TRUE(signer.clearsign("two\n"));
        EXPECT_TRUE(signer.sign_bytes("three"));
        EXPECT_EQ(x_pinentry.asked(), 1U);
        EXPECT_FALSE(x_seen.empty());
    }
    EXPECT_TRUE(all_end());
    // The next run knows nothing of it.
    EXPECT_TRUE(by_agent(key).sign_bytes("four"));
    EXPECT_EQ(x_pinentry.asked(), 2U);
}

TEST_P(KeptAgentTest, TwoRunsAtOnceLeaveNoneBehind) {
    x_pinentry.answer(passphrase);
    const Fingerprint key = make_key();
    auto first = std::make_unique<GpgSigner>(by_agent(key));
    EXPECT_TRUE(first->sign_bytes("one"));
    {
        const GpgSigner second = by_agent(key);
        EXPECT_TRUE(second.sign_bytes("two"));
        EXPECT_GE(note_agents(), 1U);
        first.reset();
        // Where they had the same one, it is asked for again, by another.
        expect_good(key, "three", second.sign_bytes("three"));
        EXPECT_GE(note_agents(), 1U);
    }
    EXPECT_EQ(x_pinentry.asked(), 2U);
    EXPECT_TRUE(all_end());
}

TEST_P(KeptAgentTest, AnAgentThatWasToldThePassphraseIsUsedAndGoesOn) {
    const Fingerprint key = make_key();
    const test::PersonsAgent agent(x_ring.home());
    agent.tell(passphrase);
    for (int run = 0; run < 2; ++run) {
        const GpgSigner signer = by_agent(key);
        expect_good(key, "one", signer.sign_bytes("one"));
        EXPECT_TRUE(signer.clearsign("two\n"));
        const auto keys = x_ring.list();
        ASSERT_TRUE(keys) << keys.error().text();
        EXPECT_TRUE(keys->at(0).secret);
    }
    EXPECT_TRUE(agent.runs());
    const auto revoked =
        x_ring.revoke(key, RevocationReason::superseded, {Passphrase::From::agent, -1, {}});
    EXPECT_TRUE(revoked) << revoked.error().text();
    EXPECT_TRUE(agent.runs());
    EXPECT_EQ(x_pinentry.asked(), 0U);
}

TEST_P(KeptAgentTest, WhereNobodyGivesItItIsSaidWhatToDo) {
    const Fingerprint key = make_key();
    const auto expect_refused = [&](const std::string& why) {
        const GpgSigner signer = by_agent(key);
        const auto refused = signer.sign_bytes("bytes");
        EXPECT_GE(note_agents(), 1U);
        ASSERT_FALSE(refused) << why;
        EXPECT_EQ(refused.error().code, base::Code::refused);
        EXPECT_THAT(refused.error().text(), HasSubstr(key.text()));
        EXPECT_THAT(refused.error().text(), HasSubstr(why));
        for (const char* way :
             {"--passphrase-file", "--passphrase-fd", "at a terminal", "gpg-preset-passphrase"})
            EXPECT_THAT(refused.error().hint, HasSubstr(way)) << why;
    };
    x_pinentry.refuse(test::Pinentry::no_terminal);
    expect_refused("nobody has given it: Inappropriate ioctl for device");
    x_pinentry.refuse(test::Pinentry::cancelled);
    expect_refused("nobody has given it: Operation cancelled");
    x_pinentry.refuse("83886142 Timeout <Pinentry>");
    expect_refused("nobody has given it: Timeout");
    EXPECT_EQ(x_pinentry.asked(), 3U);
    x_pinentry.answer("battery staple");
    expect_refused("is wrong or missing");
    x_pinentry.vanish();
    expect_refused("nobody has given it: No pinentry");
    // Without an agent that may ask nobody is asked.
    const std::size_t before = x_pinentry.asked();
    EXPECT_FALSE(GpgSigner::create(x_ring, key, {}).value().sign_bytes("bytes"));
    EXPECT_EQ(x_pinentry.asked(), before);
    EXPECT_TRUE(all_end());
}

// GnuPG alone would leave it at the terminal, where it takes what is typed.
TEST_P(KeptAgentTest, WhoAsksEndsWithARunThatIsStopped) {
    x_pinentry.wait();
    const Fingerprint key = make_key();
    {
        const GpgSigner signer = by_agent(key);
        std::thread later([this] {
            EXPECT_TRUE(within(20s, [this] { return x_pinentry.asked() == 1; }));
            EXPECT_TRUE(x_pinentry.at_work());
            EXPECT_GE(note_agents(), 1U);
            base::request_stop(SIGTERM);
        });
        const auto stopped = signer.sign_bytes("bytes");
        later.join();
        EXPECT_FALSE(stopped);
        EXPECT_EQ(stopped ? base::Code::failed : stopped.error().code, base::Code::interrupted);
    }
    base::clear_stop();
    EXPECT_TRUE(all_end());
    EXPECT_TRUE(within(5s, [this] { return !x_pinentry.at_work(); }));
}

TEST_P(KeptAgentTest, AfterAPersonsAgentHasEndedAPersonIsAsked) {
    x_pinentry.answer(passphrase);
    const Fingerprint key = make_key();
    {
        const test::PersonsAgent agent(x_ring.home());
        agent.tell(passphrase);
        EXPECT_TRUE(by_agent(key).sign_bytes("one"));
        EXPECT_EQ(x_pinentry.asked(), 0U);
    }
    {
        const GpgSigner signer = by_agent(key);
        expect_good(key, "two", signer.sign_bytes("two"));
        EXPECT_EQ(x_pinentry.asked(), 1U);
        EXPECT_GE(note_agents(), 1U);
    }
    EXPECT_TRUE(all_end());
}

// All share one agent there, and that of a dead one is nobody's.
TEST_P(AfterAKilledRun, TheNextEndsItsAgent) {
    x_pinentry.answer(passphrase);
    const Fingerprint key = make_key();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const GpgSigner signer = by_agent(key);
        ::_exit(signer.sign_bytes("one") ? 0 : 1);  // nobody clears up
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(note_agents(), 1U);
    expect_good(key, "two", by_agent(key).sign_bytes("two"));
    EXPECT_EQ(x_pinentry.asked(), 2U);
    EXPECT_TRUE(all_end());
    for (const std::string& name : x_names)
        EXPECT_TRUE(base::remove_tree(fs::path(name).parent_path())) << name;
}

std::string name_of(const ::testing::TestParamInfo<Sockets>& named) {
    return named.param == Sockets::where_they_are ? "WhereTheyAre" : "InTheHome";
}

INSTANTIATE_TEST_SUITE_P(Sockets, KeptAgentTest,
                         ::testing::Values(Sockets::where_they_are, Sockets::in_the_home), name_of);
INSTANTIATE_TEST_SUITE_P(Sockets, AfterAKilledRun, ::testing::Values(Sockets::in_the_home),
                         name_of);

}  // namespace
}  // namespace sf::trust
