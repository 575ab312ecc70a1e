// SPDX-License-Identifier: Apache-2.0
// A1, A2 and A3 of the threat model: whoever can write to a cache but cannot sign. Every file of a
// small cache cut short, made longer, with bits changed, and in the place of another; and its list
// of revocations. Each time the client refuses, or what it has installed is the same to the byte;
// after a refusal nothing is in the prefix; no more is read than was signed for. In this process,
// by the client's own reader; some of it once more by the real program. (A6 is in the unit tests:
// SpecManifest, and CachePath.WhatIsMissingIsSaid.)
#include <ctime>
#include <fcntl.h>
#include <set>

#include "cache/file_backend.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/revocations.hpp"
#include "install/cache_install.hpp"
#include "reliability/soundness.hpp"
#include "trust/gpg_signer.hpp"
#include "trust/trust_store.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::duration;
using std::chrono::steady_clock;

constexpr const char* deps_folder = "bookworm/slurm/deps";
constexpr const char* main_folder = "bookworm/slurm/25.11";
constexpr const char* version = "25.11.2";
constexpr std::uint64_t slack = 64 << 10;
constexpr std::uint64_t snapshot_limit = 32 << 20;

struct Silent : base::Reporter {
    void message(base::Level, const std::string&) override {}
};

// Counts what is handed out of a place.
template <class Place>
class Metered : public Place {
public:
    using Place::Place;
    base::Result<cache::Got> get(const std::string& key, const cache::GetOptions& options,
                                 net::Receiver& to) override {
        Meter meter(to);
        auto got = Place::get(key, options, meter);
        most = std::max(most, meter.bytes);
        return got;
    }
    std::uint64_t most = 0;  // of one object

private:
    struct Meter : net::Receiver {
        explicit Meter(net::Receiver& to) : x_to(to) {}
        base::Status begin(std::uint64_t offset) override { return x_to.begin(offset); }
        base::Status write(base::Bytes received) override {
            bytes += received.size();
            return x_to.write(received);
        }
        std::uint64_t bytes = 0;

    private:
        net::Receiver& x_to;
    };
};
using MeteredMirror = Metered<cache::SubBackend>;

class Damage : public ::testing::Test {
protected:
    Damage() : x_site({"25.11.1", version}, room_in_memory()) {
        const fs::path folder = x_site.small().folder();
        const auto key =
            trust::Fingerprint::parse(base::read_file(folder / "fingerprint").value()).value();
        const std::string armoured = base::read_file(folder / "release.asc").value();
        x_verifier.emplace(
            trust::Verifier::create(trust::trusted_from({{key, "release"}}, {armoured}).value())
                .value());
        // What the client asks for, so that the rest is known to be nobody's business.
        EXPECT_EQ(install(), "installed");
    }

    // "installed" with the right bytes, or the message; nothing is in the prefix after a refusal.
    std::string install() {
        const auto begin = steady_clock::now();
        const std::string said = install_in_time();
        const double seconds = duration<double>(steady_clock::now() - begin).count();
        EXPECT_LT(seconds, 5) << said;
        return said;
    }
    std::string install_in_time() {
        cache::FileBackend place(x_site.cache());
        MeteredMirror dependencies(place, deps_folder);
        MeteredMirror main(place, main_folder);
        Silent reporter;
        install::ReaderOptions options;
        options.mirror = main_folder;
        options.now = std::time(nullptr);
        const fs::path prefix = x_site.at("prefix");
        const auto all = [&]() -> base::Status {
            SF_TRY(const install::MirrorReader reader,
                   install::MirrorReader::open(main, *x_verifier, options, reporter));
            SF_TRY(const install::Resolved found,
                   reader.resolve({"slurm", version, "bookworm", "x86_64_v4"}));
            x_found = found;
            return fetch(found, main, dependencies);
        };
        const base::Status done = all();
        x_most = std::max(main.most, dependencies.most);
        if (!done) {
            EXPECT_FALSE(base::exists(prefix / "view") || base::exists(prefix / "views"));
            return done.error().text();
        }
        return as_it_should_be(prefix);
    }
    base::Status fetch(const install::Resolved& found, cache::Backend& main,
                       cache::Backend& dependencies) {
        install::FetchReport fetched;
        return install::install_from_cache(found, {&main, &dependencies, 2}, x_site.at("prefix"),
                                           {}, fetched)
            .map([](const auto&) {});
    }
    std::string as_it_should_be(const fs::path& prefix) {
        Tree tree = tree_of(prefix);
        std::erase_if(tree, [](const auto& each) { return each.first.starts_with(".sf-"); });
        if (x_whole.empty()) x_whole = tree;
        EXPECT_EQ(tree, x_whole);
        EXPECT_TRUE(base::remove_tree(prefix));
        return "installed";
    }
    // The same without asking again what was chosen: what only the archives' damage can change.
    std::string install_archives() {
        cache::FileBackend place(x_site.cache());
        MeteredMirror dependencies(place, deps_folder);
        MeteredMirror main(place, main_folder);
        const base::Status done = fetch(*x_found, main, dependencies);
        x_most = std::max(main.most, dependencies.most);
        const fs::path prefix = x_site.at("prefix");
        if (done) return as_it_should_be(prefix);
        EXPECT_FALSE(base::exists(prefix / "view") || base::exists(prefix / "views"));
        return done.error().text();
    }

