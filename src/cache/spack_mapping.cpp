// SPDX-License-Identifier: Apache-2.0
#include "cache/spack_mapping.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cache/spack_builtin.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr const char* private_space = "slurm_factory";

// A variant of builtin's Slurm is on if the file is there and the dependency is: by the file alone
// where it takes no library of ours.
struct VariantRule {
    const char* variant;
    std::string_view file;        // empty: any
    std::string_view dependency;  // empty: any
};
constexpr std::array variant_rules{
    VariantRule{"cgroup", "lib/slurm/cgroup_v2.so", ""},
    VariantRule{"gtk", "bin/sview", ""},
    VariantRule{"hdf5", "lib/slurm/acct_gather_profile_hdf5.so", "hdf5"},
    VariantRule{"hwloc", "", "hwloc"},
    VariantRule{"mariadb", "lib/slurm/accounting_storage_mysql.so", "libmariadb"},
    VariantRule{"nvml", "lib/slurm/gpu_nvml.so", ""},
    VariantRule{"pam", "lib/security/pam_slurm.so", ""},
    VariantRule{"pmix", "lib/slurm/mpi_pmix.so", "pmix"},
    VariantRule{"readline", "", "readline"},
    VariantRule{"restd", "sbin/slurmrestd", ""},
    VariantRule{"rsmi", "lib/slurm/gpu_rsmi.so", ""},
};

class Mapper {
public:
    Mapper(std::span<const model::Package> closure, const model::Package& any)
        : x_closure(closure), x_any(any) {}

    Result<SpackMapping> map(const std::string& libc) {
        SF_TRY(x_node.version, libc_version(libc));
        const auto system = spack_platform_os(x_any.toolchain);
        if (!system)
            return fail(Code::refused, "Spack's name of the toolchain {} is not known",
                        base::escape_untrusted(x_any.toolchain));
        x_node.name = "glibc";
        x_node.platform_os = *system;
        x_node.target = x_any.target;
        x_node.parameters["build_system"] = std::string(*builtin_build_system("glibc"));
        x_node.external_path = "/usr";  // what Spack detects where /lib is in /usr
        SF_TRY(x_mapping.libc, seal(x_node));
        for (const model::Package& package : x_closure)
            SF_CHECK(base::during(add(package), "describing " + package.name + " to Spack"));
        return std::move(x_mapping);
    }

private:
    Status add(const model::Package& package) {
        if (package.toolchain != x_any.toolchain || package.target != x_any.target)
            return fail(Code::failed, "its toolchain or target is not that of {}", x_any.name);
        if (!x_names.insert(package.name).second)
            return fail(Code::failed, "two packages have this name");
        SpackPackage mapped;
        mapped.store_name = package.store_name();
        mapped.kept_private = is_private_to_spack(package.name);
        const auto build_system = builtin_build_system(package.name);
        if (!mapped.kept_private && !build_system)
            return base::fail_hint(
                Code::refused,
                fmt::format("builtin's Slurm cannot depend on {}, so Spack would refuse Slurm",
                            base::escape_untrusted(package.name)),
                "add it to those kept private in src/cache/spack_builtin.cpp; "
                "docs/spack-interop.md, section 4, has the list of what is possible");
        SpackNode node;
        node.name = package.name;
        node.version = package.version;
        node.platform_os = x_node.platform_os;
        node.target = package.target;
        node.identity = package.identity;
        if (mapped.kept_private) node.space = private_space;
        node.parameters["build_system"] = std::string(build_system.value_or("generic"));
        if (package.name == "slurm") SF_CHECK(add_variants(package, node));
        SF_CHECK(add_edges(package, node, mapped));
        SF_TRY(mapped.node, seal(std::move(node)));
        x_packages.emplace(mapped.store_name, &package);
        x_at.emplace(mapped.store_name, x_mapping.packages.size());
        x_mapping.packages.push_back(std::move(mapped));
        return {};
    }

    Status add_variants(const model::Package& slurm, SpackNode& node) const {
        std::set<std::string_view> files;
        for (const model::FileEntry& file : slurm.files) files.insert(file.path);
        std::set<std::string_view> dependencies;
        for (const std::string& store_name : slurm.dependencies)
            if (const auto found = x_packages.find(store_name); found != x_packages.end())
                dependencies.insert(found->second->name);
        for (const VariantRule& rule : variant_rules)
            node.parameters[rule.variant] =
                (rule.file.empty() || files.contains(rule.file)) &&
                (rule.dependency.empty() || dependencies.contains(rule.dependency));
        SF_TRY(node.parameters["sysconfdir"], sysconfdir(slurm));
        return {};
    }

