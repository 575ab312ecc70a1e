// SPDX-License-Identifier: Apache-2.0
#include "deploy/node_parameters.hpp"

#include <charconv>
#include <cstdint>

#include "base/text.hpp"
#include "deploy/names.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;

namespace {

// The number behind "<name>=" among a node's parameters; 0 if it is not said.
std::uint64_t parameter(std::string_view parameters, std::string_view name) {
    std::uint64_t value = 0;
    for (const std::string& word : base::split(parameters, ' ')) {
        if (!word.starts_with(name) || word.size() <= name.size() || word[name.size()] != '=')
            continue;
        const char* end = word.data() + word.size();
        const auto [at, error] = std::from_chars(word.data() + name.size() + 1, end, value);
        if (error != std::errc() || at != end) return 0;
    }
    return value;
}

}  // namespace

std::string memory_per_cpu(std::string_view parameters) {
    const std::uint64_t cpus = parameter(parameters, "CPUs");
    const std::uint64_t memory = parameter(parameters, "RealMemory");
    return cpus == 0 || memory / cpus == 0 ? "" : std::to_string(memory / cpus);
}

Result<std::string> node_parameters_of(std::string_view slurmd_c) {
    std::vector<std::string> words;
    const std::string line(slurmd_c.substr(0, slurmd_c.find('\n')));
    for (const std::string& word : base::split(line, ' ')) {
        if (word.empty() || word.starts_with("NodeName=") || word.starts_with("Gres=")) continue;
        constexpr std::string_view memory = "RealMemory=";
        if (word.starts_with(memory)) {
            std::uint64_t found = 0;
            const char* end = word.data() + word.size();
            const auto [at, error] = std::from_chars(word.data() + memory.size(), end, found);
            if (error == std::errc() && at == end && found > 0)
                words.push_back(fmt::format("{}{}", memory, found - found / 50));
            continue;
        }
        words.push_back(word);
    }
    const std::string text = base::join(words, " ");
    if (!text.starts_with("CPUs=") || !check_node_parameters(text)) {
        return fail(Code::failed, "slurmd -C says something unexpected: {}",
                    base::escape_untrusted(line));
    }
    return text;
}

}  // namespace sf::deploy
