// SPDX-License-Identifier: Apache-2.0
// A prefix with generations in it, for tests of what keeps it healthy, and how it looks.
#pragma once

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <set>
#include <string>
#include <vector>

#include "tree/check.hpp"
#include "tree/rollback.hpp"
#include "unit/install/bundle_maker.hpp"

namespace sf::install {

class GenerationTest : public BundleTest {
protected:
    // Installs and keeps a generation; its number.
    std::uint64_t keep(const fs::path& bundle, std::int64_t made = 1'790'000'000) {
        InstallOptions options;
        options.record = tree::NewGeneration{{{"cache", "https://cache.example.org"}}, made};
        const auto report = install(bundle, prefix(), options);
        EXPECT_TRUE(report) << report.error().text();
        return report ? report->generation : 0;
    }
    base::Result<InstallReport> back(std::uint64_t number, const InstallOptions& options = {}) {
        SF_TRY(tree::Returned returned, tree::return_to_generation(prefix(), number, options));
        return std::move(returned.report);
    }
    [[nodiscard]] std::uint64_t current() const {
        const auto generation = tree::current_generation(prefix()).value();
        return generation ? generation->number : 0;
    }
    [[nodiscard]] std::string srun() const { return read(prefix() / "view/bin/srun"); }

    // "" or every defect, a line each: "path: rule".
    [[nodiscard]] std::string ills(bool deep = true, bool signatures = false) const {
        tree::CheckOptions options;
        options.deep = deep;
        if (signatures) {
            options.judge = [this](const std::string& text, const std::string& signature,
                                   const std::string& file) -> base::Status {
                return x_verifier->verify_bytes(text, signature, file)
                    .map([](const trust::GoodSignature&) {});
            };
        }
        const auto report = tree::check_installed(prefix(), options);
        if (!report) return report.error().text();
        std::string all;
        for (const tree::Defect& each : report->defects) {
            EXPECT_NE(each.next, "") << each.path;
            all += each.path + ": " + each.rule + '\n';
        }
        return all;
    }
    [[nodiscard]] std::vector<std::string> notices() const {
        return tree::check_installed(prefix())->notices;
    }

    // The store name of a package of a generation.
    [[nodiscard]] std::string package(std::uint64_t generation, const std::string& name) const {
        const auto kept = tree::read_generation(prefix(), generation).value();
        for (const model::Package& each : kept.bundle.packages)
            if (each.name == name) return each.store_name();
        return "(none)";
    }
    [[nodiscard]] fs::path store(const std::string& name) const {
        return prefix() / "store" / name;
    }
    [[nodiscard]] std::vector<std::string> staged() const {
        return base::list_dir(prefix() / ".sf-stage").value();
    }
    // As an editor, or a disk, would.
    static void overwrite(const fs::path& file, const std::string& text) {
        const base::Fd fd = base::open_file(file, O_WRONLY | O_TRUNC).value();
        EXPECT_TRUE(base::write_all(fd.get(), base::as_bytes(text), file));
    }
};

// What a run does at each of its steps, one after the other, until it gets through: `run` with the
// number of the step at which it is to end; `after` what must hold then.
template <class Run, class After>
void end_at_every_step(Run run, After after) {
    for (int end = 0; end < 100; ++end) {
        const bool done = run(end);
        after(end, done);
        if (!done) continue;
        EXPECT_GT(end, 3) << "too few steps";
        return;
    }
    FAIL() << "it never ends";
}

}  // namespace sf::install
