// SPDX-License-Identifier: Apache-2.0
#include "publish/conditions.hpp"

namespace sf::publish {

base::Status check_conditions(cache::Backend& place) {
    SF_TRY(const bool kept, place.keeps_conditions());
    if (kept) return {};
    return base::fail_hint(
        base::Code::refused,
        place.place() +
            " does not keep conditions: it writes over what another publisher wrote in the same "
            "moment",
        "use a server that knows If-None-Match and If-Match for writing");
}

}  // namespace sf::publish
