// SPDX-License-Identifier: Apache-2.0
// What a signer is asked, and told of a run: requests, replies and plans. What is read has one text
// form.
#include "trust/signer_wire.hpp"

#include "fuzz/fuzz.hpp"
#include "publish/signing_plan.hpp"

using namespace sf;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::text_of(data, size);
    if (const auto request = trust::signer_request_from_json(text)) {
        fuzz::require(fuzz::need(trust::to_json(*request)) == text, "one text form");
        fuzz::require(request->keys.size() <= trust::max_signer_keys, "few keys");
    }
    if (const auto reply = trust::signer_reply_from_json(text))
        fuzz::require(fuzz::need(trust::to_json(*reply)).size() <= trust::max_signer_message,
                      "a reply that is read can be sent");
    if (const auto plan = publish::signing_plan_from_json(text))
        fuzz::require(fuzz::need(publish::to_json(*plan)) == text, "one text form");
    return 0;
}
