// SPDX-License-Identifier: Apache-2.0
// Z10: recipes, stacks, toolchains, advisories and the configuration file. Any text gives a value
// and findings that can be printed. The first byte chooses what it is read as.
#include <CLI/CLI.hpp>

#include "base/text.hpp"
#include "cli/config_file.hpp"
#include "fuzz/fuzz.hpp"
#include "recipe/recipe_reader.hpp"
#include "recipe/stack_reader.hpp"

using namespace sf;
namespace fs = std::filesystem;

namespace {

void check_printable(const std::string& message) {
    // Messages may have lines, nothing else.
    for (const std::string& line : base::split(message, '\n'))
        fuzz::require(base::escape_untrusted(line) == line, "a finding can be printed");
}

void read_config(std::string_view text) {
    static const base::TempDir folder = fuzz::scratch_folder();
    const fs::path file = folder.path() / "config.yaml";
    fuzz::need(base::write_file(file, text));
    CLI::App app;
    std::string name;
    std::vector<std::string> list;
    int number = 0;
    bool flag = false;
    app.add_option("--state-dir", name);
    app.add_flag("--json", flag);
    CLI::App* sub = app.add_subcommand("build-slurm");
    sub->add_option("--source-mirror", list);
    sub->add_option("--jobs", number)->check(CLI::Range(1, 4096));
    const base::Status status = cli::apply_config_file(app, {"--config", file.string()});
    if (!status) check_printable(status.error().text());
    fuzz::require(number >= 0 && number <= 4096, "a number that is accepted is in its range");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input(fuzz::text_of(data, size));
    const std::uint8_t kind = input.byte();
    const std::string_view text = input.rest();
    recipe::Findings findings(kind % 5 == 1 ? "/nowhere/stacks/slurm-25.11.yaml"
                                            : "/nowhere/recipes/munge/recipe.yaml");
    switch (kind % 5) {
        case 0: static_cast<void>(recipe::read_recipe(text, findings)); break;
        case 1: static_cast<void>(recipe::read_stack(text, findings)); break;
        case 2: static_cast<void>(recipe::read_toolchain(text, findings)); break;
        case 3: static_cast<void>(recipe::read_advisories(text, findings)); break;
        default: read_config(text); break;
    }
    for (const recipe::Finding& finding : findings.list()) {
        fuzz::require(finding.line >= 0, "a finding is in a line");
        check_printable(finding.message);
    }
    return 0;
}
