// SPDX-License-Identifier: Apache-2.0
#include "cache/revocation_memory.hpp"

#include <string>

#include "base/json.hpp"
#include "base/json_reader.hpp"
#include "base/text.hpp"

namespace sf::cache {

using base::Result;
using base::Status;

namespace {

constexpr int schema = 1;

Result<std::string> to_json(const BelievedRevocations& read) {
    return base::canonical_json({{"schema", schema}, {"roots", read.roots}, {"list", read.text}});
}

Result<BelievedRevocations> believed_from_json(std::string_view text) {
    SF_TRY(const base::Json json, base::parse_json(text));
    base::JsonReader reader(json, "a remembered list of revocations");
    BelievedRevocations read;
    reader.schema(schema);
    reader.texts("roots", read.roots);
    reader.text("list", read.text);
    SF_CHECK(reader.one_form(text, to_json(read)));
    SF_TRY(read.list, trust::revocations_from_text(read.text));
    return read;
}

}  // namespace

RevocationMemory::RevocationMemory(const std::filesystem::path& folder, std::string_view place) {
    if (folder.empty()) return;
    const std::string name = base::sha256(place).short_hex(32);
    x_file = folder / (name + ".revocations.json");
    x_list = folder / (name + ".revocations.list.json");
}

RevocationMemory RevocationMemory::of_root(const std::filesystem::path& folder,
                                           std::string_view root) {
    return {folder, fmt::format("offline:{}", root)};
}

Result<std::optional<base::FileLock>> RevocationMemory::hold() const {
    if (x_file.empty()) return std::optional<base::FileLock>();
    SF_CHECK(base::make_dirs(x_file.parent_path()));
    SF_TRY(base::FileLock lock, base::FileLock::acquire(x_file.native() + ".lock"));
    return std::optional(std::move(lock));
}

Result<std::optional<trust::SeenRevocations>> RevocationMemory::seen() const {
    if (x_file.empty()) return std::optional<trust::SeenRevocations>();
    SF_TRY(const auto text, base::read_file_if_exists(x_file));
    if (!text) return std::optional<trust::SeenRevocations>();
    SF_TRY(trust::SeenRevocations seen,
           base::during(trust::seen_revocations_from_json(*text), "reading " + name()));
    return std::optional(seen);
}

Status RevocationMemory::accept(const BelievedRevocations& read, std::int64_t now) const {
    SF_TRY(const std::optional<trust::SeenRevocations> seen, this->seen());
    auto next = trust::accept(read.list, read.text, seen, now);
    if (!next) {
        base::Error error = std::move(next).error();
        if (seen) error.message += fmt::format(" (remembered in {})", name());
        return tl::unexpected(std::move(error));
    }
    if (x_file.empty()) return {};
    SF_TRY(const std::string list, to_json(read));
    // First: of a list that counts as seen, what it takes back is known.
    SF_TRY(const auto kept, base::read_file_if_exists(x_list));
    if (kept != list) SF_CHECK(base::write_file(x_list, list));
    if (seen == *next) return {};
    SF_TRY(const std::string record, trust::to_json(*next));
    return base::write_file(x_file, record);
}

Result<std::optional<BelievedRevocations>> RevocationMemory::last() const {
    if (x_list.empty()) return std::optional<BelievedRevocations>();
    SF_TRY(const auto text, base::read_file_if_exists(x_list));
    if (!text) return std::optional<BelievedRevocations>();
    Result<BelievedRevocations> read = believed_from_json(*text);
    if (read) return std::optional(std::move(*read));
    base::Error error = std::move(read).error();
    error.message = fmt::format("{} is damaged, so what was taken back is not known: {}",
                                base::escape_untrusted(x_list.native()), error.message);
    error.hint = "delete it: the next command that asks that cache writes it again";
    return tl::unexpected(std::move(error));
}

std::string RevocationMemory::name() const { return base::escape_untrusted(x_file.native()); }

}  // namespace sf::cache
