// SPDX-License-Identifier: Apache-2.0
// What an offline file says of itself in its first object (docs/formats/offline.md), and which of
// its names are no objects of a cache. All of it is for people and for finding things: nothing
// rests on it, because anybody can write it. Values and text, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cache/snapshot.hpp"

namespace sf::cache {

struct OfflineMirror {
    std::string folder;  // "bookworm/slurm/25.11"
    std::string repository;
    std::uint64_t serial = 0;
    std::int64_t issued = 0;
    std::int64_t expires = 0;
    bool operator==(const OfflineMirror&) const = default;
};

// The program, as an archive that runs anywhere: nobody in the file says whose it is.
struct OfflineTool {
    std::string name;  // of the archive, below tool/
    Ref archive;
    bool operator==(const OfflineTool&) const = default;
};

struct OfflineRecord {
    std::string name;
    std::string version;
    std::string toolchain;
    std::string target;
    std::string hash;  // of the build, as the index has it
    std::vector<OfflineMirror> mirrors;
    std::optional<OfflineTool> tool;
    bool operator==(const OfflineRecord&) const = default;
};

inline constexpr std::uint64_t max_offline_record = 64U << 10U;

[[nodiscard]] base::Result<std::string> to_json(const OfflineRecord& record);
// Total and strict: a text has one form.
[[nodiscard]] base::Result<OfflineRecord> offline_record_from_json(std::string_view text);

// tool/<name>; Code::refused for a name that cannot be one.
[[nodiscard]] base::Result<std::string> tool_key(const std::string& name);
// offline.json, a public key, the tool or its signature: what no snapshot names.
[[nodiscard]] bool is_companion(const std::string& key, const OfflineRecord& record);

}  // namespace sf::cache
