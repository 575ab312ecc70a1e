// SPDX-License-Identifier: Apache-2.0
#include "sandbox/root_archive.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <array>
#include <fcntl.h>
#include <map>
#include <memory>
#include <unistd.h>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "sandbox/root_request.hpp"

namespace sf::sandbox {

namespace {

using base::Code;
using base::Result;
using base::Status;

struct FreeReader {
    void operator()(archive* object) const { archive_read_free(object); }
};
struct FreeWriter {
    void operator()(archive* object) const { archive_write_free(object); }
};
struct FreeEntry {
    void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using Reader = std::unique_ptr<archive, FreeReader>;
using Writer = std::unique_ptr<archive, FreeWriter>;
using Entry = std::unique_ptr<archive_entry, FreeEntry>;

constexpr std::size_t block = std::size_t{1} << 16;
constexpr std::uint64_t small_file = std::uint64_t{64} << 20;

tl::unexpected<base::Error> trouble(archive* object, std::string_view doing) {
    const char* text = archive_error_string(object);
    return base::fail(Code::failed, "cannot {}: {}", doing,
                      base::escape_untrusted(text == nullptr ? "no reason given" : text));
}

// ARCHIVE_WARN is a failure too: every warning is about something we rely on.
Status check(int result, archive* object, std::string_view doing) {
    if (result == ARCHIVE_OK) return {};
    return trouble(object, doing);
}

// "./usr/bin/" -> "usr/bin"; empty for the root itself; nullopt for what must not be in a root.
std::optional<std::string> normal(const char* raw) {
    if (raw == nullptr) return std::nullopt;
    const auto path = base::fs::path(raw).relative_path().lexically_normal();
    auto text = path.string();
    if (text == ".") return std::string();
    while (text.ends_with('/')) text.pop_back();
    if (text == ".." || text.starts_with("../")) return std::nullopt;
    return text;
}

// Small files of the system that say who and where we are: the same in every root.
struct Fixed {
    std::string content;
    bool append = false;  // to what the distribution has
};

const std::map<std::string, Fixed>& fixed_files() {
    static const std::map<std::string, Fixed> files{
        {"etc/passwd", {"builder:x:1000:1000:builder:/build:/bin/sh\n", true}},
        {"etc/group", {"builder:x:1000:\n", true}},
        {"etc/hosts", {"127.0.0.1 localhost builder\n::1 localhost\n", false}},
        {"etc/hostname", {"builder\n", false}},
        {"etc/resolv.conf", {"", false}},
        {"etc/machine-id", {"", false}},
    };
    return files;
}

// "deb [signed-by=/where/it/was] …" -> "deb …": where the maker keeps a keyring makes no
// difference.
std::string without_options(const std::string& sources) {
    std::string out;
    for (const auto& line : base::split(sources, '\n')) {
        const auto open = line.find('[');
        const auto close = line.find("] ");
        if (line.starts_with("deb") && open < close && close != std::string::npos)
            out += line.substr(0, open) + line.substr(close + 2);
        else
            out += line;
        out += '\n';
    }
    while (out.ends_with("\n\n")) out.pop_back();
    return out;
}

class RootWriter {
public:
    RootWriter() : x_writer(archive_write_new()) {}

    Status open(int descriptor) {
        auto* out = x_writer.get();
        // GNU's format keeps names as bytes; pax would translate them by a locale we do not set.
        SF_CHECK(check(archive_write_set_format_gnutar(out), out, "choose the tar format"));
        SF_CHECK(check(archive_write_add_filter_zstd(out), out, "compress with zstd"));
        SF_CHECK(check(archive_write_set_filter_option(out, "zstd", "compression-level", "3"), out,
                       "choose the level of zstd"));
        SF_CHECK(check(archive_write_set_bytes_in_last_block(out, 1), out, "set up the archive"));
        return check(archive_write_open_fd(out, descriptor), out, "write the archive");
    }

    Status header(archive_entry* entry) {
        return check(archive_write_header(x_writer.get(), entry), x_writer.get(),
                     "write the archive");
    }
    Status data(std::string_view bytes) {
        const auto put = archive_write_data(x_writer.get(), bytes.data(), bytes.size());
        if (put != static_cast<la_ssize_t>(bytes.size()))
            return trouble(x_writer.get(), "write the archive");
        return {};
    }
    Status text_file(const std::string& path, const std::string& content) {
        const Entry entry(archive_entry_new());
        archive_entry_set_pathname(entry.get(), path.c_str());
        archive_entry_set_filetype(entry.get(), AE_IFREG);
        archive_entry_set_perm(entry.get(), 0644);
        archive_entry_set_mtime(entry.get(), root_epoch, 0);
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
        SF_CHECK(header(entry.get()));
        return data(content);
    }
    Status close() {
        return check(archive_write_close(x_writer.get()), x_writer.get(), "finish the archive");
    }

private:
    Writer x_writer;
};

Result<Reader> open_tar(int descriptor, bool compressed) {
    Reader reader(archive_read_new());
    auto* in = reader.get();
    SF_CHECK(check(archive_read_support_format_tar(in), in, "read tar"));
    if (compressed) SF_CHECK(check(archive_read_support_filter_zstd(in), in, "read zstd"));
    SF_CHECK(check(archive_read_open_fd(in, descriptor, block), in, "read the tar"));
    return reader;
}

Result<std::string> read_content(archive* in, archive_entry* entry, const std::string& path) {
    const auto size = static_cast<std::uint64_t>(archive_entry_size(entry));
    if (size > small_file)
        return base::fail(Code::corrupt, "{} is larger than any such file should be", path);
    std::string content(size, '\0');
    const auto got = archive_read_data(in, content.data(), content.size());
    if (got != static_cast<la_ssize_t>(content.size())) return trouble(in, "read the tar");
    return content;
}

// One pass from mmdebstrap's tar to ours.
class Packing {
public:
    Packing(Reader reader, RootWriter& writer) : x_reader(std::move(reader)), x_writer(writer) {}

