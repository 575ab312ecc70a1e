// SPDX-License-Identifier: Apache-2.0
#include "publish/provenance.hpp"

#include "base/base64.hpp"
#include "base/json.hpp"
#include "base/json_reader.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "trust/armor.hpp"

namespace sf::publish {

using base::Code;
using base::Digest;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr const char* statement_type = "https://in-toto.io/Statement/v1";
constexpr const char* predicate_type = "https://slsa.dev/provenance/v1";
constexpr const char* build_type = "urn:slurm-factory:build:v1";
constexpr std::string_view payload_type = "application/vnd.in-toto+json";

// What is signed: kind and length first, so that no payload can be taken for one of another kind.
std::string signed_bytes(std::string_view payload) {
    return fmt::format("DSSEv1 {} {} {} {}", payload_type.size(), payload_type, payload.size(),
                       payload);
}

Json digest_of(const Digest& digest) { return {{"sha256", digest.hex()}}; }

Json resource(const std::string& name, const Digest& digest) {
    return {{"name", name}, {"digest", digest_of(digest)}};
}

// Everything that went in, by digest: upstream's archives first, with where they come from.
Json inputs(const BundleFacts& facts) {
    std::map<std::string, OriginFile> files;
    std::map<std::string, std::string> urls;
    for (const model::Package& package : facts.bundle->packages)
        for (const OriginFile& file : files_of(*facts.origins, package.store_name()))
            files.emplace(file.path, file);
    for (const auto& [unused, origin] : facts.origins->packages)
        for (const model::Place& place : origin.source.places)
            if (!place.url.empty()) urls.emplace(origin.archive.path, place.url);
    Json list = Json::array();
    for (const auto& [path, file] : files) {
        Json one = resource(path, file.sha256);
        if (const auto url = urls.find(path); url != urls.end()) one["uri"] = url->second;
        list.push_back(std::move(one));
    }
    return list;
}

// The digest of the one resource of this name in a list.
Result<Digest> digest_in(const Json& list, std::string_view name) {
    for (const Json& each : list) {
        base::JsonReader reader(each, "a resource");
        std::string said;
        Digest digest;
        reader.text("name", said);
        if (const Json* digests = reader.member("digest")) {
            base::JsonReader inside(*digests, "a digest");
            inside.digest("sha256", digest);
            reader.check("digest", inside.status());
        }
        SF_CHECK(reader.status());
        if (said == name) return digest;
    }
    return fail(Code::corrupt, "the statement does not name {}", name);
}

Result<Json> list_in(const Json& object, const char* key, const char* what) {
    base::JsonReader reader(object, what);
    const Json* member = reader.member(key);
    SF_CHECK(reader.status());
    if (!member->is_array()) return fail(Code::corrupt, "{} has a '{}' that is no list", what, key);
    return *member;
}

Result<Json> object_in(const Json& object, const char* key, const char* what) {
    base::JsonReader reader(object, what);
    const Json* member = reader.member(key);
    SF_CHECK(reader.status());
    return *member;
}

Result<Attested> attested(const std::string& text) {
    SF_TRY(const Json json, base::parse_json(text));
    base::JsonReader reader(json, "the statement");
    std::string type, predicate;
    reader.text("_type", type);
    reader.text("predicateType", predicate);
    SF_CHECK(reader.status());
    if (type != statement_type || predicate != predicate_type)
        return fail(Code::corrupt, "it is no provenance of a build");
    Attested said;
    SF_TRY(const Json subjects, list_in(json, "subject", "the statement"));
    if (subjects.size() != 1) return fail(Code::corrupt, "the statement has not one subject");
    base::JsonReader subject(subjects[0], "the subject");
    subject.text("name", said.file);
    SF_CHECK(subject.status());
    SF_TRY(said.archive, digest_in(subjects, said.file));
    SF_TRY(const Json body, object_in(json, "predicate", "the statement"));
    SF_TRY(const Json definition, object_in(body, "buildDefinition", "the predicate"));
    SF_TRY(const Json parameters, object_in(definition, "externalParameters", "the definition"));
    base::JsonReader wanted(parameters, "the parameters");
    std::string version;
    wanted.text("version", version);
    SF_CHECK(wanted.status());
    SF_TRY(const Json run, object_in(body, "runDetails", "the predicate"));
    SF_TRY(const Json builder, object_in(run, "builder", "the run"));
    base::JsonReader who(builder, "the builder");
    who.text("id", said.builder);
    SF_CHECK(who.status());
    SF_TRY(const Json products, list_in(run, "byproducts", "the run"));
    SF_TRY(said.manifest, digest_in(products, model::bundle_manifest_path(version)));
    SF_TRY(said.sbom, digest_in(products, said.file + ".spdx.json"));
    return said;
}

}  // namespace

