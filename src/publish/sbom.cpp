// SPDX-License-Identifier: Apache-2.0
#include "publish/sbom.hpp"

#include <set>

#include "base/json.hpp"
#include "base/text.hpp"
#include "net/url.hpp"

namespace sf::publish {

using base::Json;
using base::Result;

namespace {

constexpr const char* document_id = "SPDXRef-DOCUMENT";
constexpr const char* bundle_id = "SPDXRef-Bundle";
constexpr const char* unknown = "NOASSERTION";

// Of letters, digits, "." and "-" alone; what they are made of has few others, and stays apart.
std::string id_of(std::string_view kind, std::string_view name) {
    std::string id = fmt::format("SPDXRef-{}-", kind);
    for (const char c : name) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '.' || c == '-';
        id += plain ? std::string(1, c)
                    : fmt::format("-{:02x}-", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
    return id;
}

// A licence that this document would have to bring the text of is not declared by name alone.
std::string declared(const std::string& license) {
    return license.empty() || license.find("LicenseRef-") != std::string::npos ? unknown : license;
}

// Days and seconds of UTC, as SPDX wants them.
std::string utc_time(std::int64_t seconds) {
    const std::string stamp = base::utc_stamp(seconds);  // 20261031-235959
    return fmt::format("{}T{}:{}:{}Z", base::utc_date(seconds), stamp.substr(9, 2),
                       stamp.substr(11, 2), stamp.substr(13, 2));
}

std::string first_url(const model::SourceFile& source) {
    for (const model::Place& place : source.places)
        if (!place.url.empty()) return place.url;
    return {};
}

Json sha256_of(const base::Digest& digest) {
    return Json::array({{{"algorithm", "SHA256"}, {"checksumValue", digest.hex()}}});
}

class Document {
public:
    explicit Document(const BundleFacts& facts) : x_facts(facts), x_bundle(*facts.bundle) {}

    Result<std::string> text() {
        relate(document_id, "DESCRIBES", bundle_id);
        add_bundle();
        for (const model::Package& package : x_bundle.packages) add_package(package);
        for (const model::Package& package : x_bundle.packages) add_origin(package.store_name());
        const std::string name = fmt::format("{}-{}-{}-{}", x_bundle.name, x_bundle.version,
                                             x_bundle.toolchain, x_bundle.architecture);
        const Json json{
            {"spdxVersion", "SPDX-2.3"},
            {"dataLicense", "CC0-1.0"},
            {"SPDXID", document_id},
            {"name", name},
            {"documentNamespace",
             fmt::format("https://spdx.org/spdxdocs/{}-{}", name, x_facts.archive.hex())},
            {"creationInfo",
             {{"created", utc_time(x_facts.origins->epoch)},
              {"creators", Json::array({"Tool: " + base::replace_all(x_bundle.builder, " ", "-")})},
              {"comment", "The time is the one that every build is told, not that of the build."}}},
            {"packages", x_packages},
            {"relationships", x_relations}};
        SF_CHECK(base::canonical_json(json).map([](const std::string&) {}));  // UTF-8
        return json.dump(1) + '\n';
    }

private:
    // What every package of SPDX's has to say.
    static Json package(std::string_view id, const std::string& name) {
        return {{"SPDXID", id},
                {"name", name},
                {"downloadLocation", unknown},
                {"filesAnalyzed", false},
                {"licenseConcluded", unknown},
                {"licenseDeclared", unknown},
                {"copyrightText", unknown}};
    }
    void relate(std::string_view from, const char* kind, std::string_view to,
                const std::string& comment = {}) {
        Json json{{"spdxElementId", from}, {"relationshipType", kind}, {"relatedSpdxElement", to}};
        if (!comment.empty()) json["comment"] = comment;
        x_relations.push_back(std::move(json));
    }
    const Origin* origin_of(const std::string& store_name) const {
        const auto found = x_facts.origins->packages.find(store_name);
        return found == x_facts.origins->packages.end() ? nullptr : &found->second;
    }

    void add_bundle() {
        Json json = package(bundle_id, x_bundle.name);
        json["versionInfo"] = x_bundle.version;
        json["packageFileName"] = x_facts.file;
        json["checksums"] = sha256_of(x_facts.archive);
        json["primaryPackagePurpose"] = "ARCHIVE";
        json["summary"] =
            fmt::format("{} {} and everything it needs to run on {}, for {}", x_bundle.name,
                        x_bundle.version, x_bundle.toolchain, x_bundle.target);
        x_packages.push_back(std::move(json));
    }

    void add_package(const model::Package& its) {
        const std::string store_name = its.store_name();
        const std::string id = id_of("Package", store_name);
        Json json = package(id, its.name);
        json["versionInfo"] = its.version;
        json["licenseDeclared"] = declared(its.license);
        json["packageFileName"] = store_name + '/' + its.run.file;
        json["checksums"] = sha256_of(its.run.sha256);
        json["primaryPackagePurpose"] = its.name == x_bundle.name ? "APPLICATION" : "LIBRARY";
        json["comment"] =
            fmt::format("store/{} in the bundle; built as {}", store_name, its.identity.hex());
        if (const Origin* origin = origin_of(store_name)) describe(json, *origin);
        json["externalRefs"] = purl(its.name, its.version, nullptr);
        x_packages.push_back(std::move(json));
        relate(bundle_id, "CONTAINS", id);
        for (const std::string& dependency : its.dependencies)
            relate(id, "DEPENDS_ON", id_of("Package", dependency));
        for (const model::HostRequirement& host : its.host_requirements) add_host(id, host);
    }

    // The distribution's own library: not in the bundle.
    void add_host(const std::string& from, const model::HostRequirement& host) {
        const std::string id = id_of("Host", host.soname);
        if (x_seen.insert(id).second) {
            Json json = package(id, host.soname);
            json["primaryPackagePurpose"] = "LIBRARY";
            json["comment"] = "A library of the distribution " + x_bundle.toolchain +
                              ", which is not in the bundle.";
            x_packages.push_back(std::move(json));
        }
        relate(from, "DEPENDS_ON", id,
               host.versions.empty() ? "" : "needs " + base::join(host.versions, " "));
    }

    // Upstream's archive and our patches to it; of what it was built with as well.
    void add_origin(const std::string& store_name) {
        const Origin* origin = origin_of(store_name);
        if (origin == nullptr || !x_origins.insert(store_name).second) return;
        const std::string id = id_of("Package", store_name);
        const std::string source = id_of("Source", store_name);
        Json json = package(source, origin->name);
        const std::string url = first_url(origin->source);
        json["versionInfo"] = origin->version;
        if (!url.empty()) json["downloadLocation"] = url;
        json["licenseDeclared"] = declared(origin->license);
        json["packageFileName"] = origin->source.file;
        json["checksums"] = sha256_of(origin->source.sha256);
        json["primaryPackagePurpose"] = "SOURCE";
        json["externalRefs"] = purl(origin->name, origin->version, origin);
        describe(json, *origin);
        x_packages.push_back(std::move(json));
        relate(id, "GENERATED_FROM", source);
        for (const OriginFile& patch : origin->patches) {
            const std::string patch_id = id_of("Patch", patch.sha256.hex());
            if (x_seen.insert(patch_id).second) {
                Json one = package(patch_id, patch.path);
                one["packageFileName"] = patch.path;
                one["checksums"] = sha256_of(patch.sha256);
                one["primaryPackagePurpose"] = "SOURCE";
                x_packages.push_back(std::move(one));
            }
            relate(patch_id, "PATCH_FOR", source);
        }
        for (const std::string& name : origin->built_by) add_builder(name, id);
    }

    // A package that is in no bundle: parts of it, headers say, may be in what it helped to build.
    void add_builder(const std::string& store_name, const std::string& of) {
        const Origin* origin = origin_of(store_name);
        if (origin == nullptr) return;
        const std::string id = id_of("Package", store_name);
        if (!is_in_bundle(store_name) && x_seen.insert(id).second) {
            Json json = package(id, origin->name);
            json["versionInfo"] = origin->version;
            json["licenseDeclared"] = declared(origin->license);
            json["primaryPackagePurpose"] = "OTHER";
            json["comment"] = "needed for building only; built as " + origin->identity.hex();
            describe(json, *origin);
            json["externalRefs"] = purl(origin->name, origin->version, nullptr);
            x_packages.push_back(std::move(json));
        }
        relate(id, "BUILD_DEPENDENCY_OF", of);
        add_origin(store_name);
    }
    bool is_in_bundle(const std::string& store_name) const {
        for (const model::Package& each : x_bundle.packages)
            if (each.store_name() == store_name) return true;
        return false;
    }

    static void describe(Json& json, const Origin& origin) {
        if (!origin.summary.empty()) json["summary"] = origin.summary;
        if (!origin.homepage.empty()) json["homepage"] = origin.homepage;
    }
    static Json purl(const std::string& name, const std::string& version, const Origin* origin) {
        std::string text = fmt::format("pkg:generic/{}@{}", net::percent_encode(name),
                                       net::percent_encode(version));
        if (origin != nullptr) {
            text += "?checksum=sha256:" + origin->source.sha256.hex();
            if (const std::string url = first_url(origin->source); !url.empty())
                text += "&download_url=" + net::percent_encode(url);
        }
        return Json::array({{{"referenceCategory", "PACKAGE-MANAGER"},
                             {"referenceType", "purl"},
                             {"referenceLocator", text}}});
    }

    const BundleFacts& x_facts;
    const model::Bundle& x_bundle;
    Json x_packages = Json::array();
    Json x_relations = Json::array();
    std::set<std::string> x_seen, x_origins;
};

}  // namespace

Result<std::string> sbom(const BundleFacts& facts) { return Document(facts).text(); }

}  // namespace sf::publish
