// SPDX-License-Identifier: Apache-2.0
#include "publish/front_page.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <tuple>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/objects.hpp"
#include "model/bundle_layout.hpp"
#include "model/names.hpp"

namespace sf::publish {

using base::Code;
using base::Result;
using base::Status;
using cache::BundlePart;
using cache::PutCondition;
using cache::PutOutcome;

namespace {

constexpr std::uint64_t max_page = std::uint64_t{16} << 20;

constexpr const char* head = R"(<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Slurm packages</title>
<style>
body { max-width: 60em; margin: 2em auto; padding: 0 1em; font: 1em/1.5 sans-serif; }
pre { padding: .7em; overflow-x: auto; background: #f2f2f2; }
table { border-collapse: collapse; }
td, th { padding: .2em 1em .2em 0; text-align: left; vertical-align: top; }
code.key { overflow-wrap: anywhere; }
</style>
<h1>Slurm packages</h1>
<p>Made by slurm-factory: Slurm and everything it needs, for one Linux distribution each, ready to run from any folder.</p>
<h2>Whose they are</h2>
<p>Everything here is signed. This page is not: whoever can change it can change what it says.
Compare the fingerprint with one that you were given by other means.</p>
)";

std::string escaped(std::string_view text) {
    std::string html;
    for (const char c : text) {
        switch (c) {
            case '&': html += "&amp;"; break;
            case '<': html += "&lt;"; break;
            case '>': html += "&gt;"; break;
            case '"': html += "&quot;"; break;
            case '\'': html += "&#39;"; break;
            default: html += c;
        }
    }
    return html;
}

// Keys are of few characters (cache::check_key); "~", "+" and "@" may stand in a path.
std::string link(const std::string& key, const std::string& text) {
    return fmt::format("<a href=\"./{}\">{}</a>", escaped(key), escaped(text));
}

class Page {
public:
    explicit Page(const PlaceContents& contents) : x_contents(contents) {}

    Result<std::string> text() {
        x_text = head;
        SF_CHECK(keys());
        SF_CHECK(aliases());
        SF_CHECK(bundles());
        SF_CHECK(mirrors());
        x_text +=
            "<h2>Sources</h2>\n<p>Upstream's archives, patches and recipes of every package are "
            "below <code>sources/sha256/</code>, by digest; each package's signed manifest and "
            "each "
            "bundle's <code>.intoto.jsonl</code> name them.</p>\n</html>\n";
        return std::move(x_text);
    }

private:
    void add(std::string_view text) { x_text += text; }

    Status keys() {
        add("<ul>\n");
        for (const std::string& fingerprint : x_contents.keys) {
            SF_TRY(const std::string key, cache::key_of(cache::PublicKeyName{fingerprint}));
            add(fmt::format("<li><code class=\"key\">{}</code> ({})\n", escaped(fingerprint),
                            link(key, "public key")));
        }
        add("</ul>\n");
        return {};
    }

    Status aliases() {
        if (x_contents.aliases.empty()) return {};
        add("<h2>Without slurm-factory</h2>\n<p>The newest of each series as one tarball; "
            "<code>CACHE</code> is the address of this page.</p>\n");
        const std::string key = x_contents.keys.empty() ? "FINGERPRINT" : x_contents.keys.front();
        for (const cache::BundleAliasName& alias : x_contents.aliases) {
            SF_TRY(const std::string name, cache::key_of(alias));
            const std::string file = name.substr(name.rfind('/') + 1);
            add(fmt::format("<h3>Slurm {} for {}</h3>\n<p>{} ({})</p>\n", escaped(alias.series),
                            escaped(alias.toolchain), link(name, file),
                            link(name + ".asc", "signature")));
            add("<pre>" +
                escaped(fmt::format("curl -fO CACHE/keys/{0}.asc\n"
                                    "curl -fO CACHE/{1} -fO CACHE/{1}.asc\n"
                                    "gpg --import {0}.asc\n"
                                    "gpg --verify {2}.asc {2}\n"
                                    "tar -xzf {2} -C DIR\n"
                                    "DIR/{3}/{4} --full-init\n",
                                    key, name, file, model::bundle_assets_folder,
                                    model::installer_name)) +
                "</pre>\n");
        }
        return {};
    }

