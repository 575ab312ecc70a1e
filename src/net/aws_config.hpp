// SPDX-License-Identifier: Apache-2.0
// The settings that AWS's own tools share: environment variables and the files ~/.aws/config and
// ~/.aws/credentials. What is needed of them is read from here once, as values. Knows no network.
// Values and pure functions, except where files are read; any thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "base/result.hpp"

namespace sf::net {

// Sections of an INI file by name, without "profile "; a key that lies below another one (indented)
// is "outer.inner". Total: what is not understood is skipped.
using AwsSections = std::map<std::string, std::map<std::string, std::string>>;
[[nodiscard]] AwsSections parse_aws_file(std::string_view text, bool is_config);

// What outside the program is looked at; tests bring their own.
struct AwsSurroundings {
    std::map<std::string, std::string> environment;
    struct File {
        std::string text;
        bool open_to_others = false;  // by its mode
    };
    // nullopt: there is none.
    std::function<base::Result<std::optional<File>>(const std::string& path)> read;
    base::Reporter* reporter = nullptr;  // borrowed; is told of a credentials file open to others

    // This process's environment and files.
    [[nodiscard]] static AwsSurroundings of_process();

    // "" if it is not set.
    [[nodiscard]] std::string get(const std::string& name) const;
    [[nodiscard]] bool is_true(const std::string& name) const;  // "true" in any case
};

// The profile that AWS_PROFILE names, or "default".
struct AwsProfile {
    std::string name;
    bool named = false;                    // by AWS_PROFILE: then it has to be there
    std::string files;                     // where it was looked for, for messages
    AwsSections::mapped_type config;       // of the config file
    AwsSections::mapped_type credentials;  // of the credentials file
    AwsSections::mapped_type services;     // of the section [services x] that the profile names
};
[[nodiscard]] base::Result<AwsProfile> read_aws_profile(const AwsSurroundings& from);

struct S3Settings {
    std::string region;     // "" if nothing says one
    std::string endpoint;   // likewise: AWS's own
    std::string sts;        // likewise, of the service that hands out the keys of roles
    bool checksums = true;  // false: AWS_REQUEST_CHECKSUM_CALCULATION=when_required
};
// The environment first, then the profile.
[[nodiscard]] S3Settings s3_settings(const AwsSurroundings& from, const AwsProfile& profile);

}  // namespace sf::net
