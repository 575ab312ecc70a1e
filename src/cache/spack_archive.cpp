// SPDX-License-Identifier: Apache-2.0
#include "cache/spack_archive.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/json_text.hpp"
#include "cache/spack_builtin.hpp"
#include "model/names.hpp"
#include "pack/archive_writer.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

using Path = std::vector<std::string>;  // components

constexpr const char* spack_folder = ".spack";
constexpr const char* links_folder = ".sf/deps";

// The text of a link in the folder `from` that leads to `to`; both from one top.
std::string relative(const Path& from, const Path& to) {
    const auto [left, right] = std::ranges::mismatch(from, to);
    Path way(static_cast<std::size_t>(from.end() - left), "..");
    way.insert(way.end(), right, to.end());
    return way.empty() ? "." : base::join(way, "/");
}

class SpackArchive {
public:
    SpackArchive(const SpackArchiveRequest& request, pack::ArchiveWriter& writer)
        : x_request(request),
          x_writer(writer),
          x_own(request.package.package->store_name()),
          x_prefix(fmt::format("{}/{}", spack_store.substr(1), x_own)) {}

    Status write() {
        SF_CHECK(plan());
        SF_CHECK(add(x_request.package, ""));
        for (const SpackArchivePart& part : x_request.bundled)
            SF_CHECK(add(part, fmt::format("{}/{}", links_folder, part.package->name)));
        std::vector<std::string> texts = x_request.text_files;
        std::ranges::sort(texts);
        for (const std::string& path : texts)
            if (!x_files.contains(path))
                return fail(Code::failed, "{} has no file '{}' for Spack to rewrite", x_own,
                            base::escape_untrusted(path));
        SF_TRY(const std::string spec, to_json(x_request.spec));
        SF_TRY(const std::string distribution, binary_distribution(texts));
        const auto name = [&](const char* file) {
            return fmt::format("{}/{}/{}", x_prefix, spack_folder, file);
        };
        SF_CHECK(x_writer.add_memory(name("spec.json"), spec));
        return x_writer.add_memory(name("binary_distribution"), distribution);
    }

private:
    // Where everything lies that links may lead to; and that nothing is missing or too much.
    Status plan() {
        const model::Package& package = *x_request.package.package;
        const SpackNode& root = x_request.spec.root();
        if (root.name != package.name || root.version != package.version ||
            root.identity != package.identity)
            return fail(Code::failed, "the spec is of {} {}, the package is {}", root.name,
                        root.version, x_own);
        for (const SpackNode& node : x_request.spec.nodes)
            if (node.identity && node.external_path.empty())
                x_stores.insert(model::store_name(node.name, node.version, *node.identity));
        std::set<std::string> wanted(package.dependencies.begin(), package.dependencies.end());
        for (const SpackArchivePart& part : x_request.bundled) {
            const std::string& name = part.package->name;
            if (!is_private_to_spack(name) ||
                !x_bundled.emplace(part.package->store_name(), name).second)
                return fail(Code::failed, "{} may not lie inside {}, or is there twice", name,
                            x_own);
            wanted.insert(part.package->dependencies.begin(), part.package->dependencies.end());
        }
        for (const std::string& store : wanted)
            if (!x_stores.contains(store) && !x_bundled.contains(store))
                return fail(Code::failed,
                            "{} needs {}, which is neither in its spec nor inside its prefix",
                            x_own, base::escape_untrusted(store));
        for (const auto& [store, name] : x_bundled)
            if (!wanted.contains(store))
                return fail(Code::failed, "nothing in {} needs {}", x_own, store);
        return {};
    }

    // `place`: where in the prefix the part's own top folder goes.
    Status add(const SpackArchivePart& part, const std::string& place) {
        SF_CHECK(pack::verify_archive(part.run, part.package->run));
        const std::string store = part.package->store_name();
        pack::ArchivePolicy policy;
        policy.top = store;
        policy.link_roots = part.package->dependencies;
        policy.record = &part.package->run;
        const auto visit = [&](const pack::EntryInfo& entry, base::Source& content) -> Status {
            SF_CHECK(base::check_stop());
            const std::string below =
                entry.path.substr(std::min(store.size() + 1, entry.path.size()));
            std::string path = place;
            if (!path.empty() && !below.empty()) path += '/';
            path += below;
            return add(entry, path, content);
        };
        return base::during(pack::read_archive(part.run, policy, visit).map([](const auto&) {}),
                            "packing " + store + " for Spack");
    }

