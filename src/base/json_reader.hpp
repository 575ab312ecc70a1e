// SPDX-License-Identifier: Apache-2.0
// Reads JSON objects of known members, for readers that are total. Knows no format. One thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.hpp"
#include "base/json.hpp"

namespace sf::base {

// Reads members of one JSON object by type; the first failure is kept and the rest reads on with
// defaults, so that readers stay straight lines.
class JsonReader {
public:
    // `object` must outlive the reader; `what` begins its message ("a package").
    JsonReader(const Json& object, std::string what) : x_object(object), x_what(std::move(what)) {
        if (!object.is_object()) x_trouble = "is not an object";
    }

    void text(const char* key, std::string& into) {
        if (const Json* value = member(key)) {
            if (value->is_string())
                into = value->get<std::string>();
            else
                wrong(key, "a string");
        }
    }
    template <class Number>
    void number(const char* key, Number& into) {
        if (const Json* value = member(key)) {
            // Read as wide as JSON has it: 2^32 + 1 must not become 1.
            if (value->is_number_unsigned() && std::in_range<Number>(value->get<std::uint64_t>()))
                into = value->get<Number>();
            else
                wrong(key, "a whole number that fits");
        }
    }
    void flag(const char* key, bool& into) {
        if (const Json* value = member(key)) {
            if (value->is_boolean())
                into = value->get<bool>();
            else
                wrong(key, "true or false");
        }
    }
    void digest(const char* key, Digest& into) {
        std::string hex;
        text(key, hex);
        if (!x_trouble.empty()) return;
        if (Result<Digest> parsed = Digest::parse(hex))
            into = *parsed;
        else
            wrong(key, "a sha256");
    }
    void texts(const char* key, std::vector<std::string>& into) {
        each(key, [&](const Json& item) -> Status {
            if (!item.is_string()) return fail(Code::corrupt, "is not a list of strings");
            into.push_back(item.get<std::string>());
            return {};
        });
    }
    template <class Take>
    void each(const char* key, Take take) {
        const Json* list = member(key);
        if (list == nullptr) return;
        if (!list->is_array()) return wrong(key, "a list");
        for (const Json& item : *list) check(key, take(item));
    }
    // What was read of a member's value by somebody else.
    void check(const char* key, const Status& status) {
        if (status || !x_trouble.empty()) return;
        x_trouble = fmt::format("in '{}': {}", key, status.error().text());
        x_hint = status.error().hint;
    }
    [[nodiscard]] bool has(const char* key) const {
        return x_object.is_object() && x_object.contains(key);
    }
    [[nodiscard]] const Json* member(const char* key) {
        if (!x_trouble.empty()) return nullptr;
        const auto found = x_object.find(key);
        if (found != x_object.end()) return &*found;
        x_trouble = fmt::format("lacks '{}'", key);
        return nullptr;
    }
    // The rules that the other members are written by; what other rules say is not guessed at, so
    // it is read first.
    void schema(int wanted) {
        int said = 0;
        number("schema", said);
        if (!x_trouble.empty() || said == wanted) return;
        x_trouble = fmt::format("has schema {}, this program reads schema {}", said, wanted);
        if (said > wanted) x_hint = "use a newer slurm-factory";
    }
    [[nodiscard]] Status status() const {
        if (x_trouble.empty()) return {};
        return fail_hint(Code::corrupt, fmt::format("{} {}", x_what, x_trouble), x_hint);
    }
    // That `text` is how the program itself writes what was read, `again`: else it holds something
    // that was passed over here and may not be elsewhere, as a member of an unknown name.
    [[nodiscard]] Status one_form(std::string_view text, const Result<std::string>& again) const {
        SF_CHECK(status());
        if (!again) return tl::unexpected(again.error());
        if (*again == text) return {};
        return fail_hint(Code::corrupt,
                         fmt::format("{} is not in its one text form: it was edited, or holds "
                                     "something that this program does not read",
                                     x_what),
                         "use the slurm-factory that wrote it, or a newer one");
    }

private:
    void wrong(const char* key, const char* wanted) {
        if (x_trouble.empty()) x_trouble = fmt::format("has a '{}' that is not {}", key, wanted);
    }
    const Json& x_object;
    std::string x_what;
    std::string x_trouble;
    std::string x_hint;
};

}  // namespace sf::base
