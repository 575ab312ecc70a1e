// SPDX-License-Identifier: Apache-2.0
#include "cli/session.hpp"

#include <cstdio>
#include <unistd.h>

#include "base/text.hpp"

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
    fmt::print(stderr, "{}{}\n", prefix, text);
    if (x_after) x_after();
}

void Voice::line(const std::string& text) {
    if (x_options.json) return;
    const std::lock_guard lock(x_mutex);
    if (x_before) x_before();
    fmt::print(stdout, "{}\n", text);
    static_cast<void>(std::fflush(stdout));
    if (x_after) x_after();
}

void Voice::event(const std::string& kind, base::Json object) {
    if (!x_options.json) return;
    object["event"] = kind;
    const std::string text = object.dump(-1, ' ', false, base::Json::error_handler_t::replace);
    const std::lock_guard lock(x_mutex);
    fmt::print(stdout, "{}\n", text);
    static_cast<void>(std::fflush(stdout));
}

void Voice::error(const base::Error& error) {
    static constexpr const char* codes[] = {"failed",  "usage",   "absent",    "unreachable",
                                            "corrupt", "refused", "exhausted", "interrupted"};
    event("error", {{"code", codes[static_cast<std::size_t>(error.code)]},
                    {"message", error.text()},
                    {"hint", error.hint}});
    const std::lock_guard lock(x_mutex);
    if (x_before) x_before();
    const char* word = colored(2) ? "\033[1;31merror:\033[0m" : "error:";
    fmt::print(stderr, "slurm-factory: {} {}\n", word, error.text());
    if (!error.hint.empty()) fmt::print(stderr, "  next: {}\n", error.hint);
    if (x_after) x_after();
}

}  // namespace sf::cli
