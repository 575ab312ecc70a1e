// SPDX-License-Identifier: Apache-2.0
// A Slurm of one large file that cannot be compressed, for big.sh: what publishing and installing
// take of memory, whatever the size of a package.
//
//   big_package make FOLDER MIB: its tree, archive and manifest below FOLDER
//   big_package publish FOLDER KEYS FINGERPRINT PLACE: into a cache, by the publisher itself
//
// One thread.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>

#include "base/atomic_file.hpp"
#include "base/files.hpp"
#include "cache/gzip_text.hpp"
#include "cache/objects.hpp"
#include "cache/open_backend.hpp"
#include "model/bundle_layout.hpp"
#include "pack/archive_writer.hpp"
#include "publish/mirror_push.hpp"
#include "publish/view.hpp"
#include "trust/gpg_signer.hpp"
#include "trust/trust_store.hpp"

namespace sf {
namespace {

namespace fs = std::filesystem;
using base::Result;
using base::Status;

constexpr const char* toolchain = "bookworm";

// The same bytes in each run, and then the end.
class Noise : public base::Source {
public:
    Noise(std::uint64_t size, std::uint64_t seed) : x_left(size), x_random(seed) {}
    Result<std::size_t> read(std::span<std::byte> room) override {
        const std::size_t size = std::min<std::uint64_t>(room.size(), x_left);
        for (std::byte& each : room.first(size)) each = static_cast<std::byte>(x_random() & 0xff);
        x_left -= size;
        return size;
    }

private:
    std::uint64_t x_left;
    std::mt19937_64 x_random;
};

class Quiet : public base::Reporter {
public:
    void message(base::Level, const std::string&) override {}
};

// As the engine leaves it: archive and manifest in a folder.
Status make(const fs::path& folder, std::uint64_t size) {
    model::Package package;
    package.name = "slurm";
    package.version = "25.11.2";
    package.toolchain = toolchain;
    package.target = "x86_64_v3";
    package.identity_text = R"({"name":"slurm"})";
    package.identity = base::sha256(package.identity_text);
    package.license = "GPL-2.0-or-later";
    const std::string name = package.store_name();
    SF_CHECK(base::make_dirs(folder));
    SF_TRY(auto out, base::AtomicFile::create(folder / "run.tar.zst"));
    SF_TRY(auto writer,
           pack::ArchiveWriter::create(
               out, {.compression = pack::Compression::zstd, .level = 3, .hash_files = true}));
    SF_CHECK(writer.add_directory(name));
    SF_CHECK(writer.add_memory(name + "/bin/srun", "#!/bin/sh\n", true));
    Noise noise(size, 1);
    SF_CHECK(writer.add_stream(name + "/lib/slurm/large.so", false, size, noise));
    for (model::FileEntry entry : writer.entries()) {
        if (entry.path == name) continue;
        entry.path = entry.path.substr(name.size() + 1);
        package.files.push_back(std::move(entry));
    }
    SF_TRY(package.run, writer.finish("run.tar.zst"));
    SF_CHECK(out.commit());
    SF_TRY(const std::string text, model::to_json(package));
    return base::write_file(folder / "manifest.json", text);
}

struct Asset {
    std::string path;
    std::string content;
};

Result<std::string> assets_archive(const fs::path& folder, const std::vector<Asset>& assets) {
    const fs::path file = folder / "assets.tar.zst";
    SF_TRY(auto out, base::AtomicFile::create(file));
    SF_TRY(auto writer, pack::ArchiveWriter::create(out));
    for (const Asset& asset : assets) SF_CHECK(writer.add_memory(asset.path, asset.content));
    SF_CHECK(writer.finish("assets.tar.zst").map([](const model::ArchiveRecord&) {}));
    SF_CHECK(out.commit());
    return base::read_file(file);
}

Status push(const fs::path& folder, const std::string& keys, const std::string& fingerprint,
            const std::string& place) {
    SF_TRY(const std::string described, base::read_file(folder / "manifest.json"));
    SF_TRY(const model::Package package, model::package_from_json(described));
    const trust::Keyring keyring(keys);
    SF_TRY(const trust::Fingerprint print, trust::Fingerprint::from_person(fingerprint));
    SF_TRY(const trust::GpgSigner signer, trust::GpgSigner::create(keyring, print, {}));
    SF_TRY(const std::string armoured, keyring.export_public(print));
    SF_TRY(const trust::TrustedKeys trusted, trust::trusted_from({{print, "bench"}}, {armoured}));
    SF_TRY(const trust::Verifier verifier, trust::Verifier::create(trusted));

    const std::vector<Asset> assets{
        {model::bundle_assets_path(package.version) + "/config/slurm.conf", "ClusterName=bench\n"}};
    model::Bundle bundle;
    bundle.name = package.name;
    bundle.version = package.version;
    bundle.toolchain = toolchain;
    bundle.architecture = "amd64";
    bundle.target = package.target;
    bundle.builder = "slurm-factory bench";
    bundle.packages = {package};
    SF_TRY(bundle.view, publish::plan_view({&package}));
    for (const Asset& asset : assets) {
        model::FileEntry entry;
        entry.path = asset.path;
        entry.size = asset.content.size();
        entry.sha256 = base::sha256(asset.content);
        bundle.assets.push_back(std::move(entry));
    }
    SF_TRY(const std::string text, model::to_json(bundle));
    SF_TRY(const std::string signature, signer.sign_bytes(text));
    SF_TRY(const std::string packed, cache::gzip(text));
    SF_TRY(const std::string archive, assets_archive(folder, assets));

    publish::PushRequest request;
    request.closure = {{&package, folder}};
    request.libc = "glibc 2.36-9+deb12u10";
    request.items = {{package.store_name(),
                      {{std::string(cache::media::bundle), "gzip", packed},
                       {std::string(cache::media::signature), "none", signature},
                       {std::string(cache::media::assets), "zstd", archive}}}};
    request.work = folder;
    request.signer = &signer;
    request.verifier = &verifier;
    request.primary = fingerprint;
    request.public_key = armoured;
    request.mirror = "bookworm/slurm/25.11";
    request.memory = folder / "memory";
    request.now = std::time(nullptr);
    SF_TRY(const auto whole, cache::open_backend(place));
    cache::SubBackend mirror(*whole, request.mirror);
    Quiet reporter;
    return publish::push(mirror, request, reporter).map([](const publish::PushReport&) {});
}

}  // namespace
}  // namespace sf

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    sf::base::Status done;
    if (words.size() == 3 && words[0] == "make") {
        done = sf::make(words[1], std::strtoull(words[2].c_str(), nullptr, 10) << 20);
    } else if (words.size() == 5 && words[0] == "publish") {
        done = sf::push(words[1], words[2], words[3], words[4]);
    } else {
        fmt::print(stderr,
                   "usage: big_package make FOLDER MIB\n"
                   "       big_package publish FOLDER KEYS FINGERPRINT PLACE\n");
        return 2;
    }
    if (done) return 0;
    fmt::print(stderr, "big_package: {}\n", done.error().text());
    return 1;
}
