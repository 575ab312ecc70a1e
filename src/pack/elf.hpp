// SPDX-License-Identifier: Apache-2.0
// What an ELF file (64-bit, little-endian) says about how it is loaded, and its RUNPATH rewritten
// in place. The file may be hostile: every offset is checked against the file before it is
// followed. Knows nothing of packages or search paths. Pure but for the file read; any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace sf::pack {

// The compiler wrapper ends every RUNPATH with this entry. No folder is called so, and no other
// string of the file can share the tail: behind it the RUNPATH may be rewritten.
inline constexpr std::string_view runpath_guard = "/@@";

enum class ElfKind { relocatable, executable, shared, core, other };

struct ElfString {
    std::string text;
    std::uint64_t offset = 0;  // of its first byte in the file
};

struct ElfVersionNeed {
    std::string soname;
    std::vector<std::string> versions;
};

struct Elf {
    ElfKind kind = ElfKind::other;
    std::uint16_t machine = 0;  // EM_X86_64 …
    std::string interpreter;    // "": none
    std::string soname;         // "": none
    std::vector<std::string> needed;
    std::optional<ElfString> runpath;
    std::optional<ElfString> rpath;
    std::vector<ElfVersionNeed> version_needs;
    bool dynamic = false;     // has a dynamic section
    bool debug_info = false;  // has .debug_info
    bool textrel = false;
    bool execstack = false;
};

// nullopt: not an ELF file at all. Code::corrupt: one that contradicts itself, or of another class
// or byte order.
[[nodiscard]] base::Result<std::optional<Elf>> read_elf(const std::filesystem::path& path);

// Writes `runpath` over the DT_RUNPATH of `path`, which must end with the guard, and zeroes the
// rest. Refused: DT_RPATH, no guard, too long, and any other name of the file (symbols, sonames,
// versions) inside the bytes replaced. A RUNPATH that is `runpath` already is left alone.
[[nodiscard]] base::Status rewrite_runpath(const std::filesystem::path& path,
                                           std::string_view runpath);

}  // namespace sf::pack
