// SPDX-License-Identifier: Apache-2.0
// A parser of our own rather than libelf's: it reads what build scripts of strangers left, needs a
// dozen structures, and every offset in it must be checked anyway.
#include "pack/elf.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.hpp"
#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::pack {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Result;
using base::Status;
using namespace std::string_view_literals;

namespace {

constexpr std::uint64_t table_limit = std::uint64_t{256} << 20;  // of one table in memory
constexpr unsigned chain_limit = 65536;  // version needs and definitions of a file, all together
constexpr std::uint64_t names_limit = std::uint64_t{16} << 20;  // of all names kept of a file
constexpr std::uint64_t name_cost = 64;                         // of an empty one

// As section names stand in their table, the NUL included.
constexpr std::string_view debug_info = ".debug_info\0"sv;
constexpr std::string_view zdebug_info = ".zdebug_info\0"sv;

tl::unexpected<base::Error> corrupt(std::string_view what) {
    return fail(Code::corrupt, "bad ELF file: {}", what);
}

// The file as ranges that exist. Messages do not name it: the callers below do.
class Image {
public:
    Image(int descriptor, std::uint64_t size) : x_descriptor(descriptor), x_size(size) {}

    [[nodiscard]] std::uint64_t size() const { return x_size; }

    Result<std::string> read(std::uint64_t offset, std::uint64_t length,
                             std::string_view what) const {
        SF_CHECK(check(offset, length, what));
        std::string bytes(length, '\0');
        SF_CHECK(fill(bytes.data(), offset, length));
        return bytes;
    }

    template <class T>
    Result<std::vector<T>> table(std::uint64_t offset, std::uint64_t count,
                                 std::string_view what) const {
        if (count > table_limit / sizeof(T)) return corrupt(fmt::format("{} too long", what));
        SF_CHECK(check(offset, count * sizeof(T), what));
        std::vector<T> entries(count);
        SF_CHECK(fill(reinterpret_cast<char*>(entries.data()), offset, count * sizeof(T)));
        return entries;
    }

private:
    Status check(std::uint64_t offset, std::uint64_t length, std::string_view what) const {
        if (offset <= x_size && length <= x_size - offset && length <= table_limit) return {};
        return corrupt(fmt::format("{} outside the file", what));
    }
    Status fill(char* into, std::uint64_t offset, std::uint64_t length) const {
        std::uint64_t done = 0;
        while (done < length) {
            const auto n = ::pread(x_descriptor, into + done, length - done,
                                   static_cast<off_t>(offset + done));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return base::fail_errno(errno, "read it");
            if (n == 0) return corrupt("it is being truncated");
            done += static_cast<std::uint64_t>(n);
        }
        return {};
    }

    int x_descriptor;
    std::uint64_t x_size;
};

// The tables of one file, and every reference into .dynstr that was met while reading them.
class Reader {
public:
    explicit Reader(const Image& image) : x_image(image) {}

    Result<Elf> read() {
        SF_TRY(const auto headers, x_image.table<Elf64_Ehdr>(0, 1, "header"));
        x_header = headers[0];
        if (x_header.e_ident[EI_CLASS] != ELFCLASS64 || x_header.e_ident[EI_DATA] != ELFDATA2LSB) {
            return corrupt("not 64-bit little-endian");
        }
        x_elf.machine = x_header.e_machine;
        SF_CHECK(read_segments());
        SF_CHECK(read_sections());
        SF_CHECK(read_dynamic());
        switch (x_header.e_type) {
            case ET_REL: x_elf.kind = ElfKind::relocatable; break;
            case ET_EXEC: x_elf.kind = ElfKind::executable; break;
            case ET_DYN:
                x_elf.kind = x_pie || (!x_elf.interpreter.empty() && x_elf.soname.empty())
                                 ? ElfKind::executable
                                 : ElfKind::shared;
                break;
            case ET_CORE: x_elf.kind = ElfKind::core; break;
            default: x_elf.kind = ElfKind::other;
        }
        return x_elf;
    }

