// SPDX-License-Identifier: Apache-2.0
// unpack_archive of archive_reader.hpp: the strict reader on one side, the jail on the other.
#include <algorithm>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/stop.hpp"
#include "pack/archive_reader.hpp"
#include "pack/jail.hpp"

namespace sf::pack {

using base::Result;
using base::Status;

namespace {

class HashingSink : public base::Sink {
public:
    explicit HashingSink(base::Sink& to) : x_to(to) {}
    Status write(base::Bytes bytes) override {
        SF_CHECK(x_hash.write(bytes));
        return x_to.write(bytes);
    }
    base::Digest digest() { return x_hash.finish(); }

private:
    base::Sink& x_to;
    base::Sha256 x_hash;
};

}  // namespace

Result<std::vector<model::FileEntry>> unpack_archive(const ArchiveInput& archive,
                                                     const ArchivePolicy& policy, int directory) {
    Jail jail(directory);
    std::vector<model::FileEntry> made;
    const auto visit = [&](const EntryInfo& entry, base::Source& content) -> Status {
        SF_CHECK(base::check_stop());
        model::FileEntry file;
        file.path = entry.path;
        file.type = entry.type;
        switch (entry.type) {
            case model::EntryType::directory:
                file.mode = 0755;
                SF_CHECK(jail.make_directory(entry.path, policy.into_existing));
                break;
            case model::EntryType::symlink:  // made below
                file.mode = 0777;
                file.target = entry.target;
                break;
            case model::EntryType::file: {
                file.mode = entry.executable ? 0755 : 0644;
                file.size = entry.size;
                SF_TRY(auto fd, jail.create_file(entry.path, file.mode));
                base::FdSink sink(fd.get(), entry.path);
                HashingSink hashing(sink);
                SF_CHECK(base::copy(content, hashing).map([](std::size_t) {}));
                file.sha256 = hashing.digest();
                // Whoever syncs it later opens it anew, and may not be told then.
                SF_CHECK(base::close_file(std::move(fd), entry.path));
                break;
            }
        }
        made.push_back(std::move(file));
        return {};
    };
    SF_CHECK(read_archive(archive, policy, visit).map([](const ArchiveTotals&) {}));
    for (const auto& file : made) {
        if (file.type == model::EntryType::symlink) {
            SF_CHECK(jail.make_symlink(file.path, file.target));
        }
    }
    std::sort(made.begin(), made.end(),
              [](const auto& left, const auto& right) { return left.path < right.path; });
    return made;
}

}  // namespace sf::pack
