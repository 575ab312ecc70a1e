// SPDX-License-Identifier: Apache-2.0
// Is a prefix what was installed to it? Everything that is not, with the file, the rule and what
// mends it. Looks only, so anybody may ask. Does not know whom to trust: that is asked of the
// caller. One thread; it starts others and joins them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "tree/contents.hpp"

namespace sf::tree {

enum class Mend {
    fsck,     // from what the prefix itself keeps
    install,  // set aside by fsck, then fetched anew
    by_hand,  // nobody but a person can say
};

struct Defect {
    std::string path;  // below the prefix
    std::string rule;  // "has 7 bytes, not 12"
    Mend mend = Mend::by_hand;
    std::string next;  // the next step, for people
};

// Who signed a manifest; an error says why it is not believed.
using JudgeSignature = std::function<base::Status(
    const std::string& text, const std::string& signature, const std::string& file)>;

struct CheckOptions {
    bool deep = false;     // read every file
    JudgeSignature judge;  // asked if it is there, one call after the other
    unsigned threads = 4;
};

struct CheckReport {
    std::vector<Defect> defects;       // sorted by path
    std::vector<std::string> notices;  // what is worth a word and no defect
    std::set<std::string> damaged;     // packages of the store
    std::size_t generations = 0;
    std::size_t versions = 0;
    std::size_t packages = 0;
    std::uint64_t files = 0;
    bool deep = false;
};

[[nodiscard]] base::Result<CheckReport> check_contents(const std::filesystem::path& prefix,
                                                       const Contents& contents,
                                                       const CheckOptions& options = {});
[[nodiscard]] base::Result<CheckReport> check_installed(const std::filesystem::path& prefix,
                                                        const CheckOptions& options = {});

}  // namespace sf::tree
