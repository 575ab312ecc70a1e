// SPDX-License-Identifier: Apache-2.0
#include "cache/place_files.hpp"

#include "cache/blob_record.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/source_list.hpp"

namespace sf::cache {

base::Result<std::map<std::string, Ref>> place_files(Backend& mirror, const Snapshot& snapshot,
                                                     const WalkedMirror& walked) {
    std::map<std::string, Ref> files = snapshot.files;
    for (const MirrorPackage& package : walked.packages) {
        for (const BlobRecord& blob : package.manifest.others) {
            if (blob.media_type != media::sources) continue;
            SF_TRY(const std::string key, key_of(BlobName{blob.sha256}));
            SF_TRY(const std::string text, read_ref(mirror, key, {blob.sha256, blob.size}));
            SF_TRY(const SourceList list,
                   base::during(source_list_from_json(text),
                                "reading the sources of " + package.title()));
            for (const ListedSource& source : list.files) {
                SF_TRY(const std::string name, key_of(SourceName{source.sha256}));
                files.insert_or_assign(name, Ref{source.sha256, source.size});
            }
        }
    }
    return files;
}

bool is_alias(const std::string& key) {
    const auto name = name_of(key);
    return name && std::holds_alternative<BundleAliasName>(*name);
}

}  // namespace sf::cache
