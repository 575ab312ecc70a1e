// SPDX-License-Identifier: Apache-2.0
// A part of a cache in one file, read where it lies: for machines without a network
// (docs/formats/offline.md). Only ever read. The file is opened once, and nothing of it is unpacked
// or believed: whoever asks compares digests. Thread-safe.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/fd.hpp"
#include "cache/backend.hpp"
#include "cache/object_tar.hpp"

namespace sf::cache {

class TarBackend : public Backend {
public:
    // Code::refused: it is no regular file, or none of object_tar.hpp; Code::corrupt: cut short.
    [[nodiscard]] static base::Result<std::unique_ptr<TarBackend>> open(
        const std::filesystem::path& file);

    [[nodiscard]] std::string place() const override;
    [[nodiscard]] bool writable() const override { return false; }
    [[nodiscard]] bool whole() const override { return false; }
    [[nodiscard]] base::Result<Got> get(const std::string& key, const GetOptions& options,
                                        net::Receiver& to) override;
    [[nodiscard]] base::Result<std::optional<ObjectInfo>> look(const std::string& key) override;
    [[nodiscard]] base::Status list(const std::string& prefix, const Visitor& visit) override;
    [[nodiscard]] base::Result<PutOutcome> put(const PutRequest& request) override;
    [[nodiscard]] base::Status remove(const std::string& key) override;
    [[nodiscard]] base::Result<bool> keeps_conditions() override { return false; }

private:
    TarBackend(std::filesystem::path file, base::Fd descriptor, TarredObjects objects)
        : x_file(std::move(file)),
          x_descriptor(std::move(descriptor)),
          x_objects(std::move(objects)) {}
    std::filesystem::path x_file;
    base::Fd x_descriptor;
    TarredObjects x_objects;  // never changes
};

// Is this a regular file that begins as such a file does? Absent, a folder, a pipe: no.
[[nodiscard]] base::Result<bool> is_offline_file(const std::filesystem::path& file);

}  // namespace sf::cache
