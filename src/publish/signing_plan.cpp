// SPDX-License-Identifier: Apache-2.0
// Both directions of the text form stand side by side, so that they cannot drift apart.
#include "publish/signing_plan.hpp"

#include <algorithm>

#include "base/base64.hpp"
#include "base/json_reader.hpp"
#include "base/text.hpp"
#include "trust/signer_wire.hpp"

namespace sf::publish {

using base::Code;
using base::Digest;
using base::fail;
using base::Json;
using base::JsonReader;
using base::Result;
using base::Status;

namespace {

constexpr int schema = 1;

Status read_package(const Json& json, PlannedPackage& package) {
    JsonReader reader(json, "a package");
    reader.text("name", package.store_name);
    reader.digest("identity", package.identity);
    if (reader.has("manifest")) reader.digest("manifest", package.manifest.emplace());
    return reader.status();
}

Status read_key(const Json& json, trust::TrustedKeys& believed) {
    JsonReader reader(json, "a key");
    std::string fingerprint, label;
    reader.text("fingerprint", fingerprint);
    reader.text("label", label);
    SF_CHECK(reader.status());
    SF_TRY(trust::Fingerprint parsed, trust::Fingerprint::parse(fingerprint));
    believed.entries.push_back({std::move(parsed), std::move(label)});
    return {};
}

Status read_withdrawn(const Json& json, trust::TrustedKeys& believed) {
    JsonReader reader(json, "a withdrawn key");
    std::string fingerprint, reason;
    reader.text("fingerprint", fingerprint);
    reader.text("reason", reason);
    SF_CHECK(reader.status());
    SF_TRY(trust::Fingerprint parsed, trust::Fingerprint::parse(fingerprint));
    believed.withdrawn.emplace(std::move(parsed), std::move(reason));
    return {};
}

Json write_packages(const SigningPlan& plan) {
    Json packages = Json::array();
    for (const PlannedPackage& each : plan.packages) {
        Json one{{"name", each.store_name}, {"identity", each.identity.hex()}};
        if (each.manifest) one["manifest"] = each.manifest->hex();
        packages.push_back(std::move(one));
    }
    return packages;
}

Json write_retired(const SigningPlan& plan) {
    Json retired = Json::array();
    for (const auto& [mirror, builds] : plan.retired)
        retired.push_back({{"mirror", mirror}, {"builds", builds}});
    return retired;
}

Status read_retired(const Json& json, SigningPlan& plan) {
    JsonReader reader(json, "what is retired");
    std::string mirror;
    std::vector<std::string> builds;
    reader.text("mirror", mirror);
    reader.texts("builds", builds);
    SF_CHECK(reader.status());
    plan.retired[mirror].insert(builds.begin(), builds.end());
    return {};
}

}  // namespace

Result<std::string> to_json(const SigningPlan& plan) {
    Json papers = Json::array(), ours = Json::array(), believed = Json::array(),
         withdrawn = Json::array();
    for (const trust::Paper paper : plan.papers) papers.push_back(trust::word_of(paper));
    for (const Digest& each : plan.ours) ours.push_back(each.hex());
    for (const trust::TrustEntry& each : plan.believed.entries)
        believed.push_back({{"fingerprint", each.fingerprint.text()}, {"label", each.label}});
    for (const auto& [fingerprint, reason] : plan.believed.withdrawn)
        withdrawn.push_back({{"fingerprint", fingerprint.text()}, {"reason", reason}});
    Json json{{"schema", schema},
              {"papers", std::move(papers)},
              {"packages", write_packages(plan)},
              {"ours", std::move(ours)},
              {"mirrors", plan.mirrors},
              {"believed", std::move(believed)},
              {"withdrawn", std::move(withdrawn)},
              {"keyring", base::base64(plan.believed.keyring)}};
    if (!plan.retired.empty()) json["retired"] = write_retired(plan);
    return base::canonical_json(json);
}

Result<SigningPlan> signing_plan_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text, 8));
    JsonReader reader(json, "the plan");
    SigningPlan plan;
    int said = 0;
    std::vector<std::string> papers, ours, mirrors;
    std::string keyring;
    reader.number("schema", said);
    reader.texts("papers", papers);
    reader.texts("ours", ours);
    reader.texts("mirrors", mirrors);
    reader.each("packages", [&](const Json& item) -> Status {
        return read_package(item, plan.packages.emplace_back());
    });
    reader.each("believed",
                [&](const Json& item) -> Status { return read_key(item, plan.believed); });
    reader.each("withdrawn",
                [&](const Json& item) -> Status { return read_withdrawn(item, plan.believed); });
    if (reader.has("retired"))
        reader.each("retired",
                    [&](const Json& item) -> Status { return read_retired(item, plan); });
    reader.text("keyring", keyring);
    SF_CHECK(reader.status());
    if (said != schema) return fail(Code::corrupt, "the plan has schema {}, not {}", said, schema);
    for (const std::string& word : papers) {
        SF_TRY(const trust::Paper paper, trust::paper_of(word));
        plan.papers.insert(paper);
    }
    for (const std::string& hex : ours) {
        SF_TRY(const Digest digest, Digest::parse(hex));
        plan.ours.insert(digest);
    }
    plan.mirrors = {mirrors.begin(), mirrors.end()};
    SF_TRY(plan.believed.keyring, base::from_base64(keyring));
    const auto not_before = [](const PlannedPackage& left, const PlannedPackage& right) {
        return left.store_name >= right.store_name;
    };
    if (std::ranges::adjacent_find(plan.packages, not_before) != plan.packages.end())
        return fail(Code::corrupt, "packages are not in order, or one is there twice");
    SF_TRY(const std::string again, to_json(plan));
    if (again != text) return fail(Code::corrupt, "the plan is not in its one text form");
    return plan;
}

}  // namespace sf::publish
