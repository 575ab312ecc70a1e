// SPDX-License-Identifier: Apache-2.0
#include "pack/archive_writer.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <unistd.h>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "pack/compress.hpp"
#include "pack/tar_format.hpp"

namespace sf::pack {

namespace fs = std::filesystem;
using base::Bytes;
using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

// Counts and digests the finished bytes on their way out.
class RecordingSink : public base::Sink {
public:
    explicit RecordingSink(base::Sink& to) : x_to(to) {}
    Status write(Bytes bytes) override {
        SF_CHECK(x_hash.write(bytes));
        x_size += bytes.size();
        return x_to.write(bytes);
    }
    base::Digest digest() { return x_hash.finish(); }
    [[nodiscard]] std::uint64_t size() const { return x_size; }

private:
    base::Sink& x_to;
    base::Sha256 x_hash;
    std::uint64_t x_size = 0;
};

class MemorySource : public base::Source {
public:
    explicit MemorySource(std::string_view text) : x_left(base::as_bytes(text)) {}
    Result<std::size_t> read(std::span<std::byte> room) override {
        const auto n = std::min(room.size(), x_left.size());
        std::copy_n(x_left.begin(), n, room.begin());
        x_left = x_left.subspan(n);
        return n;
    }

private:
    Bytes x_left;
};

tl::unexpected<base::Error> bad(std::string_view path, std::string_view rule) {
    return fail(Code::refused, "'{}' may not stand in an archive: {}", base::escape_untrusted(path),
                rule);
}

}  // namespace

struct ArchiveWriter::State {
    State(base::Sink& sink, const WriterOptions& given) : options(given), out(sink) {}

    WriterOptions options;
    RecordingSink out;
    std::unique_ptr<Compressor> compressor;
    std::map<std::string, bool, std::less<>> seen;  // path: is it a folder
    std::vector<model::FileEntry> entries;
    std::uint64_t unpacked_size = 0;
    std::uint64_t stream_size = 0;
    bool finished = false;

    Status put(std::string_view bytes) {
        stream_size += bytes.size();
        return compressor->write(base::as_bytes(bytes));
    }

    Status put_header(const std::string& path, char type, unsigned mode, std::uint64_t size,
                      std::string target) {
        TarHeader header{path, type, mode, size, options.mtime, std::move(target)};
        if (type == tar_directory) header.path += '/';
        return put(make_tar_header(header));
    }

    Status put_content(const std::string& path, std::uint64_t size, base::Source& content,
                       base::Sha256* hash) {
        std::vector<std::byte> room(
            static_cast<std::size_t>(std::clamp<std::uint64_t>(size, 1, std::uint64_t{256} << 10)));
        std::uint64_t left = size;
        for (;;) {
            SF_TRY(const auto n, content.read(room));
            if (n > left || (n == 0 && left > 0)) {
                return fail(Code::corrupt, "{}: its size changed while it was archived",
                            base::escape_untrusted(path));
            }
            if (n == 0) break;
            const auto bytes = Bytes(room).first(n);
            if (hash != nullptr) SF_CHECK(hash->write(bytes));
            SF_CHECK(compressor->write(bytes));
            left -= n;
        }
        stream_size += size;
        return put(std::string((tar_block - size % tar_block) % tar_block, '\0'));
    }

    // The rules for `path` without its components that may be reserved ones here.
    [[nodiscard]] std::string violation(std::string_view path) const {
        if (options.reserved.empty()) return path_violation(path);
        std::vector<std::string> components = base::split(path, '/');
        std::ranges::replace(components, options.reserved, std::string("reserved"));
        return path_violation(base::join(components, "/"));
    }

    [[nodiscard]] std::string link_rule(std::string_view path, std::string_view target) const {
        if (!options.link_root.empty() && target.starts_with(options.link_root + '/'))
            return path_violation(target.substr(1));
        // Where it may point to is the reader's policy; form and characters hold everywhere.
        std::string rule = link_violation("x/" + std::string(path), target, {""});
        if (rule == "symlink points outside") rule.clear();
        return rule;
    }

    // Folders above it, the rules, and that it is new.
    Status enter(std::string_view path, bool folder) {
        if (finished) return fail(Code::failed, "the archive is finished");
        if (auto rule = violation(path); !rule.empty()) return bad(path, rule);
        if (const auto slash = path.rfind('/'); slash != std::string_view::npos) {
            const auto parent = path.substr(0, slash);
            const auto known = seen.find(parent);
            if (known == seen.end()) SF_CHECK(add_directory(parent));
            if (known != seen.end() && !known->second) {
                return bad(path, "below something that is no folder");
            }
        }
        if (!seen.emplace(path, folder).second) return bad(path, "given twice");
        return {};
    }

    Status add_directory(std::string_view path) {
        const auto known = seen.find(path);
        if (known != seen.end() && known->second && !finished) return {};
        SF_CHECK(enter(path, true));
        model::FileEntry entry;
        entry.path = path;
        entry.type = model::EntryType::directory;
        entry.mode = 0755;
        SF_CHECK(put_header(entry.path, tar_directory, 0755, 0, {}));
        entries.push_back(std::move(entry));
        return {};
    }
};

ArchiveWriter::ArchiveWriter(std::unique_ptr<State> state) : x_state(std::move(state)) {}
ArchiveWriter::ArchiveWriter(ArchiveWriter&&) noexcept = default;
ArchiveWriter& ArchiveWriter::operator=(ArchiveWriter&&) noexcept = default;
ArchiveWriter::~ArchiveWriter() = default;

