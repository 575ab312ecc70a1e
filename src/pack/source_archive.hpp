// SPDX-License-Identifier: Apache-2.0
// Unpacks upstream source archives: odd owners, group-writable files, hardlinks, any tar dialect
// and one folder at the top are normal there. Still nothing leaves the folder unpacked to, no
// device and no setuid file is made. The bytes were checked against the recipe's digest before.
// Knows nothing of recipes. One thread for each archive.
#pragma once

#include "base/result.hpp"
#include "pack/archive_reader.hpp"

namespace sf::pack {

struct SourcePolicy {
    unsigned strip =
        1;  // leading components taken off; an entry with no more than these is skipped
    ArchiveLimits limits;
};

// Below the folder `directory` (a descriptor). Modes become 0644 or 0755, the owner is this
// process; times stay the archive's, never before 1970: Autotools compare them. Hardlinks become
// links within the tree. Symlinks, made last, must resolve inside it. After an error the caller
// deletes the rest.
[[nodiscard]] base::Result<ArchiveTotals> unpack_source(const ArchiveInput& archive,
                                                        const SourcePolicy& policy, int directory);

}  // namespace sf::pack
