// SPDX-License-Identifier: Apache-2.0
// Small objects of caches that this machine has read, kept in a folder, so that who asks again for
// the same asks the network for one thing: whether the snapshot has changed. What is kept is
// believed no more than what comes from a server: whoever asks compares digests and signatures. Any
// number of processes may share the folder; one thread for each object.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "cache/objects.hpp"

namespace sf::cache {

class KeptObjects {
public:
    // An empty folder: nothing is kept.
    explicit KeptObjects(const std::filesystem::path& folder);

    // As read_ref(); from here if it is here, and kept if it was not.
    [[nodiscard]] base::Result<std::string> read(Backend& backend, const std::string& key,
                                                 const Ref& ref) const;
    // As read_object(), of an object that may change: the one kept, if the server says that it is
    // still the same. Kept by keep(), when somebody has judged it.
    [[nodiscard]] base::Result<std::optional<StoredText>> read_again(Backend& backend,
                                                                     const std::string& key,
                                                                     std::uint64_t limit) const;
    void keep(const Backend& backend, const std::string& key, const StoredText& object) const;

private:
    [[nodiscard]] std::optional<std::string> find(const Ref& ref) const;
    void put(const std::string& name, std::string_view text) const;
    void drop_oldest() const;
    std::filesystem::path x_folder;
};

}  // namespace sf::cache