    enum class Kind {
        metadata,  // read to choose
        archive,   // read to install
        others     // Spack's, or another version's: our client reads it for nothing
    };
    Kind kind_of(const fs::path& file) const {
        if (x_found->assets.sha256.hex() == file.filename()) return Kind::archive;
        for (const model::Package& package : x_found->bundle.packages)
            if (package.run.sha256.hex() == file.filename()) return Kind::archive;
        return x_read.contains(file) ? Kind::metadata : Kind::others;
    }
    // Which files matter: without them nothing is installed.
    void find_what_is_read() {
        for (const fs::path& file : files()) {
            x_largest = std::max(x_largest, fs::file_size(file));
            const fs::path aside = x_site.at("aside");
            fs::rename(file, aside);
            if (install() != "installed") x_read.insert(file);
            fs::rename(aside, file);
        }
        // Snapshot, two nodes, manifest, bundle's manifest and signature, four archives.
        EXPECT_EQ(x_read.size(), 10U);
    }
    std::vector<fs::path> files() const {
        std::vector<fs::path> all;
        for (const auto& each : fs::recursive_directory_iterator(x_site.cache()))
            if (each.is_regular_file() && each.path().filename().native().find(".sf-") != 0)
                all.push_back(each.path());
        std::ranges::sort(all);
        return all;
    }

    static void put(const fs::path& file, std::string_view bytes) {
        const base::Fd fd = base::open_file(file, O_WRONLY | O_TRUNC).value();
        ASSERT_TRUE(base::write_all(fd.get(), base::as_bytes(bytes), file));
    }
    // Tries what lies there now; true: refused.
    bool refused(const fs::path& file, Kind kind) {
        const std::string said = kind == Kind::archive ? install_archives() : install();
        ++x_tries;
        if (said != "installed") return true;
        EXPECT_EQ(kind, Kind::others) << file << " is not looked at";
        return false;
    }

    Site x_site;
    std::optional<trust::Verifier> x_verifier;
    std::optional<install::Resolved> x_found;
    std::set<fs::path> x_read;
    Tree x_whole;
    std::uint64_t x_most = 0;     // bytes of one object that were read
    std::uint64_t x_largest = 0;  // object that there is
    std::uint64_t x_tries = 0;
};

TEST_F(Damage, A2CutShortAndMadeLonger) {
    const std::uint64_t step = is_nightly() ? 1 : 97;
    find_what_is_read();
    Random random = begin_suite(
        "A2", fmt::format("every file, every {}. byte of the first and the last 4 KiB", step),
        x_site.folder());
    static_cast<void>(random);
    std::uint64_t cut = 0, longer = 0, harmless = 0;
    for (const fs::path& file : files()) {
        SCOPED_TRACE(file.native());
        const std::string good = base::read_file(file).value();
        const Kind kind = kind_of(file);
        std::set<std::uint64_t> lengths{0};
        if (!good.empty()) lengths.insert(good.size() - 1);
        for (std::uint64_t at = 0; at < good.size(); at += at < 4096 ? step : 4096)
            lengths.insert(at);
        for (std::uint64_t at = 4096; at < good.size(); at += 4096) lengths.insert(at);
        const std::uint64_t last = good.size() > 4096 ? good.size() - 4096 : 0;
        for (std::uint64_t at = last; at < good.size(); at += step) lengths.insert(at);
        // What nobody reads is tried now and then only: each time all is installed.
        std::uint64_t turn = 0;
        const std::uint64_t seldom = is_nightly() ? 256 : 4096;
        for (const std::uint64_t length : lengths) {
            if (kind == Kind::others && turn++ % seldom != 0) continue;
            put(file, std::string_view(good).substr(0, length));
            ++(refused(file, kind) ? cut : harmless);
            if (HasFailure()) return;
        }
        for (const std::uint64_t more :
             {std::uint64_t{1}, std::uint64_t{4096}, std::uint64_t{1} << 30}) {
            if (kind == Kind::others && more > 1 && !is_nightly()) continue;
            put(file, good);
            fs::resize_file(file, good.size() + more);  // zeros
            ++(refused(file, kind) ? longer : harmless);
            // The snapshot's length is not known beforehand: it has a limit of its own.
            const bool snapshot = file.filename() == "snapshot.json";
            EXPECT_LE(x_most, (snapshot ? snapshot_limit : x_largest) + slack);
            if (HasFailure()) return;
        }
        put(file, good);
    }
    EXPECT_EQ(install(), "installed");
    say("A2", fmt::format("{} cut short, {} made longer: all refused; {} of files that our client "
                          "does not read: all the same to the byte",
                          cut, longer, harmless));
}

