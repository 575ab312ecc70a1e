// SPDX-License-Identifier: Apache-2.0
// Z2: detached signatures between text and packets. One text form for each signature: what is
// accepted is what would be written.
#include "trust/armor.hpp"

#include "fuzz/fuzz.hpp"
#include "trust/fingerprint.hpp"

using namespace sf;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::text_of(data, size);
    if (const auto packets = trust::dearmor_signature(text)) {
        fuzz::require(trust::armor_signature(*packets) == text, "one signature has one text form");
        fuzz::require(trust::check_signature_packets(*packets).has_value(),
                      "what is in an accepted armour are signatures");
    }
    // The input as packets: they survive their own text form.
    if (trust::check_signature_packets(text)) {
        const auto back = trust::dearmor_signature(trust::armor_signature(text));
        fuzz::require(back && *back == text, "signature packets survive their armour");
    }
    if (const auto fingerprint = trust::Fingerprint::from_person(text)) {
        const auto again = trust::Fingerprint::parse(fingerprint->text());
        fuzz::require(again && *again == *fingerprint, "a fingerprint reads itself");
    }
    return 0;
}
