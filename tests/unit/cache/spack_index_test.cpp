// SPDX-License-Identifier: Apache-2.0
// A mirror's index, its keys and its unsigned manifests, there and back.
#include "cache/spack_index.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/blob_record.hpp"

namespace sf::cache {
namespace {

using ::testing::HasSubstr;

SpackSpec slurm() {
    return spack_spec_from_json(base::read_file(SF_GOLDEN "/cache/slurm.spec.json").value())
        .value();
}

// munge's own spec, out of Slurm's.
SpackSpec munge() {
    const SpackSpec all = slurm();
    return spec_of(all.nodes[2], all.nodes).value();
}

TEST(SpackIndex, HoldsTheWholeSpecAndSaysWhatIsHere) {
    SpackIndex index;
    index.add(slurm());
    EXPECT_EQ(index.entries.size(), 3U);
    const std::string text = to_json(index).value();
    const std::string start =
        R"({"database":{"version":"8","installs":{"dskrgkxscpua2qe627robluffl3uqnzf":{"spec":{"name":"munge","version":"0.5.16",)";
    EXPECT_EQ(text.substr(0, start.size()), start);
    EXPECT_THAT(text, HasSubstr(R"(uqnzf"},"ref_count":1,"in_buildcache":false},"fcek)"));
    EXPECT_THAT(text, HasSubstr(R"(jis57"},"ref_count":0,"in_buildcache":true},"kqf4)"));
    EXPECT_TRUE(text.ends_with(R"(7a2e"},"ref_count":2,"in_buildcache":false}}}})")) << text;
    EXPECT_EQ(spack_index_from_json(text).value(), index);

    // In whichever order packages come, the index is the same.
    SpackIndex one;
    one.add(slurm());
    one.add(munge());
    SpackIndex other;
    other.add(munge());
    other.add(slurm());
    EXPECT_EQ(to_json(one).value(), to_json(other).value());
    EXPECT_TRUE(one.entries.at(munge().root().hash).in_buildcache);
    EXPECT_EQ(to_json(SpackIndex()).value(), R"({"database":{"version":"8","installs":{}}})");
    EXPECT_TRUE(spack_index_from_json(R"({"database":{"version":"8","installs":{}}})"));
}

TEST(SpackIndex, EveryDependencyOfAnEntryIsAnEntry) {
    for (const std::size_t missing : {1U, 2U}) {
        SpackIndex index;
        index.add(slurm());
        index.entries.erase(slurm().nodes[missing].hash);
        const auto text = to_json(index);
        ASSERT_FALSE(text);
        EXPECT_THAT(text.error().text(), HasSubstr("install it without that"));
    }
    SpackIndex index;
    index.add(slurm());
    const std::string text = to_json(index).value();
    index.entries.clear();
    index.add(munge());
    // The text of the larger one, with munge's entry cut out.
    const std::string munges = R"("dskrgkxscpua2qe627robluffl3uqnzf":{"spec")";
    const std::size_t from = text.find(munges);
    const std::size_t to = text.find(R"("fcekcbg6irko6kq4wskqjg7xvqrjis57":{"spec")");
    ASSERT_LT(from, to);
    const auto read = spack_index_from_json(text.substr(0, from) + text.substr(to));
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, base::Code::corrupt);
    EXPECT_THAT(read.error().text(), HasSubstr("not munge/dskr"));
}

