// SPDX-License-Identifier: Apache-2.0
#include "cache/spack_node.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "cache/json_text.hpp"
#include "cache/layout.hpp"
#include "cache/spack_json.hpp"
#include "model/names.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::array<const char*, 6> flags{"cflags", "cppflags", "cxxflags",
                                           "fflags", "ldflags",  "ldlibs"};
constexpr std::array<std::string_view, 4> known_deptypes{"build", "link", "run", "test"};
constexpr int specfile_version = 5;
constexpr std::size_t longest_text = 1024;
// Builtin's largest recipe has some hundred variants. Ordered JSON looks for a member among all
// before it, so a file from outside does not say how many there are.
constexpr std::size_t most_parameters = 256;

// SHA-1 is here because Spack names nodes by it, and for nothing else: nothing of ours rests on it.
// Which package a node is of, its identity says (SHA-256), and whose it is, the signature over the
// manifest; a second node with the same SHA-1 would still have another identity.
Result<std::string> spack_hash(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    if (EVP_Digest(text.data(), text.size(), bytes.data(), &size, EVP_sha1(), nullptr) != 1)
        return fail(Code::failed,
                    "OpenSSL gives no SHA-1 (by the machine's policy?), by which Spack names "
                    "packages");
    std::string hash;  // 160 bits are 32 characters, without padding
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (unsigned i = 0; i < size; ++i) {
        bits = (bits << 8U) | bytes.at(i);
        for (count += 8; count >= 5; count -= 5) hash += alphabet[(bits >> (count - 5U)) & 31U];
    }
    return hash;
}

OrderedJson parameters_of(const SpackNode& node) {
    OrderedJson json = OrderedJson::object();
    for (const auto& [name, value] : node.parameters)
        std::visit([&, &key = name](const auto& one) { json[key] = one; }, value);
    for (const char* flag : flags) json[flag] = OrderedJson::array();
    return json;
}

// Everything but the hash, in Spack's order.
OrderedJson body_of(const SpackNode& node) {
    OrderedJson json;
    json["name"] = node.name;
    json["version"] = node.version;
    json["arch"] = {
        {"platform", "linux"}, {"platform_os", node.platform_os}, {"target", node.target}};
    json["namespace"] = node.space;
    json["parameters"] = parameters_of(node);
    if (!node.external_path.empty())
        json["external"] = {{"path", node.external_path},
                            {"module", nullptr},
                            {"extra_attributes", OrderedJson::object()}};
    if (node.identity) json["package_hash"] = package_hash(*node.identity);
    for (const SpackDependency& edge : node.dependencies) {
        OrderedJson parameters;
        parameters["deptypes"] = edge.deptypes;
        parameters["virtuals"] = edge.virtuals;
        OrderedJson one;
        one["name"] = edge.name;
        one["hash"] = edge.hash;
        one["parameters"] = std::move(parameters);
        json["dependencies"].push_back(std::move(one));
    }
    json["annotations"] = {{"original_specfile_version", specfile_version}};
    return json;
}

bool plain_text(std::string_view text) {
    return !text.empty() && text.size() <= longest_text && base::escape_untrusted(text) == text;
}

Status check_parameter(const std::string& name, const SpackParameter& value) {
    SF_CHECK(model::check_name(name, "name of a variant"));
    if (std::ranges::find(flags, name) != flags.end())
        return fail(Code::corrupt, "'{}' is no variant, and always empty", name);
    const auto bad = [&] {
        return fail(Code::corrupt, "the variant '{}' has an empty or unprintable value", name);
    };
    if (const auto* text = std::get_if<std::string>(&value); text != nullptr && !plain_text(*text))
        return bad();
    if (const auto* list = std::get_if<std::vector<std::string>>(&value))
        if (list->empty() || !std::ranges::all_of(*list, plain_text)) return bad();
    return {};
}

Status check_dependency(const SpackDependency& edge) {
    SF_CHECK(model::check_name(edge.name, "package name"));
    if (!is_dag_hash(edge.hash))
        return fail(Code::corrupt, "the dependency {} has '{}' for a hash", edge.name,
                    base::escape_untrusted(edge.hash));
    auto at = known_deptypes.begin();
    for (const std::string& type : edge.deptypes) {
        at = std::find(at, known_deptypes.end(), type);
        if (at++ == known_deptypes.end())
            return fail(Code::corrupt, "the dependency {} is of types that Spack has not",
                        edge.name);
    }
    if (edge.deptypes.empty())
        return fail(Code::corrupt, "the dependency {} is of no type", edge.name);
    for (const std::string& name : edge.virtuals)
        SF_CHECK(model::check_name(name, "virtual package"));
    return {};
}

Status check(const SpackNode& node) {
    SF_CHECK(model::check_name(node.name, "package name"));
    SF_CHECK(model::check_version(node.version));
    SF_CHECK(model::check_name(node.platform_os, "operating system"));
    SF_CHECK(model::check_name(node.target, "target"));
    SF_CHECK(model::check_name(node.space, "namespace"));
    if (node.parameters.size() > most_parameters)
        return fail(Code::corrupt, "{} has more than {} variants", node.name, most_parameters);
    for (const auto& [name, value] : node.parameters) SF_CHECK(check_parameter(name, value));
    if (!node.external_path.empty() &&
        (node.external_path.front() != '/' || !plain_text(node.external_path)))
        return fail(Code::corrupt, "the external {} is at no absolute path", node.name);
    if (node.external_path.empty() && !node.identity)
        return fail(Code::corrupt, "{} has no package_hash", node.name);
    const std::string* before = nullptr;
    for (const SpackDependency& edge : node.dependencies) {
        SF_CHECK(check_dependency(edge));
        if (before != nullptr && *before >= edge.name)
            return fail(Code::corrupt, "the dependencies of {} are not sorted by name", node.name);
        before = &edge.name;
    }
    return {};
}

