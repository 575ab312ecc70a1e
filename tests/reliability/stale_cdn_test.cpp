// SPDX-License-Identifier: Apache-2.0
// F3 of the threat model: the real program installs through a CDN whose copies are of different
// ages: the snapshot older than all that it names, or younger, each object of an age of its own,
// one that catches up while it is read, two edges that differ. What is installed is what one of the
// published snapshots names, whole, and the one that came; or it is said that something is missing,
// and what was there before stays. Once the CDN has caught up the same command succeeds.
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "reliability/soundness.hpp"
#include "unit/net/raw_server.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;

// What the origin held at one moment: keys and their bytes.
using State = std::map<std::string, std::string>;

State state_of(const fs::path& cache) {
    State state;
    for (const auto& each : fs::recursive_directory_iterator(cache))
        if (each.is_regular_file())
            state.emplace(each.path().lexically_relative(cache).native(),
                          base::read_file(each.path()).value());
    return state;
}

enum class Staleness {
    old_snapshot,  // of one age, and all else is the newest
    new_snapshot,  // of one age, and all else is older
    catches_up,    // of one age until so many requests have come, then younger
    each_its_own,  // the age of each object is drawn once
    two_edges,     // each request is answered by one of two of different ages
    count
};
constexpr const char* names[] = {"an old snapshot", "a new snapshot", "catches up",
                                 "ages of their own", "two edges"};

constexpr std::string_view snapshot_key = "bookworm/slurm/25.11/_sf/snapshot.json";

// One CDN, for one installation.
class Cdn {
public:
    Cdn(const std::vector<State>& states, Staleness how, std::uint64_t seed)
        : x_states(states), x_how(how), x_random(seed) {
        const std::size_t last = states.size() - 1;
        x_young = how == Staleness::old_snapshot ? last : 1 + below(x_random, last);
        x_old = below(x_random, x_young);
        x_patience = below(x_random, most_requests);
        x_server.emplace([this](const RawServer::Request& request, RawServer::Connection& to) {
            serve(request, to);
        });
    }
    [[nodiscard]] std::string url() const { return x_server->url(""); }
    // The age of the snapshot that was handed out last.
    [[nodiscard]] std::size_t handed_out() {
        const std::lock_guard lock(x_mutex);
        return x_snapshot;
    }
    [[nodiscard]] bool all_is_there() const {
        return x_how == Staleness::old_snapshot || x_how == Staleness::catches_up;
    }

private:
    // An installation from here is some dozen requests.
    static constexpr std::uint64_t most_requests = 20;

    std::size_t age_of(const std::string& key) {
        const bool is_snapshot = key == snapshot_key;
        switch (x_how) {
            case Staleness::old_snapshot: return is_snapshot ? x_old : x_young;
            case Staleness::new_snapshot: return is_snapshot ? x_young : x_old;
            case Staleness::catches_up: return ++x_requests > x_patience ? x_young : x_old;
            case Staleness::each_its_own:
                return x_ages.emplace(key, below(x_random, x_states.size())).first->second;
            default: return below(x_random, 2) == 0 ? x_old : x_young;
        }
    }
    std::optional<std::string> object(const std::string& key) {
        const std::lock_guard lock(x_mutex);
        const std::size_t age = age_of(key);
        const auto found = x_states[age].find(key);
        if (found == x_states[age].end()) return std::nullopt;
        if (key == snapshot_key) x_snapshot = age;
        return found->second;
    }
    void serve(const RawServer::Request& request, RawServer::Connection& to) {
        const auto bytes = object(request.path.substr(1));
        if (!bytes)
            to.send(answer("404 Not Found", "", "not here"));
        else if (request.is_head())
            to.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                    std::to_string(bytes->size()) + "\r\n\r\n");
        else
            to.send(answer("200 OK", "", *bytes));
    }

    const std::vector<State>& x_states;
    Staleness x_how;
    Random x_random;
    std::size_t x_old = 0;
    std::size_t x_young = 0;
    std::uint64_t x_patience = 0;
    std::uint64_t x_requests = 0;
    std::map<std::string, std::size_t> x_ages;
    std::size_t x_snapshot = 0;
    std::mutex x_mutex;
    std::optional<RawServer> x_server;  // last: it uses the others until it has ended
};

