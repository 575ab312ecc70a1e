// SPDX-License-Identifier: Apache-2.0
#include "sandbox/root_record.hpp"

#include "base/json.hpp"

namespace sf::sandbox {

namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;

constexpr int format = 1;

Status read(const Json& object, const char* key, std::string& to) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_string())
        return base::fail(Code::corrupt, "the root's record has no text '{}'", key);
    to = found->get<std::string>();
    return {};
}

Status read(const Json& object, const char* key, std::vector<std::string>& to) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_array())
        return base::fail(Code::corrupt, "the root's record has no list '{}'", key);
    for (const auto& each : *found) {
        if (!each.is_string())
            return base::fail(Code::corrupt, "the root's record has no text in '{}'", key);
        to.push_back(each.get<std::string>());
    }
    return {};
}

Status read(const Json& object, const char* key, std::uint64_t& to) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_unsigned())
        return base::fail(Code::corrupt, "the root's record has no number '{}'", key);
    to = found->get<std::uint64_t>();
    return {};
}

}  // namespace

Result<std::string> to_json(const PreparedRoot& root) {
    const Json value{{"root", format},
                     {"toolchain", root.record.toolchain},
                     {"digest", root.record.digest.hex()},
                     {"packages", root.record.packages},
                     {"compiler", root.record.compiler},
                     {"libc", root.record.libc},
                     {"architecture", root.architecture},
                     {"suites", root.suites},
                     {"components", root.components},
                     {"wanted", root.wanted},
                     {"sources", root.sources},
                     {"made", root.made},
                     {"archive_bytes", root.archive_bytes},
                     {"tree_bytes", root.tree_bytes}};
    SF_TRY(auto text, base::canonical_json(value));
    return text + "\n";
}

Result<PreparedRoot> root_from_json(std::string_view text) {
    SF_TRY(const auto value, base::parse_json(text, 4));
    if (!value.is_object()) return base::fail(Code::corrupt, "the root's record is no object");
    std::uint64_t version = 0;
    SF_CHECK(read(value, "root", version));
    if (version != format)
        return base::fail(Code::corrupt, "the root's record has format {}, this program knows {}",
                          version, format);
    PreparedRoot root;
    std::string digest;
    SF_CHECK(read(value, "toolchain", root.record.toolchain));
    SF_CHECK(read(value, "digest", digest));
    SF_TRY(root.record.digest, base::Digest::parse(digest));
    SF_CHECK(read(value, "packages", root.record.packages));
    SF_CHECK(read(value, "compiler", root.record.compiler));
    SF_CHECK(read(value, "libc", root.record.libc));
    SF_CHECK(read(value, "architecture", root.architecture));
    SF_CHECK(read(value, "suites", root.suites));
    SF_CHECK(read(value, "components", root.components));
    SF_CHECK(read(value, "wanted", root.wanted));
    SF_CHECK(read(value, "sources", root.sources));
    SF_CHECK(read(value, "made", root.made));
    SF_CHECK(read(value, "archive_bytes", root.archive_bytes));
    SF_CHECK(read(value, "tree_bytes", root.tree_bytes));
    return root;
}

namespace root_names {

std::string tree(const base::Digest& digest) { return digest.hex(); }
std::string archive(const base::Digest& digest) {
    return digest.hex() + std::string(archive_ending);
}
std::string record(const base::Digest& digest) { return digest.hex() + std::string(record_ending); }

}  // namespace root_names

}  // namespace sf::sandbox