    Status bundles() {
        if (x_contents.bundles.empty()) return {};
        add("<h2>Every release</h2>\n<table>\n<tr><th>Slurm<th>for<th>file<th>size<th>beside "
            "it\n");
        for (const ShownBundle& bundle : x_contents.bundles) {
            std::string papers;
            for (const auto& [part, text] :
                 {std::pair{BundlePart::signature, "signature"},
                  {BundlePart::sha256, "SHA-256"},
                  {BundlePart::sbom, "parts (SPDX)"},
                  {BundlePart::provenance, "how it was made (in-toto)"}}) {
                cache::BundleName name = bundle.name;
                name.part = part;
                SF_TRY(const std::string key, cache::key_of(name));
                papers += (papers.empty() ? "" : ", ") + link(key, text);
            }
            SF_TRY(const std::string key, cache::key_of(bundle.name));
            add(fmt::format("<tr><td>{}<td>{}, {}<td>{}<td>{}<td>{}\n",
                            escaped(bundle.name.version), escaped(bundle.name.toolchain),
                            escaped(bundle.name.architecture),
                            link(key, key.substr(key.rfind('/') + 1)),
                            escaped(base::human_bytes(bundle.size)), papers));
        }
        add("</table>\n");
        return {};
    }

    Status mirrors() {
        std::set<std::string> toolchains;
        std::vector<cache::MirrorName> series;
        for (const cache::MirrorName& mirror : x_contents.mirrors) {
            toolchains.insert(mirror.toolchain);
            if (!mirror.series.empty()) series.push_back(mirror);
        }
        if (series.empty()) return {};
        const std::string key = x_contents.keys.empty() ? "FINGERPRINT" : x_contents.keys.front();
        add("<h2>With slurm-factory</h2>\n<pre>");
        add(
            escaped(fmt::format("curl -fO CACHE/keys/{0}.asc\n"
                                "slurm-factory key import {0}.asc\n"
                                "slurm-factory key trust {0}\n",
                                key)));
        for (const cache::MirrorName& mirror : series)
            add(escaped(fmt::format("slurm-factory install slurm@{} --toolchain {} --cache CACHE\n",
                                    mirror.series, mirror.toolchain)));
        add("</pre>\n<h2>With Spack 1.0 or 1.1</h2>\n<p>Which key was used is all that Spack "
            "checks "
            "of a package: reach this place by a way that you trust.</p>\n<pre>");
        add(escaped(fmt::format("spack gpg trust {}.asc\n", key)));
        for (const cache::MirrorName& mirror : series) {
            SF_TRY(const std::string deps, cache::folder_of({mirror.toolchain, ""}));
            SF_TRY(const std::string folder, cache::folder_of(mirror));
            add(
                escaped(fmt::format("# Slurm {0} on {1}\n"
                                    "spack mirror add --signed slurm-factory-{1}-deps CACHE/{2}\n"
                                    "spack mirror add --signed slurm-factory-{1}-{0} CACHE/{3}\n"
                                    "spack install --cache-only slurm@{0} target=x86_64_v3\n",
                                    mirror.series, mirror.toolchain, deps, folder)));
        }
        add("</pre>\n");
        return {};
    }