    Status add(const pack::EntryInfo& entry, const std::string& path, base::Source& content) {
        const std::string inside = path.empty() ? x_prefix : x_prefix + '/' + path;
        switch (entry.type) {
            case model::EntryType::directory: return x_writer.add_directory(inside);
            case model::EntryType::symlink: return add_link(entry, path, inside);
            case model::EntryType::file: break;
        }
        x_files.insert(path);
        return x_writer.add_stream(inside, entry.executable, entry.size, content);
    }

    Status add_link(const pack::EntryInfo& entry, const std::string& path,
                    const std::string& inside) {
        // Where it leads in a store: the reader has seen to it that '..' stand in front only.
        Path to = base::split(entry.path, '/');
        const std::string own = to.front();
        to.pop_back();
        for (std::string& component : base::split(entry.target, '/')) {
            if (component == "..")
                to.pop_back();
            else if (component != ".")
                to.push_back(std::move(component));
        }
        const std::string store = to.front();
        if (store == own) return x_writer.add_symlink(inside, entry.target);
        to.erase(to.begin());
        if (const auto bundled = x_bundled.find(store); bundled != x_bundled.end()) {
            Path place = base::split(fmt::format("{}/{}", links_folder, bundled->second), '/');
            if (base::join(place, "/") == path && to.empty()) return {};  // it lies there itself
            place.insert(place.end(), to.begin(), to.end());
            Path from = base::split(path, '/');
            from.pop_back();
            return x_writer.add_symlink(inside, relative(from, place));
        }
        if (!x_stores.contains(store))
            return fail(Code::refused, "{}: leads to {}, which is not in the spec",
                        base::escape_untrusted(path), base::escape_untrusted(store));
        x_links.insert(path);
        to.insert(to.begin(), store);
        return x_writer.add_symlink(inside, fmt::format("{}/{}", spack_store, base::join(to, "/")));
    }

    [[nodiscard]] Result<std::string> binary_distribution(
        const std::vector<std::string>& texts) const {
        OrderedJson prefixes = OrderedJson::object();
        for (const SpackNode& node : x_request.spec.nodes)
            if (node.identity && node.external_path.empty())
                prefixes[node.hash] =
                    fmt::format("{}/{}", spack_store,
                                model::store_name(node.name, node.version, *node.identity));
        OrderedJson json;
        json["sbang_install_path"] = fmt::format("{}/bin/sbang", spack_store);
        json["buildpath"] = spack_store;
        json["hardlinks_deduped"] = true;
        json["hash_to_prefix"] = std::move(prefixes);
        json["relocate_textfiles"] = texts;
        json["relocate_binaries"] = OrderedJson::array();
        json["relocate_links"] = std::vector<std::string>(x_links.begin(), x_links.end());
        return compact_text(json);
    }

    const SpackArchiveRequest& x_request;
    pack::ArchiveWriter& x_writer;
    std::string x_own;
    std::string x_prefix;                          // "__sf__/slurm-25.11.2-1a2b3c4d"
    std::set<std::string> x_stores;                // the spec's packages by store name
    std::map<std::string, std::string> x_bundled;  // store name: name
    std::set<std::string> x_files;                 // what was written, by path in the prefix
    std::set<std::string> x_links;
};

}  // namespace

Result<model::ArchiveRecord> write_spack_archive(base::Sink& sink,
                                                 const SpackArchiveRequest& request) {
    if (request.spec.nodes.empty() || request.package.package == nullptr)
        return fail(Code::failed, "there is no package to pack for Spack");
    pack::WriterOptions options;
    options.compression = pack::Compression::gzip;
    options.link_root = spack_store;
    options.reserved = spack_folder;
    SF_TRY(auto writer, pack::ArchiveWriter::create(sink, options));
    SF_CHECK(SpackArchive(request, writer).write());
    return writer.finish("install.tar.gz");
}

}  // namespace sf::cache
