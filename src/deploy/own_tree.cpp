// SPDX-License-Identifier: Apache-2.0
#include "deploy/own_tree.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "model/bundle_rules.hpp"
#include "model/names.hpp"
#include "tree/tree_matcher.hpp"
#include "trust/trust_store.hpp"

namespace sf::deploy {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr std::uint64_t max_manifest = std::uint64_t{256} << 20;
constexpr std::uint64_t max_key_file = std::uint64_t{1} << 20;

std::string shown(const fs::path& path) { return base::escape_untrusted(path.native()); }

// --key: that one key and no other, whatever else the site trusts.
Result<trust::TrustedKeys> named_key(const TrustRequest& request) {
    SF_TRY(const trust::Fingerprint fingerprint, trust::Fingerprint::from_person(request.key));
    const fs::path file = request.key_file.empty()
                              ? fs::path(trust::system_trust_folder) / (fingerprint.text() + ".asc")
                              : fs::path(request.key_file);
    auto text = base::read_file(file, max_key_file);
    if (!text) {
        return base::fail_hint(
            Code::refused,
            "the public key is needed to check its signature: " + text.error().text(),
            "get it from whoever made the bundle (slurm-factory key export " + fingerprint.text() +
                " -o key.asc) and say --key-file key.asc");
    }
    SF_TRY(trust::TrustedKeys trusted, trust::trusted_from({{fingerprint, "--key"}}, {*text}));
    if (trusted.keys.empty()) {
        return fail(Code::refused, "{} does not hold the key {}", shown(file), fingerprint.text());
    }
    return trusted;
}

Status judge(OwnTree& own, const TrustRequest& request) {
    const std::string path = model::bundle_manifest_path(own.bundle.version);
    trust::TrustedKeys trusted;
    if (!request.key.empty()) {
        SF_TRY(trusted, named_key(request));
    } else {
        SF_TRY(trusted, trust::load_trusted({fs::path(trust::system_trust_folder)}));
    }
    if (trusted.entries.empty()) {
        own.notice = fmt::format(
            "every file is what the manifest says, but nobody has checked who made the manifest: "
            "no --key was given and this site has no {}/trust.json. Authenticity rests on the "
            "tarball's own .asc, to be checked before it is unpacked.",
            trust::system_trust_folder);
        return {};
    }
    if (own.manifest_signature.empty()) {
        return base::fail_hint(Code::refused, fmt::format("{} is not signed", path),
                               "take a signed bundle: unpack the one with an .asc file beside it");
    }
    SF_TRY(const trust::Verifier verifier, trust::Verifier::create(trusted));
    SF_TRY(own.signer, verifier.verify_bytes(own.manifest_text, own.manifest_signature, path));
    own.notice = fmt::format("{} is signed by {}{}", path, own.signer->primary.text(),
                             own.signer->label.empty() || own.signer->label == "--key"
                                 ? ""
                                 : " (" + base::escape_untrusted(own.signer->label) + ")");
    return {};
}

Status check_owner(const fs::path& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return base::fail_errno(errno, "read " + shown(path));
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
        return base::fail_hint(
            Code::refused,
            fmt::format("{} belongs to user {}, who could change what root runs", shown(path),
                        status.st_uid),
            "unpack the bundle as root, or let it be copied: --prefix /opt/slurm");
    }
    if (!S_ISLNK(status.st_mode) && (status.st_mode & 022U) != 0) {
        return base::fail_hint(Code::refused,
                               shown(path) +
                                   " can be written by others, who could change what "
                                   "root runs",
                               "chmod go-w, or let it be copied: --prefix /opt/slurm");
    }
    return {};
}

Status verify_owners(const model::Bundle& bundle, const fs::path& top) {
    SF_TRY(const std::vector<model::FileEntry> tree, model::bundle_tree(bundle));
    for (const model::FileEntry& entry : tree) SF_CHECK(check_owner(top / entry.path));
    SF_CHECK(check_owner(top / model::bundle_manifests_folder));
    return check_owner(top / model::bundle_manifest_path(bundle.version));
}

Status match_own_folder(const fs::path& top, const std::string& folder,
                        const std::vector<model::FileEntry>& entries) {
    return base::during(tree::match_folder(top / folder, tree::with_folders(entries)),
                        "comparing " + folder + " with the manifest");
}

