// SPDX-License-Identifier: Apache-2.0
#include "cli/signer_program.hpp"

#include <sys/socket.h>

#include <cstdio>

#include "base/stop.hpp"
#include "publish/signing_rules.hpp"
#include "trust/signer_process.hpp"
#include "trust/signer_service.hpp"

namespace sf::cli {

namespace {

int say(const base::Error& error) {
    // Nobody else may be left to tell.
    static_cast<void>(std::fprintf(stderr, "slurm-factory signer: %s\n", error.text().c_str()));
    return 1;
}

}  // namespace

bool is_signer(int argc, char** argv) {
    return argc == 2 && (std::string_view(argv[1]) == trust::signer_verb ||
                         std::string_view(argv[1]) == publish::look_verb);
}

int run_signer(std::string_view verb) {
    if (verb == publish::look_verb) return publish::look_and_tell();
    base::install_stop_handlers();
    int kind = 0;
    socklen_t size = sizeof kind;
    if (::getsockopt(trust::signer_socket, SOL_SOCKET, SO_TYPE, &kind, &size) != 0 ||
        kind != SOCK_SEQPACKET)
        return say(
            {base::Code::usage, "it is started by slurm-factory itself, by nobody else", {}, {}});
    if (const base::Status down = trust::lock_signer_down(); !down) return say(down.error());
    publish::RunRules rules;
    const base::Status served = trust::serve_signer(trust::signer_socket, rules);
    // Asked to stop, or left alone: that is its ordinary end.
    if (served || served.error().code == base::Code::interrupted ||
        served.error().code == base::Code::unreachable)
        return 0;
    return say(served.error());
}

}  // namespace sf::cli
