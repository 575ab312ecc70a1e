// SPDX-License-Identifier: Apache-2.0
#include "net/aws_config.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/regular_file.hpp"
#include "base/text.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX asks for it

namespace sf::net {

namespace {

constexpr std::uint64_t max_file = std::uint64_t{1} << 20;

base::Result<std::optional<AwsSurroundings::File>> read_aws_file(const std::string& path) {
    SF_TRY(auto text, base::read_regular_file(path, max_file));
    if (!text) return std::optional<AwsSurroundings::File>();
    struct stat info {};
    const bool open = ::stat(path.c_str(), &info) == 0 && (info.st_mode & (S_IRGRP | S_IROTH)) != 0;
    return AwsSurroundings::File{std::move(*text), open};
}

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return text;
}

std::string section_name(std::string_view inside, bool is_config) {
    std::string name(base::trim(inside));
    if (is_config && name.starts_with("profile ")) name = base::trim(name.substr(8));
    if (name.size() > 1 && name.front() == '"' && name.back() == '"')
        name = name.substr(1, name.size() - 2);
    return name;
}

}  // namespace

AwsSections parse_aws_file(std::string_view text, bool is_config) {
    AwsSections sections;
    std::map<std::string, std::string>* section = nullptr;
    std::string outer;
    for (const std::string& raw : base::split(text, '\n')) {
        const std::string_view line = base::trim(raw);
        if (line.empty() || line.front() == '#' || line.front() == ';') continue;
        if (line.front() == '[') {
            const std::size_t end = line.find(']');
            section = nullptr;
            outer.clear();
            if (end != std::string_view::npos)
                section = &sections[section_name(line.substr(1, end - 1), is_config)];
            continue;
        }
        const std::size_t equals = line.find('=');
        if (section == nullptr || equals == std::string_view::npos) continue;
        const std::string key(base::trim(line.substr(0, equals)));
        std::string_view value = line.substr(equals + 1);
        // A comment may follow a value, after a blank.
        value = base::trim(value.substr(0, std::min(value.find(" #"), value.find(" ;"))));
        const bool below = (raw.front() == ' ' || raw.front() == '\t') && !outer.empty();
        if (!below) outer = value.empty() ? key : std::string();
        (*section)[below ? fmt::format("{}.{}", outer, key) : key] = value;
    }
    return sections;
}

AwsSurroundings AwsSurroundings::of_process() {
    AwsSurroundings result;
    for (char** each = environ; *each != nullptr; ++each) {
        const std::string_view pair = *each;
        const std::size_t equals = pair.find('=');
        if (equals != std::string_view::npos)
            result.environment.emplace(pair.substr(0, equals), pair.substr(equals + 1));
    }
    result.read = read_aws_file;
    return result;
}

std::string AwsSurroundings::get(const std::string& name) const {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
}

bool AwsSurroundings::is_true(const std::string& name) const { return lower(get(name)) == "true"; }

base::Result<AwsProfile> read_aws_profile(const AwsSurroundings& from) {
    AwsProfile profile;
    profile.name = from.get("AWS_PROFILE");
    profile.named = !profile.name.empty();
    if (!profile.named) profile.name = "default";
    const auto path_of = [&](const char* variable, const char* name) {
        std::string given = from.get(variable);
        const std::string home = from.get("HOME");
        if (given.starts_with("~/")) return home + given.substr(1);
        if (!given.empty()) return given;
        return home.empty() ? std::string() : home + "/.aws/" + name;
    };
    const auto read = [&](const std::string& path, bool is_config) -> base::Result<AwsSections> {
        if (path.empty()) return AwsSections();
        SF_TRY(const auto file, base::during(from.read(path), "reading " + path));
        if (!file) return AwsSections();
        AwsSections sections = parse_aws_file(file->text, is_config);
        const auto mine = sections.find(profile.name);
        if (file->open_to_others && from.reporter != nullptr && mine != sections.end() &&
            mine->second.contains("aws_secret_access_key")) {
            from.reporter->warning(
                "other users of this machine can read the secret keys in {}: chmod 600 {}", path,
                base::shell_quote(path));
        }
        return sections;
    };
    const std::string config_path = path_of("AWS_CONFIG_FILE", "config");
    const std::string credentials_path = path_of("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    SF_TRY(AwsSections config, read(config_path, true));
    SF_TRY(AwsSections credentials, read(credentials_path, false));
    profile.files = credentials_path + " and " + config_path;
    if (profile.named && !config.contains(profile.name) && !credentials.contains(profile.name)) {
        return base::fail_hint(base::Code::refused,
                               fmt::format("AWS_PROFILE names the profile '{}', which is not in {}",
                                           base::escape_untrusted(profile.name), profile.files),
                               "aws configure --profile NAME makes one");
    }
    profile.config = config[profile.name];
    profile.credentials = credentials[profile.name];
    if (const auto services = profile.config.find("services"); services != profile.config.end())
        profile.services = config["services " + services->second];
    return profile;
}

S3Settings s3_settings(const AwsSurroundings& from, const AwsProfile& profile) {
    const auto of = [](const std::map<std::string, std::string>& section, const char* key) {
        const auto found = section.find(key);
        return found == section.end() ? std::string() : found->second;
    };
    const auto first = [](std::initializer_list<std::string> values) {
        for (const std::string& each : values) {
            if (!each.empty()) return each;
        }
        return std::string();
    };
    S3Settings settings;
    settings.region = first({from.get("AWS_REGION"), from.get("AWS_DEFAULT_REGION"),
                             of(profile.config, "region"), of(profile.credentials, "region")});
    settings.checksums =
        lower(first({from.get("AWS_REQUEST_CHECKSUM_CALCULATION"),
                     of(profile.config, "request_checksum_calculation")})) != "when_required";
    if (from.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")) return settings;
    const std::string of_all = from.get("AWS_ENDPOINT_URL");
    const std::string of_profile = of(profile.config, "endpoint_url");
    settings.endpoint = first({from.get("AWS_ENDPOINT_URL_S3"), of_all,
                               of(profile.services, "s3.endpoint_url"), of_profile});
    settings.sts = first({from.get("AWS_ENDPOINT_URL_STS"), of_all,
                          of(profile.services, "sts.endpoint_url"), of_profile});
    return settings;
}

}  // namespace sf::net