// Copies one file, and digests what was written.
Result<model::FileEntry> copy_entry(const OwnTree& own, const fs::path& stage,
                                    const model::FileEntry& entry) {
    const fs::path to = stage / entry.path;
    if (entry.type == model::EntryType::directory) {
        if (::mkdir(to.c_str(), 0755) != 0 || ::chmod(to.c_str(), 0755) != 0)
            return base::fail_errno(errno, "make folder " + shown(to));
    } else if (entry.type == model::EntryType::symlink) {
        if (::symlink(entry.target.c_str(), to.c_str()) != 0)
            return base::fail_errno(errno, "make symlink " + shown(to));
    } else {
        SF_TRY(const base::Fd in,
               base::open_file(own.top / entry.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        SF_TRY(const base::Fd out,
               base::open_file(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        base::FdSource source(in.get(), own.top / entry.path);
        base::FdSink sink(out.get(), to);
        SF_TRY([[maybe_unused]] const std::size_t size, base::copy(source, sink));
        if (::fchmod(out.get(), entry.mode) != 0)
            return base::fail_errno(errno, "set the mode of " + shown(to));
    }
    return tree::read_entry(stage, entry.path);
}

}  // namespace

Result<std::pair<fs::path, std::string>> locate_tree(const fs::path& helper) {
    const std::string version = helper.parent_path().filename().native();
    const fs::path top = helper.parent_path().parent_path().parent_path().parent_path();
    if (helper == top / model::bundle_assets_path(version) / model::helper_name &&
        model::check_version(version))
        return std::pair(top, version);
    return fail(Code::failed,
                "{} does not lie in an unpacked bundle (<tree>/{}/<version>/{}): unpack all of it",
                shown(helper), model::bundle_assets_folder, model::helper_name);
}

Result<OwnTree> open_tree(const fs::path& top, const std::string& version,
                          const TrustRequest& trust) {
    OwnTree own;
    own.top = top;
    SF_TRY(own.manifest_text,
           base::read_file(top / model::bundle_manifest_path(version), max_manifest));
    SF_TRY(auto signature,
           base::read_file_if_exists(top / model::bundle_manifest_signature_path(version),
                                     std::uint64_t{64} << 10));
    if (signature) own.manifest_signature = std::move(*signature);
    own.bundle.version = version;
    SF_CHECK(base::during(judge(own, trust), "checking who made this bundle"));
    SF_TRY(own.bundle, model::bundle_from_json(own.manifest_text));
    if (own.bundle.version != version) {
        return fail(Code::refused, "{} is the manifest of {}", model::bundle_manifest_path(version),
                    own.bundle.version);
    }
    SF_CHECK(model::check_bundle(own.bundle));
    return own;
}

Status verify_tree(const OwnTree& own, const fs::path& top, bool owned) {
    const model::Bundle& bundle = own.bundle;
    if (owned) SF_CHECK(verify_owners(bundle, top));
    for (const model::Package& package : bundle.packages) {
        SF_CHECK(
            match_own_folder(top, model::bundle_store_path(package.store_name()), package.files));
    }
    SF_CHECK(match_own_folder(top, model::bundle_view_path(bundle.version), bundle.view));
    const std::string assets = model::bundle_assets_path(bundle.version);
    SF_TRY(const std::vector<model::FileEntry> own_assets,
           tree::entries_below(bundle.assets, assets));
    SF_CHECK(match_own_folder(top, assets, own_assets));
    const std::string modulefile = model::bundle_modulefile_path(bundle.version, bundle.toolchain);
    for (const model::FileEntry& entry : bundle.assets) {
        if (entry.path == modulefile) SF_CHECK(tree::match_entry(top, entry));
    }
    SF_TRY(const std::string manifest,
           base::read_file(top / model::bundle_manifest_path(bundle.version), max_manifest));
    if (manifest != own.manifest_text) {
        return fail(Code::refused, "{} is not the manifest that was checked",
                    shown(top / model::bundle_manifest_path(bundle.version)));
    }
    // The links that versions share may point to another version by now, but nowhere else.
    for (const model::FileEntry& link : model::bundle_links(bundle)) {
        std::error_code error;
        const fs::path target = fs::read_symlink(top / link.path, error);
        if (error) return base::fail_errno(error.value(), "read " + shown(top / link.path));
        if (target == link.target) continue;
        // "25.11.2" in the link as it should be, another version in the link as it is.
        const std::size_t at = link.target.find(bundle.version);
        const std::size_t tail = link.target.size() - at - bundle.version.size();
        const std::string& text = target.native();
        const bool same_form =
            text.size() > at + tail && text.starts_with(link.target.substr(0, at)) &&
            text.ends_with(link.target.substr(link.target.size() - tail)) &&
            model::check_version(std::string_view(text).substr(at, text.size() - at - tail));
        if (!same_form) {
            return fail(Code::refused, "{} points to {}, which is no version of ours",
                        shown(top / link.path), shown(target));
        }
    }
    return {};
}

Result<tree::InstallReport> copy_tree(const OwnTree& own, const fs::path& prefix) {
    SF_TRY(const std::vector<model::FileEntry> all,
           tree::whole_tree(own.bundle, own.manifest_text, own.manifest_signature));
    const auto fill = [&](const fs::path& stage,
                          const tree::Wanted&) -> Result<std::vector<model::FileEntry>> {
        std::vector<model::FileEntry> made;
        for (const model::FileEntry& entry : all) {
            SF_CHECK(base::check_stop());
            // Shared links may point to another version in the tree we copy from.
            SF_TRY(model::FileEntry copied, copy_entry(own, stage, entry));
            made.push_back(std::move(copied));
        }
        return made;
    };
    return tree::install_tree(
        {own.bundle, own.manifest_text, own.manifest_signature, all, shown(own.top), fill}, prefix);
}

}  // namespace sf::deploy
