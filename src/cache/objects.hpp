// SPDX-License-Identifier: Apache-2.0
// Objects of a backend as texts and files: read with a bound, compared with what they should be,
// written from memory. Knows no format. Any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cache/backend.hpp"
#include "cache/snapshot.hpp"

namespace sf::cache {

struct StoredText {
    std::string text;
    std::string etag;
};

// nullopt: it is not there. Code::corrupt: it is larger than `limit`.
[[nodiscard]] base::Result<std::optional<StoredText>> read_object(Backend& backend,
                                                                  const std::string& key,
                                                                  std::uint64_t limit);

// What is named by its digest: other bytes are Code::corrupt.
[[nodiscard]] base::Result<std::string> read_ref(Backend& backend, const std::string& key,
                                                 const Ref& ref);

// The same into a regular file of the caller's, from its first byte; the offset is rewound. Nothing
// is to be read from it before this has returned.
[[nodiscard]] base::Status fetch_ref(Backend& backend, const std::string& key, const Ref& ref,
                                     int descriptor);

// What is not known but for its length, likewise: whatever it is.
[[nodiscard]] base::Status fetch_object(Backend& backend, const std::string& key,
                                        std::uint64_t size, int descriptor);
// The same, and nothing is kept of it.
[[nodiscard]] base::Status check_ref(Backend& backend, const std::string& key, const Ref& ref);

[[nodiscard]] base::Result<PutOutcome> put_text(Backend& backend, const std::string& key,
                                                std::string_view text, std::string content_type,
                                                PutCondition condition = {});

// Seconds since 1970 by the clock of the place, found out with an object below `_sf/probe/`, which
// is removed. nullopt: the place does not tell.
[[nodiscard]] base::Result<std::optional<std::int64_t>> clock_of(Backend& backend);

// What lies below a folder of another backend, which is borrowed: one mirror of a place.
class SubBackend : public Backend {
public:
    SubBackend(Backend& whole, std::string folder)
        : x_whole(whole), x_front(std::move(folder) + '/') {}

    [[nodiscard]] std::string place() const override;
    [[nodiscard]] bool writable() const override { return x_whole.writable(); }
    [[nodiscard]] bool whole() const override { return x_whole.whole(); }
    [[nodiscard]] base::Result<Got> get(const std::string& key, const GetOptions& options,
                                        net::Receiver& to) override;
    [[nodiscard]] base::Result<std::optional<ObjectInfo>> look(const std::string& key) override;
    [[nodiscard]] base::Status list(const std::string& prefix, const Visitor& visit) override;
    [[nodiscard]] base::Result<PutOutcome> put(const PutRequest& request) override;
    [[nodiscard]] base::Status remove(const std::string& key) override {
        return x_whole.remove(x_front + key);
    }
    [[nodiscard]] base::Result<bool> keeps_conditions() override {
        return x_whole.keeps_conditions();
    }

private:
    [[nodiscard]] ObjectInfo below(ObjectInfo object) const;
    Backend& x_whole;
    std::string x_front;
};

}  // namespace sf::cache