    Result<RootContents> go() {
        for (;;) {
            archive_entry* entry = nullptr;
            const int rc = archive_read_next_header(x_reader.get(), &entry);
            if (rc == ARCHIVE_EOF) break;
            SF_CHECK(check(rc, x_reader.get(), "read the tar"));
            SF_CHECK(base::check_stop());
            SF_CHECK(take(entry));
        }
        for (const auto& [path, fixed] : fixed_files())
            if (!x_seen[path] && !fixed.append) SF_CHECK(x_writer.text_file(path, fixed.content));
        if (x_contents.packages.empty())
            return base::fail(Code::corrupt, "the new root has no list of its packages");
        return x_contents;
    }

private:
    Status take(archive_entry* entry) {
        const auto path = normal(archive_entry_pathname(entry));
        if (!path)
            return base::fail(Code::corrupt, "the tar has a path that leaves the root: {}",
                              base::escape_untrusted(archive_entry_pathname(entry) != nullptr
                                                         ? archive_entry_pathname(entry)
                                                         : ""));
        if (path->empty() || !root_keeps(*path)) return {};
        if (const auto fixed = fixed_files().find(*path); fixed != fixed_files().end()) {
            x_seen[*path] = true;
            std::string content;
            if (fixed->second.append && archive_entry_filetype(entry) == AE_IFREG) {
                SF_TRY(content, read_content(x_reader.get(), entry, *path));
            }
            return x_writer.text_file(*path, content + fixed->second.content);
        }
        if (*path == "etc/apt/sources.list") {
            SF_TRY(const auto sources, read_content(x_reader.get(), entry, *path));
            return x_writer.text_file(*path, without_options(sources));
        }
        if (*path == "var/lib/dpkg/status") {
            SF_TRY(const auto status, read_content(x_reader.get(), entry, *path));
            const auto bytes = x_contents.tree_bytes;
            x_contents = contents_from_status(status);
            x_contents.tree_bytes = bytes + status.size();
            return x_writer.text_file(*path, status);
        }
        return copy(entry, *path);
    }

    Status copy(archive_entry* from, const std::string& path) {
        const Entry entry(archive_entry_new());
        auto* to = entry.get();
        const auto type = archive_entry_filetype(from);
        archive_entry_set_pathname(to, path.c_str());
        archive_entry_set_mtime(
            to, std::clamp<std::int64_t>(archive_entry_mtime(from), 0, root_epoch), 0);
        if (const char* hardlink = archive_entry_hardlink(from)) {
            const auto target = normal(hardlink);
            if (!target || !root_keeps(*target)) return {};
            archive_entry_set_hardlink(to, target->c_str());
            return x_writer.header(to);
        }
        archive_entry_set_filetype(to, type);
        if (type == AE_IFLNK) {
            archive_entry_set_symlink(to, archive_entry_symlink(from));
            archive_entry_set_perm(to, 0777);
            return x_writer.header(to);
        }
        const auto mode = archive_entry_perm(from);
        if (type == AE_IFDIR) {
            archive_entry_set_perm(to, mode & 01777);
            return x_writer.header(to);
        }
        if (type != AE_IFREG) return {};  // devices, pipes, sockets
        archive_entry_set_perm(to, mode & 0777);
        archive_entry_set_size(to, archive_entry_size(from));
        SF_CHECK(x_writer.header(to));
        x_contents.tree_bytes += static_cast<std::uint64_t>(archive_entry_size(from));
        for (;;) {
            const auto got = archive_read_data(x_reader.get(), x_room.data(), x_room.size());
            if (got < 0) return trouble(x_reader.get(), "read the tar");
            if (got == 0) return {};
            SF_CHECK(x_writer.data({x_room.data(), static_cast<std::size_t>(got)}));
        }
    }

