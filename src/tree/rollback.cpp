// SPDX-License-Identifier: Apache-2.0
#include "tree/rollback.hpp"

#include <algorithm>
#include <fcntl.h>

#include "base/atomic_file.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "tree/prefix.hpp"
#include "tree/public_folder.hpp"
#include "tree/refill.hpp"
#include "tree/tree_matcher.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Code;
using base::Result;
using base::Status;

namespace {

std::string shown(const fs::path& path) { return base::escape_untrusted(path.native()); }

class Refill {
public:
    Refill(const KeptGeneration& kept, const fs::path& stage) : x_kept(kept), x_stage(stage) {}

    Status package_is_gone(const std::string& name) const {
        return base::fail_hint(Code::absent,
                               fmt::format("package {} of generation {} is there no more", name,
                                           x_kept.generation.number),
                               "install that version again: its packages are fetched");
    }

    Result<std::vector<model::FileEntry>> run(const Wanted& wanted,
                                              const std::vector<model::FileEntry>& tree) {
        if (!wanted.packages.empty())
            return tl::unexpected(package_is_gone(*wanted.packages.begin()).error());
        std::vector<model::FileEntry> made;
        for (const model::FileEntry& entry : wanted_entries(x_kept.bundle, tree, wanted)) {
            SF_TRY(model::FileEntry found, put(entry));
            made.push_back(std::move(found));
        }
        return made;
    }

private:
    Result<model::FileEntry> put(const model::FileEntry& entry) const {
        const std::string& version = x_kept.bundle.version;
        if (entry.path == model::bundle_manifest_path(version))
            return refill(x_stage, entry, x_kept.manifest_text);
        if (entry.path == model::bundle_manifest_signature_path(version))
            return refill(x_stage, entry, x_kept.manifest_signature);
        if (entry.type != model::EntryType::file) return refill(x_stage, entry, {});
        const fs::path to = x_stage / entry.path;
        SF_CHECK(make_public_folders(to.parent_path()));
        SF_CHECK(copy(x_kept.folder / entry.path, to, entry));
        return read_entry(x_stage, entry.path);
    }

    static Status copy(const fs::path& from, const fs::path& to, const model::FileEntry& entry) {
        SF_TRY(const base::Fd source, base::open_file(from, O_RDONLY | O_NOFOLLOW));
        SF_TRY(auto target, base::AtomicFile::create(to, entry.mode));
        // One byte more than it should have is enough to see that it is another file.
        SF_CHECK(base::copy_bytes(source.get(), from, target.fd(), to, entry.size + 1));
        return target.commit();
    }

    const KeptGeneration& x_kept;
    fs::path x_stage;
};

Status check_any(const fs::path& prefix, const std::vector<Generation>& all) {
    if (!all.empty()) return {};
    return base::fail_hint(
        Code::absent,
        fmt::format("nothing was installed to {} by install, or bundle install", shown(prefix)),
        "say where: --prefix DIR");
}

}  // namespace

std::uint64_t way_back(const std::vector<Generation>& all, const Generation& from) {
    std::uint64_t at = from.came_from;
    // Records of before it was recorded, and what came after something that is no generation: the
    // next older one.
    if (at == 0) at = from.number - 1;
    while (at != 0) {
        const auto known = std::ranges::find(all, at, &Generation::number);
        if (known == all.end()) {
            --at;  // collected, or never readable
            continue;
        }
        // The same once more is no way back.
        if (known->manifest != from.manifest) return at;
        at = known->came_from != 0 && known->came_from < at ? known->came_from : at - 1;
    }
    return 0;
}

Result<std::uint64_t> generation_before(const fs::path& prefix) {
    SF_TRY(const auto current, current_generation(prefix));
    SF_TRY(const std::vector<Generation> all, list_generations(prefix));
    SF_CHECK(check_any(prefix, all));
    if (!current)
        return base::fail_hint(
            Code::absent,
            fmt::format("what is in {} was not put there by install, or was changed since",
                        shown(prefix)),
            "say which generation is meant: rollback NUMBER; slurm-factory list shows them");
    // Collected is one thing; there and damaged is another: an older one would be a surprise.
    const fs::path meant = prefix / generation_path(current->came_from) / record_file;
    const bool known = std::ranges::find(all, current->came_from, &Generation::number) != all.end();
    SF_TRY(const bool there, base::is_there(meant));
    if (current->came_from != 0 && !known && there)
        return base::fail_hint(
            Code::corrupt,
            fmt::format("generation {}, which {} came from, is damaged: {}", current->came_from,
                        current->number, shown(meant)),
            "say which one is meant: rollback NUMBER; slurm-factory list shows them");
    const std::uint64_t before = way_back(all, *current);
    if (before != 0) return before;
    return base::fail_hint(
        Code::absent,
        fmt::format("generation {} is the first one that {} keeps", current->number, shown(prefix)),
        "slurm-factory list shows those there are");
}

Result<Returned> return_to_generation(const fs::path& prefix, std::uint64_t number,
                                      InstallOptions options) {
    SF_TRY(const fs::path resolved, check_prefix(prefix));
    // What is wrong from the start is said at once, and nothing is made where nothing is.
    SF_TRY(const std::vector<Generation> all, list_generations(resolved));
    SF_CHECK(check_any(resolved, all));
    std::optional<std::string> meant;
    if (number != 0) {
        SF_TRY(const KeptGeneration named, read_generation(resolved, number));
        SF_TRY(meant, to_json(named.generation));
    }
    SF_TRY(const Stages held, Stages::hold(resolved, options.waiting));
    if (number == 0) {
        SF_TRY(number, generation_before(resolved));
    }
    // Who was at work until now may have removed it, and have given its number to another.
    Returned returned;
    SF_TRY(returned.kept, read_generation(resolved, number));
    SF_TRY(const std::string found, to_json(returned.kept.generation));
    if (meant && found != *meant)
        return base::fail_hint(Code::refused,
                               fmt::format("generation {} has become another one meanwhile, of "
                                           "version {}",
                                           number, returned.kept.generation.version),
                               "slurm-factory list shows those there are");
    options.switch_view = true;
    options.record.reset();
    options.returns_to = number;
    options.held = &held;
    SF_TRY(returned.report, fit_kept(resolved, returned.kept, options));
    return returned;
}

Result<InstallReport> fit_kept(const fs::path& prefix, const KeptGeneration& kept,
                               const InstallOptions& options) {
    SF_TRY(const std::vector<model::FileEntry> tree,
           whole_tree(kept.bundle, kept.manifest_text, kept.manifest_signature));
    const auto fill = [&](const fs::path& stage, const Wanted& wanted) {
        return Refill(kept, stage).run(wanted, tree);
    };
    const std::string name = fmt::format("generation {}", kept.generation.number);
    return install_tree(
        {kept.bundle, kept.manifest_text, kept.manifest_signature, tree, name, fill, true}, prefix,
        options);
}

}  // namespace sf::tree
