// SPDX-License-Identifier: Apache-2.0
// What has to be there for what is asked for, and the record of what was not built here.
#include "build/needs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/text.hpp"
#include "build/taken.hpp"

namespace sf::build {
namespace {

using model::NodeId;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

// flex <- (build) munge -> zlib; headers <- (build) slurm -> munge; a tool of flex's: m4.
class Needs : public ::testing::Test {
protected:
    Needs() {
        m4 = add("m4", {}, {});
        flex = add("flex", {m4}, {});
        zlib = add("zlib", {}, {});
        munge = add("munge", {flex}, {zlib});
        headers = add("headers", {}, {});
        slurm = add("slurm", {headers}, {munge});
    }
    NodeId add(const std::string& name, std::vector<NodeId> build, std::vector<NodeId> link) {
        model::Spec spec;
        spec.name = name;
        spec.version = "1";
        spec.build_dependencies = std::move(build);
        spec.link_dependencies = std::move(link);
        return x_dag.add(spec);
    }
    std::vector<std::string> needed_with(const std::set<NodeId>& ready) {
        std::vector<std::string> names;
        x_asked.clear();
        const auto marked = needed(x_dag, {slurm}, [&](NodeId id) {
            x_asked.push_back(x_dag.at(id).name);
            return ready.contains(id);
        });
        for (const NodeId id : x_dag.nodes())
            if (marked[model::index(id)]) names.push_back(x_dag.at(id).name);
        return names;
    }
    model::Dag x_dag;
    NodeId m4{}, flex{}, zlib{}, munge{}, headers{}, slurm{};
    std::vector<std::string> x_asked;
};

TEST_F(Needs, WhatIsBuiltNeedsAllItIsBuiltWith) {
    EXPECT_THAT(needed_with({}), ElementsAre("m4", "flex", "zlib", "munge", "headers", "slurm"));
}

TEST_F(Needs, WhatIsThereNeedsOnlyWhatItRunsWith) {
    EXPECT_THAT(needed_with({slurm, munge, zlib}), ElementsAre("zlib", "munge", "slurm"));
    EXPECT_THAT(x_asked, ElementsAre("slurm", "munge", "zlib"));
    EXPECT_THAT(needed_with({munge, zlib}), ElementsAre("zlib", "munge", "headers", "slurm"));
    // A tool that is there does not want what made it.
    EXPECT_THAT(needed_with({slurm, zlib, flex}),
                UnorderedElementsAre("flex", "zlib", "munge", "slurm"));
}

TEST(TakenRecord, HasOneText) {
    Taken taken{"/srv/cache",         "bookworm/slurm/deps", std::string(32, 'a'), 7,
                std::string(40, 'A'), std::string(40, 'B'),  1'790'000'000};
    const std::string text = to_json(taken).value();
    EXPECT_EQ(taken_from_json(text).value(), taken);
    EXPECT_EQ(taken_text(taken), "taken from /srv/cache, signed by " + taken.signer);
    for (std::size_t i = 0; i < text.size(); ++i) {
        EXPECT_FALSE(taken_from_json(text.substr(0, i)));
        std::string bent = text;
        bent[i] = static_cast<char>(bent[i] ^ 0x11);
        if (const auto read = taken_from_json(bent)) EXPECT_EQ(to_json(*read).value(), bent);
    }
    EXPECT_FALSE(taken_from_json(text + "\n"));
    EXPECT_FALSE(taken_from_json(base::replace_all(text, "\"schema\":1", "\"schema\":2")));
    EXPECT_FALSE(taken_from_json(base::replace_all(text, "\"serial\":7", "\"serial\":-7")));
}

}  // namespace
}  // namespace sf::build
