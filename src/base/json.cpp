// SPDX-License-Identifier: Apache-2.0
#include "base/json.hpp"

#include <utility>
#include <vector>

#include "base/text.hpp"

namespace sf::base {

namespace {

// Builds the value from the parser's events. Not nlohmann's parser with a callback, which would
// keep the last of duplicate keys, and after each object looks through all of what is around it for
// something dropped: a list of some ten thousand objects would take minutes.
class Builder : public nlohmann::json_sax<Json> {
public:
    explicit Builder(std::size_t max_depth) : x_max_depth(max_depth) {}

    bool null() override { return put(nullptr) != nullptr; }
    bool boolean(bool value) override { return put(value) != nullptr; }
    bool number_integer(number_integer_t value) override { return put(value) != nullptr; }
    bool number_unsigned(number_unsigned_t value) override { return put(value) != nullptr; }
    bool number_float(number_float_t value, const string_t& /*text*/) override {
        return put(value) != nullptr;
    }
    bool string(string_t& value) override { return put(std::move(value)) != nullptr; }
    bool binary(binary_t& value) override { return put(std::move(value)) != nullptr; }
    bool start_object(std::size_t /*size*/) override { return open(Json::object()); }
    bool start_array(std::size_t /*size*/) override { return open(Json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(string_t& name) override {
        const auto [at, fresh] = x_open.back()->get_ref<Json::object_t&>().try_emplace(name);
        x_member = &at->second;
        if (fresh) return true;
        trouble = fmt::format("not acceptable JSON: key \"{}\" stands twice in one object",
                              escape_untrusted(name));
        return false;
    }

    bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                     const nlohmann::detail::exception& error) override {
        trouble = fmt::format("not valid JSON: {}", escape_untrusted(error.what()));
        return false;
    }

    Json root;
    std::string trouble;

private:
    // Where it is now; containers stay where they are while they are open. nullptr: too deep.
    template <class Value>
    Json* put(Value&& value) {
        if (x_open.size() > x_max_depth) {
            trouble = fmt::format("not acceptable JSON: nested deeper than {} levels", x_max_depth);
            return nullptr;
        }
        Json* place = &root;
        if (!x_open.empty() && x_open.back()->is_array())
            place = &x_open.back()->get_ref<Json::array_t&>().emplace_back();
        else if (!x_open.empty())
            place = x_member;
        *place = Json(std::forward<Value>(value));
        return place;
    }
    bool open(Json container) {
        Json* const place = put(std::move(container));
        if (place != nullptr) x_open.push_back(place);
        return place != nullptr;
    }
    bool close() {
        x_open.pop_back();
        return true;
    }

    std::size_t x_max_depth;
    std::vector<Json*> x_open;  // from the root to where we are
    Json* x_member = nullptr;   // of the object we are in, whose key was just read
};

}  // namespace

Result<Json> parse_json(std::string_view text, std::size_t max_depth) {
    Builder builder(max_depth);
    if (Json::sax_parse(text, &builder)) return std::move(builder.root);
    return fail(Code::corrupt, "{}", builder.trouble);
}

Result<std::string> canonical_json(const Json& value) {
    try {
        return value.dump();
    } catch (const Json::exception& error) {
        return fail(Code::corrupt, "cannot be written as JSON: {}", escape_untrusted(error.what()));
    }
}

}  // namespace sf::base