Result<std::vector<std::string>> texts(const Json& object, const char* key, std::string_view what) {
    SF_TRY(const Json* list, json_list(object, key, what));
    std::vector<std::string> all;
    for (const Json& item : *list) {
        if (!item.is_string())
            return fail(Code::corrupt, "{} has a '{}' that is not a list of strings", what, key);
        all.push_back(item.get<std::string>());
    }
    return all;
}

Result<std::map<std::string, SpackParameter>> read_parameters(const Json& json) {
    SF_TRY(const Json* object, json_object(json, "parameters", "a node"));
    std::map<std::string, SpackParameter> all;
    for (const auto& [name, value] : object->items()) {
        if (std::ranges::find(flags, name) != flags.end()) continue;
        if (value.is_boolean()) {
            all.emplace(name, value.get<bool>());
        } else if (value.is_string()) {
            all.emplace(name, value.get<std::string>());
        } else {
            SF_TRY(auto list, texts(*object, name.c_str(), "a node's parameters"));
            all.emplace(name, std::move(list));
        }
    }
    return all;
}

Result<SpackDependency> read_dependency(const Json& json) {
    SpackDependency edge;
    SF_TRY(edge.name, json_text(json, "name", "a dependency"));
    SF_TRY(edge.hash, json_text(json, "hash", "a dependency"));
    SF_TRY(const Json* parameters, json_object(json, "parameters", "a dependency"));
    SF_TRY(edge.deptypes, texts(*parameters, "deptypes", "a dependency"));
    SF_TRY(edge.virtuals, texts(*parameters, "virtuals", "a dependency"));
    return edge;
}

}  // namespace

Result<OrderedJson> node_json(const SpackNode& node) {
    SF_TRY(const SpackNode sealed, seal(node));
    if (sealed.hash != node.hash)
        return fail(Code::corrupt, "{}: its hash is {}, not '{}'", node.name, sealed.hash,
                    base::escape_untrusted(node.hash));
    OrderedJson json = body_of(node);
    json["hash"] = node.hash;
    return json;
}

Result<SpackNode> seal(SpackNode node) {
    SF_CHECK(base::during(check(node), "looking at a node of a Spack spec"));
    SF_TRY(const std::string text, compact_text(body_of(node)));
    SF_TRY(node.hash, spack_hash(text));
    return node;
}

Result<std::string> node_text(const SpackNode& node) {
    SF_TRY(const OrderedJson json, node_json(node));
    return compact_text(json);
}

Result<SpackNode> node_from_json(const Json& json) {
    SpackNode node;
    SF_TRY(node.name, json_text(json, "name", "a node"));
    SF_TRY(node.version, json_text(json, "version", "a node"));
    SF_TRY(const Json* arch, json_object(json, "arch", "a node"));
    SF_TRY(node.platform_os, json_text(*arch, "platform_os", "a node's arch"));
    SF_TRY(node.target, json_text(*arch, "target", "a node's arch"));
    SF_TRY(node.space, json_text(json, "namespace", "a node"));
    SF_TRY(node.parameters, read_parameters(json));
    if (json.contains("external")) {
        SF_TRY(const Json* external, json_object(json, "external", "a node"));
        SF_TRY(node.external_path, json_text(*external, "path", "an external"));
    }
    if (json.contains("package_hash")) {
        SF_TRY(const std::string hash, json_text(json, "package_hash", "a node"));
        SF_TRY(node.identity, identity_of(hash));
    }
    if (json.contains("dependencies")) {
        SF_TRY(const Json* edges, json_list(json, "dependencies", "a node"));
        for (const Json& edge : *edges) {
            SF_TRY(SpackDependency one, read_dependency(edge));
            node.dependencies.push_back(std::move(one));
        }
    }
    SF_TRY(const std::string hash, json_text(json, "hash", "a node"));
    SF_TRY(node, seal(std::move(node)));
    if (node.hash != hash)
        return fail(Code::corrupt, "{}: its hash is {}, not '{}'", node.name, node.hash,
                    base::escape_untrusted(hash));
    return node;
}

std::string package_hash(const base::Digest& identity) { return identity.base32() + "===="; }

Result<base::Digest> identity_of(std::string_view package_hash) {
    std::array<std::byte, base::Digest::size> bytes{};
    std::size_t at = 0;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : package_hash.substr(0, 52)) {
        const std::size_t value = alphabet.find(c);
        if (value == std::string_view::npos) break;
        bits = (bits << 5U) | static_cast<std::uint32_t>(value);
        count += 5;
        if (count < 8) continue;
        count -= 8;
        if (at < bytes.size()) bytes.at(at++) = static_cast<std::byte>((bits >> count) & 255U);
    }
    const base::Digest identity(bytes);
    // What is too short, too long, or has bits to spare, is not written the same again.
    if (cache::package_hash(identity) != package_hash)
        return fail(Code::corrupt, "'{}' is no package_hash of ours: 52 characters of base32, ====",
                    base::escape_untrusted(package_hash.substr(0, 100)));
    return identity;
}

}  // namespace sf::cache
