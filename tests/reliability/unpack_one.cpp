// SPDX-License-Identifier: Apache-2.0
// One hostile archive in a process of its own, whatever becomes of it, and what it has cost:
//
//   unpack_one package ROOM NAME SIZE DIGEST    installed from the cache ROOM/cache to ROOM/prefix
//   unpack_one source ROOM NAME SIZE DIGEST     unpacked as upstream's, in a folder of its own
//
// NAME: what the archive is called; DIGEST: it lies in the cache by that; SIZE: what it may unpack
// to, as if somebody trusted had signed that. Prints the verdict in a line, and in another seconds,
// bytes of memory at the most, and bytes that were written anywhere.
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "cache/file_backend.hpp"
#include "cache/layout.hpp"
#include "install/cache_install.hpp"
#include "pack/source_archive.hpp"
#include "reliability/hostile_package.hpp"
#include "unit/pack/hostile_archives.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::duration;
using std::chrono::steady_clock;

struct Archive {
    fs::path room;
    std::string name;
    std::uint64_t size;
    base::Digest digest;
    [[nodiscard]] base::Result<fs::path> file() const {
        SF_TRY(const std::string key, cache::key_of(cache::BlobName{digest}));
        return room / "cache" / key;
    }
};

// As `slurm-factory install` does once it believes a cache: its stage is its own to clear away.
base::Status install_package(const Archive& archive) {
    SF_TRY(const fs::path file, archive.file());
    model::Package package = hostile_package();
    package.run.file = archive.name;
    package.run.sha256 = archive.digest;
    package.run.size = fs::file_size(file);
    package.run.unpacked_size = archive.size;
    package.run.entries = hostile_entries;
    install::Resolved found;
    found.bundle.name = package.name;
    found.bundle.version = package.version;
    found.bundle.toolchain = package.toolchain;
    found.bundle.architecture = "amd64";
    found.bundle.target = package.target;
    found.bundle.packages.push_back(std::move(package));
    found.bundle_text = "{}";
    cache::FileBackend place(archive.room / "cache");
    install::FetchReport fetched;
    return install::install_from_cache(found, {&place, &place, 1}, archive.room / "prefix", {},
                                       fetched)
        .map([](const auto&) {});
}

base::Status unpack_source(const Archive& archive) {
    SF_TRY(const fs::path path, archive.file());
    SF_TRY(const base::Fd file, base::open_file(path, O_RDONLY));
    SF_TRY(const base::TempDir into, base::TempDir::create(archive.room, "source-"));
    SF_TRY(const base::Fd folder, base::open_file(into.path(), O_RDONLY | O_DIRECTORY));
    pack::SourcePolicy policy;
    policy.limits.entries = hostile_entries;
    policy.limits.unpacked_size = archive.size;
    return pack::unpack_source({file.get(), archive.name}, policy, folder.get())
        .map([](const auto&) {});
}

// The number behind `word` in one of the kernel's files about this process.
std::uint64_t number_in(const char* file, const std::string& word) {
    const std::string text = base::read_file(file).value();
    const std::size_t at = text.find(word);
    if (at == std::string::npos) throw std::runtime_error(file + (": it lacks " + word));
    return std::strtoull(text.c_str() + at + word.size(), nullptr, 10);
}

int run(const std::vector<std::string>& words) {
    const Archive archive{words.at(1), words.at(2), std::stoull(words.at(3)),
                          base::Digest::parse(words.at(4)).value()};
    const auto begin = steady_clock::now();
    const base::Status done =
        words.at(0) == "source" ? unpack_source(archive) : install_package(archive);
    const double seconds = duration<double>(steady_clock::now() - begin).count();
    const std::uint64_t memory = number_in("/proc/self/status", "VmHWM:") * 1024;
    const std::uint64_t written = number_in("/proc/self/io", "wchar:");
    fmt::print("{}\n{} {} {}\n", done ? "accepted" : done.error().text(), seconds, memory, written);
    return done ? 0 : 1;
}

}  // namespace
}  // namespace sf::test

int main(int argc, char** argv) { return sf::test::run({argv + 1, argv + argc}); }
