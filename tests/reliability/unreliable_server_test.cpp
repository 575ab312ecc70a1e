// SPDX-License-Identifier: Apache-2.0
// G2 and F3 of the threat model: the real program installs from a web server of which a third of
// the answers fail, in every way that a server, a proxy or a network between has; or whose snapshot
// is behind its packages. It succeeds, or says what happened; what is installed is whole. And of
// G1: a server of two addresses, at one of which nobody answers.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <poll.h>
#include <thread>

#include "reliability/soundness.hpp"
#include "unit/net/raw_server.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;

enum class Mishap {
    internal_error,
    bad_gateway,
    unavailable,
    too_many,
    reset_at_once,
    reset_in_between,
    cut_short,
    other_bytes,
    spoilt_and_cut,  // what came is not what it should be, and the rest will be asked for
    portal,          // a page of somebody else's, with status 200
    count
};

// Which answers fail: so many of each ten, in any order. As often as said however few there are.
class Tens {
public:
    explicit Tens(std::uint64_t failing) : x_failing(failing) {}
    bool draw(Random& random) {
        if (x_left == 0) {
            x_left = 10;
            x_failing_left = x_failing;
        }
        const bool bad = below(random, x_left) < x_failing_left;
        --x_left;
        if (bad) --x_failing_left;
        return bad;
    }

private:
    std::uint64_t x_failing;
    std::uint64_t x_left = 0;
    std::uint64_t x_failing_left = 0;
};

class Unreliable {
public:
    // `failing` of ten.
    Unreliable(fs::path folder, std::uint64_t seed, std::uint64_t failing)
        : x_folder(std::move(folder)),
          x_random(seed),
          x_next(failing),
          x_server([this](const RawServer::Request& request, RawServer::Connection& connection) {
              serve(request, connection);
          }) {}
    [[nodiscard]] std::string url() const { return x_server.url(""); }
    [[nodiscard]] int port() const { return x_server.port(); }
    // That object is served as it was before.
    void hold_back(const std::string& path, std::string bytes) { x_held[path] = std::move(bytes); }
    std::atomic<std::uint64_t> answers = 0;
    std::atomic<std::uint64_t> mishaps = 0;

private:
    struct Turn {
        bool bad = false;
        Mishap how = Mishap::count;
        double where = 0;
    };
    Turn next() {
        const std::lock_guard lock(x_mutex);
        Turn turn;
        turn.bad = x_next.draw(x_random);
        turn.how = static_cast<Mishap>(below(x_random, static_cast<std::uint64_t>(Mishap::count)));
        turn.where = between(x_random, 0, 1);
        return turn;
    }
    void serve(const RawServer::Request& request, RawServer::Connection& connection) {
        ++answers;
        const auto held = x_held.find(request.path);
        const auto text = held != x_held.end()
                              ? std::optional(held->second)
                              : base::read_file_if_exists(x_folder / request.path.substr(1))
                                    .value_or(std::nullopt);
        const Turn turn = next();
        if (!turn.bad) {
            if (!text)
                connection.send(answer("404 Not Found", "", "not here"));
            else if (request.is_head())
                connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                                std::to_string(text->size()) + "\r\n\r\n");
            else if (const std::size_t from = request.range(); from > 0 && from < text->size())
                connection.send(answer("206 Partial Content",
                                       fmt::format("Content-Range: bytes {}-{}/{}\r\n", from,
                                                   text->size() - 1, text->size()),
                                       text->substr(from)));
            else
                connection.send(answer("200 OK", "", *text));
            return;
        }
        ++mishaps;
        const std::string body = text.value_or("nothing");
        const std::string head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                                 std::to_string(body.size()) + "\r\n\r\n";
        const auto some = static_cast<std::size_t>(turn.where * static_cast<double>(body.size()));
        switch (turn.how) {
            case Mishap::internal_error:
                connection.send(answer("500 Internal Server Error", "", "oops"));
                break;
            case Mishap::bad_gateway: connection.send(answer("502 Bad Gateway", "", "")); break;
            case Mishap::unavailable:
                connection.send(answer("503 Service Unavailable", "Retry-After: 1\r\n", ""));
                break;
            case Mishap::too_many:
                connection.send(answer("429 Too Many Requests", "Retry-After: 0\r\n", ""));
                break;
            case Mishap::reset_at_once: connection.reset(); break;
            case Mishap::reset_in_between:
                connection.send(head + body.substr(0, some));
                connection.reset();
                break;
            case Mishap::cut_short: connection.send(head + body.substr(0, some)); break;
            case Mishap::other_bytes: {
                std::string other = body;
                if (!other.empty()) other[some < other.size() ? some : 0] ^= 1;
                connection.send(head + other);
                break;
            }
            case Mishap::spoilt_and_cut: {
                std::string part = body.substr(0, some);
                if (!part.empty()) part[part.size() / 2] ^= 1;
                connection.send(head + part);
                break;
            }
            default:
                connection.send(answer("200 OK", "Content-Type: text/html\r\n",
                                       "<html>Please log in to this network</html>"));
        }
    }
    fs::path x_folder;
    Random x_random;
    Tens x_next;
    std::mutex x_mutex;
    std::map<std::string, std::string> x_held;
    RawServer x_server;
};

