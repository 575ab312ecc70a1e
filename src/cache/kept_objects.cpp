// SPDX-License-Identifier: Apache-2.0
#include "cache/kept_objects.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <fcntl.h>

#include "base/atomic_file.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "base/regular_file.hpp"

namespace sf::cache {

namespace fs = std::filesystem;
using base::Result;

namespace {

constexpr std::size_t most_kept = 64;
constexpr std::string_view ref_front = "object-";
constexpr std::string_view changing_front = "changing-";

std::string name_of(const Backend& backend, const std::string& key) {
    constexpr std::size_t digits = 32;
    return std::string(changing_front) +
           base::sha256(backend.place() + '/' + key).short_hex(digits);
}

// One that is damaged is fetched again: its server would say that it has not changed.
std::optional<StoredText> kept_text(const std::string& file) {
    const auto json = base::parse_json(file);
    if (!json || !json->is_object()) return std::nullopt;
    for (const char* member : {"etag", "sha256", "text"})
        if (!json->contains(member) || !(*json)[member].is_string()) return std::nullopt;
    auto text = (*json)["text"].get<std::string>();
    if (base::sha256(text).hex() != (*json)["sha256"].get<std::string>()) return std::nullopt;
    return StoredText{std::move(text), (*json)["etag"].get<std::string>()};
}

}  // namespace

KeptObjects::KeptObjects(const fs::path& folder) {
    if (!folder.empty()) x_folder = folder / "objects";
}

std::optional<std::string> KeptObjects::find(const Ref& ref) const {
    if (x_folder.empty()) return std::nullopt;
    const fs::path file = x_folder / (std::string(ref_front) + ref.sha256.hex());
    const auto text = base::read_regular_file(file, ref.size);
    if (!text || !*text || (*text)->size() != ref.size || base::sha256(**text) != ref.sha256)
        return std::nullopt;
    ::utimensat(AT_FDCWD, file.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);  // used just now
    return **text;
}

// What cannot be kept is asked for again: no error of whoever reads.
void KeptObjects::put(const std::string& name, std::string_view text) const {
    if (x_folder.empty() || !base::make_dirs(x_folder)) return;
    const auto write = [&]() -> base::Status {
        // Its digest is checked when it is read: no reason to wait for a disk.
        SF_TRY(auto file, base::AtomicFile::create(x_folder / name));
        SF_CHECK(file.write(text));
        return file.commit_unsynced();
    };
    if (write()) drop_oldest();
}

void KeptObjects::drop_oldest() const {
    const auto names = base::list_dir(x_folder);
    if (!names || names->size() <= most_kept) return;
    std::vector<std::pair<fs::file_time_type, std::string>> by_age;
    for (const std::string& name : *names) {
        std::error_code error;
        const auto when = fs::last_write_time(x_folder / name, error);
        if (!error) by_age.emplace_back(when, name);
    }
    std::ranges::sort(by_age);
    for (std::size_t i = 0; i + most_kept < by_age.size(); ++i)
        static_cast<void>(base::remove_file(x_folder / by_age[i].second));
}

Result<std::string> KeptObjects::read(Backend& backend, const std::string& key,
                                      const Ref& ref) const {
    if (auto kept = find(ref)) return std::move(*kept);
    SF_TRY(std::string text, read_ref(backend, key, ref));
    put(std::string(ref_front) + ref.sha256.hex(), text);
    return text;
}

Result<std::optional<StoredText>> KeptObjects::read_again(Backend& backend, const std::string& key,
                                                          std::uint64_t limit) const {
    std::optional<StoredText> kept;
    if (!x_folder.empty()) {
        const auto text = base::read_regular_file(x_folder / name_of(backend, key));
        if (text && *text) kept = kept_text(**text);
    }
    if (!kept || kept->etag.empty()) return read_object(backend, key, limit);
    SF_CHECK(check_key(key));
    net::TextReceiver receiver;
    GetOptions options;
    options.max_length = limit;
    options.if_changed = kept->etag;
    auto got = backend.get(key, options, receiver);
    if (!got && got.error().code == base::Code::absent) return std::optional<StoredText>();
    if (!got) return tl::unexpected(std::move(got).error());
    if (got->unchanged) return kept;
    return std::optional(StoredText{receiver.take(), got->object.etag});
}

void KeptObjects::keep(const Backend& backend, const std::string& key,
                       const StoredText& object) const {
    if (object.etag.empty()) return;
    const auto json = base::canonical_json({{"etag", object.etag},
                                            {"sha256", base::sha256(object.text).hex()},
                                            {"text", object.text}});
    if (!json) return;
    const std::string name = name_of(backend, key);
    const auto there = x_folder.empty() ? base::Result<std::optional<std::string>>(std::nullopt)
                                        : base::read_regular_file(x_folder / name);
    if (there && *there == *json)
        ::utimensat(AT_FDCWD, (x_folder / name).c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
    else
        put(name, *json);
}

}  // namespace sf::cache
