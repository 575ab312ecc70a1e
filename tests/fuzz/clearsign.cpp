// SPDX-License-Identifier: Apache-2.0
// Z2: clearsigned texts between text and frame. What is accepted is exactly one message, and its
// text is one that GnuPG gives back.
#include "trust/clearsign.hpp"

#include "fuzz/fuzz.hpp"

using namespace sf;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = fuzz::text_of(data, size);
    if (const auto text = trust::frame_of_clearsigned(input)) {
        fuzz::require(trust::check_clearsign_text(*text).has_value(),
                      "an accepted text could have been signed by us");
        const std::size_t armor = input.rfind("\n-----BEGIN PGP SIGNATURE-----\n") + 1;
        const std::string hash(input.substr(input.find("Hash: ") + 6, 6));
        fuzz::require(trust::clearsigned_text(*text, hash, input.substr(armor)) == input,
                      "one text has one message");
    }
    // The input as a text: it survives its own frame.
    if (trust::check_clearsign_text(input)) {
        const std::string signature = trust::armor_signature(std::string_view("\x88\x01\x00", 3));
        const auto back =
            trust::frame_of_clearsigned(trust::clearsigned_text(input, "SHA512", signature));
        fuzz::require(back && *back == input, "a text survives its frame");
    }
    return 0;
}