    // Whether a string other than the RUNPATH lies in [from, to) of the file, or reaches into it.
    Result<bool> overlaps(std::uint64_t from, std::uint64_t to) const {
        if (!x_has_dynsym) return corrupt("no section table to find the symbols by");
        SF_TRY(const auto symbols,
               x_image.table<Elf64_Sym>(x_dynsym_offset, x_dynsym_count, "symbol table"));
        // A name that begins before the range reaches into it if no NUL ends it before. So those
        // that do begin between two places, and no name need be searched for its end: there may be
        // millions, in a string of millions. An empty name on the range's last NUL stays empty.
        const auto nul = x_strings.rfind('\0', from - x_strings_offset);
        const std::uint64_t first = nul == std::string::npos ? 0 : nul + 1;
        const std::uint64_t end = to - x_strings_offset;
        bool found = false;
        const auto see = [&](std::uint64_t reference) {
            found = found || (reference >= first && reference < end);
            return reference < x_strings.size();
        };
        const bool inside =
            std::all_of(x_references.begin(), x_references.end(), see) &&
            std::all_of(symbols.begin(), symbols.end(),
                        [&](const Elf64_Sym& symbol) { return see(symbol.st_name); });
        if (!inside) return corrupt("name outside the string table");
        return found;
    }

    // References of DT_RUNPATH; one is normal.
    [[nodiscard]] std::size_t runpaths() const { return x_runpaths; }

private:
    Status read_segments() {
        if (x_header.e_phnum == 0) return {};
        if (x_header.e_phentsize != sizeof(Elf64_Phdr)) return corrupt("program header size");
        SF_TRY(x_segments,
               x_image.table<Elf64_Phdr>(x_header.e_phoff, x_header.e_phnum, "program headers"));
        bool stack_named = false;
        for (const auto& segment : x_segments) {
            if (segment.p_type == PT_INTERP) {
                if (segment.p_filesz > 4096) return corrupt("interpreter name");
                SF_TRY(const auto text,
                       x_image.read(segment.p_offset, segment.p_filesz, "interpreter name"));
                x_elf.interpreter = text.substr(0, text.find('\0'));
            } else if (segment.p_type == PT_GNU_STACK) {
                stack_named = true;
                x_elf.execstack = (segment.p_flags & PF_X) != 0;
            }
        }
        // Without the header the loader makes the stack executable.
        const bool loaded = x_header.e_type == ET_EXEC || x_header.e_type == ET_DYN;
        if (loaded && !stack_named) x_elf.execstack = true;
        return {};
    }

    Status read_sections() {
        if (x_header.e_shoff == 0) return {};
        if (x_header.e_shentsize != sizeof(Elf64_Shdr)) return corrupt("section header size");
        SF_TRY(const auto first, x_image.table<Elf64_Shdr>(x_header.e_shoff, 1, "section headers"));
        const std::uint64_t count = x_header.e_shnum == 0 ? first[0].sh_size : x_header.e_shnum;
        const std::uint64_t names_at =
            x_header.e_shstrndx == SHN_XINDEX ? first[0].sh_link : x_header.e_shstrndx;
        SF_TRY(const auto sections,
               x_image.table<Elf64_Shdr>(x_header.e_shoff, count, "section headers"));
        if (names_at >= sections.size()) return corrupt("section names");
        std::string names;
        if (sections[names_at].sh_type == SHT_STRTAB) {
            SF_TRY(names, x_image.read(sections[names_at].sh_offset, sections[names_at].sh_size,
                                       "section names"));
        }
        for (const auto& section : sections) {
            if (section.sh_type == SHT_DYNSYM) {
                if (section.sh_entsize != sizeof(Elf64_Sym)) return corrupt("symbol size");
                x_has_dynsym = true;
                x_dynsym_offset = section.sh_offset;
                x_dynsym_count = section.sh_size / sizeof(Elf64_Sym);
            }
            // Compared where it stands: its end may be far away.
            const auto is = [&](std::string_view name) {
                return section.sh_name < names.size() &&
                       std::string_view(names).substr(section.sh_name, name.size()) == name;
            };
            if (is(debug_info) || is(zdebug_info)) x_elf.debug_info = true;
        }
        return {};
    }

    Result<std::uint64_t> offset_of(std::uint64_t address, std::string_view what) const {
        for (const auto& segment : x_segments) {
            if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
                address - segment.p_vaddr < segment.p_filesz &&
                segment.p_offset <= x_image.size()) {
                return segment.p_offset + (address - segment.p_vaddr);
            }
        }
        return corrupt(fmt::format("address of {}", what));
    }

    Result<std::string> name_at(std::uint64_t reference) {
        if (reference >= x_strings.size()) return corrupt("name outside the string table");
        const auto end = x_strings.find('\0', reference);
        if (end == std::string::npos) return corrupt("name without an end");
        x_names_size += end - reference + name_cost;
        if (x_names_size > names_limit) return corrupt("names too long");
        return x_strings.substr(reference, end - reference);
    }

