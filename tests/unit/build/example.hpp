// SPDX-License-Identifier: Apache-2.0
// Two small recipes to plan and build in tests: munge links with zlib.
#pragma once

#include "build/planner.hpp"

namespace sf::build::testing_example {

struct Example {
    recipe::Catalog catalog;
    PlanInput input;

    Example() {
        add("zlib", "1.3", {}).versions[0].build.system = recipe::BuildSystem::make;
        add("munge", "0.5", {"zlib"}).versions[0].build.system = recipe::BuildSystem::autotools;
        input.packages = {{"zlib", "1.3"}, {"munge", "0.5"}};
        input.root.toolchain = "bookworm";
        input.root.packages = {"gcc-12=12.2.0-14"};
        input.root.compiler = "gcc 12.2.0-14";
    }
    Example(const Example&) = delete;
    Example& operator=(const Example&) = delete;

    recipe::Recipe& add(const std::string& name, const std::string& version,
                        std::vector<std::string> link) {
        recipe::Recipe& recipe = catalog.recipes[name];
        recipe.path = "/recipes/" + name + "/recipe.yaml";
        recipe.name = name;
        recipe.license = "Zlib";
        recipe.versions = {{version, {name + ".tar.gz", base::sha256(name), 1'000'000, {}}, {}}};
        recipe.link_dependencies = std::move(link);
        return recipe;
    }
    recipe::Recipe& zlib() { return catalog.recipes.at("zlib"); }
    recipe::Recipe& munge() { return catalog.recipes.at("munge"); }

    [[nodiscard]] Plan plan() const {
        PlanInput copy = input;
        copy.catalog = &catalog;
        base::Result<Plan> plan = make_plan(copy);
        if (!plan) throw std::runtime_error(plan.error().text());
        return std::move(*plan);
    }
};

}  // namespace sf::build::testing_example
