// SPDX-License-Identifier: Apache-2.0
// Generations of a prefix: what is kept, the way back and forth, and that an end at any step leaves
// one of two states.
#include "tree/rollback.hpp"

#include <gmock/gmock.h>

#include <functional>
#include <optional>

#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "tree/stages.hpp"
#include "unit/install/generation_maker.hpp"

namespace sf::install {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Rollback = GenerationTest;

TEST_F(Rollback, ToAnotherVersionAndForthAgain) {
    EXPECT_EQ(keep(make("25.11.1", "1", {}, "one")), 1U);
    EXPECT_EQ(keep(make("25.11.2", "1", {}, "two"), 1'790'000'001), 2U);
    const auto all = tree::list_generations(prefix()).value();
    ASSERT_THAT(all, SizeIs(2));
    EXPECT_EQ(all[1].version, "25.11.2");
    EXPECT_EQ(all[1].made, 1'790'000'001);
    EXPECT_EQ(all[1].origin.at("cache"), "https://cache.example.org");
    EXPECT_EQ(srun(), "srun 25.11.21");

    EXPECT_EQ(tree::generation_before(prefix()).value(), 1U);
    const auto report = back(1);
    ASSERT_TRUE(report) << report.error().text();
    EXPECT_TRUE(report->changed);
    EXPECT_EQ(report->generation, 1U);
    EXPECT_THAT(report->installed, IsEmpty());
    EXPECT_EQ(srun(), "srun 25.11.11");
    EXPECT_EQ(current(), 1U);
    EXPECT_FALSE(back(1)->changed);
    EXPECT_EQ(tree::generation_before(prefix()).error().code, base::Code::absent);

    ASSERT_TRUE(back(2));
    EXPECT_EQ(srun(), "srun 25.11.21");
    EXPECT_EQ(current(), 2U);
}

// Views, manifests and our files of one version are at one path: the other build's come back.
TEST_F(Rollback, ToAnotherBuildOfTheSameVersion) {
    ASSERT_EQ(keep(make("25.11.2", "1", {}, "one")), 1U);
    const std::string manifest = read(prefix() / "manifests/25.11.2.json");
    const std::string signature = read(prefix() / "manifests/25.11.2.json.asc");
    ASSERT_EQ(keep(make("25.11.2", "2", {}, "two")), 2U);
    EXPECT_EQ(srun(), "srun 25.11.22");
    const auto report = back(1);
    ASSERT_TRUE(report) << report.error().text();
    EXPECT_EQ(srun(), "srun 25.11.21");
    EXPECT_EQ(read(prefix() / "manifests/25.11.2.json"), manifest);
    EXPECT_EQ(read(prefix() / "manifests/25.11.2.json.asc"), signature);
    EXPECT_EQ(current(), 1U);
}

TEST_F(Rollback, TheSameAgainIsNoNewGeneration) {
    const fs::path bundle = make();
    ASSERT_EQ(keep(bundle), 1U);
    InstallOptions options;
    options.record = tree::NewGeneration{};
    const auto again = install(bundle, prefix(), options);
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->changed);
    EXPECT_EQ(again->generation, 1U);
    EXPECT_THAT(tree::list_generations(prefix()).value(), SizeIs(1));
    // Back at an older one, the newer is installed again: one more.
    ASSERT_EQ(keep(make("25.11.1", "1", {}, "one")), 2U);
    EXPECT_EQ(keep(bundle), 3U);
}

// 3 was left on purpose: from 4, which came in the place of 2, the way back is 2.
TEST_F(Rollback, WhatWasLeftOnPurposeIsNotReturnedTo) {
    ASSERT_EQ(keep(make("25.11.1", "1", {}, "one")), 1U);
    ASSERT_EQ(keep(make("25.11.2", "1", {}, "two")), 2U);
    const fs::path three = make("25.11.3", "1", {}, "three");
    ASSERT_EQ(keep(three), 3U);
    ASSERT_TRUE(back(tree::generation_before(prefix()).value()));
    EXPECT_EQ(current(), 2U);
    ASSERT_EQ(keep(make("25.11.4", "1", {}, "four")), 4U);
    EXPECT_EQ(tree::list_generations(prefix()).value().back().came_from, 2U);
    EXPECT_EQ(tree::generation_before(prefix()).value(), 2U);
    ASSERT_TRUE(back(2));
    EXPECT_EQ(tree::generation_before(prefix()).value(), 1U);
    ASSERT_TRUE(back(1));
    EXPECT_FALSE(tree::generation_before(prefix()));
    // The last one once more, from another place: the way back is to that place.
    ASSERT_TRUE(back(4));
    ASSERT_TRUE(back(1));
    EXPECT_EQ(keep(make("25.11.4", "1", {}, "four")), 5U);
    EXPECT_EQ(tree::generation_before(prefix()).value(), 1U);
    // What it came from is gone: the next older one.
    ASSERT_TRUE(back(4));
    ASSERT_TRUE(base::remove_tree(prefix() / "generations/2"));
    EXPECT_EQ(tree::generation_before(prefix()).value(), 1U);
}

TEST_F(Rollback, WhatIsGoneIsSaid) {
    ASSERT_EQ(keep(make("25.11.1", "1", {}, "one")), 1U);
    ASSERT_EQ(keep(make("25.11.2", "1", {}, "two")), 2U);
    EXPECT_THAT(back(7).error().text(), HasSubstr("has no generation 7"));
    const auto kept = tree::read_generation(prefix(), 1).value();
    const std::string slurm = kept.bundle.packages.back().store_name();
    ASSERT_TRUE(base::remove_tree(prefix() / "store" / slurm));
    const auto refused = back(1);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::absent);
    EXPECT_THAT(refused.error().text(), HasSubstr("package " + slurm + " of generation 1"));
    EXPECT_EQ(srun(), "srun 25.11.21");
    EXPECT_EQ(current(), 2U);
}

// Somebody else is at work, and does `what` before he is done.
base::Result<tree::Returned> back_after(const fs::path& prefix, std::uint64_t number,
                                        const std::function<void()>& what) {
    std::optional<tree::Stages> other = tree::Stages::hold(prefix).value();
    InstallOptions options;
    options.waiting = [&] {
        what();
        other.reset();
    };
    return tree::return_to_generation(prefix, number, options);
}

TEST_F(Rollback, WhatWasRemovedMeanwhileIsNotReturnedTo) {
    for (const char* version : {"25.11.1", "25.11.2", "25.11.3"})
        ASSERT_NE(keep(make(version, "1", {}, version)), 0U);
    ASSERT_TRUE(back(1));
    const fs::path third = prefix() / "generations/3";
    const fs::path aside = x_folder.path() / "aside";
    const auto gone = back_after(prefix(), 3, [&] { fs::rename(third, aside); });
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, base::Code::absent);
    EXPECT_THAT(gone.error().text(), HasSubstr("has no generation 3"));
    EXPECT_EQ(current(), 1U);
    EXPECT_EQ(ills(), "");
    // The number is another's now, if only by what is said of where it came from.
    fs::rename(aside, third);
    const std::string record = read(third / "generation.json");
    const auto another = back_after(prefix(), 3, [&] {
        const std::string other = base::replace_all(record, "cache.example.org", "example.org");
        ASSERT_NE(other, record);
        ASSERT_TRUE(base::write_file(third / "generation.json", other));
    });
    ASSERT_FALSE(another);
    EXPECT_EQ(another.error().code, base::Code::refused);
    EXPECT_THAT(another.error().text(), HasSubstr("has become another one meanwhile"));
    EXPECT_EQ(current(), 1U);
}

// By somebody whom no lock keeps out, until the last link was switched.
TEST_F(Rollback, WhatIsTakenAwayWhileItSwitchesIsSwitchedBack) {
    for (const char* version : {"25.11.1", "25.11.2"})
        ASSERT_NE(keep(make(version, "1", {}, version)), 0U);
    const auto kept = tree::read_generation(prefix(), 1).value();
    const fs::path aside = x_folder.path() / "aside";
    for (const std::string& part :
         {std::string("views/25.11.1"), std::string("manifests/25.11.1.json"),
          std::string("generations/1"),
          model::bundle_store_path(kept.bundle.packages.back().store_name())}) {
        InstallOptions options;
        int switches = 0;
        options.on_step = [&](std::string_view step) -> base::Status {
            if (step == "switch" && ++switches == 2) fs::rename(prefix() / part, aside);
            return {};
        };
        const auto refused = back(1, options);
        ASSERT_FALSE(refused) << part;
        EXPECT_EQ(refused.error().code, base::Code::refused);
        EXPECT_THAT(refused.error().text(), HasSubstr(part + " was taken away by another run"));
        EXPECT_EQ(srun(), "srun 25.11.21") << part;
        EXPECT_EQ(fs::read_symlink(prefix() / "generations/current"), "2") << part;
        fs::rename(aside, prefix() / part);
        EXPECT_EQ(ills(), "") << part;
    }
    ASSERT_TRUE(back(1));
}

// Of a version part of which was taken away meanwhile nothing says that it is there.
TEST_F(Rollback, WhatItHasPutThereDoesNotStayWithoutTheRest) {
    for (const char* version : {"25.11.1", "25.11.2"})
        ASSERT_NE(keep(make(version, "1", {}, version)), 0U);
    const std::vector<std::string> own{"manifests/25.11.1.json", "manifests/25.11.1.json.asc",
                                       "views/25.11.1", "data/slurm_assets/25.11.1",
                                       "modules/slurm/25.11.1-bookworm.lua"};
    for (const std::string& part : own) {
        for (const std::string& path : own) fs::remove_all(prefix() / path);
        InstallOptions options;
        int switches = 0;
        options.on_step = [&](std::string_view step) -> base::Status {
            if (step == "switch" && ++switches == 2) fs::remove_all(prefix() / part);
            return {};
        };
        const auto refused = back(1, options);
        ASSERT_FALSE(refused) << part;
        EXPECT_THAT(refused.error().text(), HasSubstr(part + " was taken away by another run"));
        for (const std::string& path : own) EXPECT_FALSE(base::exists(prefix() / path)) << path;
        EXPECT_EQ(srun(), "srun 25.11.21") << part;
        EXPECT_EQ(ills(), "") << part;
    }
    ASSERT_TRUE(back(1));
    EXPECT_EQ(ills(), "");
}

TEST_F(Rollback, WhichOneIsBeforeIsDecidedWhenItsTurnHasCome) {
    for (const char* version : {"25.11.1", "25.11.2", "25.11.3"})
        ASSERT_NE(keep(make(version, "1", {}, version)), 0U);
    // Another switch is on its way, from 3 to 2: nothing is current, then 2 is.
    const fs::path view = prefix() / "view";
    const fs::path said = prefix() / "generations/current";
    const auto one = back_after(prefix(), 0, [&] {
        fs::remove(view);
        fs::create_symlink("views/25.11.2", view);
        fs::remove(said);
        fs::create_symlink("2", said);
    });
    ASSERT_TRUE(one) << one.error().text();
    EXPECT_EQ(one->kept.generation.number, 1U);
    EXPECT_EQ(srun(), "srun 25.11.11");
    // Where nothing was ever installed nothing is made.
    const fs::path empty = x_folder.path() / "empty";
    ASSERT_TRUE(base::make_dirs(empty));
    const auto nothing = tree::return_to_generation(empty, 0);
    ASSERT_FALSE(nothing);
    EXPECT_THAT(nothing.error().text(), HasSubstr("nothing was installed to"));
    EXPECT_TRUE(fs::is_empty(empty));
}

TEST_F(Rollback, WhatWasChangedIsNotBroughtBack) {
    ASSERT_EQ(keep(make("25.11.2", "1", {}, "one")), 1U);
    ASSERT_EQ(keep(make("25.11.2", "2", {}, "two")), 2U);
    const fs::path folder = prefix() / "generations/1";
    const std::string record = read(folder / "generation.json");
    ASSERT_TRUE(base::write_file(folder / "generation.json",
                                 base::replace_all(record, "\"number\":1", "\"number\":2")));
    EXPECT_THAT(back(1).error().text(), HasSubstr("is of generation 2"));
    ASSERT_TRUE(base::write_file(folder / "generation.json", record));
    ASSERT_TRUE(base::write_file(folder / "manifest.json", read(folder / "manifest.json") + ' '));
    EXPECT_THAT(back(1).error().text(), HasSubstr("is not the manifest that was installed"));
    EXPECT_EQ(srun(), "srun 25.11.22");
    // An asset that somebody changed: the transaction compares what it is filled with.
    const auto kept = tree::read_generation(prefix(), 2).value();
    ASSERT_TRUE(base::remove_file(kept.folder / "data/slurm_assets/25.11.2/modulerc.lua"));
    ASSERT_TRUE(base::write_file(kept.folder / "data/slurm_assets/25.11.2/modulerc.lua", "bad"));
    ASSERT_TRUE(base::write_file(prefix() / "data/slurm_assets/25.11.2/modulerc.lua", "worse"));
    EXPECT_THAT(back(2).error().text(), HasSubstr("modulerc.lua"));
}

// By other means than install, or by hand: there is no current one until it is said.
TEST_F(Rollback, AStrangersSwitchIsSeen) {
    ASSERT_EQ(keep(make("25.11.1", "1", {}, "one")), 1U);
    ASSERT_EQ(keep(make("25.11.2", "1", {}, "two")), 2U);
    ASSERT_TRUE(install(make("25.11.3", "1", {}, "three"), prefix()));
    EXPECT_EQ(current(), 0U);
    EXPECT_THAT(tree::generation_before(prefix()).error().text(),
                HasSubstr("was not put there by install"));
    ASSERT_TRUE(back(1));
    EXPECT_EQ(current(), 1U);
}

// An editor that writes in place changes what is installed, and nothing else.
TEST_F(Rollback, WhatIsKeptIsACopy) {
    ASSERT_EQ(keep(make("25.11.1", "1", {}, "one")), 1U);
    ASSERT_EQ(keep(make("25.11.2", "1", {}, "two")), 2U);
    const fs::path asset = "data/slurm_assets/25.11.1/slurm_install.sh";
    const base::Fd file = base::open_file(prefix() / asset, O_WRONLY | O_APPEND).value();
    ASSERT_TRUE(base::write_all(file.get(), base::as_bytes("# mine\n"), "it"));
    ASSERT_TRUE(back(1));
    EXPECT_EQ(read(prefix() / asset), "#!/bin/sh\n# 25.11.1\n");
}

TEST_F(Rollback, ADamagedViewIsMadeAgain) {
    ASSERT_EQ(keep(make("25.11.1", "1", {}, "one")), 1U);
    ASSERT_EQ(keep(make("25.11.2", "1", {}, "two")), 2U);
    ASSERT_TRUE(base::remove_file(prefix() / "views/25.11.1/bin/srun"));
    ASSERT_TRUE(back(1));
    EXPECT_EQ(srun(), "srun 25.11.11");
}

TEST_F(Rollback, AGenerationThatCannotBeReadIsInNobodysWay) {
    ASSERT_EQ(keep(make("25.11.1", "1", {}, "one")), 1U);
    ASSERT_TRUE(base::make_dirs(prefix() / "generations/7"));
    ASSERT_TRUE(base::make_dirs(prefix() / "generations/x"));
    EXPECT_EQ(keep(make("25.11.2", "1", {}, "two")), 8U);
    EXPECT_EQ(tree::generation_before(prefix()).value(), 1U);
    EXPECT_THAT(tree::list_generations(prefix()).value(), SizeIs(2));
}

TEST_F(Rollback, PastADamagedOneIsSaidNotGone) {
    ASSERT_EQ(keep(make("25.11.1", "1", {}, "one")), 1U);
    ASSERT_EQ(keep(make("25.11.2", "1", {}, "two")), 2U);
    ASSERT_EQ(keep(make("25.11.3", "1", {}, "three")), 3U);
    ASSERT_TRUE(base::write_file(prefix() / "generations/2/generation.json", "{"));
    EXPECT_THAT(tree::list_generations(prefix()).value(), SizeIs(2));
    const auto before = tree::generation_before(prefix());
    ASSERT_FALSE(before);
    EXPECT_THAT(before.error().text(), HasSubstr("generation 2, which 3 came from, is damaged"));
    ASSERT_TRUE(back(1));
    EXPECT_EQ(srun(), "srun 25.11.11");
}

// A record that cannot be read now may be a good one: nothing is decided without it.
TEST_F(Rollback, WithoutAnAnswerNothingIsDecided) {
    ASSERT_EQ(keep(make("25.11.1", "1", {}, "one")), 1U);
    ASSERT_EQ(keep(make("25.11.2", "1", {}, "two")), 2U);
    ASSERT_EQ(keep(make("25.11.3", "1", {}, "three")), 3U);
    const fs::path record = prefix() / "generations/2/generation.json";
    const std::string text = read(record);
    ASSERT_TRUE(base::remove_file(record));
    ASSERT_TRUE(base::make_dirs(record));  // opens, and answers no read
    EXPECT_FALSE(tree::list_generations(prefix()));
    EXPECT_FALSE(tree::generation_before(prefix()));
    ASSERT_TRUE(base::remove_tree(record));
    ASSERT_TRUE(base::write_file(record, text));
    EXPECT_EQ(tree::generation_before(prefix()).value(), 2U);
}

// Two builds of one version, ended at any step, are one or the other; and kept once.
TEST_F(Rollback, AnEndAtAnyStepOfAnInstallationToo) {
    ASSERT_EQ(keep(make("25.11.2", "1", {}, "one")), 1U);
    const fs::path two = make("25.11.2", "2", {}, "two");
    for (int end = 0; end < 50; ++end) {
        int steps = 0;
        InstallOptions options;
        options.record = tree::NewGeneration{};
        options.on_step = [&](std::string_view) -> base::Status {
            if (steps++ < end) return {};
            return base::fail(base::Code::interrupted, "here");
        };
        const bool done = install(two, prefix(), options).has_value();
        EXPECT_TRUE(srun() == "srun 25.11.21" || srun() == "srun 25.11.22") << srun();
        if (!done) continue;
        EXPECT_EQ(srun(), "srun 25.11.22");
        EXPECT_THAT(tree::list_generations(prefix()).value(), SizeIs(2));
        EXPECT_EQ(tree::generation_before(prefix()).value(), 1U);
        return;
    }
    FAIL() << "it never ends";
}

TEST_F(Rollback, AnEndAtAnyStepLeavesOneOfTwo) {
    ASSERT_EQ(keep(make("25.11.1", "1", {}, "one")), 1U);
    ASSERT_EQ(keep(make("25.11.2", "1", {}, "two")), 2U);
    for (int end = 0; end < 50; ++end) {
        int steps = 0;
        InstallOptions options;
        options.on_step = [&](std::string_view) -> base::Status {
            if (steps++ < end) return {};
            return base::fail(base::Code::interrupted, "here");
        };
        const bool done = back(1, options).has_value();
        const bool switched = srun() == "srun 25.11.11";
        EXPECT_TRUE(switched || srun() == "srun 25.11.21") << srun();
        EXPECT_EQ(current(), switched ? 1U : 2U) << end;
        if (!done) continue;
        EXPECT_TRUE(switched);
        EXPECT_GT(end, 1);
        EXPECT_EQ(current(), 1U);
        return;
    }
    FAIL() << "it never ends";
}

TEST(Generation, HasOneText) {
    tree::Generation generation;
    generation.number = 12;
    generation.made = 1'790'000'000;
    generation.version = "25.11.2";
    generation.toolchain = "noble";
    generation.origin = {{"cache", "s3://bucket/x"}, {"serial", "7"}};
    const std::string text = tree::to_json(generation).value();
    EXPECT_EQ(tree::to_json(tree::generation_from_json(text).value()).value(), text);
    for (std::size_t i = 0; i < text.size(); ++i) {
        EXPECT_FALSE(tree::generation_from_json(text.substr(0, i)));
        std::string bent = text;
        bent[i] = static_cast<char>(bent[i] ^ 0x15);
        if (const auto read = tree::generation_from_json(bent))
            EXPECT_EQ(tree::to_json(*read).value(), bent);
    }
    EXPECT_FALSE(tree::generation_from_json(base::replace_all(text, ":12,", ":0,")));
    EXPECT_FALSE(tree::generation_from_json(base::replace_all(text, "\"7\"", "7")));
    generation.came_from = 11;
    const std::string later = tree::to_json(generation).value();
    EXPECT_EQ(tree::generation_from_json(later)->came_from, 11U);
    EXPECT_FALSE(tree::generation_from_json(base::replace_all(later, ":11,", ":12,")));
    EXPECT_FALSE(tree::generation_from_json(base::replace_all(later, ":11,", ":0,")));
}

}  // namespace
}  // namespace sf::install
