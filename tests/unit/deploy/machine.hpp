// SPDX-License-Identifier: Apache-2.0
// A bare Debian machine in memory, and a bundle for it, with the real templates of the repository.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "deploy/engine.hpp"
#include "deploy/facts.hpp"
#include "deploy/planner.hpp"
#include "support/recording_host.hpp"

namespace sf::deploy {

class MachineTest : public ::testing::Test {
protected:
    MachineTest() {
        host.put("/proc/cpuinfo",
                 "flags\t\t: lm cx8 cmov fpu fxsr mmx syscall sse2 cx16 lahf_lm popcnt pni sse4_1 "
                 "sse4_2 ssse3 avx avx2 bmi1 bmi2 f16c fma abm movbe xsave\n");
        host.put("/proc/self/net/tcp", "");
        host.put("/proc/self/net/unix", "");
        host.put("/usr/lib/os-release",
                 "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n");
        host.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
        host.put("/etc/group", "root:x:0:\n");
        host.put_folder("/usr/sbin");
        host.put_folder("/usr/bin");
        host.put_link("/lib/x86_64-linux-gnu/libc.so.6", "libc-2.36.so");
        host.put("/lib/x86_64-linux-gnu/libc-2.36.so", std::string("\0GLIBC_2.34\0", 12));

        model::Package slurm;
        slurm.name = "slurm";
        slurm.version = "25.11.2";
        slurm.host_requirements = {{"libc.so.6", {"GLIBC_2.34"}}};
        bundle.name = "slurm";
        bundle.version = "25.11.2";
        bundle.toolchain = "bookworm";
        bundle.target = "x86_64_v3";
        bundle.packages = {slurm};
        target = {"Debian 12 (bookworm)", "debian", {"debian", "12"}, "bookworm"};

        const std::filesystem::path folder = SF_REPOSITORY "/templates/slurm_assets";
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
            if (entry.is_regular_file())
                templates[entry.path().lexically_relative(folder).native()] =
                    base::read_file(entry.path()).value();
        }
    }

    void with_accounting_plugin() {
        model::FileEntry plugin;
        plugin.path = "lib/slurm/accounting_storage_mysql.so";
        bundle.packages[0].files.push_back(plugin);
    }
    void with_mariadb() {
        host.put("/usr/sbin/mariadbd", "");
        host.put("/usr/bin/mariadb", "");
        host.put("/etc/passwd", host.text("/etc/passwd") + "mysql:x:107:107::/:/x\n");
        host.put("/etc/group", host.text("/etc/group") + "mysql:x:107:\n");
    }

    // What getent would have said is what the files say.
    std::string looked_up() const {
        std::string text = more_names;
        for (const auto& [kind, path] :
             {std::pair{"passwd ", "/etc/passwd"}, {"group ", "/etc/group"}}) {
            for (const std::string& line : base::split(host.text(path), '\n'))
                if (!line.empty()) text += kind + line + '\n';
        }
        return text;
    }

    struct Outcome {
        std::vector<base::Error> problems;
        Planned planned;
        Facts facts;
    };
    // As setup.cpp does it, up to the plan.
    Outcome plan(const std::vector<std::string>& words) {
        Outcome outcome;
        options = parse_options(words).value();
        record = load_record(host).value();
        outcome.facts = gather_facts(host, looked_up(), bundle).value();
        const PlanInputs inputs{options,      outcome.facts, record,
                                bundle,       target,        templates,
                                "/opt/slurm", false,         "CPUs=2 RealMemory=23000",
                                shared,       noexec};
        const Answers answers = effective_answers(options, record, outcome.facts);
        outcome.problems = find_problems(inputs, answers);
        if (outcome.problems.empty()) outcome.planned = make_plan(inputs, answers).value();
        return outcome;
    }

    // Carries out; how much changed.
    base::Result<int> set_up(const std::vector<std::string>& words) {
        Outcome outcome = plan(words);
        EXPECT_TRUE(outcome.problems.empty()) << outcome.problems.front().text();
        record.answers = outcome.planned.answers;
        Context context{host, listener, record, outcome.facts.accounts};
        SF_CHECK(deploy::set_up(outcome.planned.plan, context, "pass4word"));
        return context.changes;
    }

    // All of what speaks against it, with the next steps.
    static std::string text_of(const std::vector<base::Error>& problems) {
        std::string text;
        for (const base::Error& problem : problems)
            text += problem.text() + " | " + problem.hint + '\n';
        return text;
    }

    test::RecordingHost host;
    test::Listener listener;
    model::Bundle bundle;
    Target target;
    Templates templates;
    Options options;
    Record record;
    std::string more_names;
    std::string shared;  // why other hosts may run from the tree
    bool noexec = false;
};

}  // namespace sf::deploy
