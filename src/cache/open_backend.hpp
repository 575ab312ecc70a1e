// SPDX-License-Identifier: Apache-2.0
// From the address of a cache, as people write it, to the backend that serves it. Nothing is made,
// and no server is asked yet; a path is looked at: folder, or file with a part of a cache. Knows of
// each kind only how it is called. Any thread.
#pragma once

#include <memory>
#include <string_view>

#include "cache/backend.hpp"
#include "net/http.hpp"

namespace sf::cache {

// A path (a relative one is made absolute), file:///path, http://..., https://...,
// s3://bucket/prefix with region, endpoint and keys as AWS's own tools find them; anything else is
// Code::usage. No message shows what stands before "@" or behind "?".
[[nodiscard]] base::Result<std::unique_ptr<Backend>> open_backend(
    std::string_view address, const net::HttpOptions& options = {});

}  // namespace sf::cache
