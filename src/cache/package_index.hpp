// SPDX-License-Identifier: Apache-2.0
// Which packages a cache holds: a tree of three levels below a signed snapshot (snapshot.hpp,
// docs/formats/snapshot.md). The snapshot names a node for each package name, which names one for
// each version, which lists the builds. Nodes are texts, gzipped (half of one is digests in
// hexadecimal), named by the digest of that; they never change, and are believed because the
// snapshot is signed. So who installs one package reads two small nodes of a
// cache of ten thousand, and who publishes one writes two. Where nodes lie is the caller's affair.
// One thread for each object.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/snapshot.hpp"

namespace sf::cache {

// One package, as it can be had.
struct Build {
    std::string hash;  // Spack's DAG hash: what it is called in the cache
    std::string toolchain;
    std::string target;
    base::Digest identity;
    Ref manifest;             // the signed spec manifest, whole
    std::uint64_t added = 0;  // serial of the first snapshot that named it: the later, the newer
    bool operator==(const Build&) const = default;
};

struct NameNode {
    std::string name;
    std::map<std::string, Ref> versions;
};

struct VersionNode {
    std::string name;
    std::string version;
    std::vector<Build> builds;  // sorted by hash, each once
};

inline constexpr std::uint64_t max_index_node = std::uint64_t{4} << 20;  // packed, and unpacked

[[nodiscard]] base::Result<std::string> to_json(const NameNode& node);
[[nodiscard]] base::Result<std::string> to_json(const VersionNode& node);
// Total and strict: a text has one form.
[[nodiscard]] base::Result<NameNode> name_node_from_json(std::string_view text);
[[nodiscard]] base::Result<VersionNode> version_node_from_json(std::string_view text);

// Gives the bytes that a reference names; they are compared with it here.
using ReadNode = std::function<base::Result<std::string>(const Ref& ref)>;

class PackageIndex {
public:
    // `snapshot` is borrowed.
    PackageIndex(const Snapshot& snapshot, ReadNode read)
        : x_snapshot(snapshot), x_read(std::move(read)) {}

    // Empty: the cache has none of this name, or version.
    [[nodiscard]] base::Result<std::vector<std::string>> versions(const std::string& name) const;
    [[nodiscard]] base::Result<std::vector<Build>> builds(const std::string& name,
                                                          const std::string& version) const;

private:
    [[nodiscard]] base::Result<std::optional<NameNode>> name_node(const std::string& name) const;
    friend class IndexUpdate;
    const Snapshot& x_snapshot;
    ReadNode x_read;
};

// What a change of the index writes: nodes first, then the snapshot.
struct IndexChange {
    std::vector<std::string> nodes;  // gzipped texts; each is named by the digest of these bytes
    std::map<std::string, Ref> names;
    bool changed = false;
    std::set<std::pair<std::string, std::string>> gone;  // names and versions without a build left
};

struct NewBuild {
    std::string name;
    std::string version;
    Build build;
    // Its manifest was not there, and was signed anew: if the index has named one, it was lost.
    bool renewed = false;
};

// Adds what is published to what is there, as `added` by the next snapshot. The same build again
// changes nothing; another identity
// or manifest under the same hash is Code::refused, because what was published never changes; but
// for a manifest that was lost.
[[nodiscard]] base::Result<IndexChange> add_builds(const Snapshot& snapshot, const ReadNode& read,
                                                   const std::vector<NewBuild>& builds);

// Some of what is published, by name, version and Spack's hash.
using BuildsByVersion = std::map<std::string, std::map<std::string, std::set<std::string>>>;

// Takes them out; what is not there is passed over. Code::refused: nothing of a name would be left.
[[nodiscard]] base::Result<IndexChange> remove_builds(const Snapshot& snapshot,
                                                      const ReadNode& read,
                                                      const BuildsByVersion& builds);

}  // namespace sf::cache
