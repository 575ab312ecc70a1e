// SPDX-License-Identifier: Apache-2.0
// The folder of sources: bytes from outside, each known by its digest before it is asked for. A
// file is visible there only whole, durable and with the right digest (docs/formats/sources.md).
// Knows nothing of recipes beyond model::SourceFile. Thread-safe; several processes may share the
// folder.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "model/source.hpp"
#include "recipe/availability.hpp"
#include "recipe/downloader.hpp"

namespace sf::recipe {

// Addresses of a distribution's archives, main first, then security; asked at most when needed.
using ArchiveResolver = std::function<std::vector<std::string>(const std::string& family)>;

struct FetchOptions {
    // file:// or http(s):// prefixes tried before a source's own places, in this order; below each
    // sha256/<hex>/<file>, then <file>. A plain path is a file:// prefix.
    std::vector<std::string> mirrors;
    bool offline = false;  // the store and file:// mirrors only
    unsigned jobs = 4;     // downloads at once
    // Told while bytes arrive, from several threads: file, bytes so far, bytes in all (0: not
    // known).
    std::function<void(const std::string& file, std::uint64_t done, std::uint64_t total)> progress;
};

class SourceStore {
public:
    // `directory` is <state>/sources; made when first needed.
    SourceStore(std::filesystem::path directory, Downloader& downloader, ArchiveResolver archives,
                base::Reporter& reporter);

    // All of them, or an error that names each that failed. The paths are in the order of
    // `sources`; each file's digest was checked in this call.
    [[nodiscard]] base::Result<std::vector<std::filesystem::path>> fetch(
        std::span<const model::SourceFile> sources, const FetchOptions& options = {});
    [[nodiscard]] base::Result<std::filesystem::path> fetch_one(const model::SourceFile& source,
                                                                const FetchOptions& options = {});

    // The path if the store has it, its digest checked now; nullopt if not. A wrong one is an
    // error.
    [[nodiscard]] base::Result<std::optional<std::filesystem::path>> find(
        const model::SourceFile& source) const;

    // Can the bytes be had, without downloading them? What lies in the store and has its size can,
    // as far as that tells: fetch() checks it. An error only if the question could not be
    // put (a stop request, an unusable folder).
    [[nodiscard]] base::Result<Availability> probe(const model::SourceFile& source,
                                                   const FetchOptions& options = {});

    // Where a source lies once fetched: <directory>/sha256/<hex>/<file>.
    [[nodiscard]] std::filesystem::path path_of(const model::SourceFile& source) const;

private:
    // One place as it would be asked: an address, or why there is none.
    struct Candidate {
        std::optional<net::Url> url;
        Attempt otherwise;
    };
    [[nodiscard]] base::Result<std::vector<Candidate>> candidates(
        const model::SourceFile& source, const FetchOptions& options) const;
    [[nodiscard]] base::Result<std::filesystem::path> download(const model::SourceFile& source,
                                                               const FetchOptions& options);

    std::filesystem::path x_directory;
    Downloader& x_downloader;
    ArchiveResolver x_archives;
    base::Reporter& x_reporter;
};

}  // namespace sf::recipe