TEST_F(Damage, A1ChangedBits) {
    const std::uint64_t blob_flips = rounds(300, 10'000);
    const std::uint64_t by_program = rounds(10, 10'000);
    find_what_is_read();
    Random random =
        begin_suite("A1",
                    fmt::format("{} bits of archives, {} of them by the program; {} bits of "
                                "what is named by its digest",
                                blob_flips, by_program, is_nightly() ? "all" : "some"),
                    x_site.folder());
    std::vector<fs::path> archives;
    for (const fs::path& file : files())
        if (kind_of(file) == Kind::archive) archives.push_back(file);
    ASSERT_EQ(archives.size(), 4U);
    const auto flip = [&](const fs::path& file, const std::string& good, std::uint64_t bit) {
        const base::Fd fd = base::open_file(file, O_WRONLY).value();
        const char changed = static_cast<char>(good[bit / 8] ^ (1 << (bit % 8)));
        ASSERT_EQ(::pwrite(fd.get(), &changed, 1, static_cast<off_t>(bit / 8)), 1);
    };
    const fs::path prefix = x_site.at("by program");
    for (std::uint64_t i = 0; i < blob_flips && !HasFailure(); ++i) {
        const fs::path& file = archives[below(random, archives.size())];
        const std::string good = base::read_file(file).value();
        flip(file, good, below(random, good.size() * 8));
        EXPECT_TRUE(refused(file, Kind::archive));
        if (i < by_program) {
            const Said said = x_site.run(x_site.install(version, prefix));
            EXPECT_EQ(said.code, 1) << said.text();
            EXPECT_NE(said.text().find("SHA-256"), std::string::npos) << said.text();
            EXPECT_FALSE(base::exists(prefix / "store"));
        }
        put(file, good);
    }
    // What is named by digest and length, every bit of it.
    std::uint64_t bits = 0;
    cache::FileBackend place(x_site.cache());
    for (const fs::path& file : files()) {
        const std::string name = file.filename().native();
        const std::string hex = name.substr(0, name.find('.'));
        const auto digest = base::Digest::parse(hex);
        if (!digest || hex.size() != 64) continue;
        const std::string good = base::read_file(file).value();
        if (good.size() > 8192) continue;  // archives: above
        const std::string key = file.lexically_relative(x_site.cache()).native();
        const std::uint64_t step = is_nightly() ? 1 : 61;
        for (std::uint64_t bit = 0; bit < good.size() * 8; bit += step) {
            flip(file, good, bit);
            ++bits;
            ASSERT_FALSE(cache::read_ref(place, key, {*digest, good.size()})) << key << ' ' << bit;
            const base::Fd fd = base::open_file(file, O_WRONLY).value();
            ASSERT_EQ(::pwrite(fd.get(), &good[bit / 8], 1, static_cast<off_t>(bit / 8)), 1);
        }
    }
    EXPECT_EQ(install(), "installed");
    say("A1", fmt::format("{} bits of archives and {} of named objects changed: all refused",
                          blob_flips, bits));
}

// What is judged by its signature alone, every bit of it: each costs a gpgv. (What a snapshot names
// by its digest, signed manifests among it, is above; a sample is the unit test SignedSwaps.A1.)
TEST_F(Damage, A1ChangedBitsOfSignedTexts) {
    const std::uint64_t step = is_nightly() ? 1 : 997;
    static_cast<void>(begin_suite(
        "A1 signed texts", fmt::format("every {}. bit of both snapshots", step), x_site.folder()));
    std::uint64_t bits = 0;
    const auto begin = steady_clock::now();
    for (const char* folder : {deps_folder, main_folder}) {
        const fs::path file = x_site.cache() / folder / "_sf/snapshot.json";
        const std::string good = base::read_file(file).value();
        ASSERT_TRUE(x_verifier->verify_clearsigned(good, "it"));
        for (std::uint64_t bit = 0; bit < good.size() * 8; bit += step) {
            std::string changed = good;
            changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
            ASSERT_FALSE(x_verifier->verify_clearsigned(changed, "it")) << folder << ' ' << bit;
            ++bits;
        }
    }
    say("A1 signed texts", fmt::format("{} bits changed: all refused; {:.2f} ms each", bits,
                                       duration<double>(steady_clock::now() - begin).count() *
                                           1000 / static_cast<double>(bits)));
}

// What a root says of keys and builds that count no more. Each time it is read as by a client that
// has never seen one, who has nothing to compare it with but the signature.
class DamagedList : public Damage {
protected:
    DamagedList() {
        const fs::path folder = x_site.small().folder();
        const std::string owner = base::read_file(folder / "fingerprint").value();
        const auto signer = trust::GpgSigner::create(trust::Keyring(folder / "gnupg"),
                                                     trust::Fingerprint::parse(owner).value(), {})
                                .value();
        trust::RevocationList list;
        list.serial = 3;
        list.issued = std::time(nullptr);
        list.expires = list.issued + trust::revocations_lifetime.count();
        list.keys.push_back(
            {trust::Fingerprint::parse(std::string(40, 'A')).value(), "stolen", list.issued});
        list.builds.push_back({base::sha256("a build"), "loses bytes", list.issued});
        x_text = trust::to_text(list).value();
        x_file = x_site.cache() / cache::key_of(cache::FixedName::revocations).value();
        cache::FileBackend place(x_site.cache());
        const auto written = cache::put_revocations(place, signer.clearsign(x_text).value(),
                                                    *x_verifier, list.issued);
        EXPECT_TRUE(written) << written.error().text();
        EXPECT_EQ(read(), x_text);
    }
    // The text of the list; "": refused.
    std::string read() {
        Metered<cache::FileBackend> place(x_site.cache());
        Silent reporter;
        cache::RevocationOptions options;
        options.roots = &*x_verifier;
        options.now = std::time(nullptr);
        const auto list = cache::read_revocations(place, options, reporter);
        x_most = place.most;
        return list ? trust::to_text(*list).value() : "";
    }

    std::string x_text;
    fs::path x_file;
};

TEST_F(DamagedList, A1ChangedBits) {
    const std::uint64_t step = is_nightly() ? 1 : 61;
    static_cast<void>(
        begin_suite("A1 list of revocations", fmt::format("every {}. bit", step), x_site.folder()));
    const std::string good = base::read_file(x_file).value();
    std::uint64_t bits = 0;
    for (std::uint64_t bit = 0; bit < good.size() * 8; bit += step) {
        std::string changed = good;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
        put(x_file, changed);
        ASSERT_EQ(read(), "") << bit;
        ++bits;
    }
    put(x_file, good);
    EXPECT_EQ(read(), x_text);
    say("A1 list of revocations", fmt::format("{} bits changed: all refused", bits));
}

TEST_F(DamagedList, A2CutShortAndMadeLonger) {
    const std::string good = base::read_file(x_file).value();
    static_cast<void>(begin_suite("A2 list of revocations",
                                  fmt::format("each of its {} lengths", good.size()),
                                  x_site.folder()));
    // 0 as well: an empty list is no list, and one that is not there is another thing.
    for (std::size_t length = 0; length < good.size(); ++length) {
        put(x_file, std::string_view(good).substr(0, length));
        ASSERT_EQ(read(), "") << length;
    }
    for (const std::uint64_t more :
         {std::uint64_t{1}, std::uint64_t{4096}, std::uint64_t{1} << 30}) {
        put(x_file, good);
        fs::resize_file(x_file, good.size() + more);  // zeros
        ASSERT_EQ(read(), "") << more;
        // Nobody has said beforehand how long it is: it has a limit of its own.
        EXPECT_LE(x_most, 3 * trust::max_revocations + slack);
    }
    put(x_file, good);
    EXPECT_EQ(read(), x_text);
    say("A2 list of revocations",
        fmt::format("{} cut short, 3 made longer: all refused", good.size()));
}

// Names of signed manifests, and of blobs: each in the place of each other.
TEST_F(Damage, A3InEachOthersPlaces) {
    const std::uint64_t versions = rounds(6, 43);  // with zlib and munge: 45 manifests
    const std::uint64_t blob_swaps = rounds(25, 500);
    Random random = begin_suite(
        "A3", fmt::format("manifests of {} packages, {} pairs of blobs", versions + 2, blob_swaps),
        x_site.folder());
    for (std::uint64_t i = 3; i <= versions; ++i) {
        const auto published = x_site.small().publish(fmt::format("25.11.{}", i));
        ASSERT_TRUE(published) << published.error().text();
    }
    std::map<std::string, std::string> manifests;  // key to what was signed
    std::vector<fs::path> blobs;
    for (const fs::path& file : files()) {
        if (file.native().find("/blobs/") != std::string::npos) blobs.push_back(file);
        const std::size_t at = file.native().find("v3/manifests/spec/");
        if (at == std::string::npos) continue;
        const std::string key = file.native().substr(at);
        manifests[key] =
            x_verifier->verify_clearsigned(base::read_file(file).value(), key).value().text;
    }
    ASSERT_EQ(manifests.size(), versions + 2);
    std::uint64_t pairs = 0;
    for (const auto& [here, own] : manifests) {
        EXPECT_TRUE(cache::spec_manifest_from_json(own, here));
        for (const auto& [other, text] : manifests) {
            if (here == other) continue;
            const auto taken = cache::spec_manifest_from_json(text, here);
            ASSERT_FALSE(taken) << other << " for " << here;
            // Both are named.
            EXPECT_NE(taken.error().message.find(here), std::string::npos) << taken.error().message;
            EXPECT_NE(taken.error().message.find(other), std::string::npos)
                << taken.error().message;
            ++pairs;
        }
    }
    // Of all blobs, also those of another version, of Spack's, and metadata for archives.
    std::uint64_t refusals = 0;
    std::uint64_t same = 0;
    ASSERT_EQ(install(), "installed");
    for (std::uint64_t i = 0; i < blob_swaps && !HasFailure(); ++i) {
        const fs::path one = blobs[below(random, blobs.size())];
        const fs::path other = blobs[below(random, blobs.size())];
        if (one == other) continue;
        const fs::path aside = x_site.at("aside");
        fs::rename(one, aside);
        fs::rename(other, one);
        fs::rename(aside, other);
        ++(install() == "installed" ? same : refusals);
        fs::rename(one, aside);
        fs::rename(other, one);
        fs::rename(aside, other);
    }
    // Whole mirrors: what was signed for one distribution or series is not taken in another's
    // place.
    std::uint64_t mirrors = 0;
    const fs::path main = x_site.cache() / main_folder;
    for (const char* stranger :
         {"noble/slurm/25.11", "bookworm/slurm/24.11", "bookworm/slurm/deps"}) {
        const fs::path there = x_site.cache() / stranger;
        const fs::path aside = x_site.at("aside");
        const bool had = base::exists(there);
        if (had) fs::rename(there, aside);
        fs::create_directories(there.parent_path());
        fs::copy(main, there, fs::copy_options::recursive);
        const std::string name = stranger;
        const std::string distribution = name.substr(0, name.find('/'));
        const std::string series = name.substr(name.rfind('/') + 1);
        if (series != "deps") {
            const Said said = x_site.run({"install", "slurm@" + series, "--cache",
                                          x_site.cache().native(), "--toolchain", distribution,
                                          "--prefix", x_site.at("strange").native()});
            EXPECT_EQ(said.code, 1) << said.text();
            EXPECT_NE(said.text().find("was signed for " + std::string(main_folder)),
                      std::string::npos)
                << said.text();
            EXPECT_FALSE(base::exists(x_site.at("strange")));
            ++mirrors;
        } else {
            const Said said = x_site.run({"cache", "verify", x_site.cache().native(), "--deep"});
            EXPECT_EQ(said.code, 1) << said.text();
            ++mirrors;
        }
        fs::remove_all(there);
        if (had) fs::rename(aside, there);
    }
    EXPECT_EQ(install(), "installed");
    say("A3", fmt::format("{} pairs of manifests, {} mirrors: all refused; of {} pairs of blobs {} "
                          "refused, {} were of what is not read",
                          pairs, mirrors, refusals + same, refusals, same));
}

}  // namespace
}  // namespace sf::test
