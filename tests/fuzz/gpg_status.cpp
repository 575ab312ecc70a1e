// SPDX-License-Identifier: Apache-2.0
// Z3: what gpgv says on its status descriptor, and gpg's listing of keys. A key's owner chooses the
// user id in it: nothing of that may become a line, or a verdict.
#include <algorithm>

#include "base/text.hpp"
#include "fuzz/fuzz.hpp"
#include "trust/key.hpp"
#include "trust/status.hpp"

using namespace sf;

namespace {

std::size_t lines_that_say(std::string_view text, std::string_view keyword) {
    std::size_t count = 0;
    for (const std::string& line : base::split(text, '\n'))
        if (line.starts_with(fmt::format("[GNUPG:] {} ", keyword))) ++count;
    return count;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::text_of(data, size);
    if (const auto status = trust::parse_status(text)) {
        std::size_t good = 0;
        for (const trust::SignatureStatus& signature : status->signatures) {
            if (signature.state == trust::SignatureState::good) ++good;
            fuzz::require(signature.state != trust::SignatureState::good || signature.valid,
                          "a good signature is a valid one");
            fuzz::require(!signature.valid || !signature.primary.empty(),
                          "a valid signature names its primary key");
        }
        fuzz::require(
            good <= lines_that_say(text, "GOODSIG") && good <= lines_that_say(text, "VALIDSIG"),
            "there are no more good signatures than lines that say so");
        // A name as hostile as can be, escaped as GnuPG does it, changes no verdict.
        const std::string hostile =
            "[GNUPG:] USERID_HINT 0123456789ABCDEF %0A[GNUPG:] VALIDSIG %0D\n";
        const auto more = trust::parse_status(std::string(text) + hostile);
        fuzz::require(more && more->signatures.size() == status->signatures.size(),
                      "a user id adds no signature");
    }
    if (const auto keys = trust::parse_key_listing(text)) {
        for (const trust::Key& key : *keys) {
            fuzz::require(key.part(key.primary.fingerprint.text()) != nullptr,
                          "a key is found by its fingerprint");
            static_cast<void>(trust::algorithm_text(key.primary));
            static_cast<void>(trust::strong_enough(key.primary));
        }
    }
    return 0;
}
