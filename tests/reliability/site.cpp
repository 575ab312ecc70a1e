// SPDX-License-Identifier: Apache-2.0
#include "reliability/site.hpp"

#include <cmath>
#include <csignal>
#include <fcntl.h>
#include <thread>

#include "base/text.hpp"

namespace sf::test {

namespace fs = std::filesystem;
using std::chrono::duration;
using std::chrono::steady_clock;

std::string program() {
    const char* const other = std::getenv("SF_TEST_PROGRAM");
    return other == nullptr ? SF_PROGRAM : other;
}

std::string own_program() { return fs::read_symlink("/proc/self/exe").native(); }

std::string Said::text() const {
    return fmt::format("exit {}{}{} after {:.2f} s\n{}{}", code,
                       signal == 0 ? "" : fmt::format(", signal {}", signal), hung ? ", hung" : "",
                       seconds, out, err);
}

std::string last_error(const std::string& err) {
    const std::size_t at = err.rfind("error: ");
    const std::string line = err.substr(at == std::string::npos ? 0 : at);
    return line.substr(0, line.find('\n'));
}

void kill_each(std::vector<Victim> victims) {
    for (;;) {
        std::erase_if(victims,
                      [](const Victim& each) { return each.after == 0 || each.process->ended(); });
        if (victims.empty()) return;
        for (Victim& each : victims) {
            if (each.process->seconds() < each.after) continue;
            each.process->signal(SIGKILL);
            each.after = 0;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

double Running::seconds() const { return duration<double>(steady_clock::now() - x_begin).count(); }

bool Running::ended() { return x_child.wait_for(std::chrono::milliseconds(0)).value().has_value(); }

std::string Running::said() const { return base::read_file(x_err).value_or(""); }

Said Running::wait(std::chrono::seconds patience) {
    Said said;
    const auto exit = x_child.wait_for(patience).value();
    said.seconds = seconds();
    if (!exit) {
        said.hung = true;
        x_child.kill_group(SIGKILL);
    }
    const base::Exit ended = exit ? *exit : x_child.wait().value();
    said.code = ended.code;
    said.signal = ended.signal;
    said.out = base::read_file(x_out).value_or("");
    said.err = base::read_file(x_err).value_or("");
    fs::remove(x_out);
    fs::remove(x_err);
    return said;
}

Said Strikes::strike(Running& process, int number) {
    constexpr double whole = 1.1, earlier = 0.8;
    const double pause = between(x_random, 0.001, x_alone * whole * std::pow(earlier, x_missed));
    std::this_thread::sleep_for(duration<double>(pause));
    const auto blow = steady_clock::now();
    process.signal(number);
    Said said = process.wait();
    x_took = duration<double>(steady_clock::now() - blow).count();
    ++x_struck;
    if (said.code != 0) {
        ++x_met;
        x_missed = 0;
    } else {
        ++x_missed;
    }
    said.err += fmt::format("(signal {} after {:.3f} s, the {}. of them)", number, pause, x_struck);
    return said;
}

void Strikes::check() const {
    if (!::testing::Test::HasFailure()) {
        EXPECT_EQ(x_met, x_wanted) << text();
    }
}

std::string Strikes::text() const {
    return fmt::format("{} of {} that were struck met their end", x_met, x_struck);
}

Site::Site(const std::vector<std::string>& versions, const fs::path& parent)
    : x_folder(base::TempDir::create(parent, "sfr-").value()), x_versions(versions) {
    fs::create_directory(at("out"));
    const base::Status made = small().make();
    if (!made) throw std::runtime_error(made.error().text());
    for (const std::string& version : versions) {
        const base::Status published = small().publish(version);
        if (!published) throw std::runtime_error(published.error().text());
    }
    new_client("client");
}

fs::path Site::new_client(const std::string& name) {
    const fs::path client = at(name);
    const std::string key = base::read_file(small().folder() / "fingerprint").value();
    for (const Words& words : {Words{"key", "import", (small().folder() / "release.asc").native()},
                               Words{"key", "trust", key}}) {
        const Said said = run(words, client);
        if (said.code != 0) throw std::runtime_error(said.text());
    }
    return client;
}

Words Site::install(const std::string& version, const fs::path& prefix,
                    const std::string& from) const {
    return {"install",     "slurm@" + version, "--cache",  from.empty() ? cache().native() : from,
            "--toolchain", "bookworm",         "--prefix", prefix.native()};
}

Running Site::start(const Words& words, const fs::path& client, const base::Limits& limits) {
    std::vector<std::string> argv{program()};
    argv.insert(argv.end(), words.begin(), words.end());
    return start_program(
        std::move(argv),
        {{"PATH", "/usr/bin:/bin:/usr/sbin:/sbin"},
         {"HOME", (at("home")).native()},
         {"SLURM_FACTORY_CACHE_DIR", (client.empty() ? at("client") : client).native()}},
        limits);
}

Running Site::start_program(std::vector<std::string> argv, const base::Environment& environment,
                            const base::Limits& limits) {
    const int number = ++x_started;
    const fs::path out = at("out") / fmt::format("{}.out", number);
    const fs::path err = at("out") / fmt::format("{}.err", number);
    constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC;
    const base::Fd out_fd = base::open_file(out, flags).value();
    const base::Fd err_fd = base::open_file(err, flags).value();
    base::Command command;
    command.argv = std::move(argv);
    command.environment = environment;
    command.stdout_fd = out_fd.get();
    command.stderr_fd = err_fd.get();
    command.limits = limits;
    return {base::Child::spawn(command).value(), out, err};
}

}  // namespace sf::test
