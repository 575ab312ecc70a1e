// SPDX-License-Identifier: Apache-2.0
#include "base/json.hpp"

#include <set>
#include <vector>

#include "base/text.hpp"

namespace sf::base {

Result<Json> parse_json(std::string_view text, std::size_t max_depth) {
    // nlohmann keeps the last of duplicate keys; the callback sees each, so it can tell.
    std::vector<std::set<std::string>> keys;
    std::string trouble;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (depth >= 0 && static_cast<std::size_t>(depth) > max_depth && trouble.empty())
            trouble = fmt::format("nested deeper than {} levels", max_depth);
        if (!trouble.empty()) return false;
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        if (event == Json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
        if (event == Json::parse_event_t::key && !keys.empty()) {
            const auto& key = parsed.get_ref<const std::string&>();
            if (!keys.back().insert(key).second)
                trouble =
                    fmt::format("key \"{}\" stands twice in one object", escape_untrusted(key));
        }
        return true;
    };
    try {
        Json value = Json::parse(text, watch);
        if (!trouble.empty()) return fail(Code::corrupt, "not acceptable JSON: {}", trouble);
        return value;
    } catch (const Json::exception& error) {
        return fail(Code::corrupt, "not valid JSON: {}", escape_untrusted(error.what()));
    }
}

Result<std::string> canonical_json(const Json& value) {
    try {
        return value.dump();
    } catch (const Json::exception& error) {
        return fail(Code::corrupt, "cannot be written as JSON: {}", escape_untrusted(error.what()));
    }
}

}  // namespace sf::base
