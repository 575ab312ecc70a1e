// SPDX-License-Identifier: Apache-2.0
#include "deploy/record.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr int schema = 1;
constexpr std::size_t most_digests = 16;

std::string roles_text(const std::set<Role>& roles) {
    std::vector<std::string> names;
    names.reserve(roles.size());
    for (const Role role : roles) names.emplace_back(role_name(role));
    return base::join(names, ",");
}

template <class Value>
void put(Json& json, const char* key, const std::optional<Value>& value) {
    if (value) json[key] = *value;
}
// An empty text is "nothing to say", which a later call finds out anew.
void put(Json& json, const char* key, const std::optional<std::string>& value) {
    if (value && !value->empty()) json[key] = *value;
}

Json write(const Answers& answers) {
    Json json = Json::object();
    if (answers.roles) json["roles"] = roles_text(*answers.roles);
    put(json, "cluster", answers.cluster);
    put(json, "controller", answers.controller);
    put(json, "address", answers.address);
    put(json, "nodes", answers.nodes);
    put(json, "node_parameters", answers.node_parameters);
    put(json, "dbd_host", answers.dbd_host);
    put(json, "db_host", answers.db_host);
    put(json, "db_port", answers.db_port);
    put(json, "db_user", answers.db_user);
    put(json, "accounting", answers.accounting);
    put(json, "jwt", answers.jwt);
    put(json, "slurm_uid", answers.slurm_uid);
    put(json, "munge_uid", answers.munge_uid);
    return json;
}

// The rules of the command line, once more: the file may have been edited. What it says becomes
// options again, and these are read by the one parser there is.
Result<Answers> read_answers(const Json& json) {
    if (!json.is_object()) return fail(Code::corrupt, "the answers in it are not an object");
    std::vector<std::string> words;
    for (const auto& [key, value] : json.items()) {
        std::string name = "--" + base::replace_all(key, "_", "-");
        if (key == "cluster") name = "--cluster-name";
        if (key == "roles") name = "--role";
        if (key == "accounting" || key == "jwt") {
            if (!value.is_boolean()) return fail(Code::corrupt, "'{}' is not true or false", key);
            if (key == "accounting" && !value.get<bool>())
                words.emplace_back("--without-accounting");
            if (key == "jwt" && value.get<bool>()) words.push_back(name);
            continue;
        }
        if (value.is_string()) {
            words.push_back(name + '=' + value.get<std::string>());
        } else if (value.is_number_unsigned()) {
            words.push_back(fmt::format("{}={}", name, value.get<std::uint64_t>()));
        } else {
            return fail(Code::corrupt, "the answer '{}' in it is neither text nor number",
                        base::escape_untrusted(key));
        }
    }
    auto options = parse_options(words);
    if (options) return options->answers;
    // The words of the call are not what is wrong.
    options.error().code = Code::corrupt;
    return tl::unexpected(std::move(options).error());
}

Result<std::vector<std::string>> read_texts(const Json& list, std::string_view name) {
    std::vector<std::string> texts;
    if (!list.is_array())
        return fail(Code::corrupt, "'{}' is not a list", base::escape_untrusted(name));
    for (const Json& item : list) {
        if (!item.is_string())
            return fail(Code::corrupt, "'{}' is not a list of texts", base::escape_untrusted(name));
        texts.push_back(item.get<std::string>());
    }
    return texts;
}

Result<std::set<std::string>> read_names(const Json& json, const char* key) {
    if (!json.contains(key)) return std::set<std::string>();
    SF_TRY(const std::vector<std::string> texts, read_texts(json[key], key));
    return std::set<std::string>(texts.begin(), texts.end());
}

Status read_files(const Json& json, Record& record) {
    if (!json.contains("files")) return {};
    if (!json["files"].is_object()) return fail(Code::corrupt, "'files' is not an object");
    for (const auto& [path, digests] : json["files"].items()) {
        SF_TRY(const std::vector<std::string> texts, read_texts(digests, path));
        for (const std::string& text : texts) {
            SF_TRY(const base::Digest digest, base::Digest::parse(text));
            record.files[path].push_back(digest);
        }
    }
    return {};
}

}  // namespace

bool Record::wrote(const std::string& path, const base::Digest& digest) const {
    const auto found = files.find(path);
    return found != files.end() && std::ranges::find(found->second, digest) != found->second.end();
}

void Record::add(const std::string& path, const base::Digest& digest) {
    std::vector<base::Digest>& known = files[path];
    std::erase(known, digest);
    known.push_back(digest);
    if (known.size() > most_digests) known.erase(known.begin());
}

Result<std::string> to_json(const Record& record) {
    Json json{{"schema", schema},
              {"answers", write(record.answers)},
              {"prefix", record.prefix},
              {"version", record.version},
              {"previous_version", record.previous_version},
              {"own_munge", record.own_munge},
              {"own_mariadb", record.own_mariadb},
              {"leased", record.leased},
              {"restart_due", record.restart_due},
              {"users", record.users},
              {"folders", record.folders},
              {"secrets", record.secrets},
              {"units", record.units},
              {"files", Json::object()}};
    for (const auto& [path, digests] : record.files) {
        Json list = Json::array();
        for (const base::Digest& digest : digests) list.push_back(digest.hex());
        json["files"][path] = std::move(list);
    }
    SF_TRY([[maybe_unused]] const std::string checked, base::canonical_json(json));
    return json.dump(2) + '\n';
}

Result<Record> record_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    if (!json.is_object() || !json.contains("schema") || json["schema"] != schema)
        return fail(Code::corrupt, "it is not of schema {}", schema);
    Record record;
    if (json.contains("answers")) {
        SF_TRY(record.answers, base::during(read_answers(json["answers"]), "reading the answers"));
    }
    for (const auto& [key, into] : {std::pair{"prefix", &record.prefix},
                                    {"version", &record.version},
                                    {"previous_version", &record.previous_version}}) {
        if (!json.contains(key) || !json[key].is_string())
            return fail(Code::corrupt, "'{}' is missing in it", key);
        *into = json[key].get<std::string>();
    }
    for (const auto& [key, into] : {std::pair{"own_munge", &record.own_munge},
                                    {"own_mariadb", &record.own_mariadb},
                                    {"leased", &record.leased},
                                    {"restart_due", &record.restart_due}}) {
        if (json.contains(key) && json[key].is_boolean()) *into = json[key].get<bool>();
    }
    SF_TRY(record.users, read_names(json, "users"));
    SF_TRY(record.folders, read_names(json, "folders"));
    SF_TRY(record.secrets, read_names(json, "secrets"));
    SF_TRY(record.units, read_names(json, "units"));
    SF_CHECK(read_files(json, record));
    return record;
}

}  // namespace sf::deploy
