// SPDX-License-Identifier: Apache-2.0
#include "sandbox/rootfs.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "model/names.hpp"
#include "sandbox/keyring.hpp"
#include "sandbox/root_archive.hpp"
#include "sandbox/root_making.hpp"

namespace sf::sandbox {

namespace {

using base::Code;
using base::Result;
using base::Status;

std::string now_text() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::vector<std::string> sorted(std::vector<std::string> words) {
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    return words;
}

// nullopt: the root was made from just this definition.
std::optional<std::string> difference(const PreparedRoot& root, const RootRequest& request) {
    const auto& toolchain = request.toolchain;
    std::vector<std::string> more;
    const auto wanted = sorted(toolchain.packages);
    std::set_difference(wanted.begin(), wanted.end(), root.wanted.begin(), root.wanted.end(),
                        std::back_inserter(more));
    if (!more.empty()) return "the toolchain now wants " + base::join(more, ", ");
    std::vector<std::string> less;
    std::set_difference(root.wanted.begin(), root.wanted.end(), wanted.begin(), wanted.end(),
                        std::back_inserter(less));
    if (!less.empty()) return "the toolchain no longer wants " + base::join(less, ", ");
    if (root.suites != toolchain.suites) return std::string("the toolchain has other suites now");
    if (root.components != toolchain.components)
        return std::string("the toolchain has other components now");
    if (root.architecture != request.architecture)
        return fmt::format("the root is for {}, not {}", root.architecture, request.architecture);
    return std::nullopt;
}

void place(PreparedRoot& root, const base::fs::path& folder) {
    root.archive = folder / root_names::archive(root.record.digest);
    root.tree = folder / root_names::tree(root.record.digest);
}

// Whole and durable under its name, or not at all. An equal tree that is there already stays.
Status publish_tree(const base::fs::path& staged, const base::fs::path& tree) {
    if (base::is_dir(tree)) return {};
    SF_CHECK(base::fsync_tree(staged));
    SF_CHECK(base::rename(staged, tree));
    return base::fsync_dir(tree.parent_path());
}

}  // namespace

base::fs::path RootStore::folder_of(std::string_view toolchain) const {
    return x_folder / toolchain;
}

Result<std::optional<PreparedRoot>> RootStore::read_current(std::string_view toolchain) const {
    SF_CHECK(model::check_name(toolchain, "toolchain"));
    const auto folder = folder_of(toolchain);
    SF_TRY(const auto text, base::read_file_if_exists(folder / root_names::current));
    if (!text) return std::nullopt;
    const auto wrong = [&](Result<PreparedRoot> result) {
        result.error().hint = fmt::format("slurm-factory toolchain prepare {} --update", toolchain);
        return base::during(std::move(result), fmt::format("reading the root of {}", toolchain));
    };
    auto root = [&]() -> Result<PreparedRoot> {
        SF_TRY(const auto digest, base::Digest::parse(base::trim(*text)));
        SF_TRY(const auto record, base::read_file(folder / root_names::record(digest)));
        SF_TRY(auto parsed, root_from_json(record));
        if (parsed.record.digest != digest || parsed.record.toolchain != toolchain)
            return base::fail(Code::corrupt, "the record is another root's");
        return parsed;
    }();
    if (!root) return tl::unexpected(wrong(std::move(root)).error());
    place(*root, folder);
    root->current = true;
    return std::move(*root);
}

Status RootStore::ensure_tree(const PreparedRoot& root) const {
    if (base::is_dir(root.tree)) return {};
    const auto folder = root.tree.parent_path();
    SF_TRY(const auto lock, base::FileLock::acquire(folder / root_names::lock));
    if (base::is_dir(root.tree)) return {};
    x_reporter.info("unpacking the root of {} again", root.record.toolchain);
    SF_TRY(const auto digest, base::sha256_file(root.archive));
    if (digest != root.record.digest)
        return base::fail_hint(
            Code::corrupt,
            fmt::format("{} is not what was made: its digest is {}", root.archive.string(),
                        digest.hex()),
            fmt::format("slurm-factory toolchain prepare {} --update", root.record.toolchain));
    SF_TRY(const auto staging, base::TempDir::create(folder, root_names::staging));
    const auto staged = staging.path() / "tree";
    SF_CHECK(unpack_root(root.archive, staged));
    return publish_tree(staged, root.tree);
}

Result<std::optional<PreparedRoot>> RootStore::current(std::string_view toolchain) {
    SF_TRY(auto root, read_current(toolchain));
    if (root) SF_CHECK(ensure_tree(*root));
    return root;
}

Result<std::optional<std::string>> RootStore::reason_to_make(const RootRequest& request,
                                                             bool update) {
    if (update) return std::optional<std::string>("an update is asked for");
    SF_TRY(const auto root, read_current(request.toolchain.name));
    if (!root) return std::optional<std::string>("there is none yet");
    return difference(*root, request);
}

Result<PreparedRoot> RootStore::prepare(const RootRequest& request, bool update) {
    SF_TRY(const auto reason, reason_to_make(request, update));
    if (!reason) {
        SF_TRY(auto root, current(request.toolchain.name));
        if (root) return std::move(*root);
    }
    return base::during(make(request),
                        fmt::format("preparing the root of {}", request.toolchain.name));
}

Result<PreparedRoot> RootStore::make(const RootRequest& asked) {
    const bool as_root = ::geteuid() == 0;
    auto request = asked;
    if (request.keyring.empty()) {
        SF_TRY(request.keyring, find_keyring(request.toolchain.keyring,
                                             x_folder / root_names::keyrings, x_reporter));
    }
    SF_CHECK(check_root_tools(request, as_root));
    const auto folder = folder_of(request.toolchain.name);
    const auto before = now_text();
    bool waited = false;
    SF_TRY(const auto lock, base::FileLock::acquire(folder / root_names::lock, [&] {
               waited = true;
               x_reporter.notice("waiting for another process that prepares the same root");
           }));
    // While we waited the other may have made it.
    if (auto made = read_current(request.toolchain.name);
        waited && made && *made && (*made)->made >= before && !difference(**made, request) &&
        base::is_dir((*made)->tree))
        return std::move(**made);
    // What an interrupted preparation left: we hold the lock, so nobody works in it.
    SF_TRY(const auto names, base::list_dir(folder));
    for (const auto& name : names)
        if (name.starts_with(root_names::staging)) SF_CHECK(base::remove_tree(folder / name));

    SF_TRY(const auto staging, base::TempDir::create(folder, root_names::staging));
    RootMaking making(request, as_root, staging.path(), folder / root_names::log, x_reporter);
    SF_TRY(const auto tar, making.make_tar());

    PreparedRoot root;
    x_reporter.info("packing the root");
    const auto packed = staging.path() / "root.tar.zst";
    SF_TRY(auto contents, pack_root(tar.get(), packed));
    SF_TRY(root.record.digest, base::sha256_file(packed));
    root.record.toolchain = request.toolchain.name;
    root.record.packages = std::move(contents.packages);
    root.record.compiler = contents.compiler;
    root.record.libc = contents.libc;
    root.architecture = request.architecture;
    root.suites = request.toolchain.suites;
    root.components = request.toolchain.components;
    root.wanted = sorted(request.toolchain.packages);
    root.sources = making.sources();
    root.made = now_text();
    std::error_code error;
    root.archive_bytes = base::fs::file_size(packed, error);
    root.tree_bytes = contents.tree_bytes;
    place(root, folder);

    x_reporter.info("unpacking the root");
    const auto staged = staging.path() / "tree";
    SF_CHECK(unpack_root(packed, staged));
    // Data first, the name that builds look up last.
    SF_CHECK(base::rename(packed, root.archive));
    SF_CHECK(publish_tree(staged, root.tree));
    SF_TRY(const auto text, to_json(root));
    SF_CHECK(base::write_file(folder / root_names::record(root.record.digest), text));
    SF_CHECK(base::write_file(folder / root_names::current, root.record.digest.hex() + "\n"));
    root.current = true;
    return root;
}

Result<std::vector<PreparedRoot>> RootStore::list() const {
    std::vector<PreparedRoot> roots;
    if (!base::is_dir(x_folder)) return roots;
    SF_TRY(const auto toolchains, base::list_dir(x_folder));
    for (const auto& toolchain : toolchains) {
        const auto folder = x_folder / toolchain;
        if (!base::is_dir(folder) || !model::check_name(toolchain, "toolchain")) continue;
        const auto current = base::read_file_if_exists(folder / root_names::current);
        SF_TRY(const auto names, base::list_dir(folder));
        const auto first = roots.size();
        for (const auto& name : names) {
            if (!name.ends_with(root_names::record_ending)) continue;
            auto root = base::read_file(folder / name).and_then([](const std::string& text) {
                return root_from_json(text);
            });
            if (!root) {
                x_reporter.warning("{}: {}", (folder / name).string(), root.error().text());
                continue;
            }
            place(*root, folder);
            root->current =
                current && *current && base::trim(**current) == root->record.digest.hex();
            roots.push_back(std::move(*root));
        }
        std::sort(roots.begin() + static_cast<std::ptrdiff_t>(first), roots.end(),
                  [](const auto& a, const auto& b) { return a.made < b.made; });
    }
    return roots;
}

Result<std::uint64_t> RootStore::remove(std::string_view toolchain, bool keep_current) {
    SF_CHECK(model::check_name(toolchain, "toolchain"));
    const auto folder = folder_of(toolchain);
    if (!base::is_dir(folder)) return std::uint64_t{0};
    SF_TRY(const auto lock, base::FileLock::acquire(folder / root_names::lock));
    const auto before = base::disk_usage(folder);
    std::string kept;
    if (keep_current) {
        SF_TRY(const auto root, read_current(toolchain));
        if (root) kept = root->record.digest.hex();
    }
    // The name first, then what it names.
    if (kept.empty()) SF_CHECK(base::remove_file(folder / root_names::current));
    SF_TRY(const auto names, base::list_dir(folder));
    for (const auto& name : names) {
        const bool stays =
            name == root_names::lock ||
            (!kept.empty() &&
             (name.starts_with(kept) || name == root_names::current || name == root_names::log));
        if (!stays) SF_CHECK(base::remove_tree(folder / name));
    }
    const auto after = base::disk_usage(folder);
    return before > after ? before - after : 0;
}

SandboxPlan shell_plan(const PreparedRoot& root, std::vector<Bind> binds,
                       std::vector<std::string> argv) {
    SandboxPlan plan;
    plan.root = root.tree;
    plan.binds = std::move(binds);
    plan.argv = std::move(argv);
    plan.environment = {{"PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                        {"HOME", "/tmp"},
                        {"LC_ALL", "C.UTF-8"},
                        {"PS1", root.record.toolchain + " \\w \\$ "}};
    const auto ours = base::current_environment();
    if (const auto term = ours.find("TERM"); term != ours.end()) plan.environment.insert(*term);
    return plan;
}

}  // namespace sf::sandbox