Result<std::string> statement(const BundleFacts& facts, const Digest& sbom,
                              const trust::Fingerprint& builder) {
    const model::Bundle& bundle = *facts.bundle;
    Json packages = Json::object();
    Json compiler_cache = Json::array();
    for (const model::Package& package : bundle.packages) {
        packages[package.store_name()] = package.identity.hex();
        if (package.ccache_used) compiler_cache.push_back(package.store_name());
    }
    // What this builder has not built, and whose word there is for it.
    Json taken = Json::object();
    for (const model::Package& package : bundle.packages) {
        const auto origin = facts.origins->packages.find(package.store_name());
        if (origin == facts.origins->packages.end() || !origin->second.taken) continue;
        Json& one = taken[package.store_name()];
        one["signer"] = "openpgp4fpr:" + origin->second.taken->signer;
        if (const std::string& name = origin->second.taken->repository; !name.empty())
            one["repository"] = name;
    }
    Json definition{{"buildType", build_type},
                    {"externalParameters",
                     {{"name", bundle.name},
                      {"version", bundle.version},
                      {"toolchain", bundle.toolchain},
                      {"architecture", bundle.architecture},
                      {"target", bundle.target},
                      {"features", bundle.features}}},
                    {"internalParameters",
                     {{"engine", facts.origins->engine},
                      {"sourceDateEpoch", facts.origins->epoch},
                      {"targetFlags", facts.origins->target_flags},
                      {"packages", packages},
                      {"compilerCacheUsed", compiler_cache}}},
                    {"resolvedDependencies", inputs(facts)}};
    if (!taken.empty()) definition["internalParameters"]["taken"] = std::move(taken);
    const Json run{{"builder",
                    {{"id", "openpgp4fpr:" + builder.text()},
                     {"version", {{"slurm-factory", bundle.builder}}}}},
                   {"byproducts",
                    {resource(model::bundle_manifest_path(bundle.version), facts.manifest),
                     resource(facts.file + ".spdx.json", sbom)}}};
    return base::canonical_json(
        {{"_type", statement_type},
         {"subject", Json::array({resource(facts.file, facts.archive)})},
         {"predicateType", predicate_type},
         {"predicate", {{"buildDefinition", definition}, {"runDetails", run}}}});
}

Result<std::string> envelope(std::string_view statement, const trust::Signer& signer) {
    SF_TRY(const std::string signature,
           signer.sign(trust::Paper::provenance, signed_bytes(statement)));
    SF_TRY(const std::string packets, trust::dearmor_signature(signature));
    SF_TRY(
        const std::string line,
        base::canonical_json({{"payloadType", payload_type},
                              {"payload", base::base64(statement)},
                              {"signatures", Json::array({{{"keyid", signer.fingerprint().text()},
                                                           {"sig", base::base64(packets)}}})}}));
    return line + '\n';
}

Result<Attested> read_signed_bytes(std::string_view bytes) {
    // The payload is what stands behind its length.
    const std::size_t begin = bytes.find('{');
    if (begin == std::string_view::npos) return fail(Code::corrupt, "it is no statement");
    const std::string_view payload = bytes.substr(begin);
    if (signed_bytes(payload) != bytes) return fail(Code::corrupt, "it is no statement");
    SF_TRY(const Json json, base::parse_json(payload));
    SF_TRY(const std::string again, base::canonical_json(json));
    if (again != payload) return fail(Code::corrupt, "the statement is not in its one text form");
    return attested(std::string(payload));
}

Result<Attested> read_provenance(std::string_view text, const trust::Verifier& verifier,
                                 std::string_view file) {
    if (!text.ends_with('\n')) return fail(Code::corrupt, "{} does not end with its line", file);
    SF_TRY(const Json json, base::parse_json(text.substr(0, text.size() - 1)));
    base::JsonReader reader(json, "the envelope");
    std::string type, payload, signature;
    std::size_t signatures = 0;
    reader.text("payloadType", type);
    reader.text("payload", payload);
    reader.each("signatures", [&](const Json& item) -> Status {
        base::JsonReader one(item, "a signature");
        one.text("sig", signature);
        ++signatures;
        return one.status();
    });
    SF_CHECK(reader.status());
    if (type != payload_type || signatures != 1)
        return fail(Code::corrupt, "{} is no statement with one signature", file);
    SF_TRY(const std::string statement, base::from_base64(payload));
    SF_TRY(const std::string packets, base::from_base64(signature));
    SF_CHECK(trust::check_signature_packets(packets));
    SF_CHECK(verifier.verify_bytes(signed_bytes(statement), trust::armor_signature(packets), file)
                 .map([](const trust::GoodSignature&) {}));
    return attested(statement);
}

}  // namespace sf::publish