class StaleCdn : public ::testing::Test {
protected:
    // One more version in each state than in the one before.
    StaleCdn() : x_site({version_of(0)}, room_in_memory()) {
        x_states.push_back(state_of(x_site.cache()));
        for (std::size_t age = 1; age < ages; ++age) {
            const base::Status published = x_site.small().publish(version_of(age));
            EXPECT_TRUE(published) << published.error().text();
            x_site.now_has(version_of(age));
            x_states.push_back(state_of(x_site.cache()));
        }
        x_sound.emplace(x_site);
    }
    static constexpr std::size_t ages = 4;
    static std::string version_of(std::size_t age) { return fmt::format("25.11.{}", age + 1); }

    struct Slot {
        fs::path client;
        fs::path prefix;
    };
    Slot slot(std::uint64_t number) {
        const Slot made{x_site.at(fmt::format("client-{}", number)),
                        x_site.at(fmt::format("prefix-{}", number))};
        if (!base::exists(made.client)) x_site.new_client(made.client.filename());
        return made;
    }
    Running start(const Slot& where, const std::string& from) {
        // By its address nothing is known of a server yet; ports come again.
        fs::remove_all(where.client / "caches");
        return x_site.start(x_site.install("25.11", where.prefix, from), where.client);
    }
    void check(Cdn& cdn, Staleness how, const Slot& where, const std::string& before,
               const Said& said) {
        SCOPED_TRACE(fmt::format("{}, {} before: {}", names[static_cast<std::size_t>(how)], before,
                                 said.text()));
        EXPECT_FALSE(said.hung);
        EXPECT_EQ(said.err.find("internal error"), std::string::npos);
        x_sound->check(where.prefix);
        if (said.code == 0) {
            ++x_installed;
            x_sound->check_has(where.prefix, version_of(cdn.handed_out()), true);
        } else {
            ++x_refused;
            EXPECT_EQ(said.code, 1);
            EXPECT_NE(said.err.find("error: "), std::string::npos);
            EXPECT_EQ(Soundness::current(where.prefix), before);
            ++x_why[how];
        }
        if (cdn.all_is_there()) {
            EXPECT_EQ(said.code, 0);
        }
        if (how == Staleness::new_snapshot) {
            EXPECT_EQ(said.code, 1);
        }
        // It has caught up: nothing of all that is in the way.
        if (said.code == 0) return;
        const Said again = x_site.run(x_site.install("25.11", where.prefix), where.client);
        EXPECT_EQ(again.code, 0) << again.text();
        x_sound->check_has(where.prefix, version_of(ages - 1), true);
    }

    Site x_site;
    std::vector<State> x_states;
    std::optional<Soundness> x_sound;
    std::uint64_t x_installed = 0, x_refused = 0;
    std::map<Staleness, std::uint64_t> x_why;
};

TEST_F(StaleCdn, F3AConsistentStateOrNone) {
    const std::uint64_t turns = rounds(10, 500);
    Random random = begin_suite(
        "F3 stale CDN", fmt::format("{} installations, {} kinds of CDN", turns, std::size(names)),
        x_site.folder());
    constexpr std::uint64_t at_once = 2;
    for (std::uint64_t done = 0; done < turns && !HasFailure(); done += at_once) {
        struct One {
            Staleness how;
            std::unique_ptr<Cdn> cdn;
            Slot slot;
            std::string before;
            Running process;
        };
        std::vector<One> all;
        for (std::uint64_t i = 0; i < at_once && done + i < turns; ++i) {
            // Each kind in its turn.
            const auto how =
                static_cast<Staleness>((done + i) % static_cast<std::uint64_t>(Staleness::count));
            auto cdn = std::make_unique<Cdn>(x_states, how, random());
            const Slot where = slot(i);
            if (below(random, 4) == 0) fs::remove_all(where.prefix);
            const std::string before = Soundness::current(where.prefix);
            Running process = start(where, cdn->url());
            all.push_back({how, std::move(cdn), where, before, std::move(process)});
        }
        for (One& each : all)
            check(*each.cdn, each.how, each.slot, each.before, each.process.wait());
    }
    std::string refused;
    for (const auto& [how, times] : x_why)
        refused += fmt::format("; {}: {}", names[static_cast<std::size_t>(how)], times);
    say("F3 stale CDN", fmt::format("{} installed what one snapshot names, {} refused{}",
                                    x_installed, x_refused, refused));
    EXPECT_GT(x_installed, 0U);
    EXPECT_GT(x_refused, 0U);
}

}  // namespace
}  // namespace sf::test
