// SPDX-License-Identifier: Apache-2.0
// What every command has at hand: the global options, the folders, and where to speak. Made once,
// by run_command_line(); commands register themselves on it and leave an action behind.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "build/state_dir.hpp"
#include "recipe/catalog.hpp"

namespace CLI {
class App;
}

namespace sf::cli {

struct GlobalOptions {
    int verbose = 0;
    bool quiet = false;
    bool json = false;
    std::string color = "auto";  // auto | always | never
    std::filesystem::path state_dir;
    std::filesystem::path data_dir;  // recipes, stacks, toolchains, templates
    std::filesystem::path config;
};

// Text for people goes to stderr while working and to stdout as the result; with --json one object
// a line goes to stdout and nothing else does. Thread-safe.
class Voice : public base::Reporter {
public:
    explicit Voice(const GlobalOptions& options) : x_options(options) {}
    void message(base::Level level, const std::string& text) override;

    // As it is, on stdout, also with --json: what was asked for is itself a text (help).
    void text(const std::string& text);
    // A line of the result, for people; silent with --json.
    void line(const std::string& line);
    // An event or the result, for programs; silent without --json. `kind` becomes its "event".
    void event(const std::string& kind, base::Json object);
    void error(const base::Error& error);

    // The errno of the first write to stdout that failed: the result did not reach its reader. 0:
    // it did.
    [[nodiscard]] int lost_output();

    [[nodiscard]] bool json() const { return x_options.json; }
    [[nodiscard]] bool colored(int descriptor) const;
    // Called before and after text goes to stderr, so that a progress display can step aside.
    void set_interlude(std::function<void()> before, std::function<void()> after);

private:
    void to_stdout(const std::string& text);
    static void to_stderr(const std::string& text);
    const GlobalOptions& x_options;
    std::mutex x_mutex;
    int x_lost = 0;
    std::function<void()> x_before, x_after;
};

class TakenTrust;

class Session {
public:
    Session() : voice(options) {}
    GlobalOptions options;
    Voice voice;
    // Set by the command that was named on the command line; run after parsing.
    std::function<base::Status()> action;
    // Made when it is needed (taken_trust.hpp).
    std::shared_ptr<TakenTrust> taken_trust;

    [[nodiscard]] build::StateDir state() const { return {options.state_dir}; }
    [[nodiscard]] base::Result<recipe::Catalog> catalog() const {
        return recipe::load_catalog(options.data_dir);
    }
    // With nothing but the toolchains in it.
    [[nodiscard]] base::Result<recipe::Catalog> toolchains() const {
        return recipe::load_toolchains(options.data_dir);
    }
};

[[nodiscard]] const char* program_version();

}  // namespace sf::cli
