// SPDX-License-Identifier: Apache-2.0
// Test support: the entries of a tar archive in few words.
#pragma once

#include <string>

#include "unit/pack/tar_builder.hpp"

namespace sf::test {

inline RawEntry dir(const std::string& name, unsigned mode = 0755) {
    RawEntry entry;
    entry.name = name;
    entry.type = '5';
    entry.mode = mode;
    return entry;
}
inline RawEntry file(const std::string& name, const std::string& content = "x",
                     unsigned mode = 0644) {
    RawEntry entry;
    entry.name = name;
    entry.content = content;
    entry.mode = mode;
    return entry;
}
inline RawEntry link(const std::string& name, const std::string& target, char type = '2') {
    RawEntry entry;
    entry.name = name;
    entry.type = type;
    entry.link = target;
    entry.mode = type == '2' ? 0777 : 0644;
    return entry;
}
inline RawEntry typed(const std::string& name, char type) {
    RawEntry entry;
    entry.name = name;
    entry.type = type;
    return entry;
}
template <class Change>
RawEntry with(RawEntry entry, Change change) {
    change(entry);
    return entry;
}

}  // namespace sf::test
