// SPDX-License-Identifier: Apache-2.0
#include "cli/session.hpp"

#include <cstdio>
#include <unistd.h>

#include "base/text.hpp"
#include "cli/standard_streams.hpp"

namespace sf::cli {

const char* program_version() { return SF_VERSION; }

bool Voice::colored(int descriptor) const {
    if (x_options.color != "auto") return x_options.color == "always";
    const char* no_color = ::getenv("NO_COLOR");
    return ::isatty(descriptor) == 1 && (no_color == nullptr || *no_color == '\0');
}

void Voice::set_interlude(std::function<void()> before, std::function<void()> after) {
    const std::lock_guard lock(x_mutex);
    x_before = std::move(before);
    x_after = std::move(after);
}

void Voice::message(base::Level level, const std::string& text) {
    if (level == base::Level::debug && x_options.verbose == 0) return;
    if (level == base::Level::info && x_options.quiet) return;
    std::string prefix;
    if (level == base::Level::warning)
        prefix = colored(2) ? "\033[1;33mwarning:\033[0m " : "warning: ";
    if (level == base::Level::notice) prefix = colored(2) ? "\033[1mnotice:\033[0m " : "notice: ";
    const std::lock_guard lock(x_mutex);
    if (x_before) x_before();
    to_stderr(fmt::format("{}{}\n", prefix, text));
    if (x_after) x_after();
}

void Voice::to_stdout(const std::string& text) {
    const int error = write_text(stdout, text);
    if (error != 0 && x_lost == 0) x_lost = error;
}

void Voice::to_stderr(const std::string& text) {
    // Where complaints cannot be written there is nobody to complain to.
    static_cast<void>(write_text(stderr, text));
}

int Voice::lost_output() {
    const std::lock_guard lock(x_mutex);
    return x_lost;
}

void Voice::text(const std::string& text) {
    const std::lock_guard lock(x_mutex);
    if (x_before) x_before();
    to_stdout(text);
    if (x_after) x_after();
}

void Voice::line(const std::string& line) {
    if (!x_options.json) text(line + "\n");
}

void Voice::event(const std::string& kind, base::Json object) {
    if (!x_options.json) return;
    object["event"] = kind;
    const std::string text = object.dump(-1, ' ', false, base::Json::error_handler_t::replace);
    const std::lock_guard lock(x_mutex);
    to_stdout(text + "\n");
}

void Voice::error(const base::Error& error) {
    static constexpr const char* codes[] = {"failed",  "usage",   "absent",    "unreachable",
                                            "corrupt", "refused", "exhausted", "interrupted"};
    event("error", {{"code", codes[static_cast<std::size_t>(error.code)]},
                    {"message", error.text()},
                    {"hint", error.hint}});
    const std::lock_guard lock(x_mutex);
    if (x_before) x_before();
    std::string word = error.code == base::Code::usage ? "usage:" : "error:";
    if (colored(2)) word = "\033[1;31m" + word + "\033[0m";
    std::string text = fmt::format("slurm-factory: {} {}\n", word, error.text());
    if (!error.hint.empty()) text += fmt::format("  next: {}\n", error.hint);
    to_stderr(text);
    if (x_after) x_after();
}

}  // namespace sf::cli
