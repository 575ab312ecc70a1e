// SPDX-License-Identifier: Apache-2.0
#include "deploy/plan.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

namespace {

constexpr int schema = 1;
constexpr std::uint64_t most_patience = 86400;

std::string owned(const Owner& owner, unsigned mode) {
    return fmt::format("{:04o} {}:{}", mode, owner.user, owner.group);
}

Result<std::string> text_of(const Json& json, const char* key) {
    if (json.contains(key) && json[key].is_string()) return json[key].get<std::string>();
    return fail(Code::corrupt, "a service lacks '{}'", key);
}

base::Status read_seconds(const Json& json, const char* key, const std::string& name,
                          std::chrono::seconds& into) {
    if (!json.contains(key)) return {};
    if (!json[key].is_number_unsigned() || json[key].get<std::uint64_t>() > most_patience)
        return fail(Code::corrupt, "'{}' of {} is no number of seconds up to {}", key,
                    base::escape_untrusted(name), most_patience);
    into = std::chrono::seconds(json[key].get<std::int64_t>());
    return {};
}

Result<Service> read_service(const Json& json) {
    if (!json.is_object()) return fail(Code::corrupt, "a service is not an object");
    Service service;
    SF_TRY(service.name, text_of(json, "name"));
    SF_TRY(service.owner.user, text_of(json, "user"));
    SF_TRY(service.owner.group, text_of(json, "group"));
    SF_TRY(service.log, text_of(json, "log"));
    SF_TRY(service.ready_socket, text_of(json, "ready_socket"));
    if (!json.contains("ready_port") || !json["ready_port"].is_number_unsigned() ||
        json["ready_port"].get<std::uint64_t>() > 65535)
        return fail(Code::corrupt, "'ready_port' of {} is no port",
                    base::escape_untrusted(service.name));
    service.ready_port = json["ready_port"].get<std::uint16_t>();
    // Lists of before have none.
    if (json.contains("port_file")) {
        SF_TRY(service.port.file, text_of(json, "port_file"));
        SF_TRY(service.port.name, text_of(json, "port_name"));
    }
    SF_CHECK(read_seconds(json, "patience", service.name, service.patience));
    SF_CHECK(read_seconds(json, "boot_patience", service.name, service.boot_patience));
    for (const char* key : {"argv", "environment"}) {
        if (!json.contains(key)) return fail(Code::corrupt, "a service lacks '{}'", key);
    }
    for (const Json& word : json["argv"]) {
        if (!word.is_string()) return fail(Code::corrupt, "'argv' holds no words");
        service.argv.push_back(word.get<std::string>());
    }
    if (service.argv.empty() || !service.argv[0].starts_with('/'))
        return fail(Code::corrupt, "the program of a service is not an absolute path");
    if (!json["environment"].is_object())
        return fail(Code::corrupt, "'environment' is not an object");
    for (const auto& [name, value] : json["environment"].items()) {
        if (!value.is_string()) return fail(Code::corrupt, "'environment' holds no text");
        service.environment[name] = value.get<std::string>();
    }
    return service;
}

}  // namespace

std::string idle_cgroup_plugin(std::string_view version) {
    return base::compare_versions(version, "24.05") < 0 ? "cgroup/v1" : "disabled";
}

std::string rest_plugins(std::string_view version, bool accounting) {
    const bool chooses_well = base::compare_versions(version, "25.11") >= 0;
    return accounting || chooses_well ? "" : "openapi/slurmctld";
}

std::string to_text(const Plan& plan) {
    std::string text;
    const auto line = [&](std::string_view kind, const std::string& what) {
        text += fmt::format("{:<9} {}\n", kind, what);
    };
    line("software", fmt::format("Slurm {} in {}{}", plan.version, plan.tree,
                                 plan.copy ? ", copied there" : ""));
    if (plan.backup) {
        line("backup",
             fmt::format("of what Slurm {} left ({}) to {}, its daemons stopped", plan.backup->from,
                         plan.backup->dump.empty()    ? "state"
                         : plan.backup->state.empty() ? "database"
                                                      : "state, database",
                         plan.backup->folder));
    }
    line("link", fmt::format("{}/current -> views/{}", plan.tree, plan.version));
    for (const PlannedUser& user : plan.users) {
        const std::string id = user.id ? fmt::format(" with uid {}", *user.id) : "";
        line("user", user.name + (user.exists ? " (is there)" : ", a system user" + id));
    }
    for (const PlannedFolder& folder : plan.folders)
        line("folder", fmt::format("{} {}", owned(folder.owner, folder.mode), folder.path));
    for (const PlannedSecret& secret : plan.secrets) {
        const std::string how = secret.size == 0
                                    ? "brought from the controller"
                                    : fmt::format("{} random bytes, if it is absent", secret.size);
        line("secret",
             fmt::format("{} {} ({})", owned(secret.owner, secret.mode), secret.path, how));
    }
    for (const PlannedFile& file : plan.files) {
        const std::string what =
            file.has_ids ? "the users' numbers" : fmt::format("{} bytes", file.content.size());
        line("file", fmt::format("{} {} ({})", owned(file.owner, file.mode), file.path, what));
    }
    if (plan.database && plan.database->local) {
        line("database", fmt::format("slurm_acct_db and user {}@localhost in MariaDB at {}, if "
                                     "they are absent",
                                     plan.database->user, plan.database->socket));
    }
    for (const std::string& unit : plan.units)
        line("unit", unit + (plan.start ? ", enabled and started" : ", enabled"));
    for (const Service& service : plan.services)
        line("service",
             fmt::format("{} as {}: {}{}", service.name, service.owner.user,
                         base::shell_join(service.argv), plan.start ? "" : " (not started now)"));
    if (plan.start) line("test", "the daemons answer and jobs run");
    for (const std::string& note : plan.notes) line("note", note);
    return text;
}

Result<std::string> services_to_json(const std::vector<Service>& services) {
    Json list = Json::array();
    for (const Service& service : services) {
        Json item{{"name", service.name},
                  {"argv", service.argv},
                  {"environment", service.environment},
                  {"user", service.owner.user},
                  {"group", service.owner.group},
                  {"ready_socket", service.ready_socket},
                  {"ready_port", service.ready_port},
                  {"patience", service.patience.count()},
                  {"log", service.log}};
        if (!service.port.file.empty()) {
            item["port_file"] = service.port.file;
            item["port_name"] = service.port.name;
        }
        if (service.boot_patience.count() > 0)
            item["boot_patience"] = service.boot_patience.count();
        list.push_back(std::move(item));
    }
    const Json json{{"schema", schema}, {"services", list}};
    SF_TRY([[maybe_unused]] const std::string checked, base::canonical_json(json));
    return json.dump(2) + '\n';
}

Result<std::vector<Service>> services_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    if (!json.is_object() || !json.contains("schema") || json["schema"] != schema ||
        !json.contains("services") || !json["services"].is_array())
        return fail(Code::corrupt, "it is not a list of services of schema {}", schema);
    std::vector<Service> services;
    for (const Json& item : json["services"]) {
        SF_TRY(Service service, read_service(item));
        services.push_back(std::move(service));
    }
    return services;
}

}  // namespace sf::deploy