TEST(UnreliableServer, G2AThirdOfTheAnswersFail) {
    Site site({"25.11.1", "25.11.2"}, room_in_memory());
    const Soundness sound(site);
    const std::uint64_t turns = rounds(4, 200);
    Random random = begin_suite(
        "G2", fmt::format("{} installations, 30 % of the answers fail", turns), site.folder());
    std::uint64_t answers = 0, mishaps = 0, installed = 0;
    std::map<std::string, int> why;
    // Most of the time they wait before the next attempt: several at once.
    constexpr std::uint64_t at_once = 4;
    std::vector<fs::path> clients;
    for (std::uint64_t i = 0; i < at_once; ++i)
        clients.push_back(site.new_client(fmt::format("client-{}", i)));
    std::uint64_t done = 0;
    // Whoever is given other bytes gives up: of few, all might.
    const auto enough = [&] { return done >= turns * (installed == 0 ? 10 : 1); };
    while (!enough() && !::testing::Test::HasFailure()) {
        Unreliable server(site.cache(), random(), 3);
        std::vector<Running> all;
        for (std::uint64_t i = 0; i < at_once && !enough(); ++i, ++done)
            all.push_back(site.start(
                site.install("25.11.2", site.at(fmt::format("prefix-{}", i)), server.url()),
                clients[i]));
        for (std::uint64_t i = 0; i < all.size(); ++i) {
            const fs::path prefix = site.at(fmt::format("prefix-{}", i));
            const Said said = all[i].wait();
            SCOPED_TRACE(said.text());
            EXPECT_FALSE(said.hung);
            EXPECT_TRUE(said.code == 0 || said.code == 1);
            if (said.code == 0) {
                ++installed;
                sound.check_has(prefix, "25.11.2", true);
            } else {
                EXPECT_NE(said.err, "");
                EXPECT_EQ(Soundness::current(prefix), "");
                const bool digest = said.err.find("SHA-256") != std::string::npos ||
                                    said.err.find("bytes") != std::string::npos;
                const bool signed_text = said.err.find("snapshot") != std::string::npos;
                ++why[signed_text ? "what came was not the signed snapshot"
                      : digest    ? "what came were other bytes"
                                  : "no answer after all attempts"];
            }
            sound.check(prefix);
            fs::remove_all(prefix);
            fs::remove_all(clients[i] / "caches");
        }
        answers += server.answers;
        mishaps += server.mishaps;
    }
    std::string reasons;
    for (const auto& [reason, times] : why) reasons += fmt::format("; {} times {}", times, reason);
    EXPECT_GT(installed, 0U);
    EXPECT_GT(mishaps * 5, answers) << "the server is too good";
    say("G2", fmt::format("{} installed of {}, {} of {} answers failed{}", installed, done, mishaps,
                          answers, reasons));
}

