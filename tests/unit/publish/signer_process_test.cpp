// SPDX-License-Identifier: Apache-2.0
// The signer as a process: what it can and what others cannot, how it ends, and what it does with
// what is no request. Real GnuPG, real processes.
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <map>
#include <thread>
#include <unistd.h>

#include "base/sanitizers.hpp"
#include "base/text.hpp"
#include "signer_maker.hpp"
#include "trust/keyring.hpp"
#include "trust/revocation_list.hpp"

namespace sf::publish {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using trust::Paper;

constexpr const char* passphrase = "correct-horse-battery-staple";

bool within(std::chrono::milliseconds time, const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(10ms);
    }
    return true;
}

bool alive(pid_t pid) { return base::exists("/proc/" + std::to_string(pid)); }

// pid: words, NUL between them.
std::map<pid_t, std::string> processes() {
    std::map<pid_t, std::string> all;
    const std::vector<std::string> names = base::list_dir("/proc").value();
    for (const std::string& name : names) {
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const auto line = base::read_file_if_exists("/proc/" + name + "/cmdline");
        if (line && *line) all[std::stoi(name)] = **line;
    }
    return all;
}

// Of GnuPG at work in `home`, which it knows by a short link.
std::vector<pid_t> at_work_in(const fs::path& home) {
    std::vector<pid_t> found;
    for (const auto& [pid, line] : processes()) {
        const std::vector<std::string> words = base::split(line, '\0');
        for (std::size_t i = 0; i + 1 < words.size(); ++i) {
            std::error_code error;
            if (words[i] == "--homedir" && fs::read_symlink(words[i + 1], error) == home)
                found.push_back(pid);
        }
    }
    return found;
}

// A program that has a signer, as whom this machine lets us be.
class Holder {
public:
    // `way`: "file" or "agent", by which the passphrase comes.
    explicit Holder(const fs::path& folder, const std::string& way = "file") : x_folder(folder) {
        if (::geteuid() == 0) {
            x_identity = base::Identity{65534, 65534};
            EXPECT_EQ(::chown(folder.c_str(), 65534, 65534), 0);
        }
        const fs::path file = folder / "passphrase";
        EXPECT_TRUE(base::write_file(file, std::string(passphrase) + '\n', 0600));
        if (x_identity) EXPECT_EQ(::chown(file.c_str(), 65534, 65534), 0);
        int ends[2] = {-1, -1};
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        const base::Fd from(ends[0]), to(ends[1]);
        base::Command command;
        command.argv = {"/proc/self/exe", "--hold-signer", home(), file.string(), way};
        command.identity = x_identity;
        command.stdout_fd = to.get();
        x_child.emplace(base::Child::spawn(command).value());
        char said[32] = {};
        EXPECT_GT(::read(from.get(), said, sizeof said - 1), 0);
        signer = std::atoi(said);
        EXPECT_GT(signer, 1);
    }
    [[nodiscard]] std::string home() const { return (x_folder / "gnupg").string(); }
    void send(int number) { x_child->kill_alone(number); }
    // Runs a program as that user.
    [[nodiscard]] base::Exit run(std::vector<std::string> words) const {
        base::Command command;
        command.argv = std::move(words);
        command.identity = x_identity;
        return base::run(command).value().exit;
    }
    [[nodiscard]] pid_t pid() const { return x_child->pid(); }

    pid_t signer = -1;

private:
    fs::path x_folder;
    std::optional<base::Identity> x_identity;
    std::optional<base::Child> x_child;
};

class SignerProcessTest : public SignerApart {};

