// SPDX-License-Identifier: Apache-2.0
#include "base/unnamed_file.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>

#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::base {

Result<Fd> unnamed_file(const std::filesystem::path& folder) {
    Fd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (file.valid()) return file;
    // Some file systems have none (NFS): a name that is taken away at once.
    std::string name = (folder / ".unnamed-XXXXXX").native();
    file = Fd(::mkostemp(name.data(), O_CLOEXEC));
    if (!file.valid())
        return fail_errno(errno, "make a file in " + escape_untrusted(folder.native()));
    SF_CHECK(remove_file(name));
    return file;
}

}  // namespace sf::base
