// SPDX-License-Identifier: Apache-2.0
// A file that nobody else can open or change, and that goes with its descriptor: for what was
// fetched and is not believed yet. Any thread.
#pragma once

#include <filesystem>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace sf::base {

// Empty, for reading and writing, on the file system of `folder`; not inherited by programs that
// are started.
[[nodiscard]] Result<Fd> unnamed_file(const std::filesystem::path& folder);

}  // namespace sf::base