TEST_F(SignerProcessTest, NothingOfItsMakerIsInIt) {
    ASSERT_EQ(::setenv("SF_TEST_SECRET", "in the environment", 1), 0);
    const auto signer = start();
    ASSERT_EQ(::unsetenv("SF_TEST_SECRET"), 0);
    const std::string proc = "/proc/" + std::to_string(signer->pid());
    const std::string status = read(proc + "/status");
    EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
    EXPECT_THAT(status, HasSubstr("Name:\tsf-signer"));
    EXPECT_THAT(read(proc + "/limits"), ::testing::ContainsRegex("Max core file size +0 +0 "));
    if (::geteuid() != 0) {
        EXPECT_FALSE(base::read_file(proc + "/environ")) << "hidden from its own user";
        return;
    }
    const std::vector<std::string> environment = base::split(read(proc + "/environ"), '\0');
    EXPECT_THAT(environment,
                ::testing::UnorderedElementsAre("PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC", ""));
    EXPECT_EQ(base::list_dir(proc + "/fd").value(), (std::vector<std::string>{"0", "1", "2", "3"}));
}

TEST_F(SignerProcessTest, EndsWithItsMakersObject) {
    pid_t pid = -1;
    {
        const auto signer = start();
        pid = signer->pid();
        EXPECT_TRUE(alive(pid));
    }
    EXPECT_FALSE(alive(pid));
}

TEST_F(SignerProcessTest, ThePassphraseComesByADescriptorThatIsEmptyThen) {
    const fs::path home = at("keys");
    ASSERT_TRUE(base::write_file(at("pass"), std::string(passphrase), 0600));
    trust::KeyRequest request;
    request.name = "Release Key";
    request.email = "p@example.org";
    request.kind = trust::KeyKind::ed25519;
    request.passphrase = {trust::Passphrase::From::file, -1, at("pass")};
    const trust::Key key = trust::Keyring(home).create(request).value();
    const auto sign = [&](const std::string& said) -> base::Result<std::string> {
        int ends[2] = {-1, -1};
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        const base::Fd from(ends[0]);
        base::Fd to(ends[1]);
        EXPECT_TRUE(base::write_all(to.get(), base::as_bytes(said + '\n'), "a pipe"));
        to.reset();
        trust::SignerStart start;
        start.home = home;
        start.keys = {{key.primary.fingerprint.text(), trust::Passphrase::From::descriptor, {}}};
        start.passphrase_descriptor = from.get();
        SF_TRY(const auto signer, trust::SignerProcess::start(start));
        char byte = 0;
        EXPECT_EQ(::read(from.get(), &byte, 1), 0) << "it has taken it";
        SigningPlan plan;
        plan.papers = {Paper::revocations};
        SF_CHECK(say(*signer, plan));
        trust::RevocationList list;
        list.serial = 1;
        list.issued = now;
        list.expires = now + 1000;
        return signer->sign(Paper::revocations, trust::to_text(list).value());
    };
    const auto good = sign(passphrase);
    EXPECT_TRUE(good) << good.error().text();
    const auto bad = sign("wrong");
    ASSERT_FALSE(bad);
    EXPECT_THAT(bad.error().text(), HasSubstr("is wrong or missing"));
    EXPECT_THAT(bad.error().hint, HasSubstr("--passphrase-fd"));
    EXPECT_EQ(bad.error().code, base::Code::refused);
}

TEST_F(SignerProcessTest, AKeyThatCannotSignIsToldAtOnce) {
    trust::SignerStart start;
    start.home = x_gpg.home();
    start.keys = {{std::string(40, 'A'), trust::Passphrase::From::nothing, {}}};
    const auto signer = trust::SignerProcess::start(start);
    ASSERT_FALSE(signer);
    EXPECT_EQ(signer.error().code, base::Code::absent);
    start.program = "/bin/true";
    EXPECT_THAT(trust::SignerProcess::start(start).error().text(), HasSubstr("has ended"));
}

