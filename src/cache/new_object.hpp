// SPDX-License-Identifier: Apache-2.0
// One object on its way into a folder: a file under a random name, never one made of the key, that
// is filled, compared with its digest, made durable and put under its name by link or rename; or
// vanishes with the object. Does not know conditions. One thread.
//
// link() is what makes "first wins" certain without a lock, on NFS too. An NFS server's answer can
// be lost and its operation repeated, so that what succeeded is said to have failed: after an error
// the file under the name decides.
#pragma once

#include <string>

#include "base/fd.hpp"
#include "cache/backend.hpp"

namespace sf::cache {

class NewObject {
public:
    // `folder`: open for reading; borrowed. `shown`: the object, for messages.
    [[nodiscard]] static base::Result<NewObject> create(int folder, std::string shown);
    NewObject(NewObject&& other) noexcept;
    NewObject& operator=(NewObject&&) = delete;
    NewObject(const NewObject&) = delete;
    NewObject& operator=(const NewObject&) = delete;
    ~NewObject();

    // Seconds since 1970 by the clock of the file system, which may be another machine's.
    [[nodiscard]] base::Result<std::int64_t> now() const;

    // The bytes and nothing else, mode 0644 whatever the umask, durable.
    [[nodiscard]] base::Status fill(const PutRequest& request);
    // False: something has the name already. Durable when it returns.
    [[nodiscard]] base::Result<bool> link_as(const std::string& name);
    // Replaces what has the name, and is at least a second younger than that, if need be by a time
    // that is still to come: web servers make their etags of the size and whole seconds.
    [[nodiscard]] base::Status rename_to(const std::string& name);

private:
    NewObject(int folder, base::Fd file, std::string temporary, std::string shown)
        : x_folder(folder),
          x_file(std::move(file)),
          x_temporary(std::move(temporary)),
          x_shown(std::move(shown)) {}
    [[nodiscard]] bool has_the_name(const std::string& name) const;
    [[nodiscard]] base::Status sync_folder() const;
    [[nodiscard]] base::Status set_time(std::int64_t seconds) const;

    int x_folder;
    base::Fd x_file;
    std::string x_temporary;  // empty: moved from, or renamed
    std::string x_shown;
};

// Deletes what killed writers left in a folder, once it is a day older than `now` and so nobody's.
// What cannot be deleted stays: it is only litter.
void sweep_unfinished(int folder, std::int64_t now);

}  // namespace sf::cache
