// SPDX-License-Identifier: Apache-2.0
#include "install/bundle_verify.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <set>
#include <unistd.h>

#include "base/files.hpp"
#include "base/regular_file.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "model/names.hpp"
#include "pack/archive_reader.hpp"
#include "tree/tree_matcher.hpp"
#include "trust/armor.hpp"

namespace sf::install {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr std::uint64_t max_manifest = std::uint64_t{256} << 20;

// Takes a file's content; digests it, and keeps it where `keep` says so.
Result<std::pair<base::Digest, std::string>> take(base::Source& content, bool keep) {
    base::Sha256 hash;
    std::string kept;
    std::vector<std::byte> room(std::size_t{256} << 10);
    for (;;) {
        SF_TRY(const std::size_t got, content.read(room));
        if (got == 0) return std::pair(hash.finish(), std::move(kept));
        const base::Bytes bytes(room.data(), got);
        SF_CHECK(hash.write(bytes));
        if (keep) kept.append(reinterpret_cast<const char*>(room.data()), got);
    }
}

Result<base::Fd> open_bundle(const fs::path& file) {
    SF_TRY(base::Fd fd, base::open_file(file, O_RDONLY | O_NONBLOCK));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) {
        return base::fail_errno(errno, "read " + base::escape_untrusted(file.native()));
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(Code::usage, "{} is not a file", base::escape_untrusted(file.native()));
    }
    return fd;
}

// The signature of the bundle's bytes, before anything looks into them.
Status check_signature(VerifiedBundle& verified, const fs::path& file, const BundlePolicy& policy) {
    const fs::path path =
        policy.signature.empty() ? fs::path(file.native() + ".asc") : policy.signature;
    auto armored = base::read_regular_file(path, 2 * trust::max_signature_bytes);
    if (!armored) {
        if (armored.error().code == Code::corrupt) {
            return fail(Code::refused, "the signature file {} is too large to be one",
                        base::escape_untrusted(path.native()));
        }
        return tl::unexpected(std::move(armored).error());
    }
    if (!*armored) {
        if (policy.accept_unsigned) {
            verified.notices.push_back(verified.file + " is not signed");
            return {};
        }
        return base::fail_hint(Code::refused,
                               fmt::format("{} is not signed: there is no {}", verified.file,
                                           base::escape_untrusted(path.native())),
                               "get the .asc file that belongs to the bundle and put it beside it");
    }
    if (policy.verifier == nullptr) {
        if (policy.accept_unsigned) {
            verified.notices.push_back("no key is trusted here: the signature of " + verified.file +
                                       " was not looked at");
            return {};
        }
        return base::fail_hint(Code::refused,
                               "no key is trusted here yet: the signature cannot be judged",
                               "slurm-factory key import FILE, compare the fingerprint with one "
                               "from another channel, then slurm-factory key trust FINGERPRINT");
    }
    SF_TRY(verified.signer,
           policy.verifier->verify(verified.descriptor.get(), **armored, verified.file));
    return {};
}

Status check_digests(VerifiedBundle& verified, const fs::path& file, const BundlePolicy& policy) {
    SF_TRY(verified.sha256,
           base::during(base::sha256_fd(verified.descriptor.get()), "reading " + verified.file));
    if (policy.sha256 && *policy.sha256 != verified.sha256) {
        return fail(Code::refused, "{} has SHA-256 {}, expected was {}", verified.file,
                    verified.sha256.hex(), policy.sha256->hex());
    }
    SF_TRY(const auto beside, base::read_regular_file(file.native() + ".sha256", 4096));
    if (!beside) return {};
    const auto recorded = base::Digest::parse(std::string_view(*beside).substr(0, 64));
    if (!recorded || beside->size() < 66 || beside->compare(64, 2, "  ") != 0) {
        return fail(Code::refused, "the file {}.sha256 is damaged", verified.file);
    }
    if (*recorded != verified.sha256) {
        return fail(Code::refused, "{} has SHA-256 {}, its .sha256 file says {}", verified.file,
                    verified.sha256.hex(), recorded->hex());
    }
    return {};
}

// slurm-25.11.2-bookworm-amd64-software.tar.gz must not hold 25.11.1: a good signature says who
// made a bundle, not that it is the one asked for.
Status check_file_name(const VerifiedBundle& verified) {
    const model::Bundle& bundle = verified.bundle;
    const std::string exact =
        model::bundle_file(bundle.version, bundle.toolchain, bundle.architecture);
    const std::string alias =
        model::bundle_alias(model::series_of(bundle.version), bundle.toolchain);
    const bool ours =
        verified.file.starts_with("slurm-") && verified.file.ends_with("-software.tar.gz");
    if (!ours || verified.file == exact || verified.file == alias) return {};
    return fail(Code::refused, "{} holds another bundle: {} {} for {} {}", verified.file,
                bundle.name, bundle.version, bundle.toolchain, bundle.architecture);
}

class Reading {
public:
    Reading(VerifiedBundle& verified, const BundlePolicy& policy)
        : x_verified(verified), x_policy(policy) {}