// Whoever can see processes sees no passphrase, of whatever process of the run.
TEST_F(SignerProcessTest, ThePassphraseIsInNobodysWordsOrEnvironment) {
    for (const char* way : {"file", "agent"}) {
        SCOPED_TRACE(way);
        const base::TempDir folder = base::TempDir::create("/tmp", "sft-").value();
        const Holder holder(folder.path(), way);
        std::size_t seen = 0;
        ASSERT_TRUE(within(20s, [&] {
            for (const auto& [pid, line] : processes()) {
                EXPECT_EQ(line.find(passphrase), std::string::npos) << line;
                const auto environment =
                    base::read_file("/proc/" + std::to_string(pid) + "/environ").value_or("");
                EXPECT_EQ(environment.find(passphrase), std::string::npos) << line;
            }
            seen += at_work_in(holder.home()).size();
            return seen > 20;  // of gpg and its agent, at work with it
        }));
    }
}

TEST_F(SignerProcessTest, OthersOfItsUserCannotLookIntoIt) {
    if (base::has_address_sanitizer)
        GTEST_SKIP() << "NOT RUN: the address sanitizer must be let into its own process";
    const base::TempDir folder = base::TempDir::create("/tmp", "sft-").value();
    const Holder holder(folder.path());
    const std::string proc = "/proc/" + std::to_string(holder.signer);
    EXPECT_TRUE(holder.run({"/bin/cat", "/proc/self/environ"}).ok());
    for (const char* what : {"/environ", "/mem", "/maps"})
        EXPECT_FALSE(holder.run({"/usr/bin/head", "-c", "1", proc + what}).ok()) << what;
    EXPECT_FALSE(holder.run({"/bin/ls", proc + "/fd"}).ok());
}

TEST_F(SignerProcessTest, DiesWithItsMakerAndLeavesNoAgent) {
    for (int round = 0; round < 4; ++round) {
        const base::TempDir folder = base::TempDir::create("/tmp", "sft-").value();
        Holder holder(folder.path(), round % 2 == 0 ? "file" : "agent");
        std::vector<pid_t> working;
        ASSERT_TRUE(within(20s, [&] {
            // Nothing new is asked for meanwhile.
            holder.send(SIGSTOP);
            working = at_work_in(holder.home());
            if (working.size() >= 2) return true;  // gpg, and its agent
            holder.send(SIGCONT);
            std::this_thread::sleep_for(7ms);
            return false;
        }));
        holder.send(SIGKILL);
        EXPECT_TRUE(within(10s, [&] { return !alive(holder.signer); }));
        EXPECT_TRUE(within(5s, [&] { return std::ranges::none_of(working, alive); }));
        EXPECT_TRUE(at_work_in(holder.home()).empty());
    }
}