TEST(SpackIndex, RefusesLies) {
    SpackIndex index;
    index.add(slurm());
    const std::string text = to_json(index).value();
    const auto refused = [&](std::string_view from, std::string_view to) {
        const std::string changed = base::replace_all(text, from, to);
        EXPECT_NE(changed, text) << from;
        return !spack_index_from_json(changed);
    };
    EXPECT_TRUE(refused("25.11.2", "25.11.3"));
    EXPECT_TRUE(refused(R"("nvml":false)", R"("nvml":true)"));
    EXPECT_TRUE(refused(R"("ref_count":2)", R"("ref_count":3)"));
    EXPECT_TRUE(refused(R"("version":"8")", R"("version":"9")"));
    EXPECT_TRUE(refused(R"("in_buildcache":true)", R"("in_buildcache":1)"));
    EXPECT_TRUE(
        refused(R"("ref_count":2,"in_buildcache":false)", R"("ref_count":2,"in_buildcache":true)"))
        << "an external is in no mirror";
    EXPECT_TRUE(refused(R"({"dskr)", R"({"eskr)"));
    for (const std::string& other :
         {text + " ", std::string(), std::string("{}"),
          std::string(R"({"database":{"version":"8"}})"), std::string(R"({"database":[]})")})
        EXPECT_FALSE(spack_index_from_json(other));
}

TEST(SpackIndex, EveryByteCounts) {
    SpackIndex index;
    index.add(munge());
    const std::string text = to_json(index).value();
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::string changed = text;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        EXPECT_FALSE(spack_index_from_json(changed)) << "with byte " << at << " changed";
    }
}

// What no signature covers may be of any size: reading takes no longer than that.
TEST(SpackKeys, ManyTakeNoLongerThanTheyAre) {
    std::vector<std::string> many;
    for (int i = 0; i < 50'000; ++i) many.push_back(fmt::format("{:040X}", i));
    EXPECT_EQ(keys_from_json(keys_to_json(many).value()).value(), many);
}

TEST(SpackKeys, AreListedByFingerprint) {
    const std::string a(40, 'A');
    const std::string b(40, 'B');
    const std::string text = keys_to_json({a, b}).value();
    EXPECT_EQ(text, R"({"keys":{")" + a + R"(":{},")" + b + R"(":{}}})");
    EXPECT_EQ(keys_from_json(text).value(), (std::vector<std::string>{a, b}));
    EXPECT_EQ(keys_from_json(keys_to_json({}).value()).value().size(), 0U);
    EXPECT_FALSE(keys_to_json({b, a}));
    EXPECT_FALSE(keys_to_json({a, a}));
    EXPECT_FALSE(keys_to_json({"../key"}));
    EXPECT_FALSE(keys_from_json(R"({"keys":{"abc":{}}})"));
    EXPECT_FALSE(keys_from_json(R"({"keys":{")" + a + R"(":{"x":1}}})"));
    EXPECT_FALSE(keys_from_json(R"({"keys":[]})"));
}

TEST(UnsignedManifest, NamesOneBlobOfItsKind) {
    const BlobRecord record{std::string(media::spack_index), "none", 1234, base::sha256("index")};
    const std::string text = manifest_of(record).value();
    EXPECT_EQ(text,
              "{\n\"version\": 3,\n\"data\": [\n{\n\"contentLength\": 1234,\n"
              "\"mediaType\": \"application/vnd.spack.db.v8+json\",\n"
              "\"compression\": \"none\",\n\"checksumAlgorithm\": \"sha256\",\n"
              "\"checksum\": \"" +
                  base::sha256("index").hex() + "\"\n}\n]\n}\n");
    EXPECT_EQ(blob_of_manifest(text, media::spack_index).value(), record);
    EXPECT_FALSE(blob_of_manifest(text, media::spack_keys)) << "of another kind";
    EXPECT_FALSE(blob_of_manifest(text + "x", media::spack_index));
    EXPECT_FALSE(blob_of_manifest(base::replace_all(text, "none", "gzip"), media::spack_index));
    EXPECT_FALSE(blob_of_manifest(R"({"version":3,"data":[]})", media::spack_index));
    EXPECT_FALSE(blob_of_manifest("{\n\"version\": 3,\n\"data\": 1\n}\n", media::spack_index));
    EXPECT_FALSE(manifest_of({std::string(media::spack_index), "none", 0, {}}));
}

}  // namespace
}  // namespace sf::cache