    Reader x_reader;
    RootWriter& x_writer;
    RootContents x_contents;
    std::map<std::string, bool> x_seen;
    std::array<char, block> x_room{};
};

bool below(std::string_view path, std::string_view folder) {
    return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

}  // namespace

bool root_keeps(std::string_view path) {
    // Emptied, but there: mount points and what programs expect.
    for (const char* folder : {"dev", "proc", "sys", "run", "tmp", "var/tmp", "var/cache",
                               "var/log", "var/lib/apt/lists", "usr/share/man", "usr/share/info"})
        if (below(path, folder)) return false;
    if (below(path, "usr/share/doc")) return path.ends_with("/copyright");
    if (below(path, "usr/share/locale")) return path == "usr/share/locale/locale.alias";
    // Copies that packages keep of their files' last state: they only make roots differ.
    for (const char* name :
         {"etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/.pwd.lock",
          "var/lib/dpkg/status-old", "var/lib/dpkg/available-old", "var/lib/dpkg/diversions-old",
          "var/lib/dpkg/statoverride-old", "var/lib/dpkg/lock", "var/lib/dpkg/lock-frontend",
          "var/lib/dbus/machine-id"})
        if (path == name) return false;
    return true;
}

RootContents contents_from_status(std::string_view status) {
    std::map<std::string, std::string, std::less<>> versions;
    std::string name;
    std::string version;
    bool installed = false;
    const auto finish = [&] {
        if (installed && !name.empty() && !version.empty()) versions[name] = version;
        name.clear();
        version.clear();
        installed = false;
    };
    for (const auto& line : base::split(status, '\n')) {
        const std::string_view text = line;
        const auto value = [&](std::string_view key) {
            return std::string(base::trim(text.substr(key.size())));
        };
        if (text.empty())
            finish();
        else if (text.starts_with("Package:"))
            name = value("Package:");
        else if (text.starts_with("Version:"))
            version = value("Version:");
        else if (text.starts_with("Status:"))
            installed = text.ends_with(" installed");
    }
    finish();

    RootContents contents;
    for (const auto& [package, number] : versions)
        contents.packages.push_back(fmt::format("{}={}", package, number));
    std::sort(contents.packages.begin(), contents.packages.end());
    const auto version_of = [&](std::string_view package) {
        const auto found = versions.find(package);
        return found == versions.end() ? std::string() : found->second;
    };
    if (const auto libc = version_of("libc6"); !libc.empty()) contents.libc = "glibc " + libc;
    // The package gcc names the release's default ("4:12.2.0-3"); gcc-12 is the compiler itself.
    auto fallback = version_of("gcc");
    if (const auto colon = fallback.find(':'); colon != std::string::npos)
        fallback.erase(0, colon + 1);
    const auto major = fallback.substr(0, fallback.find('.'));
    if (const auto compiler = version_of("gcc-" + major); !compiler.empty())
        contents.compiler = "gcc " + compiler;
    return contents;
}

Result<RootContents> pack_root(int tar_fd, const base::fs::path& to) {
    SF_TRY(const auto file, base::open_file(to, O_WRONLY | O_CREAT | O_EXCL, 0644));
    RootWriter writer;
    SF_CHECK(writer.open(file.get()));
    SF_TRY(auto reader, open_tar(tar_fd, false));
    SF_TRY(auto contents, Packing(std::move(reader), writer).go());
    SF_CHECK(writer.close());
    if (::fsync(file.get()) != 0) return base::fail_errno(errno, "make durable " + to.string());
    return contents;
}

Status unpack_root(const base::fs::path& archive_path, const base::fs::path& tree) {
    SF_CHECK(base::make_dirs(tree));
    std::error_code error;
    // libarchive looks at every component of a path for symlinks, so there must be none above.
    const auto top = base::fs::canonical(tree, error);
    if (error) return base::fail_errno(error.value(), "find " + tree.string());
    SF_TRY(const auto file, base::open_file(archive_path, O_RDONLY));
    SF_TRY(const auto reader, open_tar(file.get(), true));
    const Writer disk(archive_write_disk_new());
    auto* out = disk.get();
    SF_CHECK(
        check(archive_write_disk_set_options(
                  out, ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_NO_OVERWRITE |
                           ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT),
              out, "unpack"));
    for (;;) {
        archive_entry* entry = nullptr;
        const int rc = archive_read_next_header(reader.get(), &entry);
        if (rc == ARCHIVE_EOF) break;
        SF_CHECK(check(rc, reader.get(), "read the archive"));
        SF_CHECK(base::check_stop());
        const auto path = normal(archive_entry_pathname(entry));
        if (!path || path->empty())
            return base::fail(Code::corrupt, "the root's archive has a bad path");
        archive_entry_set_pathname(entry, (top / *path).c_str());
        if (const char* hardlink = archive_entry_hardlink(entry)) {
            const auto target = normal(hardlink);
            if (!target) return base::fail(Code::corrupt, "the root's archive has a bad link");
            archive_entry_set_hardlink(entry, (top / *target).c_str());
        } else if (archive_entry_filetype(entry) != AE_IFLNK) {
            // Ours to read and to delete again, whatever the distribution thinks of its owner.
            const auto mode = archive_entry_perm(entry) & 0777;
            archive_entry_set_perm(
                entry, archive_entry_filetype(entry) == AE_IFDIR ? (mode | 0700) : (mode | 0400));
        }
        SF_CHECK(check(archive_read_extract2(reader.get(), entry, out), out, "unpack " + *path));
    }
    return check(archive_write_close(out), out, "unpack the root");
}

}  // namespace sf::sandbox
