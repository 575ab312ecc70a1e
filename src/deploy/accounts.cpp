// SPDX-License-Identifier: Apache-2.0
#include "deploy/accounts.hpp"

#include <algorithm>
#include <charconv>

#include "base/text.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;

namespace {

template <class Number>
bool number(const std::string& text, Number& into) {
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, into);
    return error == std::errc() && at == end && !text.empty();
}

std::optional<User> parse_user(std::string_view line) {
    const std::vector<std::string> fields = base::split(line, ':');
    User user;
    if (fields.size() != 7 || fields[0].empty() || !number(fields[2], user.uid) ||
        !number(fields[3], user.gid)) {
        return std::nullopt;
    }
    user.name = fields[0];
    return user;
}

std::optional<Group> parse_group(std::string_view line) {
    const std::vector<std::string> fields = base::split(line, ':');
    Group group;
    if (fields.size() != 4 || fields[0].empty() || !number(fields[2], group.gid)) {
        return std::nullopt;
    }
    group.name = fields[0];
    return group;
}

template <class Items, class Wanted, class Projection>
auto find(const Items& items, const Wanted& wanted, Projection projection) {
    const auto found = std::ranges::find(items, wanted, projection);
    return found == items.end() ? nullptr : &*found;
}

}  // namespace

const User* Accounts::user(std::string_view name) const { return find(users, name, &User::name); }
const User* Accounts::user_of(uid_t uid) const { return find(users, uid, &User::uid); }
const Group* Accounts::group(std::string_view name) const {
    return find(groups, name, &Group::name);
}
const Group* Accounts::group_of(gid_t gid) const { return find(groups, gid, &Group::gid); }

base::Result<Accounts> parse_accounts(std::string_view text) {
    Accounts accounts;
    for (const std::string& line : base::split(text, '\n')) {
        if (line.empty()) continue;
        const std::size_t blank = line.find(' ');
        const std::string kind = line.substr(0, blank);
        const std::string rest = blank == std::string::npos ? "" : line.substr(blank + 1);
        const auto user = kind == "passwd" ? parse_user(rest) : std::nullopt;
        const auto group = kind == "group" ? parse_group(rest) : std::nullopt;
        if (user) {
            accounts.users.push_back(*user);
        } else if (group) {
            accounts.groups.push_back(*group);
        } else if (kind == "address") {
            const std::string address = rest.substr(0, rest.find(' '));
            if (std::ranges::find(accounts.addresses, address) == accounts.addresses.end()) {
                accounts.addresses.push_back(address);
            }
        } else {
            return fail(Code::corrupt, "what slurm_install.sh looked up is not understood: '{}'",
                        base::escape_untrusted(line));
        }
    }
    return accounts;
}

void add_local(Accounts& accounts, std::string_view passwd, std::string_view group) {
    for (const std::string& line : base::split(passwd, '\n')) {
        const auto parsed = parse_user(line);
        if (parsed && accounts.user(parsed->name) == nullptr) accounts.users.push_back(*parsed);
    }
    for (const std::string& line : base::split(group, '\n')) {
        const auto parsed = parse_group(line);
        if (parsed && accounts.group(parsed->name) == nullptr) accounts.groups.push_back(*parsed);
    }
}

}  // namespace sf::deploy
