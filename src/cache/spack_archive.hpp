// SPDX-License-Identifier: Apache-2.0
// The archive that Spack installs a package from (docs/spack-interop.md, section 5): the run part
// below a folder that is on no machine, links to other packages absolute so that Spack rewrites
// them, the private packages inside the prefix, and Spack's own two files. ELF files keep the bytes
// that were signed. The same packages give the same bytes. One thread for each archive.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/stream.hpp"
#include "cache/spack_spec.hpp"
#include "model/manifest.hpp"
#include "pack/archive_reader.hpp"

namespace sf::cache {

// The store that archives for Spack pretend to come from. No machine has it: Spack looks for this
// text in what it is told to rewrite, and puts the path of its own store there.
inline constexpr std::string_view spack_store = "/__sf__";

struct SpackArchivePart {
    const model::Package* package = nullptr;  // borrowed
    pack::ArchiveInput run;                   // its run part
};

struct SpackArchiveRequest {
    SpackSpec spec;  // whose root is `package`
    SpackArchivePart package;
    // What SpackPackage::bundled names: each lies in .sf/deps/<its name>, where a link would be.
    std::vector<SpackArchivePart> bundled;
    // Files of the prefix, by their paths in it, that hold `spack_store`: Spack rewrites them.
    std::vector<std::string> text_files;
};

// Each run part is compared with the record in its package's manifest before it is read. The record
// that is returned is of the finished archive ("install.tar.gz").
[[nodiscard]] base::Result<model::ArchiveRecord> write_spack_archive(
    base::Sink& sink, const SpackArchiveRequest& request);

}  // namespace sf::cache
