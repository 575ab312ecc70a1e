// SPDX-License-Identifier: Apache-2.0
// fill_mirror KEYS FINGERPRINT PLACE MIRROR FIRST COUNT MEMORY [FROM]: names COUNT more builds,
// numbered from FIRST, in a mirror of a published cache, in our index and in Spack's, for p12.sh
// and p13.sh. They have the names and dependencies of those that are there, or in the same mirror
// of the place FROM, with versions and identities of their own; nothing of them lies in the cache
// but what names them, so they can be chosen and not installed. One thread.

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "base/text.hpp"
#include "cache/blob_record.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/open_backend.hpp"
#include "publish/mirror_index.hpp"
#include "trust/gpg_signer.hpp"
#include "trust/trust_store.hpp"

namespace sf {
namespace {

using base::Result;
using base::Status;

class Quiet : public base::Reporter {
public:
    void message(base::Level, const std::string&) override {}
};

Result<cache::SpackIndex> spack_index(cache::Backend& mirror) {
    SF_TRY(const std::string key, cache::key_of(cache::FixedName::index_manifest));
    SF_TRY(const auto manifest, cache::read_object(mirror, key, 1 << 16));
    if (!manifest) return base::fail(base::Code::absent, "nothing is published there");
    SF_TRY(const cache::BlobRecord blob,
           cache::blob_of_manifest(manifest->text, cache::media::spack_index));
    SF_TRY(const std::string name, cache::key_of(cache::BlobName{blob.sha256}));
    SF_TRY(const std::string text, cache::read_ref(mirror, name, {blob.sha256, blob.size}));
    return cache::spack_index_from_json(text);
}

Status fill(const std::string& keys, const std::string& fingerprint, const std::string& place,
            const std::string& mirror_name, unsigned first, unsigned count,
            const std::string& memory, const std::string& from) {
    const trust::Keyring keyring(keys);
    SF_TRY(const trust::Fingerprint print, trust::Fingerprint::from_person(fingerprint));
    SF_TRY(const trust::GpgSigner signer, trust::GpgSigner::create(keyring, print, {}));
    SF_TRY(const std::string armoured, keyring.export_public(print));
    SF_TRY(const trust::TrustedKeys trusted, trust::trusted_from({{print, "bench"}}, {armoured}));
    SF_TRY(const trust::Verifier verifier, trust::Verifier::create(trusted));
    SF_TRY(const auto whole, cache::open_backend(place));
    cache::SubBackend mirror(*whole, mirror_name);
    SF_TRY(const auto model, cache::open_backend(from));
    cache::SubBackend model_mirror(*model, mirror_name);

    SF_TRY(const cache::SpackIndex there, spack_index(model_mirror));
    std::vector<cache::SpackNode> pool;
    std::vector<cache::SpackNode> roots;
    for (const auto& [hash, entry] : there.entries) {
        pool.push_back(entry.node);
        if (entry.in_buildcache) roots.push_back(entry.node);
    }
    std::vector<cache::NewBuild> builds;
    std::vector<cache::SpackSpec> specs;
    for (unsigned i = first; i < first + count; ++i) {
        cache::SpackNode node = roots.at(i % roots.size());
        // Twenty builds of each version; all older than what is there.
        node.version = fmt::format("0.{}", i / roots.size() / 20);
        node.identity = base::sha256(fmt::format("build {}", i));
        SF_TRY(node, cache::seal(std::move(node)));
        const cache::Ref manifest{base::sha256(fmt::format("manifest {}", i)), 9000};
        builds.push_back({node.name,
                          node.version,
                          {node.hash, "bookworm", node.target, *node.identity, manifest, 0},
                          false});
        SF_TRY(cache::SpackSpec spec, cache::spec_of(node, pool));
        specs.push_back(std::move(spec));
    }
    Quiet reporter;
    publish::IndexAuthority authority;
    authority.signer = &signer;
    authority.verifier = &verifier;
    authority.public_key = armoured;
    authority.primary = fingerprint;
    authority.mirror = mirror_name;
    authority.memory = memory;
    authority.now = std::time(nullptr);
    publish::MirrorIndex index(mirror, std::move(authority), reporter);
    return index.add(builds, specs).map([](const publish::IndexReport&) {});
}

}  // namespace
}  // namespace sf

int main(int argc, char** argv) {
    if (argc != 8 && argc != 9) {
        fmt::print(stderr,
                   "usage: fill_mirror KEYS FINGERPRINT PLACE MIRROR FIRST COUNT MEMORY [FROM]\n");
        return 2;
    }
    const auto first = static_cast<unsigned>(std::strtoul(argv[5], nullptr, 10));
    const auto count = static_cast<unsigned>(std::strtoul(argv[6], nullptr, 10));
    const sf::base::Status done = sf::fill(argv[1], argv[2], argv[3], argv[4], first, count,
                                           argv[7], argv[argc == 9 ? 8 : 3]);
    if (done) return 0;
    fmt::print(stderr, "fill_mirror: {}\n", done.error().text());
    return 1;
}
