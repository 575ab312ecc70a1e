// SPDX-License-Identifier: Apache-2.0
// Z6: the ELF reader and the rewriter of RUNPATHs. It writes nothing but the bytes of the RUNPATH,
// the size stays, and what comes out reads the same but for it. The first byte chooses the length
// of the new RUNPATH.
#include "pack/elf.hpp"

#include <fcntl.h>

#include "fuzz/fuzz.hpp"

using namespace sf;
namespace fs = std::filesystem;

namespace {

bool same_but_for_runpath(const pack::Elf& left, const pack::Elf& right) {
    return left.kind == right.kind && left.machine == right.machine &&
           left.interpreter == right.interpreter && left.soname == right.soname &&
           left.needed == right.needed && left.dynamic == right.dynamic &&
           left.textrel == right.textrel && left.execstack == right.execstack &&
           left.version_needs.size() == right.version_needs.size();
}

const fs::path& scratch_file() {
    static const base::TempDir folder = fuzz::scratch_folder();
    static const fs::path file = folder.path() / "elf";
    return file;
}

void put(std::string_view bytes) {
    const base::Fd fd =
        fuzz::need(base::open_file(scratch_file(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
    fuzz::need(base::write_all(fd.get(), base::as_bytes(bytes), scratch_file()));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input(fuzz::text_of(data, size));
    const std::string wanted = std::string("$ORIGIN/../lib").substr(0, input.byte() % 15);
    const std::string_view bytes = input.rest();
    put(bytes);
    const auto before = pack::read_elf(scratch_file());
    const base::Status status = pack::rewrite_runpath(scratch_file(), wanted);
    const std::string after = fuzz::need(base::read_file(scratch_file()));
    fuzz::require(after.size() == bytes.size(), "the size stays");
    if (!status || !before || !*before) {
        fuzz::require(after == bytes, "what is refused is not touched");
        return 0;
    }
    const pack::Elf& old = **before;
    fuzz::require(old.runpath.has_value(), "only a RUNPATH that is there is rewritten");
    const std::uint64_t from = old.runpath->offset;
    const std::uint64_t to = from + old.runpath->text.size();
    fuzz::require(
        after.substr(0, from) == bytes.substr(0, from) && after.substr(to) == bytes.substr(to),
        "nothing but the RUNPATH is written");
    const auto again = pack::read_elf(scratch_file());
    fuzz::require(again && *again && (**again).runpath && (**again).runpath->text == wanted,
                  "the new RUNPATH is read back");
    fuzz::require(same_but_for_runpath(old, **again), "everything else reads as before");
    return 0;
}