    Status read_dynamic() {
        std::vector<Elf64_Dyn> entries;
        for (const auto& segment : x_segments) {
            if (segment.p_type != PT_DYNAMIC) continue;
            if (x_elf.dynamic) return corrupt("two dynamic sections");
            x_elf.dynamic = true;
            SF_TRY(entries, x_image.table<Elf64_Dyn>(
                                segment.p_offset, segment.p_filesz / sizeof(Elf64_Dyn), "dynamic"));
        }
        const auto end = std::find_if(entries.begin(), entries.end(),
                                      [](const auto& entry) { return entry.d_tag == DT_NULL; });
        entries.erase(end, entries.end());

        const auto value = [&](std::int64_t tag) -> std::optional<std::uint64_t> {
            for (const auto& entry : entries) {
                if (entry.d_tag == tag) return entry.d_un.d_val;
            }
            return std::nullopt;
        };
        if (const auto strings = value(DT_STRTAB)) {
            SF_TRY(x_strings_offset, offset_of(*strings, "the string table"));
            SF_TRY(x_strings,
                   x_image.read(x_strings_offset, value(DT_STRSZ).value_or(0), "string table"));
        }
        for (const auto& entry : entries) SF_CHECK(read_entry(entry));
        if (const auto address = value(DT_VERNEED)) SF_CHECK(read_needs(*address));
        if (const auto address = value(DT_VERDEF)) SF_CHECK(read_definitions(*address));
        return {};
    }

    Status read_entry(const Elf64_Dyn& entry) {
        const std::uint64_t reference = entry.d_un.d_val;
        switch (entry.d_tag) {
            case DT_TEXTREL: x_elf.textrel = true; return {};
            case DT_FLAGS:
                x_elf.textrel = x_elf.textrel || (reference & DF_TEXTREL) != 0;
                return {};
            case DT_FLAGS_1: x_pie = (reference & DF_1_PIE) != 0; return {};
            case DT_NEEDED:
            case DT_SONAME:
            case DT_RPATH:
            case DT_RUNPATH:
            case DT_AUXILIARY:
            case DT_FILTER:
            case DT_CONFIG:
            case DT_DEPAUDIT:
            case DT_AUDIT: break;
            default: return {};
        }
        SF_TRY(auto name, name_at(reference));
        ElfString text{std::move(name), x_strings_offset + reference};
        if (entry.d_tag == DT_RUNPATH) {
            ++x_runpaths;
            x_elf.runpath = std::move(text);
            return {};
        }
        x_references.push_back(reference);
        if (entry.d_tag == DT_RPATH) {
            x_elf.rpath = std::move(text);
        } else if (entry.d_tag == DT_NEEDED) {
            x_elf.needed.push_back(std::move(text.text));
        } else if (entry.d_tag == DT_SONAME) {
            x_elf.soname = std::move(text.text);
        }
        return {};
    }

    // One more entry of the chains of versions, which may overlap, and so be read again and again.
    Status count_link() {
        if (++x_links <= chain_limit) return {};
        return corrupt("too many versions");
    }

    Status read_needs(std::uint64_t address) {
        SF_TRY(auto at, offset_of(address, "version needs"));
        for (;;) {
            SF_CHECK(count_link());
            SF_TRY(const auto need, x_image.table<Elf64_Verneed>(at, 1, "version needs"));
            x_references.push_back(need[0].vn_file);
            ElfVersionNeed result;
            SF_TRY(result.soname, name_at(need[0].vn_file));
            std::uint64_t aux_at = at + need[0].vn_aux;
            for (unsigned i = 0; i < need[0].vn_cnt; ++i) {
                SF_CHECK(count_link());
                SF_TRY(const auto aux, x_image.table<Elf64_Vernaux>(aux_at, 1, "version needs"));
                x_references.push_back(aux[0].vna_name);
                SF_TRY(auto version, name_at(aux[0].vna_name));
                result.versions.push_back(std::move(version));
                aux_at += aux[0].vna_next;
            }
            std::sort(result.versions.begin(), result.versions.end());
            x_elf.version_needs.push_back(std::move(result));
            if (need[0].vn_next == 0) return {};
            at += need[0].vn_next;
        }
    }

    Status read_definitions(std::uint64_t address) {
        SF_TRY(auto at, offset_of(address, "version definitions"));
        for (;;) {
            SF_CHECK(count_link());
            SF_TRY(const auto def, x_image.table<Elf64_Verdef>(at, 1, "version definitions"));
            std::uint64_t aux_at = at + def[0].vd_aux;
            for (unsigned i = 0; i < def[0].vd_cnt; ++i) {
                SF_CHECK(count_link());
                SF_TRY(const auto aux,
                       x_image.table<Elf64_Verdaux>(aux_at, 1, "version definitions"));
                x_references.push_back(aux[0].vda_name);
                aux_at += aux[0].vda_next;
            }
            if (def[0].vd_next == 0) return {};
            at += def[0].vd_next;
        }
    }

