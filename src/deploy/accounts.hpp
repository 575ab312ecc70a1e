// SPDX-License-Identifier: Apache-2.0
// Users and groups as getent prints them. This program looks nobody up itself: a static program
// cannot ask the machine's name services, so the front hands their answers on. Pure, any thread;
// the parser is total.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace sf::deploy {

struct User {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
};

struct Group {
    std::string name;
    gid_t gid = 0;
};

struct Accounts {
    std::vector<User> users;
    std::vector<Group> groups;
    std::vector<std::string> addresses;  // of this machine's own name, as it resolves

    [[nodiscard]] const User* user(std::string_view name) const;
    [[nodiscard]] const User* user_of(uid_t uid) const;
    [[nodiscard]] const Group* group(std::string_view name) const;
    [[nodiscard]] const Group* group_of(gid_t gid) const;
};

// Lines "passwd <line of passwd>", "group <line of group>", "address <line of getent ahosts>".
// Code::corrupt for anything else.
[[nodiscard]] base::Result<Accounts> parse_accounts(std::string_view text);

// What /etc/passwd and /etc/group say, added to what is known: users made a moment ago.
void add_local(Accounts& accounts, std::string_view passwd, std::string_view group);

}  // namespace sf::deploy