    const PlaceContents& x_contents;
    std::string x_text;
};

// Names that are none of ours are passed over: anybody may have put them there.
Result<PlaceContents> contents_of(cache::Backend& place,
                                  const std::vector<cache::MirrorName>& candidates) {
    PlaceContents contents;
    const auto take = [&](const cache::ObjectInfo& object) -> Status {
        const auto name = cache::name_of(object.key);
        if (!name) return {};
        if (const auto* bundle = std::get_if<cache::BundleName>(&*name)) {
            if (bundle->part == BundlePart::archive)
                contents.bundles.push_back({*bundle, object.size});
        } else if (const auto* alias = std::get_if<cache::BundleAliasName>(&*name)) {
            if (alias->part == BundlePart::archive) contents.aliases.push_back(*alias);
        } else if (const auto* key = std::get_if<cache::PublicKeyName>(&*name)) {
            contents.keys.push_back(key->fingerprint);
        }
        return {};
    };
    SF_CHECK(place.list("builds/", take));
    SF_CHECK(place.list("keys/", take));
    std::set<std::pair<std::string, std::string>> mirrors;
    for (const cache::MirrorName& each : candidates) mirrors.emplace(each.toolchain, each.series);
    for (const cache::BundleAliasName& each : contents.aliases)
        mirrors.emplace(each.toolchain, each.series);
    SF_TRY(const std::string snapshot, cache::key_of(cache::FixedName::snapshot));
    for (const auto& [toolchain, series] : mirrors) {
        SF_TRY(const std::string folder, cache::folder_of({toolchain, series}));
        cache::SubBackend mirror(place, folder);
        SF_TRY(const auto there, mirror.look(snapshot));
        if (there) contents.mirrors.push_back({toolchain, series});
    }
    const auto before = [](const auto& left, const auto& right) {
        if (left.toolchain != right.toolchain) return left.toolchain < right.toolchain;
        return false;
    };
    std::ranges::stable_sort(contents.aliases, [&](const auto& left, const auto& right) {
        if (const int order = base::compare_versions(left.series, right.series); order != 0)
            return order > 0;
        return before(left, right);
    });
    std::ranges::stable_sort(contents.bundles, [&](const auto& left, const auto& right) {
        if (const int order = base::compare_versions(left.name.version, right.name.version);
            order != 0)
            return order > 0;
        return before(left.name, right.name);
    });
    std::ranges::stable_sort(contents.mirrors, [&](const auto& left, const auto& right) {
        if (const int order = base::compare_versions(left.series, right.series); order != 0)
            return order > 0;
        return before(left, right);
    });
    std::ranges::sort(contents.keys);
    return contents;
}

// Until `key` holds what `make` says: made anew whenever somebody else has written meanwhile.
Result<std::uint64_t> keep(cache::Backend& place, const std::string& key,
                           const std::string& content_type,
                           const std::function<Result<std::string>()>& make) {
    constexpr int rounds = 60;
    for (int i = 0; i < rounds; ++i) {
        SF_CHECK(base::check_stop());
        auto there = cache::read_object(place, key, max_page);
        // Too large to be ours: replaced by what the place says of it.
        if (!there && there.error().code != Code::corrupt)
            return tl::unexpected(std::move(there).error());
        SF_TRY(const std::string text, make());
        if (there && *there && (*there)->text == text) return std::uint64_t{0};
        PutCondition condition{PutCondition::Kind::always, {}};
        if (there && *there) condition = {PutCondition::Kind::if_etag, (*there)->etag};
        if (there && !*there) condition = {PutCondition::Kind::if_absent, {}};
        SF_TRY(const PutOutcome outcome,
               cache::put_text(place, key, text, content_type, std::move(condition)));
        if (outcome == PutOutcome::written) return std::uint64_t{text.size()};
        std::this_thread::sleep_for(std::chrono::milliseconds(std::min(500, 20 * (i + 1))));
    }
    return base::fail_hint(Code::exhausted, "other publishers changed " + key + " meanwhile",
                           "run this again: what was sent stays");
}

}  // namespace

Result<std::string> front_page(const PlaceContents& contents) { return Page(contents).text(); }

Result<std::uint64_t> put_front_page(cache::Backend& place, const FrontPageRequest& request) {
    const auto step = [&](std::string_view name) {
        return request.on_step ? request.on_step(name) : Status();
    };
    SF_CHECK(step("key"));
    SF_TRY(const std::string key, cache::key_of(cache::PublicKeyName{request.primary}));
    SF_TRY(std::uint64_t bytes, keep(place, key, "application/pgp-keys",
                                     [&]() -> Result<std::string> { return request.public_key; }));
    SF_CHECK(step("page"));
    SF_TRY(const std::string page, cache::key_of(cache::FixedName::page));
    SF_TRY(const std::uint64_t sent,
           keep(place, page, "text/html; charset=utf-8", [&]() -> Result<std::string> {
               SF_TRY(const PlaceContents contents, contents_of(place, request.mirrors));
               return front_page(contents);
           }));
    return bytes + sent;
}

}  // namespace sf::publish