    Status entry(const pack::EntryInfo& info, base::Source& content) {
        SF_CHECK(base::check_stop());
        const std::string folder(model::bundle_manifests_folder);
        const bool is_manifest = info.path == folder || info.path.starts_with(folder + '/');
        if (is_manifest) return manifest_entry(info, content);
        if (!x_matcher) SF_CHECK(begin_tree());
        model::FileEntry found;
        found.path = info.path;
        found.type = info.type;
        found.mode = info.executable ? 0755 : 0644;
        found.size = info.size;
        found.target = info.target;
        if (info.type == model::EntryType::file) {
            SF_TRY(const auto taken, take(content, false));
            found.sha256 = taken.first;
        }
        return x_matcher->see(found);
    }

    Status finish() {
        if (!x_matcher) SF_CHECK(begin_tree());
        return x_matcher->finish();
    }

private:
    Status manifest_entry(const pack::EntryInfo& info, base::Source& content) {
        if (x_matcher) {
            return fail(Code::refused, "{} is not at the beginning",
                        base::escape_untrusted(info.path));
        }
        model::FileEntry found;
        found.path = info.path;
        found.type = info.type;
        found.mode = info.executable ? 0755 : 0644;
        found.size = info.size;
        if (info.type == model::EntryType::file) {
            const bool signature = info.path.ends_with(".json.asc");
            const bool expected = signature
                                      ? x_manifest_path + ".asc" == info.path
                                      : info.path.ends_with(".json") && x_manifest_path.empty();
            if (!expected || info.executable) {
                return fail(Code::refused, "{} has no place in a bundle",
                            base::escape_untrusted(info.path));
            }
            if (info.size > (signature ? 2 * trust::max_signature_bytes : max_manifest)) {
                return fail(Code::refused, "{} is too large", base::escape_untrusted(info.path));
            }
            SF_TRY(auto taken, take(content, true));
            found.sha256 = taken.first;
            if (signature) {
                x_verified.manifest_signature = std::move(taken.second);
            } else {
                x_manifest_path = info.path;
                x_verified.manifest_text = std::move(taken.second);
            }
        } else if (info.type != model::EntryType::directory ||
                   info.path != model::bundle_manifests_folder) {
            return fail(Code::refused, "{} has no place in a bundle",
                        base::escape_untrusted(info.path));
        }
        x_manifest_entries.push_back(std::move(found));
        return {};
    }

    // The manifest is read: from here on everything is compared with it.
    Status begin_tree() {
        if (x_manifest_path.empty()) return fail(Code::refused, "there is no manifest in it");
        if (x_verified.signer) {
            if (x_verified.manifest_signature.empty()) {
                return fail(Code::refused, "the manifest in it is not signed");
            }
            SF_CHECK(x_policy.verifier
                         ->verify_bytes(x_verified.manifest_text, x_verified.manifest_signature,
                                        x_manifest_path)
                         .map([](const trust::GoodSignature&) {}));
        }
        SF_TRY(x_verified.bundle, model::bundle_from_json(x_verified.manifest_text));
        const model::Bundle& bundle = x_verified.bundle;
        if (x_manifest_path != model::bundle_manifest_path(bundle.version)) {
            return fail(Code::refused, "{} is the manifest of {}", x_manifest_path, bundle.version);
        }
        SF_CHECK(check_bundle(bundle));
        SF_TRY(x_verified.tree, model::bundle_tree(bundle));
        x_matcher.emplace(x_verified.tree);
        x_verified.tree.insert(x_verified.tree.end(), x_manifest_entries.begin(),
                               x_manifest_entries.end());
        return {};
    }

    VerifiedBundle& x_verified;
    const BundlePolicy& x_policy;
    std::string x_manifest_path;
    std::vector<model::FileEntry> x_manifest_entries;
    std::optional<tree::TreeMatcher> x_matcher;
};

}  // namespace

Result<VerifiedBundle> verify_bundle(const fs::path& file, const BundlePolicy& policy) {
    VerifiedBundle verified;
    SF_TRY(verified.descriptor, open_bundle(file));
    verified.file = base::escape_untrusted(file.filename().native());
    struct stat status {};
    if (::fstat(verified.descriptor.get(), &status) != 0) {
        return base::fail_errno(errno, "read " + verified.file);
    }
    verified.size = static_cast<std::uint64_t>(status.st_size);
    SF_CHECK(check_signature(verified, file, policy));
    SF_CHECK(check_digests(verified, file, policy));
    pack::ArchivePolicy archive_policy;
    archive_policy.top.clear();
    Reading reading(verified, policy);
    const auto read = [&]() -> Status {
        SF_TRY(const pack::ArchiveTotals totals,
               pack::read_archive({verified.descriptor.get(), verified.file}, archive_policy,
                                  [&](const pack::EntryInfo& info, base::Source& content) {
                                      return reading.entry(info, content);
                                  }));
        verified.unpacked_size = totals.unpacked_size;
        return reading.finish();
    };
    SF_CHECK(base::during(read(), "looking into " + verified.file));
    SF_CHECK(check_file_name(verified));
    return verified;
}

}  // namespace sf::install
