// SPDX-License-Identifier: Apache-2.0
// Z13: the jail, against the kernel. In a small tree with links that lead out of it, both of its
// ways (openat2, and component by component) must agree on every path, and make nothing outside.
// Lines: paths; the first byte of each chooses what is made there.
#include "pack/jail.hpp"

#include <sys/stat.h>

#include <fcntl.h>

#include "fuzz/fuzz.hpp"

using namespace sf;
namespace fs = std::filesystem;

namespace {

// scratch/{a,b}/{dir/, file, up -> .., out -> ../outside, self -> self}
void plant(const fs::path& tree) {
    fuzz::need(base::make_dirs(tree / "dir" / "inner"));
    fuzz::need(base::write_file(tree / "file", "old"));
    fs::create_symlink("..", tree / "up");
    fs::create_symlink("../outside", tree / "out");
    fs::create_symlink("self", tree / "self");
    fs::create_symlink("dir", tree / "alias");
}

base::Status act(pack::Jail& jail, std::uint8_t how, const std::string& path) {
    switch (how % 5) {
        case 0: return jail.create_file(path, 0644).map([](const base::Fd&) {});
        case 1: return jail.make_directory(path, (how & 8U) != 0);
        case 2: return jail.make_symlink(path, "file");
        case 3: return jail.make_hardlink("file", path);
        default: return jail.set_link_time(path, 1);
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const base::TempDir scratch = fuzz::scratch_folder();
    fuzz::need(base::make_dirs(scratch.path() / "outside"));
    const fs::path trees[2] = {scratch.path() / "a", scratch.path() / "b"};
    for (const fs::path& tree : trees) plant(tree);
    const base::Fd folders[2] = {fuzz::need(base::open_file(trees[0], O_RDONLY | O_DIRECTORY)),
                                 fuzz::need(base::open_file(trees[1], O_RDONLY | O_DIRECTORY))};
    pack::Jail kernel(folders[0].get());
    pack::Jail components(folders[1].get(), true);
    fuzz::Bytes input(fuzz::text_of(data, size));
    for (int i = 0; i < 8 && !input.empty(); ++i) {
        const std::uint8_t how = input.byte();
        const std::string path(input.line());
        const bool left = act(kernel, how, path).has_value();
        const bool right = act(components, how, path).has_value();
        fuzz::require(left == right, "both ways of the jail agree");
    }
    fuzz::require(base::list_dir(scratch.path()).value().size() == 3,
                  "nothing new beside the trees");
    fuzz::require(base::list_dir(scratch.path() / "outside").value().empty(),
                  "nothing is made through a link");
    for (const fs::path& tree : trees)
        fuzz::require(base::read_file(tree / "file").value() == "old", "nothing is overwritten");
    return 0;
}
