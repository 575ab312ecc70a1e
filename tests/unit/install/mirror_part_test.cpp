// SPDX-License-Identifier: Apache-2.0
// Copies of a part of a mirror, with real signatures: what is in them, what installing and
// verifying say of what is not, how they grow, and what an attacker gets out of saying that a
// mirror is one: nothing.
#include "cache/mirror_part.hpp"

#include <gmock/gmock.h>

#include "cache/gzip_text.hpp"
#include "cache/layout.hpp"
#include "cache/package_index.hpp"
#include "install/cache_install.hpp"
#include "install/mirror_audit.hpp"
#include "publish/mirror_copy.hpp"
#include "publish/mirror_prune.hpp"
#include "unit/publish/place_maker.hpp"

namespace sf::install {
namespace {

namespace fs = std::filesystem;
using publish::now;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* main_folder = "bookworm/slurm/25.11";
constexpr const char* deps_folder = "bookworm/slurm/deps";

class Parts : public publish::PlaceMaker {
protected:
    Parts() {
        // Of the second one, munge is another.
        publish_version("25.11.2", "1");
        publish_version("25.11.3", "2");
    }
    void publish_version(const std::string& version, const std::string& salt) {
        Machine machine = build(version, "machine" + version, salt);
        x_machines.emplace(version, machine);
        x_extra = {{std::string(cache::media::bundle), "none", machine.manifest},
                   {std::string(cache::media::signature), "none",
                    x_signer->sign_bytes(machine.manifest).value()},
                   {std::string(cache::media::assets), "zstd", "files of ours"}};
        cache::FileBackend place(at("cache"));
        const auto status = PlaceMaker::publish(machine, place);
        ASSERT_TRUE(status) << status.error().text();
    }
    [[nodiscard]] cache::SnapshotReading reading(const std::string& mirror) const {
        return {&*x_verifier, mirror, {}, now};
    }
    publish::CopyRequest copying(const std::string& mirror) {
        publish::CopyRequest request;
        request.verifier = &*x_verifier;
        request.keys_of =
            [this](
                const std::set<std::string>&) -> base::Result<std::vector<publish::PublishedKey>> {
            return std::vector<publish::PublishedKey>{{x_key->text(), x_public}};
        };
        request.mirror = mirror;
        EXPECT_TRUE(base::make_dirs(at("work")));
        request.work = at("work");
        request.now = now;
        return request;
    }
    // As `cache mirror --versions`: both are planned before one is copied.
    base::Status copy(const std::string& from, const std::string& to,
                      const std::vector<std::string>& versions, bool sources = true) {
        cache::FileBackend source(at(from));
        cache::FileBackend target(at(to));
        cache::SubBackend main(source, main_folder);
        publish::CopyChoice deps_choice{versions, {}, sources};
        if (!versions.empty()) {
            SF_TRY(const auto needed, publish::needed_by(main, reading(main_folder), versions));
            deps_choice.needed = needed.value().identities;
        }
        const auto request_for = [&](const std::string& mirror) {
            publish::CopyRequest request = copying(mirror);
            request.from_place = &source;
            request.to_place = &target;
            request.choice =
                mirror == deps_folder ? deps_choice : publish::CopyChoice{versions, {}, sources};
            return request;
        };
        std::map<std::string, publish::CopyPlan> plans;
        for (const char* mirror : {deps_folder, main_folder}) {
            cache::SubBackend original(source, mirror);
            cache::SubBackend copied(target, mirror);
            SF_TRY(plans[mirror],
                   publish::plan_copy(original, copied, request_for(mirror), x_reporter));
        }
        for (const char* mirror : {deps_folder, main_folder}) {
            cache::SubBackend original(source, mirror);
            cache::SubBackend copied(target, mirror);
            const publish::CopyRequest request = request_for(mirror);
            SF_CHECK(publish::copy_mirror(original, copied, request, std::move(plans.at(mirror)),
                                          x_reporter)
                         .map([&](const publish::CopyReport& report) { x_report = report; }));
        }
        return {};
    }
    // Of both mirrors, as they stand there.
    [[nodiscard]] std::string marks(const std::string& place) const {
        return read(mark(place, deps_folder)) + read(mark(place));
    }
    [[nodiscard]] cache::MirrorPart part_of(const std::string& place,
                                            const char* mirror = main_folder) const {
        return cache::mirror_part_from_json(read(mark(place, mirror))).value();
    }
    void write_part(const std::string& place, const cache::MirrorPart& part) const {
        ASSERT_TRUE(base::write_file(mark(place), cache::to_json(part).value()));
    }
    void spoil_marks(const std::string& place, const std::string& text) const {
        for (const char* mirror : {deps_folder, main_folder})
            ASSERT_TRUE(base::write_file(mark(place, mirror), text));
    }
    base::Result<AuditReport> audit(const std::string& place, const std::string& mirror) {
        cache::FileBackend whole(at(place));
        cache::SubBackend backend(whole, mirror);
        cache::SubBackend deps(whole, deps_folder);
        AuditOptions how;
        how.mirror = mirror;
        how.now = now;
        how.deep = true;
        how.place = &whole;
        if (mirror == std::string(main_folder)) how.dependencies = &deps;
        return install::audit(backend, *x_verifier, how);
    }
    // "good", or all that is wrong.
    std::string defects(const std::string& place) {
        std::string text;
        for (const char* mirror : {deps_folder, main_folder}) {
            const auto report = audit(place, mirror);
            if (!report) text += report.error().text() + '\n';
            if (report)
                for (const Defect& defect : report->defects)
                    text += defect.object + ": " + defect.error.text() + '\n';
        }
        return text.empty() ? "good" : text;
    }
    base::Result<Resolved> resolve(const std::string& place, const std::string& version) {
        cache::FileBackend whole(at(place));
        cache::SubBackend main(whole, main_folder);
        return resolve(main, version);
    }
    base::Result<Resolved> resolve(cache::Backend& main, const std::string& version) {
        SF_TRY(const MirrorReader reader,
               MirrorReader::open(main, *x_verifier, {main_folder, {}, now, false}, x_reporter));
        return reader.resolve({"slurm", version, "bookworm", "x86_64_v3"});
    }
    base::Result<InstallReport> install(const std::string& place, const std::string& version) {
        SF_TRY(const Resolved found, resolve(place, version));
        cache::FileBackend whole(at(place));
        cache::SubBackend main(whole, main_folder);
        cache::SubBackend deps(whole, deps_folder);
        FetchReport fetched;
        return install_from_cache(found, {&main, &deps}, at("prefix of " + place), {}, fetched);
    }
    [[nodiscard]] fs::path run_of(const std::string& version, std::size_t which) const {
        const auto& built = x_machines.at(version).built.at(which);
        return cache::key_of(cache::BlobName{built.package.run.sha256}).value();
    }
    // Objects of the index of "cache".
    [[nodiscard]] fs::path node_path(const cache::Ref& ref) const {
        return at("cache") / main_folder / cache::key_of(cache::IndexNodeName{ref.sha256}).value();
    }
    [[nodiscard]] cache::Ref name_ref() {
        cache::FileBackend backend(at("cache") / main_folder);
        return cache::read_snapshot(backend, reading(main_folder))
            .value()
            ->snapshot.names.at("slurm");
    }
    [[nodiscard]] fs::path name_node() { return node_path(name_ref()); }
    [[nodiscard]] fs::path version_node(const std::string& version) {
        const std::string text = cache::gunzip(read(name_node()), cache::max_index_node).value();
        return node_path(cache::name_node_from_json(text).value().versions.at(version));
    }
    [[nodiscard]] fs::path mark(const std::string& place, const char* mirror = main_folder) const {
        return at(place) / mirror / "_sf/part.json";
    }
    // By the clock of these tests.
    static void make_old(const fs::path& file) {
        const std::chrono::sys_seconds then{std::chrono::seconds(now - 61 * 86'400)};
        fs::last_write_time(file, std::chrono::file_clock::from_sys(then));
    }
    static std::size_t count(const fs::path& folder) {
        std::size_t files = 0;
        if (!base::exists(folder)) return 0;
        for (const auto& each : fs::recursive_directory_iterator(folder))
            files += each.is_regular_file() ? 1 : 0;
        return files;
    }

    std::map<std::string, Machine> x_machines;
    publish::CopyReport x_report;
};

// A server that says of itself that it is a part, so often, and then no more.
class SaysSoForAWhile : public cache::SubBackend {
public:
    SaysSoForAWhile(cache::Backend& whole, std::string folder, int times)
        : SubBackend(whole, std::move(folder)), x_times(times) {}
    base::Result<cache::Got> get(const std::string& key, const cache::GetOptions& options,
                                 net::Receiver& to) override {
        if (key == cache::key_of(cache::FixedName::part).value() && x_times-- <= 0)
            return base::fail(base::Code::absent, "{} is not there", key);
        return SubBackend::get(key, options, to);
    }

private:
    int x_times;
};

void must(const base::Status& status) { ASSERT_TRUE(status) << status.error().text(); }

void refused(const base::Status& status, const char* why) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, base::Code::refused);
    EXPECT_THAT(status.error().text(), HasSubstr(why));
}

TEST_F(Parts, AVersionAndWhatItNeedsIsInstalledFromACopyOfIt) {
    must(copy("cache", "copy", {"25.11.2"}));
    EXPECT_TRUE(x_report.part);
    EXPECT_EQ(x_report.packages, 1U);
    EXPECT_EQ(defects("copy"), "good");
    EXPECT_TRUE(base::exists(at("copy") / main_folder / run_of("25.11.2", 2)));
    EXPECT_FALSE(base::exists(at("copy") / main_folder / run_of("25.11.3", 2)));
    // The publisher's own snapshot, byte for byte.
    EXPECT_EQ(read(at("copy") / main_folder / "_sf/snapshot.json"),
              read(at("cache") / main_folder / "_sf/snapshot.json"));
    // Bundles of this version alone; the alias is of another.
    EXPECT_EQ(count(at("copy") / "builds/25.11.2"), 5U);
    EXPECT_FALSE(base::exists(at("copy") / "builds/25.11.3"));
    EXPECT_FALSE(base::exists(at("copy") / "builds/25.11"));
    const auto report = audit("copy", main_folder);
    ASSERT_TRUE(report && report->part);
    EXPECT_EQ(report->left_out, 1U);
    EXPECT_EQ(report->part->text(), "slurm 25.11.2");
    const auto installed = install("copy", "25.11.2");
    ASSERT_TRUE(installed) << installed.error().text();
    EXPECT_EQ(installed->installed.size(), 3U);
}

TEST_F(Parts, WhatItLacksIsSaidAndNothingOlderIsTakenForIt) {
    must(copy("cache", "copy", {"25.11.2"}));
    const auto newest = resolve("copy", "25.11");
    ASSERT_FALSE(newest);
    EXPECT_EQ(newest.error().code, base::Code::refused);
    EXPECT_THAT(newest.error().text(), HasSubstr("looking at slurm 25.11.3"));
    EXPECT_THAT(newest.error().text(), HasSubstr("it says that it holds slurm 25.11.2"));
    EXPECT_THAT(newest.error().hint, HasSubstr("cache mirror FROM TO --versions"));
    // Who asks for it by its version may find it elsewhere.
    const auto exact = resolve("copy", "25.11.3");
    ASSERT_FALSE(exact);
    EXPECT_EQ(exact.error().code, base::Code::absent);
    EXPECT_THAT(exact.error().text(), HasSubstr("it says that it holds slurm 25.11.2"));
}

TEST_F(Parts, ItGrowsAndBecomesWhole) {
    must(copy("cache", "copy", {"25.11.2"}));
    must(copy("cache", "copy", {"25.11.2", "25.11.3"}));
    EXPECT_EQ(defects("copy"), "good");
    EXPECT_TRUE(install("copy", "25.11"));
    EXPECT_TRUE(base::exists(at("copy") / "builds/25.11"));
    EXPECT_TRUE(base::exists(mark("copy")));
    must(copy("cache", "copy", {}));
    EXPECT_FALSE(x_report.part);
    EXPECT_FALSE(base::exists(mark("copy")));
    EXPECT_FALSE(base::exists(mark("copy", deps_folder)));
    EXPECT_EQ(defects("copy"), "good");
    // A series is all of a mirror.
    must(copy("cache", "series", {"25.11"}));
    EXPECT_EQ(defects("series"), "good");
    EXPECT_TRUE(install("series", "25.11"));
    EXPECT_EQ(x_report.packages, 2U);
}

TEST_F(Parts, APartOfAPartIsCopied) {
    must(copy("cache", "copy", {"25.11.2"}));
    must(copy("copy", "inside", {}));
    EXPECT_TRUE(x_report.part);
    EXPECT_EQ(read(mark("inside")), read(mark("copy")));
    EXPECT_EQ(defects("inside"), "good");
    EXPECT_TRUE(install("inside", "25.11.2"));
    const auto more = copy("copy", "more", {"25.11.3"});
    ASSERT_FALSE(more);
    EXPECT_THAT(more.error().text(), HasSubstr("it says that it holds slurm 25.11.2"));
}

TEST_F(Parts, SourcesStayAway) {
    must(copy("cache", "copy", {}, false));
    EXPECT_EQ(count(at("copy") / "sources"), 0U);
    EXPECT_EQ(defects("copy"), "good");
    const auto report = audit("copy", main_folder);
    ASSERT_TRUE(report && report->part);
    EXPECT_EQ(report->part->text(), "all, without sources");
    EXPECT_EQ(report->left_out, 0U);
    EXPECT_TRUE(install("copy", "25.11"));
    must(copy("copy", "again", {}));
    EXPECT_THAT(x_reporter.text, HasSubstr("has no sources"));
    EXPECT_EQ(defects("again"), "good");
    must(copy("cache", "copy", {}));
    EXPECT_EQ(count(at("copy") / "sources"), count(at("cache") / "sources"));
    EXPECT_FALSE(base::exists(mark("copy")));
}

TEST_F(Parts, WhatItSaysThatItHoldsHasToBeThere) {
    must(copy("cache", "copy", {"25.11.2"}));
    const fs::path run = at("copy") / main_folder / run_of("25.11.2", 2);
    const std::string good = read(run);
    ASSERT_TRUE(base::remove_file(run));
    EXPECT_THAT(defects("copy"), HasSubstr(run_of("25.11.2", 2).native() + ": cannot open"));
    std::string bad = good;
    bad[bad.size() / 2] ^= 1;
    ASSERT_TRUE(base::write_file(run, bad));
    EXPECT_THAT(defects("copy"), HasSubstr("is not what it should be"));
    ASSERT_TRUE(base::write_file(run, good));
    const fs::path needed = at("copy") / deps_folder / run_of("25.11.2", 0);
    ASSERT_TRUE(base::remove_file(needed));
    EXPECT_THAT(defects("copy"), HasSubstr("which slurm 25.11.2"));
    const auto installed = install("copy", "25.11.2");
    ASSERT_FALSE(installed);
    EXPECT_THAT(installed.error().text(), HasSubstr("it says that it holds slurm 25.11.2"));
    for (const char* text : {"", "{}", "[1]", "{\"schema\":1}\n"}) {
        ASSERT_TRUE(base::write_file(mark("copy"), text));
        EXPECT_THAT(defects("copy"), HasSubstr("_sf/part.json")) << text;
    }
}

// Whoever can write to a cache but cannot sign takes the newest away and says that this is a copy
// of a part: an older one is not taken for it, and nothing is pruned for his word.
TEST_F(Parts, SayingSoGainsNothing) {
    cache::MirrorPart part;
    part.versions = {"25.11.2"};
    ASSERT_TRUE(base::write_file(mark("cache"), cache::to_json(part).value()));
    const auto found = resolve("cache", "25.11");
    ASSERT_TRUE(found) << found.error().text();
    EXPECT_EQ(found->bundle.version, "25.11.3") << "it is there all the same";
    for (const auto& each : fs::recursive_directory_iterator(at("cache")))
        if (each.is_regular_file()) make_old(each.path());
    cache::FileBackend mirror(at("cache") / main_folder);
    publish::PruneRequest request;
    request.reading = reading(main_folder);
    request.keep_seconds = 0;
    const auto pruned = publish::prune_mirror(mirror, request);
    ASSERT_TRUE(pruned) << pruned.error().text();
    for (const char* version : {"25.11.2", "25.11.3"})
        EXPECT_TRUE(base::exists(at("cache") / main_folder / run_of(version, 2))) << version;
    // Now it is gone.
    const std::string hash = found->build.hash;
    const std::string key =
        cache::key_of(cache::SpecManifestName{"slurm", "25.11.3", hash}).value();
    ASSERT_TRUE(base::remove_file(at("cache") / main_folder / key));
    EXPECT_EQ(resolve("cache", "25.11").error().code, base::Code::refused);
    // Nor if it says so to the first who asks, and then no more.
    for (const int times : {1, 2}) {
        cache::FileBackend whole(at("cache"));
        SaysSoForAWhile fickle(whole, main_folder, times);
        const auto asked = resolve(fickle, "25.11");
        ASSERT_FALSE(asked);
        EXPECT_NE(asked.error().code, base::Code::absent) << times;
    }
    // Where what is newest cannot be known, no other cache is asked either.
    for (const fs::path& node : {version_node("25.11.3"), name_node()}) {
        ASSERT_TRUE(base::remove_file(node));
        const auto blind = resolve("cache", "25.11");
        ASSERT_FALSE(blind);
        EXPECT_EQ(blind.error().code, base::Code::refused) << node;
    }
    ASSERT_TRUE(base::remove_file(mark("cache")));
    EXPECT_EQ(resolve("cache", "25.11").error().code, base::Code::corrupt);
}

// Neither a slip nor an unsigned word makes a copy forget packages.
TEST_F(Parts, ACopyHoldsNoLessThanBefore) {
    must(copy("cache", "whole", {}));
    const char* const becomes = "is a whole copy, and would become one of a part";
    refused(copy("cache", "whole", {"25.11.2"}), becomes);
    refused(copy("cache", "whole", {}, false), becomes);
    must(copy("cache", "small", {"25.11.2"}));
    refused(copy("small", "whole", {}), becomes);
    EXPECT_EQ(defects("whole"), "good");
    for (const char* mirror : {main_folder, deps_folder})
        EXPECT_FALSE(base::exists(mark("whole", mirror)));
    EXPECT_TRUE(install("whole", "25.11"));
    must(copy("cache", "large", {"25.11.2", "25.11.3"}));
    const std::string before = marks("large");
    refused(copy("small", "large", {}), "says that it does not hold");
    refused(copy("cache", "large", {"25.11.2"}), "which were not asked for");
    EXPECT_EQ(marks("large"), before);
    EXPECT_EQ(defects("large"), "good");
    must(copy("large", "small", {}));
    EXPECT_EQ(marks("small"), before);
}

// Bundles go by versions, packages by their hashes: neither word makes a part smaller.
TEST_F(Parts, ACopyNamesNoLessThanBefore) {
    must(copy("cache", "small", {"25.11.2", "25.11.3"}));
    must(copy("cache", "large", {"25.11.2", "25.11.3"}));
    const std::string before = marks("large");
    cache::MirrorPart fewer = part_of("small");
    fewer.versions = {"25.11.2"};
    write_part("small", fewer);
    refused(copy("small", "large", {}), "slurm 25.11.3 among them");
    EXPECT_EQ(marks("large"), before);
    // A series that was asked for stays asked for.
    must(copy("cache", "series", {"25.11"}));
    must(copy("cache", "releases", {"25.11.2", "25.11.3"}));
    must(copy("releases", "series", {}));
    for (const char* mirror : {main_folder, deps_folder})
        EXPECT_THAT(part_of("series", mirror).versions, Contains("25.11")) << mirror;
    EXPECT_EQ(defects("series"), "good");
    // As all does, but for the sources.
    must(copy("cache", "all", {}, false));
    refused(copy("cache", "all", {"25.11.2"}, false), "would hold less");
    EXPECT_EQ(part_of("all").text(), "all, without sources");
}

TEST_F(Parts, ACopyLosesItsSourcesByTheUsersWordAlone) {
    must(copy("cache", "without", {"25.11.2"}, false));
    must(copy("cache", "with", {"25.11.2"}));
    const std::string before = marks("with");
    refused(copy("without", "with", {}), "says that it has none");
    EXPECT_EQ(marks("with"), before);
    x_reporter.text.clear();
    must(copy("cache", "with", {"25.11.2"}, false));
    EXPECT_THAT(x_reporter.text, HasSubstr("says from now on that it has none"));
    EXPECT_FALSE(part_of("with").sources);
    EXPECT_GT(count(at("with") / "sources"), 0U) << "nothing is taken away";
    x_reporter.text.clear();
    must(copy("cache", "with", {"25.11.2"}, false));
    EXPECT_THAT(x_reporter.text, Not(HasSubstr("from now on")));
    must(copy("cache", "with", {"25.11.2"}));
    EXPECT_EQ(marks("with"), before);
    EXPECT_EQ(defects("with"), "good");
}

// Which dependencies a part needs no more is no reason to forget them in a copy of it.
TEST_F(Parts, DependenciesOfACopyStaySaid) {
    must(copy("cache", "part", {"25.11.2"}));
    must(copy("part", "copy", {}));
    const cache::MirrorPart before = part_of("copy", deps_folder);
    ASSERT_EQ(before.builds.size(), 2U);
    cache::MirrorPart fewer = before;
    fewer.builds.erase(fewer.builds.begin());
    ASSERT_TRUE(base::write_file(mark("part", deps_folder), cache::to_json(fewer).value()));
    must(copy("part", "copy", {}));
    EXPECT_EQ(part_of("copy", deps_folder), before);
    EXPECT_EQ(defects("copy"), "good");
    // Of those that stay without sources, sources are not promised.
    must(copy("cache", "bare", {"25.11.2"}, false));
    must(copy("part", "bare", {}));
    EXPECT_FALSE(part_of("bare", deps_folder).sources);
    EXPECT_THAT(x_reporter.text, HasSubstr("it gets no sources"));
    EXPECT_TRUE(part_of("bare").sources);
    EXPECT_EQ(defects("bare"), "good");
    must(copy("cache", "bare", {"25.11.2"}));
    EXPECT_EQ(part_of("bare", deps_folder), before);
    EXPECT_EQ(defects("bare"), "good");
}

// What verify says to do about it does help.
TEST_F(Parts, AMarkThatCannotBeReadIsMendedByACopy) {
    must(copy("cache", "small", {"25.11.2"}));
    for (const std::string& text :
         {std::string(), std::string("{}"), std::string("{\"schema\":1}\n"),
          std::string(std::size_t{5} << 20, 'x')}) {
        must(copy("cache", "copy", {"25.11.2"}));
        const std::string good = marks("copy");
        spoil_marks("copy", text);
        EXPECT_THAT(defects("copy"), HasSubstr("_sf/part.json"));
        x_reporter.text.clear();
        must(copy("cache", "copy", {"25.11.2"}));
        EXPECT_THAT(x_reporter.text, HasSubstr("cannot be read"));
        EXPECT_EQ(marks("copy"), good);
        EXPECT_EQ(defects("copy"), "good");
        spoil_marks("copy", text);
        must(copy("small", "copy", {}));
        EXPECT_EQ(marks("copy"), good);
        spoil_marks("copy", text);
        must(copy("cache", "copy", {}));
        EXPECT_FALSE(base::exists(mark("copy")));
        EXPECT_FALSE(base::exists(mark("copy", deps_folder)));
        EXPECT_EQ(defects("copy"), "good");
        ASSERT_TRUE(base::remove_tree(at("copy")));
    }
    // At the source nobody can say what there is.
    spoil_marks("small", "");
    const auto from_there = copy("small", "other", {});
    ASSERT_FALSE(from_there);
    EXPECT_EQ(from_there.error().code, base::Code::corrupt);
    EXPECT_THAT(from_there.error().hint, HasSubstr("copy to it again first"));
}

TEST_F(Parts, APartIsPrunedByWhatLiesThere) {
    must(copy("cache", "copy", {"25.11.2"}));
    const std::string litter = cache::key_of(cache::BlobName{base::sha256("litter")}).value();
    const fs::path file = at("copy") / main_folder / litter;
    ASSERT_TRUE(base::make_dirs(file.parent_path()));
    ASSERT_TRUE(base::write_file(file, "litter"));
    make_old(file);
    cache::FileBackend mirror(at("copy") / main_folder);
    publish::PruneRequest request;
    request.reading = reading(main_folder);
    request.keep_seconds = 0;
    const auto pruned = publish::prune_mirror(mirror, request);
    ASSERT_TRUE(pruned) << pruned.error().text();
    EXPECT_EQ(pruned->removed, 1U);
    EXPECT_EQ(defects("copy"), "good");
}

TEST_F(Parts, TheMarkHasOneText) {
    cache::MirrorPart part;
    part.versions = {"24.11", "25.11.2"};
    part.builds = {"abcdefghijklmnopqrstuvwxyz234567"};
    part.sources = false;
    const std::string text = cache::to_json(part).value();
    EXPECT_EQ(cache::mirror_part_from_json(text).value(), part);
    EXPECT_EQ(part.text(), "slurm 24.11, 25.11.2, without sources");
    for (std::size_t i = 0; i < text.size(); ++i) {
        EXPECT_FALSE(cache::mirror_part_from_json(text.substr(0, i)));
        std::string bent = text;
        bent[i] = static_cast<char>(bent[i] ^ 0x15);
        if (const auto read_again = cache::mirror_part_from_json(bent)) {
            EXPECT_EQ(cache::to_json(*read_again).value(), bent);
        }
    }
    part.versions = {"25.11.2", "24.11"};
    EXPECT_FALSE(cache::to_json(part));
    part.versions = {"../x"};
    EXPECT_FALSE(cache::to_json(part));
    EXPECT_TRUE(cache::is_of_versions({"25.11"}, "25.11.2"));
    EXPECT_FALSE(cache::is_of_versions({"25.1"}, "25.11.2"));
    EXPECT_FALSE(cache::is_of_versions({"25.11.2"}, "25.11.20"));
}

}  // namespace
}  // namespace sf::install