class Garbage : public SignerApart {
protected:
    // What a signer answers to these messages, and how it ends.
    struct Answer {
        std::string said;
        std::optional<base::Exit> exit;
    };
    static Answer say_raw(const std::vector<std::string>& messages) {
        int ends[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        const base::Fd ours(ends[0]);
        base::Fd theirs(ends[1]);
        const base::Fd null = base::open_file("/dev/null", O_RDWR).value();
        base::Command command;
        command.argv = {"/proc/self/exe", trust::signer_verb};
        command.environment = {};
        command.pass = {{theirs.get(), trust::signer_socket}};
        command.stdout_fd = command.stderr_fd = null.get();
        base::Child child = base::Child::spawn(command).value();
        theirs.reset();
        Answer answer;
        for (const std::string& message : messages) {
            // It may be gone by now.
            static_cast<void>(::send(ours.get(), message.data(), message.size(), MSG_NOSIGNAL));
            const auto got = trust::receive_message(ours.get());
            if (got && *got) answer.said = (*got)->text;
        }
        answer.exit = child.wait_for(5s).value();
        return answer;
    }
    [[nodiscard]] std::string begin() const {
        trust::SignerRequest request;
        request.home = x_gpg.home();
        request.keys = {{x_key->text(), trust::Passphrase::From::nothing, {}}};
        return trust::to_json(request).value();
    }
};

TEST_F(Garbage, EndsTheSigner) {
    const std::vector<std::vector<std::string>> all{
        {"garbage"},
        {std::string(1, '\0')},
        {std::string(trust::max_signer_message, '[')},
        {std::string(trust::max_signer_message + 100, 'x')},
        {R"({"do":"sign","what":"snapshot"})"},
        {begin() + " "},
        {begin(), begin()},
        {begin(), "garbage"},
        {begin(), R"({"do":"sign","what":"everything"})"},
    };
    for (const auto& messages : all) {
        const Answer answer = say_raw(messages);
        ASSERT_TRUE(answer.exit) << messages.back().substr(0, 40) << ": it goes on";
        EXPECT_EQ(answer.exit->signal, 0) << messages.back().substr(0, 40);
        EXPECT_EQ(answer.exit->code, 1) << messages.back().substr(0, 40);
        EXPECT_THAT(answer.said, Not(HasSubstr("BEGIN PGP")));
    }
}

TEST_F(Garbage, NothingBesideARequestIsAnAnswer) {
    // Well formed, with nothing handed over: told, and it goes on until the socket closes.
    int ends[2] = {-1, -1};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    base::Fd ours(ends[0]);
    base::Fd theirs(ends[1]);
    base::Command command;
    command.argv = {"/proc/self/exe", trust::signer_verb};
    command.environment = {};
    command.pass = {{theirs.get(), trust::signer_socket}};
    base::Child child = base::Child::spawn(command).value();
    theirs.reset();
    const auto ask = [&](const std::string& text, int descriptor) {
        EXPECT_TRUE(trust::send_message(ours.get(), text, descriptor));
        const auto got = trust::receive_message(ours.get());
        EXPECT_TRUE(got && *got);
        return got && *got ? (*got)->text : "";
    };
    EXPECT_THAT(ask(begin(), -1), HasSubstr(x_key->text()));
    EXPECT_THAT(ask(R"({"do":"sign","what":"snapshot"})", -1), HasSubstr("nothing was handed"));
    int pipe[2];
    ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    const base::Fd from(pipe[0]), to(pipe[1]);
    EXPECT_THAT(ask(R"({"do":"admit","what":"blob"})", from.get()), HasSubstr("is no file"));
    EXPECT_THAT(ask(R"({"do":"admit","what":"plan"})", from.get()), HasSubstr("regular file"));
    const base::Fd junk = trust::text_in_memory("junk").value();
    EXPECT_THAT(ask(R"({"do":"admit","what":"plan"})", junk.get()), HasSubstr("JSON"));
    SigningPlan plan = plan_of({});
    plan.papers = {Paper::snapshot,   Paper::spec_manifest,   Paper::package,
                   Paper::provenance, Paper::bundle_manifest, Paper::bundle};
    const base::Fd planned = trust::text_in_memory(to_json(plan).value()).value();
    EXPECT_THAT(ask(R"({"do":"admit","what":"plan"})", planned.get()), HasSubstr("primaries"));
    // Any text at all, as any paper.
    for (const std::string& bytes :
         {std::string(), std::string("junk"), std::string("{}"), std::string(1000, '\0'),
          std::string("DSSEv1 28 application/vnd.in-toto+json 2 {}"),
          std::string("\x1f\x8b\x08")}) {
        const base::Fd text = trust::text_in_memory(bytes).value();
        for (const char* paper :
             {"package", "bundle_manifest", "bundle", "provenance", "spec_manifest", "snapshot"})
            EXPECT_THAT(ask(fmt::format(R"({{"do":"sign","what":"{}"}})", paper), text.get()),
                        HasSubstr("\"code\""))
                << paper << ' ' << bytes;
        for (const char* evidence :
             {"package", "spec", "manifest", "node", "snapshot", "provenance", "revocations"})
            EXPECT_THAT(ask(fmt::format(R"({{"do":"admit","what":"{}"}})", evidence), text.get()),
                        HasSubstr("\"code\""))
                << evidence << ' ' << bytes;
    }
    ours.reset();
    const auto exit = child.wait_for(5s).value();
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->code, 0);
}

}  // namespace
}  // namespace sf::publish