    const Image& x_image;
    Elf64_Ehdr x_header{};
    Elf x_elf;
    std::vector<Elf64_Phdr> x_segments;
    bool x_pie = false;
    bool x_has_dynsym = false;
    std::uint64_t x_dynsym_offset = 0;
    std::uint64_t x_dynsym_count = 0;
    std::string x_strings;
    std::uint64_t x_strings_offset = 0;
    std::vector<std::uint64_t> x_references;  // into x_strings, but for symbols and the RUNPATH
    std::size_t x_runpaths = 0;
    unsigned x_links = 0;            // of version needs and definitions
    std::uint64_t x_names_size = 0;  // of the names kept
};

struct Opened {
    base::Fd fd;
    std::uint64_t size = 0;
    bool is_elf = false;
};

Result<Opened> open_elf(const fs::path& path, int flags) {
    Opened opened;
    SF_TRY(opened.fd, base::open_file(path, flags | O_NOFOLLOW | O_NONBLOCK));
    struct stat status {};
    if (::fstat(opened.fd.get(), &status) != 0) {
        return base::fail_errno(errno, "read " + base::escape_untrusted(path.native()));
    }
    if (!S_ISREG(status.st_mode)) return opened;
    opened.size = static_cast<std::uint64_t>(status.st_size);
    char magic[SELFMAG] = {};
    const auto n = ::pread(opened.fd.get(), magic, SELFMAG, 0);
    if (n < 0) return base::fail_errno(errno, "read " + base::escape_untrusted(path.native()));
    opened.is_elf = n == SELFMAG && std::memcmp(magic, ELFMAG, SELFMAG) == 0;
    return opened;
}

Status rewrite(const Opened& file, std::string_view wanted) {
    const Image image(file.fd.get(), file.size);
    Reader reader(image);
    SF_TRY(const auto elf, reader.read());
    if (elf.rpath) {
        return fail(Code::refused,
                    "has DT_RPATH, which beats LD_LIBRARY_PATH; link it with "
                    "-Wl,--enable-new-dtags");
    }
    if (!elf.runpath) {
        return fail(Code::refused, "has no RUNPATH: it was not linked by the compiler wrapper");
    }
    if (elf.runpath->text == wanted) return {};
    const auto& old = elf.runpath->text;
    if (old != runpath_guard && !old.ends_with(fmt::format(":{}", runpath_guard))) {
        return fail(Code::refused, "its RUNPATH '{}' does not end with the guard entry {}",
                    base::escape_untrusted(old), runpath_guard);
    }
    if (reader.runpaths() != 1) return fail(Code::refused, "has more than one RUNPATH");
    if (wanted.size() > old.size()) {
        return fail(Code::refused, "the new RUNPATH '{}' is longer than the old one", wanted);
    }
    const auto from = elf.runpath->offset;
    SF_TRY(const bool shared, reader.overlaps(from, from + old.size()));
    if (shared) {
        return fail(Code::refused, "another name of the file lies within its RUNPATH");
    }
    std::string bytes(old.size(), '\0');
    bytes.replace(0, wanted.size(), wanted);
    std::size_t done = 0;
    while (done < bytes.size()) {
        const auto n = ::pwrite(file.fd.get(), bytes.data() + done, bytes.size() - done,
                                static_cast<off_t>(from + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return base::fail_errno(errno, "write it");
        done += static_cast<std::size_t>(n);
    }
    return {};
}

template <class T>
Result<T> naming(Result<T> result, const fs::path& path) {
    if (!result) {
        auto& message = result.error().message;
        message = fmt::format("{}: {}", base::escape_untrusted(path.native()), message);
    }
    return result;
}

}  // namespace

Result<std::optional<Elf>> read_elf(const fs::path& path) {
    SF_TRY(const auto file, open_elf(path, O_RDONLY));
    if (!file.is_elf) return std::nullopt;
    const Image image(file.fd.get(), file.size);
    SF_TRY(auto elf, naming(Reader(image).read(), path));
    return elf;
}

Status rewrite_runpath(const fs::path& path, std::string_view runpath) {
    SF_TRY(const auto file, open_elf(path, O_RDWR));
    if (!file.is_elf) {
        return fail(Code::refused, "{}: not an ELF file", base::escape_untrusted(path.native()));
    }
    return naming(rewrite(file, runpath), path);
}

}  // namespace sf::pack
