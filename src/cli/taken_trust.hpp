// SPDX-License-Identifier: Apache-2.0
// Whom this machine believes of the packages that were taken from caches: judged anew by each
// command, as whoever vouched for one may be trusted no more. What is in doubt is as if it were not
// in the store, and is brought again. Any thread.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "build/package_store.hpp"
#include "cli/session.hpp"
#include "model/dag.hpp"
#include "trust/revocation_list.hpp"
#include "trust/trust_store.hpp"

namespace sf::cli {

class TakenTrust {
public:
    explicit TakenTrust(Session& session) : x_session(session) {}

    // By the lists of trusted keys of this user and the site, read once, when something was taken;
    // and by the cache's list of revocations: that which was heeded, or else the last that any
    // command of this machine went by.
    [[nodiscard]] base::Result<std::optional<std::string>> doubt(
        const build::TakenPackage& package);
    // What the root of a cache has taken back counts for what came from there. Who is trusted is
    // read by now: as it is when a command begins, so it is to its end.
    [[nodiscard]] base::Status heed(const std::string& place, trust::RevocationList list);

private:
    [[nodiscard]] base::Status load();
    // Of a place, or of the roots' files where none of the place is remembered.
    [[nodiscard]] base::Result<std::vector<trust::RevocationList>> remembered(
        const std::string& place) const;
    Session& x_session;
    std::mutex x_mutex;
    std::optional<trust::TrustedKeys> x_trusted;
    trust::TrustedKeys x_roots;
    std::map<std::string, std::vector<trust::RevocationList>> x_lists;
};

// This session's, made by the first call.
[[nodiscard]] TakenTrust& taken_trust(Session& session);
[[nodiscard]] build::Doubt doubt_of(Session& session);
// The packages of this machine that count.
[[nodiscard]] build::PackageStore store_of(Session& session);
// Was it built here, with something that counts no more?
[[nodiscard]] base::Result<bool> is_doubtful_build(const build::PackageStore& store,
                                                   const std::string& store_name);
// A word about those of a plan that do not count.
[[nodiscard]] base::Status say_doubts(Session& session, const model::Dag& dag);

}  // namespace sf::cli
