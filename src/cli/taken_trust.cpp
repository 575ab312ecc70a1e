// SPDX-License-Identifier: Apache-2.0
#include "cli/taken_trust.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "cache/revocation_memory.hpp"
#include "cli/signing_key.hpp"

namespace sf::cli {

using base::Result;
using base::Status;

namespace {

// What a list says of a package that was taken from its cache.
std::optional<std::string> taken_back(const trust::RevocationList& list,
                                      const build::TakenPackage& package) {
    for (const trust::RevokedKey& key : list.keys)
        if (key.fingerprint.text() == package.from.signer)
            return "this key is withdrawn: " + base::escape_untrusted(key.reason);
    std::vector<base::Digest> digests = package.archives;
    digests.push_back(package.identity);
    for (const base::Digest& digest : digests)
        if (const std::string* reason = list.reason_of(digest))
            return "this build is taken back: " + base::escape_untrusted(*reason);
    return std::nullopt;
}

}  // namespace

Status TakenTrust::load() {
    if (x_trusted) return {};
    const std::vector<std::filesystem::path> folders{trust_folder(x_session),
                                                     trust::system_trust_folder};
    SF_TRY(x_roots, trust::load_roots(folders));
    SF_TRY(x_trusted, trust::load_trusted(folders));
    for (const std::string& warning : x_trusted->warnings) x_session.voice.warning("{}", warning);
    return {};
}

Result<std::vector<trust::RevocationList>> TakenTrust::remembered(const std::string& place) const {
    const std::filesystem::path folder = x_session.state().caches();
    std::vector<cache::RevocationMemory> memories;
    for (const trust::TrustEntry& root : x_roots.entries)
        memories.push_back(cache::RevocationMemory::of_root(folder, root.fingerprint.text()));
    const cache::RevocationMemory own(folder, place);
    SF_TRY(const auto of_place, own.last());
    if (of_place) memories = {own};
    std::vector<trust::RevocationList> lists;
    for (const cache::RevocationMemory& memory : memories) {
        SF_TRY(auto last, memory.last());
        // A root that is trusted no more takes nothing back.
        if (last && std::ranges::any_of(last->roots, [&](const std::string& root) {
                return !x_roots.doubt_of(root, root);
            }))
            lists.push_back(std::move(last->list));
    }
    return lists;
}

Result<std::optional<std::string>> TakenTrust::doubt(const build::TakenPackage& package) {
    const std::lock_guard lock(x_mutex);
    SF_CHECK(load());
    if (auto why = x_trusted->doubt_of(package.from.signer, package.from.key)) return why;
    const std::string& place = package.from.place;
    if (!x_lists.contains(place)) {
        SF_TRY(x_lists[place], remembered(place));
    }
    for (const trust::RevocationList& list : x_lists[place])
        if (auto why = taken_back(list, package)) return why;
    return std::optional<std::string>();
}

Status TakenTrust::heed(const std::string& place, trust::RevocationList list) {
    const std::lock_guard lock(x_mutex);
    SF_CHECK(load());
    x_lists[place] = {std::move(list)};
    return {};
}

TakenTrust& taken_trust(Session& session) {
    if (!session.taken_trust) session.taken_trust = std::make_shared<TakenTrust>(session);
    return *session.taken_trust;
}

build::Doubt doubt_of(Session& session) {
    return [&trust = taken_trust(session)](const build::TakenPackage& package) {
        return trust.doubt(package);
    };
}

build::PackageStore store_of(Session& session) {
    return build::PackageStore(session.state(), doubt_of(session));
}

Result<bool> is_doubtful_build(const build::PackageStore& store, const std::string& store_name) {
    SF_TRY(const auto doubt, store.doubt_about(store_name));
    if (!doubt) return false;
    const auto taken = store.taken(store_name);
    return taken && !*taken;
}

Status say_doubts(Session& session, const model::Dag& dag) {
    const build::PackageStore store = store_of(session);
    std::size_t count = 0;
    std::string first;
    for (const model::NodeId id : dag.nodes()) {
        const std::string name = dag.at(id).store_name();
        SF_TRY(const auto doubt, store.doubt_about(name));
        if (!doubt) continue;
        if (count++ == 0) first = fmt::format("{}, {}", name, *doubt);
        session.voice.event("package_in_doubt", {{"package", name}, {"reason", *doubt}});
    }
    if (count > 0)
        session.voice.warning(
            "{} packages in the store do not count any more, and are brought again (--explain "
            "names each): {}",
            count, first);
    return {};
}

}  // namespace sf::cli
