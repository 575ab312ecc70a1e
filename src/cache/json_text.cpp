// SPDX-License-Identifier: Apache-2.0
#include "cache/json_text.hpp"

#include "base/text.hpp"
#include "trust/clearsign.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

// indent -1: no white space.
Result<std::string> dump(const OrderedJson& json, int indent) {
    try {
        return json.dump(indent, ' ', true);
    } catch (const OrderedJson::exception& error) {
        return fail(Code::corrupt, "cannot be written as JSON: {}",
                    base::escape_untrusted(error.what()));
    }
}

tl::unexpected<base::Error> wrong(std::string_view what, const char* key, const char* wanted) {
    return fail(Code::corrupt, "{} has a '{}' that is not {}", what, key, wanted);
}

}  // namespace

Result<std::string> compact_text(const OrderedJson& json) { return dump(json, -1); }

Result<std::string> lines_text(const OrderedJson& json) {
    SF_TRY(std::string text, dump(json, 0));
    text += '\n';
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        if (end - at > trust::max_clearsign_line)
            return fail(Code::failed, "a line of {} bytes cannot be signed: gpg cuts it at {}",
                        end - at, trust::max_clearsign_line);
        at = end + 1;
    }
    return text;
}

Status is_one_text(std::string_view again, std::string_view text, std::string_view what) {
    if (again == text) return {};
    return base::fail_hint(Code::corrupt,
                           fmt::format("{} holds something this program does not read, or is not "
                                       "in its one text form",
                                       what),
                           "use the version of slurm-factory that wrote it, or a newer one");
}

Result<const Json*> json_member(const Json& object, const char* key, std::string_view what) {
    if (!object.is_object()) return fail(Code::corrupt, "{} is not an object", what);
    const auto found = object.find(key);
    if (found == object.end()) return fail(Code::corrupt, "{} lacks '{}'", what, key);
    return &*found;
}

Result<std::string> json_text(const Json& object, const char* key, std::string_view what) {
    SF_TRY(const Json* value, json_member(object, key, what));
    if (!value->is_string()) return wrong(what, key, "a string");
    return value->get<std::string>();
}

Result<std::uint64_t> json_number(const Json& object, const char* key, std::string_view what) {
    SF_TRY(const Json* value, json_member(object, key, what));
    if (!value->is_number_unsigned()) return wrong(what, key, "a whole number that fits");
    return value->get<std::uint64_t>();
}

Result<bool> json_flag(const Json& object, const char* key, std::string_view what) {
    SF_TRY(const Json* value, json_member(object, key, what));
    if (!value->is_boolean()) return wrong(what, key, "true or false");
    return value->get<bool>();
}

Result<base::Digest> json_digest(const Json& object, const char* key, std::string_view what) {
    SF_TRY(const std::string hex, json_text(object, key, what));
    const Result<base::Digest> digest = base::Digest::parse(hex);
    if (!digest) return wrong(what, key, "a sha256 of 64 lower-case hexadecimal digits");
    return *digest;
}

Result<const Json*> json_list(const Json& object, const char* key, std::string_view what) {
    SF_TRY(const Json* value, json_member(object, key, what));
    if (!value->is_array()) return wrong(what, key, "a list");
    return value;
}

Result<const Json*> json_object(const Json& object, const char* key, std::string_view what) {
    SF_TRY(const Json* value, json_member(object, key, what));
    if (!value->is_object()) return wrong(what, key, "an object");
    return value;
}

}  // namespace sf::cache