Result<ArchiveWriter> ArchiveWriter::create(base::Sink& sink, const WriterOptions& options) {
    auto state = std::make_unique<State>(sink, options);
    SF_TRY(state->compressor, Compressor::create(state->out, options.compression, options.level));
    return ArchiveWriter(std::move(state));
}

Status ArchiveWriter::add_directory(std::string_view path) { return x_state->add_directory(path); }

Status ArchiveWriter::add_symlink(std::string_view path, std::string_view target) {
    if (auto rule = x_state->link_rule(path, target); !rule.empty()) return bad(path, rule);
    SF_CHECK(x_state->enter(path, false));
    model::FileEntry entry;
    entry.path = path;
    entry.type = model::EntryType::symlink;
    entry.mode = 0777;
    entry.target = target;
    SF_CHECK(x_state->put_header(entry.path, tar_symlink, 0777, 0, entry.target));
    x_state->entries.push_back(std::move(entry));
    return {};
}

Status ArchiveWriter::add_stream(std::string_view path, bool executable, std::uint64_t size,
                                 base::Source& content) {
    SF_CHECK(x_state->enter(path, false));
    model::FileEntry entry;
    entry.path = path;
    entry.mode = executable ? 0755 : 0644;
    entry.size = size;
    SF_CHECK(x_state->put_header(entry.path, tar_file, entry.mode, size, {}));
    base::Sha256 hash;
    const bool hashing = x_state->options.hash_files;
    SF_CHECK(x_state->put_content(entry.path, size, content, hashing ? &hash : nullptr));
    if (hashing) entry.sha256 = hash.finish();
    x_state->unpacked_size += size;
    x_state->entries.push_back(std::move(entry));
    return {};
}

Status ArchiveWriter::add_memory(std::string_view path, std::string_view content, bool executable) {
    MemorySource source(content);
    return add_stream(path, executable, content.size(), source);
}

Status ArchiveWriter::add_file(std::string_view path, const fs::path& file) {
    // O_NONBLOCK: opening a FIFO must not wait for its other end.
    SF_TRY(const auto fd, base::open_file(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) {
        return base::fail_errno(errno, "read " + base::escape_untrusted(file.native()));
    }
    if (!S_ISREG(status.st_mode)) return bad(path, "not a regular file");
    base::FdSource source(fd.get(), file);
    return add_stream(path, (status.st_mode & 0100U) != 0,
                      static_cast<std::uint64_t>(status.st_size), source);
}

Status ArchiveWriter::add_tree(const fs::path& folder, std::string_view prefix,
                               const TreeFilter& filter) {
    if (!prefix.empty()) SF_CHECK(add_directory(prefix));
    const auto walk = [&](const auto& self, const std::string& below) -> Status {
        SF_TRY(const auto names, base::list_dir(below.empty() ? folder : folder / below));
        for (const auto& name : names) {
            const auto path = below.empty() ? name : fmt::format("{}/{}", below, name);
            if (filter && !filter(path)) continue;
            const auto inside = prefix.empty() ? path : fmt::format("{}/{}", prefix, path);
            const auto disk = folder / path;
            std::error_code error;
            const auto type = fs::symlink_status(disk, error).type();
            if (error) return base::fail_errno(error.value(), "read " + disk.native());
            if (type == fs::file_type::directory) {
                SF_CHECK(add_directory(inside));
                SF_CHECK(self(self, path));
            } else if (type == fs::file_type::symlink) {
                const auto target = fs::read_symlink(disk, error);
                if (error) return base::fail_errno(error.value(), "read " + disk.native());
                SF_CHECK(add_symlink(inside, target.native()));
            } else {
                SF_CHECK(add_file(inside, disk));
            }
        }
        return {};
    };
    return walk(walk, "");
}

Status ArchiveWriter::add_archive(const ArchiveInput& archive, const ArchivePolicy& policy,
                                  std::string_view prefix) {
    if (!prefix.empty()) SF_CHECK(add_directory(prefix));
    const auto visit = [&](const EntryInfo& entry, base::Source& content) -> Status {
        const auto path = prefix.empty() ? entry.path : std::string(prefix) + '/' + entry.path;
        switch (entry.type) {
            case model::EntryType::directory: return add_directory(path);
            case model::EntryType::symlink: return add_symlink(path, entry.target);
            case model::EntryType::file: break;
        }
        return add_stream(path, entry.executable, entry.size, content);
    };
    return read_archive(archive, policy, visit).map([](const ArchiveTotals&) {});
}

Result<model::ArchiveRecord> ArchiveWriter::finish(std::string file) {
    auto& state = *x_state;
    if (state.finished) return fail(Code::failed, "the archive is finished");
    const auto end = (state.stream_size + 2 * tar_block + tar_record - 1) / tar_record * tar_record;
    SF_CHECK(state.put(std::string(end - state.stream_size, '\0')));
    SF_CHECK(state.compressor->finish());
    state.finished = true;
    model::ArchiveRecord record;
    record.file = std::move(file);
    record.sha256 = state.out.digest();
    record.size = state.out.size();
    record.unpacked_size = state.unpacked_size;
    record.entries = state.entries.size();
    return record;
}

const std::vector<model::FileEntry>& ArchiveWriter::entries() const { return x_state->entries; }

}  // namespace sf::pack
