// SPDX-License-Identifier: Apache-2.0
// A download on its way, cut off and taken up again in any order: its digest is always that of the
// bytes that are in the file. Bytes: what to do, how much.
#include "recipe/part_file.hpp"

#include "fuzz/fuzz.hpp"

using namespace sf;
namespace fs = std::filesystem;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const base::TempDir folder = fuzz::scratch_folder();
    const fs::path path = folder.path() / "source.part";
    fuzz::need(base::remove_file(path));
    fuzz::Bytes input(fuzz::text_of(data, size));
    std::string expected;
    std::optional<recipe::PartFile> part = fuzz::need(recipe::PartFile::open(path, 0));
    for (int i = 0; i < 32 && !input.empty(); ++i) {
        const std::uint8_t what = input.byte();
        const std::size_t amount = input.byte();
        switch (what % 4) {
            case 0:
            case 1: {
                const std::string_view bytes = input.take(amount);
                fuzz::need(part->write(base::as_bytes(bytes)));
                expected += bytes;
                break;
            }
            case 2: {
                const bool hole = amount > expected.size();
                fuzz::require(part->begin(amount).has_value() != hole, "a hole is refused");
                if (!hole) expected.resize(amount);
                break;
            }
            default:  // the program dies, and is started again
                part.reset();
                part = fuzz::need(recipe::PartFile::open(path, amount));
                if (amount != 0 && expected.size() > amount) expected.clear();
                break;
        }
        fuzz::require(part->size() == expected.size(), "it knows how much it has");
    }
    fuzz::require(fuzz::need(base::read_file(path)) == expected, "the file holds what was written");
    fuzz::require(part->digest() == base::sha256(expected), "the digest is that of the whole");
    return 0;
}
