// SPDX-License-Identifier: Apache-2.0
// Z1: the files of a cache: names of objects, spec blobs, signed manifests as gpg gives them out,
// and what is not signed at all. What is accepted is written as the very text that was read, a name
// leads to itself alone, and a manifest is under the name of the package inside. The first line is
// a name, the rest a file.
#include "cache/backend.hpp"
#include "cache/blob_record.hpp"
#include "cache/layout.hpp"
#include "cache/source_list.hpp"
#include "cache/spack_index.hpp"
#include "cache/spack_mapping.hpp"
#include "cache/spec_manifest.hpp"
#include "fuzz/fuzz.hpp"

using namespace sf;

namespace {

void check_names(std::string_view text) {
    if (const auto name = cache::name_of(text)) {
        fuzz::require(fuzz::need(cache::key_of(*name)) == text, "a name is made as it was parsed");
        fuzz::require(cache::check_key(text).has_value(), "a name is that of an object");
    }
    if (const auto mirror = cache::mirror_of(text))
        fuzz::require(fuzz::need(cache::folder_of(*mirror)) == text,
                      "a mirror's folder is made as it was parsed");
    if (const auto identity = cache::identity_of(text))
        fuzz::require(cache::package_hash(*identity) == text, "an identity has one text");
    if (const auto version = cache::libc_version(std::string(text)))
        fuzz::require(text.starts_with("glibc " + *version), "a version stands in its text");
}

void check_spec(std::string_view text) {
    const auto spec = cache::spack_spec_from_json(text);
    if (!spec) return;
    fuzz::require(fuzz::need(cache::to_json(*spec)) == text, "a spec is written as it was read");
    for (const cache::SpackNode& node : spec->nodes)
        fuzz::require(fuzz::need(cache::seal(node)).hash == node.hash, "a node has its hash");
}

void check_manifest(std::string_view text, std::string_view key) {
    const auto manifest = cache::spec_manifest_from_json(text, key);
    if (!manifest) return;
    fuzz::require(fuzz::need(cache::to_json(*manifest)) == text,
                  "a signed manifest is written as it was read");
    fuzz::require(fuzz::need(cache::key_of(*manifest)) == key,
                  "a manifest is under the name of its package");
}

void check_unsigned(std::string_view text) {
    for (const auto type :
         {cache::media::spack_index, cache::media::spack_keys, cache::media::public_key})
        if (const auto record = cache::blob_of_manifest(text, type))
            fuzz::require(fuzz::need(cache::manifest_of(*record)) == text,
                          "an unsigned manifest is written as it was read");
    if (const auto keys = cache::keys_from_json(text))
        fuzz::require(fuzz::need(cache::keys_to_json(*keys)) == text,
                      "a list of keys is written as it was read");
    const auto index = cache::spack_index_from_json(text);
    if (!index) return;
    fuzz::require(fuzz::need(cache::to_json(*index)) == text, "an index is written as it was read");
    for (const auto& [hash, entry] : index->entries)
        for (const cache::SpackDependency& edge : entry.node.dependencies)
            fuzz::require(index->entries.contains(edge.hash),
                          "every dependency of an entry is an entry");
}

void check_sources(std::string_view text) {
    const auto list = cache::source_list_from_json(text);
    if (!list) return;
    fuzz::require(fuzz::need(cache::to_json(*list)) == text,
                  "a list of sources is written as it was read");
    for (const cache::ListedSource& file : list->files)
        fuzz::require(cache::check_key(file.path).has_value(), "no source leaves its folder");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input(fuzz::text_of(data, size));
    const std::string_view name = input.line();
    const std::string_view file = input.rest();
    check_names(name);
    check_spec(file);
    check_manifest(file, name);
    check_unsigned(file);
    check_sources(file);
    return 0;
}
