// SPDX-License-Identifier: Apache-2.0
// A cache in a folder, on a disk of this machine or on NFS: object "a/b" is the file "a/b".
// Content types and cache control are not kept: they are the affair of the web server in front of
// it. Thread-safe; any number of processes and machines may use one folder at once.
//
// What is certain, without any lock: an object is there whole and durable or not at all; of several
// writers of one new name (if_absent) exactly one has written; nobody's object is lost but by
// writing over it; readers never wait. What rests on the lock of the file system: if_etag. All that
// replaces or removes takes it, and looks again while it is held, so between the processes of one
// machine, and between machines whose NFS server keeps locks, nothing that was not seen is
// overwritten. Where a file system has no locks (NFS mounted with nolock over several machines),
// two such writers within a few milliseconds can both be told "written", and the last one's object
// stays, whole.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "base/fd.hpp"
#include "base/synced.hpp"
#include "cache/backend.hpp"
#include "cache/object_folder.hpp"

namespace sf::cache {

class FileBackend : public Backend {
public:
    // Made when something is first put into it; until then nothing is in it.
    explicit FileBackend(std::filesystem::path folder) : x_objects(std::move(folder)) {}

    [[nodiscard]] std::string place() const override { return x_objects.shown(""); }
    [[nodiscard]] bool writable() const override { return true; }
    [[nodiscard]] bool is_there() const override;
    [[nodiscard]] base::Result<Got> get(const std::string& key, const GetOptions& options,
                                        net::Receiver& to) override;
    [[nodiscard]] base::Result<std::optional<ObjectInfo>> look(const std::string& key) override;
    [[nodiscard]] base::Status list(const std::string& prefix, const Visitor& visit) override;
    [[nodiscard]] base::Result<PutOutcome> put(const PutRequest& request) override;
    [[nodiscard]] base::Status remove(const std::string& key) override;
    [[nodiscard]] base::Result<bool> keeps_conditions() override { return true; }

private:
    [[nodiscard]] base::Status list_folder(const std::string& folder, const std::string& prefix,
                                           const Visitor& visit) const;
    [[nodiscard]] base::Result<base::Fd> lock() const;
    void sweep_once(const std::string& folder, int descriptor, std::int64_t now);

    ObjectFolder x_objects;
    base::Synced<std::set<std::string>> x_swept;  // folders, by this object
};

}  // namespace sf::cache