// At this port of [::1] nobody answers, and nobody refuses: the queue of one who takes no
// connection is full.
class Silence {
public:
    explicit Silence(int port) : x_listener(socket()) {
        x_address.sin6_family = AF_INET6;
        x_address.sin6_addr = in6addr_loopback;
        x_address.sin6_port = htons(static_cast<std::uint16_t>(port));
        const int on = 1;
        ::setsockopt(x_listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
        x_is_there = ::bind(x_listener.get(), address(), sizeof x_address) == 0 &&
                     ::listen(x_listener.get(), 0) == 0;
        for (base::Fd& each : x_queue)
            if (x_is_there) each = call();
    }
    // False: this machine has no such address.
    [[nodiscard]] bool is_there() const { return x_is_there; }
    // Whoever calls now hears nothing.
    [[nodiscard]] bool is_silent() const {
        constexpr int patience = 300;
        const base::Fd caller = call();
        pollfd waiting{caller.get(), POLLOUT, 0};
        return ::poll(&waiting, 1, patience) == 0;
    }

private:
    static base::Fd socket() {
        return base::Fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    }
    [[nodiscard]] const sockaddr* address() const {
        return reinterpret_cast<const sockaddr*>(&x_address);
    }
    [[nodiscard]] base::Fd call() const {
        base::Fd caller = socket();
        ::connect(caller.get(), address(), sizeof x_address);
        return caller;
    }
    base::Fd x_listener;
    sockaddr_in6 x_address{};
    std::array<base::Fd, 3> x_queue;
    bool x_is_there = false;
};

// G1: the server's name has two addresses, and at that of IPv6 nobody answers, or nothing is heard
// at all. The other one is taken, and soon.
TEST(UnreliableServer, G1IPv6IsDead) {
    Site site({"25.11.1"}, room_in_memory());
    static_cast<void>(begin_suite("G1 IPv6", "2 servers", site.folder()));
    const fs::path hosts = site.at("hosts");
    ASSERT_TRUE(
        base::write_file(hosts, "127.0.0.1 localhost\n::1 dual.example\n127.0.0.1 dual.example\n"));
    const auto with_hosts = [&](const Words& words) {
        Words all{"/usr/bin/unshare",
                  "--mount",
                  "/bin/sh",
                  "-c",
                  "mount --bind \"$0\" /etc/hosts && exec \"$@\"",
                  hosts.native()};
        all.insert(all.end(), words.begin(), words.end());
        return site
            .start_program(std::move(all),
                           {{"PATH", "/usr/bin:/bin:/usr/sbin:/sbin"},
                            {"HOME", site.at("home").native()},
                            {"SLURM_FACTORY_CACHE_DIR", site.at("client").native()}})
            .wait();
    };
    if (with_hosts({"/bin/true"}).code != 0) SF_NOT_RUN("private mounts need root");
    Unreliable server(site.cache(), 1, 0);
    const std::string url = fmt::format("http://dual.example:{}", server.port());
    const auto install = [&](const char* name) {
        Words words{program()};
        const Words its = site.install("25.11.1", site.at(name), url);
        words.insert(words.end(), its.begin(), its.end());
        const Said said = with_hosts(words);
        EXPECT_EQ(said.code, 0) << said.text();
        EXPECT_EQ(Soundness::current(site.at(name)), "25.11.1");
        EXPECT_LT(said.seconds, 20.0) << said.text();
        return said.seconds;
    };
    const double refused = install("refused");
    const Silence silence(server.port());
    if (!silence.is_there()) SF_NOT_RUN("this machine has no IPv6");
    ASSERT_TRUE(silence.is_silent());
    const double silent = install("silent");
    say("G1 IPv6", fmt::format("installed after {:.2f} s where it is refused, {:.2f} s where "
                               "nothing is heard",
                               refused, silent));
}

// F3: a CDN whose copy of the snapshot is old, with all packages there are: the old state, whole,
// for who knows no newer one; a refusal for who does; never a mixture.
TEST(UnreliableServer, F3AnOldSnapshotInFrontOfNewPackages) {
    Site site({"25.11.1"});
    const std::string path = "/bookworm/slurm/25.11/_sf/snapshot.json";
    static_cast<void>(begin_suite("F3 CDN", "1 old snapshot", site.folder()));
    const std::string old = base::read_file(site.cache() / path.substr(1)).value();
    ASSERT_TRUE(site.small().publish("25.11.2"));
    site.now_has("25.11.2");
    const Soundness sound(site);
    Unreliable server(site.cache(), 1, 0);
    Unreliable behind(site.cache(), 1, 0);
    behind.hold_back(path, old);
    const fs::path prefix = site.at("prefix");
    const fs::path client = site.new_client("another");
    ASSERT_EQ(site.run(site.install("25.11", prefix, behind.url()), client).code, 0);
    sound.check_has(prefix, "25.11.1", true);
    ASSERT_EQ(site.run(site.install("25.11", prefix, server.url()), client).code, 0);
    sound.check_has(prefix, "25.11.2", true);
    sound.check(prefix);
    // What is remembered is remembered by address: the same server, gone back.
    server.hold_back(path, old);
    const Said said = site.run(site.install("25.11", prefix, server.url()), client);
    EXPECT_EQ(said.code, 1);
    EXPECT_NE(said.err.find("gone back"), std::string::npos) << said.text();
    sound.check_has(prefix, "25.11.2", true);
    say("F3 CDN", "the old state, whole, or a refusal");
}

}  // namespace
}  // namespace sf::test
