// SPDX-License-Identifier: Apache-2.0
// What lies beside a bundle: the list of its parts holds what SPDX 2.3 asks for and names nothing
// that it does not describe; how it was made is signed, and believed only as it was signed.
#include <gmock/gmock.h>

#include <set>

#include "base/base64.hpp"
#include "base/json.hpp"
#include "publish/provenance.hpp"
#include "trust/armor.hpp"
#include "unit/publish/place_maker.hpp"

namespace sf::publish {
namespace {

using base::Json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class Papers : public PlaceMaker {
protected:
    Papers() : x_machine(build("25.11.2")) {
        x_sbom = base::parse_json(read(x_machine.files.sbom)).value();
    }
    [[nodiscard]] Json package(const std::string& id) const {
        for (const Json& each : x_sbom["packages"])
            if (each["SPDXID"] == id) return each;
        ADD_FAILURE() << "no " << id;
        return {};
    }
    [[nodiscard]] std::string id(std::size_t which) const {
        return "SPDXRef-Package-" + x_machine.built[which].package.store_name();
    }
    // "<from> <kind> <to>", each once.
    [[nodiscard]] std::set<std::string> relations() const {
        std::set<std::string> all;
        for (const Json& each : x_sbom["relationships"]) {
            const std::string line = each["spdxElementId"].get<std::string>() + ' ' +
                                     each["relationshipType"].get<std::string>() + ' ' +
                                     each["relatedSpdxElement"].get<std::string>();
            EXPECT_TRUE(all.insert(line).second) << line;
        }
        return all;
    }
    [[nodiscard]] Json payload() const {
        const Json line = base::parse_json(read(x_machine.files.provenance)).value();
        return base::parse_json(base::from_base64(line["payload"].get<std::string>()).value())
            .value();
    }

    Machine x_machine;
    Json x_sbom;
};

TEST_F(Papers, TheListOfPartsIsWhatSpdxAsksFor) {
    EXPECT_EQ(x_sbom["spdxVersion"], "SPDX-2.3");
    EXPECT_EQ(x_sbom["dataLicense"], "CC0-1.0");
    EXPECT_EQ(x_sbom["SPDXID"], "SPDXRef-DOCUMENT");
    EXPECT_EQ(x_sbom["creationInfo"]["created"], "2023-11-14T22:13:20Z");
    EXPECT_EQ(x_sbom["creationInfo"]["creators"], Json::array({"Tool: slurm-factory-0.1.0"}));
    EXPECT_THAT(x_sbom["documentNamespace"].get<std::string>(),
                HasSubstr(x_machine.files.record.sha256.hex()));
    std::set<std::string> ids{"SPDXRef-DOCUMENT"};
    for (const Json& each : x_sbom["packages"]) {
        const auto its = each["SPDXID"].get<std::string>();
        EXPECT_TRUE(ids.insert(its).second) << its;
        EXPECT_TRUE(its.starts_with("SPDXRef-"));
        EXPECT_EQ(its.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789.-"),
                  std::string::npos)
            << its;
        for (const char* member :
             {"name", "downloadLocation", "licenseDeclared", "licenseConcluded", "copyrightText"})
            EXPECT_FALSE(each[member].get<std::string>().empty()) << its << ' ' << member;
        EXPECT_EQ(each["filesAnalyzed"], false);
    }
    // Zlib, MUNGE, Slurm, flex, what they were made from, one patch, two libraries, the bundle.
    EXPECT_THAT(ids, SizeIs(1 + 4 + 4 + 1 + 2 + 1));
    for (const Json& each : x_sbom["relationships"]) {
        EXPECT_TRUE(ids.contains(each["spdxElementId"].get<std::string>())) << each;
        EXPECT_TRUE(ids.contains(each["relatedSpdxElement"].get<std::string>())) << each;
    }
}

TEST_F(Papers, TheListOfPartsSaysWhatIsInsideAndWhatItIsMadeOf) {
    const Json slurm = package(id(2));
    EXPECT_EQ(slurm["versionInfo"], "25.11.2");
    EXPECT_EQ(slurm["checksums"][0]["checksumValue"], x_machine.built[2].package.run.sha256.hex());
    const Json source = package("SPDXRef-Source-" + x_machine.built[2].package.store_name());
    EXPECT_EQ(source["licenseDeclared"], "GPL-2.0-or-later");
    EXPECT_EQ(source["downloadLocation"], "https://example.org/a b/slurm-25.11.2.tar.gz");
    EXPECT_EQ(source["checksums"][0]["checksumValue"],
              base::sha256("upstream's slurm 25.11.2").hex());
    EXPECT_THAT(source["externalRefs"][0]["referenceLocator"].get<std::string>(),
                HasSubstr("pkg:generic/slurm@25.11.2?checksum=sha256:"));
    EXPECT_EQ(source["externalRefs"][0]["referenceLocator"].get<std::string>().find(' '),
              std::string::npos);
    const auto lines = relations();
    const std::string flex = "SPDXRef-Package-flex-2.6-" + base::sha256("flex").short_hex();
    for (const std::string& line :
         {std::string("SPDXRef-DOCUMENT DESCRIBES SPDXRef-Bundle"),
          "SPDXRef-Bundle CONTAINS " + id(0), "SPDXRef-Bundle CONTAINS " + id(2),
          id(2) + " DEPENDS_ON " + id(1), id(1) + " DEPENDS_ON " + id(0),
          id(0) + " DEPENDS_ON SPDXRef-Host-libc.so.6",
          id(0) + " DEPENDS_ON SPDXRef-Host-libstdc-2b--2b-.so.6",
          id(2) + " GENERATED_FROM " + source["SPDXID"].get<std::string>(),
          "SPDXRef-Patch-" + base::sha256("a patch").hex() + " PATCH_FOR " +
              source["SPDXID"].get<std::string>(),
          flex + " BUILD_DEPENDENCY_OF " + id(1)})
        EXPECT_THAT(lines, Contains(line));
    EXPECT_FALSE(lines.contains("SPDXRef-Bundle CONTAINS " + flex));
}

TEST_F(Papers, AreTheSameForTheSameBundle) {
    const BundleFacts facts{nullptr, &x_machine.origins, "x", {}, {}};
    const model::Bundle bundle = model::bundle_from_json(x_machine.manifest).value();
    BundleFacts same = facts;
    same.bundle = &bundle;
    same.file = x_machine.files.bundle.filename();
    same.archive = x_machine.files.record.sha256;
    same.manifest = base::sha256(x_machine.manifest);
    EXPECT_EQ(sbom(same).value(), read(x_machine.files.sbom));
    const std::string said =
        statement(same, base::sha256(read(x_machine.files.sbom)), *x_key).value();
    EXPECT_EQ(base::parse_json(said).value(), payload());
    // Of packages whose origin is not known, what the manifest says.
    const Origins none;
    same.origins = &none;
    const Json bare = base::parse_json(sbom(same).value()).value();
    EXPECT_THAT(bare["packages"], SizeIs(1 + 3 + 2));
}

// The publisher signs it: it must not say that it built what it took.
TEST_F(Papers, WhatWasNotBuiltHereIsSaid) {
    EXPECT_FALSE(payload()["predicate"]["buildDefinition"]["internalParameters"].contains("taken"));
    const model::Bundle bundle = model::bundle_from_json(x_machine.manifest).value();
    Origins origins = x_machine.origins;
    const std::string zlib = x_machine.built[0].package.store_name();
    const std::string munge = x_machine.built[1].package.store_name();
    origins.packages.at(zlib).taken = TakenFrom{std::string(40, 'A'), std::string(32, 'b')};
    origins.packages.at(munge).taken = TakenFrom{std::string(40, 'C'), ""};
    const BundleFacts facts{&bundle, &origins, "x", {}, {}};
    const Json said = base::parse_json(statement(facts, {}, *x_key).value()).value();
    EXPECT_EQ(said["predicate"]["buildDefinition"]["internalParameters"]["taken"],
              Json({{zlib,
                     {{"signer", "openpgp4fpr:" + std::string(40, 'A')},
                      {"repository", std::string(32, 'b')}}},
                    {munge, {{"signer", "openpgp4fpr:" + std::string(40, 'C')}}}}));
}

TEST_F(Papers, HowItWasMadeIsWhatSlsaAsksFor) {
    const Json said = payload();
    EXPECT_EQ(said["_type"], "https://in-toto.io/Statement/v1");
    EXPECT_EQ(said["predicateType"], "https://slsa.dev/provenance/v1");
    ASSERT_THAT(said["subject"], SizeIs(1));
    EXPECT_EQ(said["subject"][0]["name"], x_machine.files.bundle.filename().string());
    EXPECT_EQ(said["subject"][0]["digest"]["sha256"], x_machine.files.record.sha256.hex());
    const Json& definition = said["predicate"]["buildDefinition"];
    EXPECT_EQ(definition["externalParameters"]["version"], "25.11.2");
    EXPECT_EQ(definition["internalParameters"]["targetFlags"], "-march=x86-64-v3");
    EXPECT_EQ(said["predicate"]["runDetails"]["builder"]["id"], "openpgp4fpr:" + x_key->text());
    std::map<std::string, Json> inputs;
    for (const Json& each : definition["resolvedDependencies"])
        inputs[each["name"].get<std::string>()] = each;
    EXPECT_THAT(inputs, SizeIs(4 + 4 + 1 + 2));  // as the lists of sources
    const std::string archive =
        x_machine.origins.packages.at(x_machine.built[2].package.store_name()).archive.path;
    EXPECT_EQ(inputs[archive]["uri"], "https://example.org/a b/slurm-25.11.2.tar.gz");
    EXPECT_EQ(inputs["recipes/slurm/patches/one.patch"]["digest"]["sha256"],
              base::sha256("a patch").hex());
}

TEST_F(Papers, HowItWasMadeIsBelievedAsItWasSigned) {
    const std::string good = read(x_machine.files.provenance);
    EXPECT_EQ(std::count(good.begin(), good.end(), '\n'), 1);
    const auto said = read_provenance(good, *x_verifier, "it");
    ASSERT_TRUE(said) << said.error().text();
    EXPECT_EQ(said->archive, x_machine.files.record.sha256);
    EXPECT_EQ(said->manifest, base::sha256(x_machine.manifest));
    EXPECT_EQ(said->sbom, base::sha256(read(x_machine.files.sbom)));
    // The key's name in the envelope is nobody's proof: any other character counts.
    const std::size_t name = good.find(x_key->text());
    for (std::size_t at = 0; at < good.size(); at += 151) {
        if (at >= name && at < name + x_key->text().size()) continue;
        std::string bent = good;
        bent[at] = bent[at] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(read_provenance(bent, *x_verifier, "it")) << at;
    }
    EXPECT_FALSE(read_provenance(good + good, *x_verifier, "it"));
    EXPECT_FALSE(read_provenance(good.substr(0, good.size() - 1), *x_verifier, "it"));
    EXPECT_FALSE(read_provenance("", *x_verifier, "it"));
    const std::string stranger = x_gpg.make_key("Stranger <s@example.org>");
    const auto other =
        trust::Verifier::create(
            trust::trusted_from({{trust::Fingerprint::parse(stranger).value(), "stranger"}},
                                {x_gpg.export_key(stranger)})
                .value())
            .value();
    EXPECT_FALSE(read_provenance(good, other, "it"));
}

// A good signature of the same key, but of the payload alone, or as of another kind.
TEST_F(Papers, ASignatureOfSomethingElseIsNone) {
    Json line = base::parse_json(read(x_machine.files.provenance)).value();
    const std::string text = base::from_base64(line["payload"].get<std::string>()).value();
    for (const std::string& bytes : {text, fmt::format("DSSEv1 4 text {} {}", text.size(), text)}) {
        const std::string signature = x_signer->sign_bytes(bytes).value();
        line["signatures"][0]["sig"] = base::base64(trust::dearmor_signature(signature).value());
        EXPECT_FALSE(read_provenance(base::canonical_json(line).value() + '\n', *x_verifier, "it"));
    }
    line["signatures"].push_back(line["signatures"][0]);
    EXPECT_FALSE(read_provenance(base::canonical_json(line).value() + '\n', *x_verifier, "it"));
}

// With gpg and the usual tools alone, as docs/formats/bundle.md says.
TEST_F(Papers, PlainGpgReadsTheSignature) {
    const Json line = base::parse_json(read(x_machine.files.provenance)).value();
    const std::string text = base::from_base64(line["payload"].get<std::string>()).value();
    ASSERT_TRUE(base::write_file(
        at("signed"),
        fmt::format("DSSEv1 28 application/vnd.in-toto+json {} {}", text.size(), text)));
    ASSERT_TRUE(base::write_file(
        at("sig"), base::from_base64(line["signatures"][0]["sig"].get<std::string>()).value()));
    x_gpg.run({"--verify", at("sig"), at("signed")});  // the test fails if gpg does
}

}  // namespace
}  // namespace sf::publish
