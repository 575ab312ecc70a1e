// SPDX-License-Identifier: Apache-2.0
// The record of a prepared root, and what bwrap says of itself.
#include "sandbox/root_record.hpp"

#include "fuzz/fuzz.hpp"
#include "sandbox/bwrap_status.hpp"

using namespace sf;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::text_of(data, size);
    if (const auto root = sandbox::root_from_json(text)) {
        const std::string once = fuzz::need(sandbox::to_json(*root));
        const auto again = fuzz::need(sandbox::root_from_json(once));
        fuzz::require(fuzz::need(sandbox::to_json(again)) == once,
                      "a root's record that was read is written the same twice");
    }
    auto [status, ours] = fuzz::need(sandbox::BwrapStatus::create());
    const std::string_view piece = text.substr(0, 60000);  // what fits into a pipe
    fuzz::need(base::write_all(ours.get(), base::as_bytes(piece), "a pipe"));
    ours.reset();
    status.read();
    // kill_child() is not called: a status that names a process of this machine must be bwrap's.
    if (status.exit_code())
        fuzz::require(*status.exit_code() >= 0 && *status.exit_code() < 256,
                      "an exit code is one byte");
    return 0;
}
