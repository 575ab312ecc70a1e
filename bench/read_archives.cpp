// SPDX-License-Identifier: Apache-2.0
// read_archives FOLDER THREADS ARCHIVE...: each archive compared with its digest (FILE.sha256) and
// unpacked into FOLDER by our own reader, as an installation does it, up to THREADS at once in the
// order given, for blob.sh.

#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>

#include "base/files.hpp"
#include "base/task_pool.hpp"
#include "base/text.hpp"
#include "pack/archive_reader.hpp"

namespace sf {
namespace {

base::Status read_one(const std::string& path, int folder) {
    SF_TRY(const std::string hex, base::read_file(path + ".sha256"));
    model::ArchiveRecord record;
    SF_TRY(record.sha256, base::Digest::parse(base::trim(hex)));
    SF_TRY(const base::Fd fd, base::open_file(path, O_RDONLY));
    struct stat its {};
    if (::fstat(fd.get(), &its) != 0) return base::fail_errno(errno, "look at " + path);
    record.size = static_cast<std::uint64_t>(its.st_size);
    const pack::ArchiveInput input{fd.get(), path};
    SF_CHECK(pack::verify_archive(input, record));
    // Links may point beside the package.
    pack::ArchivePolicy policy;
    return pack::unpack_archive(input, policy, folder).map([](const auto&) {});
}

base::Status read_all(const std::string& folder, unsigned threads,
                      const std::vector<std::string>& archives) {
    SF_TRY(const base::Fd fd, base::open_file(folder, O_RDONLY | O_DIRECTORY));
    std::vector<base::Task> tasks;
    tasks.reserve(archives.size());
    for (const std::string& path : archives)
        tasks.emplace_back([&path, &fd] { return read_one(path, fd.get()); });
    return base::run_batch(tasks, threads);
}

}  // namespace
}  // namespace sf

int main(int argc, char** argv) {
    if (argc < 4) {
        fmt::print(stderr, "usage: read_archives FOLDER THREADS ARCHIVE...\n");
        return 2;
    }
    const auto threads = static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10));
    const sf::base::Status done = sf::read_all(argv[1], threads, {argv + 3, argv + argc});
    if (done) return 0;
    fmt::print(stderr, "read_archives: {}\n", done.error().text());
    return 1;
}
