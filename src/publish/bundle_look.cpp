// SPDX-License-Identifier: Apache-2.0
#include "publish/bundle_look.hpp"

#include <sys/prctl.h>

#include <cstdio>
#include <cstdlib>
#include <grp.h>
#include <optional>
#include <unistd.h>
#include <vector>

#include "base/json_reader.hpp"
#include "base/process.hpp"
#include "base/sanitizers.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "model/bundle_rules.hpp"
#include "pack/archive_reader.hpp"
#include "publish/bundle.hpp"
#include "trust/armor.hpp"

namespace sf::publish {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr std::uint64_t max_manifest = std::uint64_t{256} << 20;
constexpr std::uint64_t most_memory = std::uint64_t{4} << 30;
constexpr uid_t nobody = 65534;

class Look {
public:
    Status entry(const pack::EntryInfo& info, base::Source& content) {
        SF_CHECK(base::check_stop());
        const std::string folder(model::bundle_manifests_folder);
        if (info.path == folder) return {};
        if (info.path.starts_with(folder + '/')) return paper(info, content);
        model::FileEntry found;
        found.path = info.path;
        found.type = info.type;
        found.mode = info.executable ? 0755 : 0644;
        found.size = info.size;
        found.target = info.target;
        if (info.type == model::EntryType::file) {
            SF_TRY(found.sha256, read(content, nullptr));
        }
        x_tree.push_back(std::move(found));
        return {};
    }

    Result<BundleSeen> finish() {
        if (!x_path) return fail(Code::refused, "there is no manifest in it");
        SF_TRY(const model::Bundle bundle, model::bundle_from_json(x_manifest));
        SF_CHECK(model::check_bundle(bundle));
        if (*x_path != model::bundle_manifest_path(bundle.version))
            return fail(Code::refused, "{} is the manifest of {}", base::escape_untrusted(*x_path),
                        bundle.version);
        SF_CHECK(compare_tree(bundle, std::move(x_tree)));
        x_seen.version = bundle.version;
        return x_seen;
    }

private:
    // Returns the digest.
    static Result<base::Digest> read(base::Source& content, std::string* keep) {
        std::vector<std::byte> room(std::size_t{256} << 10);
        base::Sha256 hash;
        for (;;) {
            SF_TRY(const std::size_t got, content.read(room));
            if (got == 0) return hash.finish();
            SF_CHECK(hash.write(base::Bytes(room.data(), got)));
            if (keep != nullptr) keep->append(reinterpret_cast<const char*>(room.data()), got);
        }
    }
    // The manifest, then its signature, and nothing else.
    Status paper(const pack::EntryInfo& info, base::Source& content) {
        const bool first = !x_path;
        const bool fits = first ? info.size <= max_manifest
                                : info.path == *x_path + ".asc" && !x_signature &&
                                      info.size <= 2 * trust::max_signature_bytes;
        if (!fits || info.type != model::EntryType::file || info.executable)
            return fail(Code::refused, "{} has no place in a bundle",
                        base::escape_untrusted(info.path));
        if (!first) {
            x_signature = true;
            SF_TRY(x_seen.signature, read(content, nullptr));
            return {};
        }
        x_path = info.path;
        SF_TRY(x_seen.manifest, read(content, &x_manifest));
        return {};
    }

    std::optional<std::string> x_path;  // of the manifest
    bool x_signature = false;
    std::string x_manifest;
    std::vector<model::FileEntry> x_tree;
    BundleSeen x_seen;
};

// What it may not do with what an archive may make of it.
Status step_down() {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return base::fail_errno(errno, "forbid new rights");
    if (::geteuid() != 0) return {};
    if (::setgroups(0, nullptr) != 0 || ::setresgid(nobody, nobody, nobody) != 0 ||
        ::setresuid(nobody, nobody, nobody) != 0)
        return base::fail_errno(errno, "become nobody");
    return {};
}

Result<std::string> text_of(const Result<BundleSeen>& seen) {
    if (!seen) return base::canonical_json({{"error", seen.error().text()}});
    return base::canonical_json({{"version", seen->version},
                                 {"manifest", seen->manifest.hex()},
                                 {"signature", seen->signature.hex()}});
}

}  // namespace

Result<BundleSeen> look_into_bundle(int descriptor) {
    Look look;
    pack::ArchivePolicy policy;
    policy.top.clear();
    const auto all = [&]() -> Result<BundleSeen> {
        SF_CHECK(pack::read_archive({descriptor, "bundle.tar.gz"}, policy,
                                    [&](const pack::EntryInfo& info, base::Source& content) {
                                        return look.entry(info, content);
                                    })
                     .map([](const pack::ArchiveTotals&) {}));
        return look.finish();
    };
    return base::during(all(), "looking into the bundle");
}

int look_and_tell() {
    const auto seen = [&]() -> Result<BundleSeen> {
        SF_CHECK(step_down());
        return look_into_bundle(looked_into);
    };
    const Result<std::string> text = text_of(seen());
    if (!text || std::fputs(text->c_str(), stdout) < 0 || std::fflush(stdout) != 0) return 1;
    return 0;
}

Result<BundleSeen> look_apart(int descriptor) {
    base::Command command;
    command.argv = {"/proc/self/exe", std::string(look_verb)};
    command.environment = {{"LC_ALL", "C"}};
    command.pass = {{descriptor, looked_into}};
    if (!base::has_address_sanitizer && !base::has_thread_sanitizer) {
        command.limits.memory_bytes = most_memory;
        command.limits.file_bytes = 0;  // the thread sanitizer begins with a file
    }
    command.deadline = std::chrono::minutes(20);
    SF_TRY(const base::Finished finished, base::run(command));
    if (!finished.exit.ok())
        return fail(Code::refused, "the bundle could not be looked into: {}",
                    finished.timed_out ? "it took too long" : finished.exit.text());
    SF_TRY(const base::Json json, base::parse_json(finished.out, 4));
    base::JsonReader reader(json, "what was seen");
    std::string error;
    if (reader.has("error")) reader.text("error", error);
    if (!error.empty()) return fail(Code::refused, "{}", base::escape_untrusted(error));
    BundleSeen seen;
    reader.text("version", seen.version);
    reader.digest("manifest", seen.manifest);
    reader.digest("signature", seen.signature);
    SF_CHECK(reader.status());
    return seen;
}

}  // namespace sf::publish
