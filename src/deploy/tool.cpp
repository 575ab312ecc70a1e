// SPDX-License-Identifier: Apache-2.0
#include "deploy/tool.hpp"

#include "base/text.hpp"

namespace sf::deploy {

base::Result<std::string> run_tool(Host& host, std::vector<std::string> argv,
                                   std::chrono::milliseconds deadline) {
    base::Command command;
    command.argv = std::move(argv);
    command.environment = {
        {"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"LC_ALL", "C"}, {"HOME", "/root"}};
    command.deadline = deadline;
    SF_TRY(base::Finished done, host.run(command));
    if (done.exit.ok()) return std::move(done.out);
    return base::fail(base::Code::failed, "{}: {}: {}", base::shell_join(command.argv),
                      done.timed_out ? "no end in time" : done.exit.text(),
                      base::escape_untrusted(base::trim(done.err)));
}

}  // namespace sf::deploy
