// SPDX-License-Identifier: Apache-2.0
// Z4: upstream's archives, of any tar dialect. Nothing is made outside the folder unpacked to, no
// link leads out of it, and nothing is setuid, a device or writable by others.
#include "pack/source_archive.hpp"

#include <sys/stat.h>

#include <fcntl.h>

#include "fuzz/fuzz.hpp"

using namespace sf;
namespace fs = std::filesystem;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input(fuzz::text_of(data, size));
    pack::SourcePolicy policy;
    policy.strip = input.byte() % 3;
    policy.limits = {.entries = 64, .unpacked_size = 1U << 20U, .ratio = 100};
    const base::Fd file = fuzz::file_in_memory(input.rest());

    const base::TempDir scratch = fuzz::scratch_folder();
    const fs::path tree = scratch.path() / "tree";
    fuzz::need(base::make_dirs(tree));
    {
        const base::Fd folder = fuzz::need(base::open_file(tree, O_RDONLY | O_DIRECTORY));
        // Also after a refusal nothing may be outside.
        const auto totals = pack::unpack_source({file.get(), "fuzz.tar"}, policy, folder.get());
        for (const auto& entry : fs::recursive_directory_iterator(tree)) {
            struct stat info {};
            fuzz::require(::lstat(entry.path().c_str(), &info) == 0, "what is there can be seen");
            fuzz::require(S_ISREG(info.st_mode) || S_ISDIR(info.st_mode) || S_ISLNK(info.st_mode),
                          "there are files, folders and links only");
            if (S_ISLNK(info.st_mode)) {
                std::error_code error;
                const fs::path end = fs::canonical(entry.path(), error);
                fuzz::require(error || end == tree || end.string().starts_with(tree.string() + "/"),
                              "a symlink stays in the tree");
            } else {
                fuzz::require((info.st_mode & 07022U) == 0, "nobody else can write");
            }
        }
    }
    fuzz::require(base::list_dir(scratch.path()).value().size() == 1,
                  "nothing is made beside the tree");
    return 0;
}
