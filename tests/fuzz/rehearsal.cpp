// SPDX-License-Identifier: Apache-2.0
// What comes out of a sandbox in which a bundle was tried: the printed report, and the answer of a
// daemon behind a local socket. Nothing that is shown of it drives a terminal.
#include <algorithm>

#include "deploy/local_http.hpp"
#include "fuzz/fuzz.hpp"
#include "proof/proof_plan.hpp"

using namespace sf;

namespace {

bool printable(const std::string& text) {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(fuzz::text_of(data, size));
    const proof::Rehearsed rehearsed = proof::read_rehearsal(text);
    fuzz::require(printable(rehearsed.step) && printable(rehearsed.failure), "a report is escaped");
    for (const std::string& line : rehearsed.proved)
        fuzz::require(printable(line), "what was proved is escaped");
    const std::string daemon = proof::telling_daemon(rehearsed);
    fuzz::require(daemon.find('/') == std::string::npos && !daemon.empty(), "a daemon has a name");

    if (const auto body = deploy::body_of_answer(text)) {
        fuzz::require(body->size() < text.size(), "a body is a part of its answer");
        fuzz::require(text.find(*body) != std::string::npos, "and stands in it");
    } else {
        fuzz::require(printable(body.error().text()), "a refusal is escaped");
    }
    return 0;
}
