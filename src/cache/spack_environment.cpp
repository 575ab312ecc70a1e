// SPDX-License-Identifier: Apache-2.0
#include "cache/spack_environment.hpp"

#include <filesystem>

#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/spack_json.hpp"
#include "model/names.hpp"
#include "net/url.hpp"

namespace sf::cache {

using base::Code;
using base::Result;

namespace {

constexpr int lockfile_version = 6;  // what Spack 1.0 and 1.1 write
constexpr int specfile_version = 5;

// The same in both files, or Spack would solve again. Which build it is, the lock says; a hash in
// here would do as well, but `spack find` then marks it as not installed.
std::string root_text(const SpackNode& root) {
    return fmt::format("{}@={} target={}", root.name, root.version, root.target);
}

// Any text of JSON is one of YAML.
std::string quoted(const std::string& text) { return base::Json(text).dump(-1, ' ', true); }

std::string mirror_text(const std::string& name, const std::string& address) {
    return fmt::format(
        "    {}:\n"
        "      url: {}\n"
        "      source: false\n"
        "      binary: true\n"
        "      signed: true\n",
        name, quoted(address));
}

std::string lock_text(const SpackSpec& spec, OrderedJson nodes) {
    OrderedJson json;
    json["_meta"]["file-type"] = "spack-lockfile";
    json["_meta"]["lockfile-version"] = lockfile_version;
    json["_meta"]["specfile-version"] = specfile_version;
    OrderedJson root;
    root["hash"] = spec.root().hash;
    root["spec"] = root_text(spec.root());
    json["roots"] = OrderedJson::array({std::move(root)});
    json["concrete_specs"] = std::move(nodes);
    return json.dump(1, ' ', true) + '\n';
}

auto holds_secret() {
    return base::fail_hint(
        Code::usage,
        "what stands before \"@\" or behind \"?\" in an address would be in spack.yaml",
        "leave it out, and tell Spack alone: spack mirror set --help");
}

}  // namespace

Result<SpackEnvironment> spack_environment(const SpackEnvironmentRequest& request) {
    const SpackNode& root = request.spec->root();
    const std::string series = model::series_of(root.version);
    SF_TRY(const std::string deps, folder_of({request.toolchain, ""}));
    SF_TRY(const std::string main, folder_of({request.toolchain, series}));
    OrderedJson nodes = OrderedJson::object();
    std::string packages;  // by name: the solver passes over what is said of "all"
    for (const SpackNode& node : request.spec->nodes) {
        if (node.external_path.empty())
            packages += fmt::format("    {}:\n      buildable: false\n", node.name);
        SF_TRY(OrderedJson json, node_json(node));
        nodes[node.hash] = std::move(json);
    }
    SpackEnvironment made;
    made.yaml = fmt::format(
        "# Made by slurm-factory spack-env: {} {} for {}, {}.\n"
        "# Signed by {}.\n"
        "# spack.lock beside it names each package that Slurm needs, as it was signed. Solved "
        "again,\n"
        "# it is taken from these mirrors or it is an error: buildable says so to the solver, and\n"
        "# --cache-only to `spack install`.\n"
        "spack:\n"
        "  specs:\n"
        "  - {}\n"
        "  mirrors::\n"
        "{}{}"
        "  packages:\n"
        "{}"
        "  concretizer:\n"
        "    unify: true\n"
        "    reuse:\n"
        "      roots: true\n"
        "      from:\n"
        "      - type: buildcache\n"
        "      - type: external\n"
        "  view: true\n",
        root.name, root.version, request.toolchain, root.target, request.signer,
        quoted(root_text(root)),
        mirror_text(fmt::format("slurm-factory-{}-deps", request.toolchain),
                    request.address + '/' + deps),
        mirror_text(fmt::format("slurm-factory-{}-{}", request.toolchain, series),
                    request.address + '/' + main),
        packages);
    made.lock = lock_text(*request.spec, std::move(nodes));
    return made;
}

Result<std::string> spack_address(std::string_view address) {
    std::string made;
    if (address.find("://") == std::string_view::npos) {
        std::error_code error;
        const std::filesystem::path absolute = std::filesystem::absolute(address, error);
        if (error) return base::fail_errno(error.value(), "find the current folder");
        made = "file://" + net::percent_encode(absolute.native());
    } else if (address.starts_with("s3://")) {
        if (address.find('@') != std::string_view::npos) return holds_secret();
        made = address;
    } else {
        SF_TRY(const net::Url url, net::Url::parse(address));
        if (url.has_user() || address.find('?') != std::string_view::npos) return holds_secret();
        made = url.with_secrets();
    }
    while (made.ends_with('/')) made.pop_back();
    return made;
}

}  // namespace sf::cache