    // No file of a package tells; what configure was told is in the identity.
    static Result<std::string> sysconfdir(const model::Package& slurm) {
        constexpr std::string_view option = "--sysconfdir=";
        SF_TRY(const Json identity, base::parse_json(slurm.identity_text));
        const auto pointer = "/build/configure"_json_pointer;
        if (identity.contains(pointer) && identity[pointer].is_array())
            for (const Json& item : identity[pointer])
                if (item.is_string() && item.get_ref<const std::string&>().starts_with(option))
                    return item.get_ref<const std::string&>().substr(option.size());
        return std::string("PREFIX/etc");  // builtin's name of upstream's default
    }

    Status add_edges(const model::Package& package, SpackNode& node, SpackPackage& mapped) const {
        std::map<std::string, SpackDependency> edges;
        std::set<std::string> bundled;
        bool wants_libc = needs_libc(package);
        for (const std::string& store_name : package.dependencies) {
            const auto found = x_at.find(store_name);
            if (found == x_at.end())
                return fail(Code::failed, "it depends on {}, which is not before it",
                            base::escape_untrusted(store_name));
            const SpackPackage& other = x_mapping.packages[found->second];
            if (!other.kept_private) {
                edges.insert_or_assign(
                    other.node.name,
                    SpackDependency{other.node.name, other.node.hash, {"build", "link"}, {}});
                continue;
            }
            // What lies inside a prefix needs what it needs from there.
            bundled.insert(store_name);
            bundled.insert(other.bundled.begin(), other.bundled.end());
            for (const SpackDependency& edge : other.node.dependencies) {
                if (edge.hash == x_mapping.libc.hash) continue;
                edges.insert_or_assign(edge.name, edge);
            }
            wants_libc =
                wants_libc ||
                std::ranges::any_of(other.node.dependencies, [&](const SpackDependency& edge) {
                    return edge.hash == x_mapping.libc.hash;
                });
        }
        if (wants_libc) {
            const SpackNode& libc = x_mapping.libc;
            edges.insert_or_assign(libc.name,
                                   SpackDependency{libc.name, libc.hash, {"link"}, {"libc"}});
        }
        for (auto& [name, edge] : edges) node.dependencies.push_back(std::move(edge));
        mapped.bundled.assign(bundled.begin(), bundled.end());
        return {};
    }

    // It holds something that the host's C library loads or is loaded into.
    static bool needs_libc(const model::Package& package) {
        return std::ranges::any_of(
            package.host_requirements,
            [](const model::HostRequirement& host) { return host.soname == "libc.so.6"; });
    }

    std::span<const model::Package> x_closure;
    const model::Package& x_any;
    SpackNode x_node;
    SpackMapping x_mapping;
    std::set<std::string> x_names;
    std::map<std::string, const model::Package*> x_packages;  // by store name, as the next
    std::map<std::string, std::size_t> x_at;
};

}  // namespace

Result<SpackSpec> SpackMapping::spec_of(const std::string& store_name) const {
    std::vector<SpackNode> pool{libc};
    const SpackNode* root = nullptr;
    for (const SpackPackage& package : packages) {
        pool.push_back(package.node);
        if (package.store_name == store_name) root = &package.node;
    }
    if (root == nullptr)
        return fail(Code::absent, "{} is none of the packages described",
                    base::escape_untrusted(store_name));
    return cache::spec_of(*root, pool);
}

Result<SpackMapping> map_to_spack(std::span<const model::Package> closure,
                                  const std::string& libc) {
    if (closure.empty()) return fail(Code::failed, "there is no package to describe to Spack");
    return Mapper(closure, closure.front()).map(libc);
}

Result<std::string> libc_version(const std::string& libc) {
    constexpr std::string_view name = "glibc ";
    if (libc.starts_with(name)) {
        const std::string version =
            libc.substr(name.size(), libc.find('-', name.size()) - name.size());
        const std::vector<std::string> parts = base::split(version, '.');
        const bool plain = std::ranges::all_of(parts, [](const std::string& part) {
            return !part.empty() &&
                   std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
        });
        if (plain && (parts.size() == 2 || parts.size() == 3)) return version;
    }
    return fail(Code::failed, "the root's record names '{}' as its C library, not a glibc",
                base::escape_untrusted(libc));
}

}  // namespace sf::cache
