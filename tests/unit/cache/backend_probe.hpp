// SPDX-License-Identifier: Apache-2.0
// What the tests of all backends share: a receiver that remembers how it was served, and objects
// to put. One thread.
#pragma once

#include <sys/mman.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "base/fd.hpp"
#include "base/files.hpp"
#include "cache/backend.hpp"

namespace sf::test {

class Kept : public net::Receiver {
public:
    std::string text;
    std::vector<std::uint64_t> begins;

    base::Status begin(std::uint64_t offset) override {
        begins.push_back(offset);
        text.resize(offset, '?');
        return {};
    }
    base::Status write(base::Bytes bytes) override {
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
    }
};

// A regular file in memory with these bytes.
inline base::Fd memory_file(std::string_view bytes) {
    base::Fd file(::memfd_create("object", MFD_CLOEXEC));
    if (!file.valid() || !base::write_all(file.get(), base::as_bytes(bytes), "memory"))
        throw std::runtime_error("no memory for a file");
    return file;
}

inline base::Result<cache::PutOutcome> put(cache::Backend& backend, const std::string& key,
                                           std::string_view bytes,
                                           cache::PutCondition condition = {}) {
    const base::Fd file = memory_file(bytes);
    return backend.put({.key = key,
                        .descriptor = file.get(),
                        .size = bytes.size(),
                        .sha256 = base::sha256(bytes),
                        .content_type = "application/octet-stream",
                        .cache_control = {},
                        .condition = std::move(condition)});
}

// The whole object of at most a gibibyte.
inline base::Result<std::string> get(cache::Backend& backend, const std::string& key) {
    Kept kept;
    SF_CHECK(backend.get(key, {.offset = 0, .length = {}, .max_length = 1U << 30, .if_changed = {}},
                         kept));
    return kept.text;
}

}  // namespace sf::test
