// SPDX-License-Identifier: Apache-2.0
// Z4: our own archives under the strict policy. No accepted entry leaves the tree, whatever links
// were accepted before it; and the jail makes exactly what was accepted.
#include <sys/stat.h>

#include <fcntl.h>
#include <map>

#include "base/text.hpp"
#include "fuzz/fuzz.hpp"
#include "pack/archive_reader.hpp"

using namespace sf;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view canary = "untouched";

pack::ArchivePolicy policy_of(std::uint8_t how) {
    pack::ArchivePolicy policy;
    if ((how & 1U) != 0) policy.top = "top";
    if ((how & 2U) != 0) policy.link_roots = {"other"};
    policy.limits = {.entries = 64, .unpacked_size = 1U << 20U, .ratio = 100};
    return policy;
}

// Where the kernel ends up when it follows `link`: below the tree, or nowhere.
void check_link(const fs::path& tree, const fs::path& link) {
    std::error_code error;
    const fs::path end = fs::canonical(link, error);
    if (error) return;  // dangling, or a loop: nothing is reached
    const std::string inside = tree.string() + "/";
    fuzz::require(end == tree || end.string().starts_with(inside), "a symlink stays in the tree");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input(fuzz::text_of(data, size));
    const pack::ArchivePolicy policy = policy_of(input.byte());
    const base::Fd file = fuzz::file_in_memory(input.rest());
    const pack::ArchiveInput archive{file.get(), "fuzz.tar"};

    std::uint64_t seen = 0;
    const auto visit = [&](const pack::EntryInfo& entry, base::Source& content) -> base::Status {
        ++seen;
        fuzz::require(pack::path_violation(entry.path).empty(), "an accepted path keeps the rules");
        if (seen % 2 == 0) return {};  // unread content must be skipped
        std::byte room[700];
        std::uint64_t got = 0;
        for (;;) {
            SF_TRY(const std::size_t n, content.read(room));
            if (n == 0) break;
            got += n;
        }
        fuzz::require(got == entry.size, "content is as long as its entry says");
        return {};
    };
    const auto totals = pack::read_archive(archive, policy, visit);
    if (!totals) return 0;  // most inputs: do not make files for them
    fuzz::require(totals->entries == seen, "each entry is visited once");

    // scratch/tree is unpacked into; what is beside it must stay as it is.
    const base::TempDir scratch = fuzz::scratch_folder();
    const fs::path tree = scratch.path() / "tree";
    fuzz::need(base::make_dirs(tree));
    fuzz::need(base::write_file(scratch.path() / "beside", canary));
    {
        const base::Fd folder = fuzz::need(base::open_file(tree, O_RDONLY | O_DIRECTORY));
        const auto made = pack::unpack_archive(archive, policy, folder.get());
        if (made) {
            std::size_t found = 0;
            for (const auto& entry : fs::recursive_directory_iterator(tree)) {
                ++found;
                if (entry.is_symlink()) check_link(tree, entry.path());
            }
            fuzz::require(found == made->size() && found == seen, "all that was accepted is made");
        }
    }
    fuzz::require(base::list_dir(scratch.path()).value().size() == 2 &&
                      base::read_file(scratch.path() / "beside").value() == canary,
                  "nothing beside the tree is touched");
    return 0;
}
