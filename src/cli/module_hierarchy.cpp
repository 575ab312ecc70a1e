// SPDX-License-Identifier: Apache-2.0
#include "cli/module_hierarchy.hpp"

#include <algorithm>

#include "base/files.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "model/names.hpp"

namespace sf::cli {

using base::Result;
namespace fs = std::filesystem;

namespace {

// A path in a Lua pattern: only letters, digits and '/' stand for themselves.
std::string lua_pattern(const std::string& path) {
    std::string pattern;
    for (const char c : path) {
        const bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/';
        if (!plain) pattern += '%';
        pattern += c;
    }
    return pattern;
}

// Between Lua's quotes or long brackets: nothing in it may end them.
std::string lua_text(std::string text) {
    for (char& c : text) {
        if (c == '"' || c == '\\' || c == '[' || c == ']' || static_cast<unsigned char>(c) < 0x20)
            c = ' ';
    }
    return text;
}

class Template {
public:
    Template(const ModuleNames& names, const std::string& place, const std::string& compiler)
        : x_words{{"@version@", names.version},
                  {"@series@", model::series_of(names.version)},
                  {"@toolchain@", names.toolchain.name},
                  {"@title@", lua_text(names.toolchain.title)},
                  {"@place@", place},
                  {"@place_pattern@", lua_pattern(place)},
                  {"@compiler@", compiler}} {}

    // Only names go in; Lua finds its own place.
    [[nodiscard]] Result<std::string> fill(const fs::path& file) const {
        SF_TRY(std::string text, base::read_file(file));
        for (const auto& [word, value] : x_words)
            text = base::replace_all(std::move(text), word, value);
        return text;
    }

private:
    std::vector<std::pair<std::string, std::string>> x_words;
};

}  // namespace

Result<std::vector<publish::BundleAsset>> module_files(const fs::path& templates,
                                                       const ModuleNames& names) {
    const std::string place = '/' + std::string(model::bundle_modules_folder);
    const Template words(names, place, "");
    const std::string folder = model::bundle_assets_path(names.version) + '/';
    std::vector<publish::BundleAsset> files;
    SF_TRY(std::string module, words.fill(templates / "modulefile.lua"));
    files.push_back(
        {model::bundle_modulefile_path(names.version, names.toolchain.name), std::move(module)});
    SF_TRY(std::string defaults, words.fill(templates / model::modulerc_name));
    files.push_back({folder + std::string(model::modulerc_name), std::move(defaults)});
    return files;
}

Result<std::vector<publish::BundleAsset>> module_hierarchy(const fs::path& templates,
                                                           const ModuleNames& names,
                                                           const std::string& compiler) {
    SF_TRY(const std::string gcc, model::gcc_version(compiler));
    const std::string below = "gcc/" + gcc + "/slurm";
    const std::string place = fmt::format("/{}/{}", model::bundle_hierarchy_folder, below);
    const Template words(names, place, gcc);
    const std::string folder =
        fmt::format("{}/{}/", model::bundle_assets_path(names.version), model::hierarchy_name);
    std::vector<publish::BundleAsset> files;
    SF_TRY(std::string core, words.fill(templates / "hierarchy" / "compiler.lua"));
    files.push_back({fmt::format("{}Core/gcc/{}.lua", folder, gcc), std::move(core)});
    SF_TRY(std::string module, words.fill(templates / "modulefile.lua"));
    files.push_back(
        {fmt::format("{}{}/{}-{}.lua", folder, below, names.version, names.toolchain.name),
         std::move(module)});
    SF_TRY(std::string defaults, words.fill(templates / model::modulerc_name));
    files.push_back({fmt::format("{}{}/.modulerc.lua", folder, below), std::move(defaults)});
    return files;
}

}  // namespace sf::cli
