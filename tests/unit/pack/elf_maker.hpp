// SPDX-License-Identifier: Apache-2.0
// Test support: real ELF files made by the machine's compiler, linked as the compiler wrapper
// would.
#pragma once

#include <string>
#include <vector>

#include "base/process.hpp"
#include "model/names.hpp"
#include "unit/pack/tar_builder.hpp"

namespace sf::test {

class ElfTest : public PackTest {
protected:
    // gcc in the temporary folder; `source` is C.
    void gcc(const std::string& output, const std::string& source,
             const std::vector<std::string>& flags) {
        put(output, "");  // its folder
        fs::remove(temp() / output);
        put("source.c", source);
        base::Command command;
        command.argv = {"gcc", "-O1", "-o", output, "source.c"};
        command.argv.insert(command.argv.end(), flags.begin(), flags.end());
        command.directory = temp();
        const auto done = base::run(command);
        ASSERT_TRUE(done.has_value()) << done.error().text();
        ASSERT_TRUE(done->exit.ok()) << done->err;
    }
    // A shared library; RUNPATH entries as the wrapper gives them, the guard last.
    void library(const std::string& output, const std::string& soname, const std::string& source,
                 const std::vector<std::string>& folders = {},
                 std::vector<std::string> flags = {}) {
        flags.insert(flags.end(), {"-shared", "-fPIC", runpath_flags(folders)});
        if (!soname.empty()) flags.push_back("-Wl,-soname," + soname);
        gcc(output, source, flags);
    }
    static std::string runpath_flags(const std::vector<std::string>& folders) {
        std::string text = "-Wl,--enable-new-dtags";
        for (const auto& folder : folders) {
            text += ",-rpath," + std::string(model::placeholder_root) + "/" + folder;
        }
        return text + ",-rpath,/@@";
    }
    std::string readelf(const std::string& path) {
        base::Command command;
        command.argv = {"readelf", "-dW", (temp() / path).native()};
        const auto done = base::run(command);
        return done ? done->out : done.error().text();
    }
};

}  // namespace sf::test
