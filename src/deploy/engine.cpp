// SPDX-License-Identifier: Apache-2.0
#include "deploy/engine.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "deploy/host_lease.hpp"
#include "deploy/tool.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
using Type = PathInfo::Type;

namespace {

class Engine {
public:
    Engine(const Plan& plan, Context& context, const std::string& password)
        : x_plan(plan), x(context), x_password(password) {}

    Status run() {
        x.record.own_munge = x.record.own_munge || x_plan.own_munge;
        x.record.leased = x.record.leased || x_plan.leased;
        for (const PlannedUser& user : x_plan.users) SF_CHECK(make_user(user));
        for (const PlannedFolder& folder : x_plan.folders) SF_CHECK(make_folder(folder));
        SF_CHECK(x.save());
        for (const PlannedSecret& secret : x_plan.secrets) SF_CHECK(make_secret(secret));
        for (const PlannedFile& file : x_plan.files) {
            if (file.has_password) {
                SF_CHECK(make_password_file(file));
            } else if (file.has_ids) {
                SF_TRY(const PlannedFile filled, with_ids(file));
                SF_CHECK(make_file(filled));
            } else {
                SF_CHECK(make_file(file));
            }
        }
        SF_CHECK(switch_current());
        return x.save();
    }

private:
    Status make_user(const PlannedUser& user) {
        if (user.exists) return {};
        const std::string group = user.name;
        if (!user.group_exists) {
            std::vector<std::string> argv{"groupadd", "--system"};
            if (user.id) argv.insert(argv.end(), {"--gid", std::to_string(*user.id)});
            argv.push_back(group);
            SF_CHECK(run_tool(x.host, std::move(argv)));
            x.changed("group " + group);
        }
        std::vector<std::string> argv{"useradd",    "--system",         "--gid",
                                      group,        "--comment",        user.comment,
                                      "--home-dir", "/nonexistent",     "--no-create-home",
                                      "--shell",    "/usr/sbin/nologin"};
        if (user.id) argv.insert(argv.end(), {"--uid", std::to_string(*user.id)});
        argv.push_back(user.name);
        SF_CHECK(run_tool(x.host, std::move(argv)));
        x.record.users.insert(user.name);
        x.changed("user " + user.name);
        SF_TRY(const std::string passwd, x.host.read("/etc/passwd"));
        SF_TRY(const std::string groups, x.host.read("/etc/group"));
        add_local(x.accounts, passwd, groups);
        return {};
    }

    Status make_folder(const PlannedFolder& folder) {
        SF_TRY(const Ids owner, x.ids_of(folder.owner));
        SF_TRY(const PathInfo info, x.host.look(folder.path));
        if (info.type == Type::absent) {
            SF_CHECK(x.host.make_folder(folder.path, folder.mode, owner));
            x.record.folders.insert(folder.path);
            x.changed(fmt::format("folder {} ({:04o} {}:{})", folder.path, folder.mode,
                                  folder.owner.user, folder.owner.group));
            return {};
        }
        if (info.type != Type::folder) {
            return fail(Code::refused, "{} is in the way: it is {}, not a folder", folder.path,
                        info.type == Type::symlink ? "a symlink" : "something else");
        }
        const std::string mend =
            fmt::format("chown {}:{} {p} && chmod {:04o} {p}", folder.owner.user,
                        folder.owner.group, folder.mode, fmt::arg("p", folder.path));
        if (info.owner.uid == 0 && owner.uid != 0 && (info.mode & 022U) == 0) {
            SF_CHECK(x.host.set_mode(folder.path, folder.mode, owner));
            x.changed(fmt::format("owner of {} ({:04o} {}:{})", folder.path, folder.mode,
                                  folder.owner.user, folder.owner.group));
            return {};
        }
        if (info.owner.uid != owner.uid) {
            return base::fail_hint(Code::refused,
                                   fmt::format("{} belongs to uid {}, not to {}", folder.path,
                                               info.owner.uid, folder.owner.user),
                                   "if it is a leftover: " + mend);
        }
        if ((info.mode & 022U & ~folder.mode) != 0) {
            return base::fail_hint(
                Code::refused,
                fmt::format("{} has mode {:04o}: others can write to it", folder.path, info.mode),
                mend);
        }
        return {};
    }

    // What root brought or restored belongs to root, and its daemon could not read it.
    Status hand_over(const std::string& path, const PathInfo& info, const Owner& owner, Ids ids,
                     unsigned mode) {
        if (info.owner.uid == ids.uid || info.owner.uid != 0) return {};
        SF_CHECK(x.host.set_mode(path, mode, ids));
        x.changed(fmt::format("owner of {} ({:04o} {}:{})", path, mode, owner.user, owner.group));
        return {};
    }

    Status make_secret(const PlannedSecret& secret) {
        SF_TRY(const PathInfo info, x.host.look(secret.path));
        SF_TRY(const Ids owner, x.ids_of(secret.owner));
        if (info.type == Type::file)
            return hand_over(secret.path, info, secret.owner, owner, secret.mode);
        if (secret.size == 0) return fail(Code::refused, "{} is missing", secret.path);
        SF_TRY(const std::string bytes, x.host.random(secret.size));
        SF_CHECK(x.host.write_new(secret.path, bytes, secret.mode, owner));
        x.record.secrets.insert(secret.path);
        x.changed(fmt::format("secret {} ({:04o} {}:{})", secret.path, secret.mode,
                              secret.owner.user, secret.owner.group));
        return {};
    }

    Status make_password_file(const PlannedFile& file) {
        SF_TRY(const PathInfo info, x.host.look(file.path));
        SF_TRY(const Ids owner, x.ids_of(file.owner));
        if (info.type == Type::file)
            return hand_over(file.path, info, file.owner, owner, file.mode);
        SF_CHECK(x.host.write_new(file.path,
                                  base::replace_all(file.content, "@db_password@", x_password),
                                  file.mode, owner));
        x.record.secrets.insert(file.path);
        x.changed(fmt::format("file {} ({:04o} {}:{})", file.path, file.mode, file.owner.user,
                              file.owner.group));
        return {};
    }

    // Of users that this machine's own files name; those of a directory service are made there.
    Result<PlannedFile> with_ids(const PlannedFile& file) {
        SF_TRY(const std::string passwd, x.host.read("/etc/passwd"));
        SF_TRY(const std::string groups, x.host.read("/etc/group"));
        Accounts local;
        add_local(local, passwd, groups);
        std::vector<std::string> lines = base::split(file.content, '\n');
        for (const PlannedUser& planned : x_plan.users) {
            const User* user = local.user(planned.name);
            const Group* group = local.group(planned.name);
            const std::string uid = '@' + planned.name + "_uid@";
            const std::string gid = '@' + planned.name + "_gid@";
            if (user == nullptr || group == nullptr) {
                std::erase_if(lines, [&](const std::string& line) {
                    return line.find(uid) != line.npos || line.find(gid) != line.npos;
                });
                continue;
            }
            for (std::string& line : lines) {
                line = base::replace_all(line, uid, std::to_string(user->uid));
                line = base::replace_all(line, gid, std::to_string(group->gid));
            }
        }
        PlannedFile filled = file;
        filled.content = base::join(lines, "\n");
        return filled;
    }

    Status make_file(const PlannedFile& file) {
        SF_TRY(const Ids owner, x.ids_of(file.owner));
        SF_TRY(const PathInfo info, x.host.look(file.path));
        const base::Digest fresh = base::sha256(file.content);
        if (info.type == Type::absent) return put(file, owner, fresh);
        if (info.type != Type::file) {
            return fail(Code::refused, "{} is in the way: it is {}, not a file", file.path,
                        info.type == Type::symlink ? "a symlink" : "something else");
        }
        SF_TRY(const std::string present, x.host.read(file.path));
        if (present == file.content) {
            x.record.add(file.path, fresh);
            return {};
        }
        if (x.record.wrote(file.path, base::sha256(present))) return put(file, owner, fresh);
        return put_beside(file, owner);
    }

    Status put(const PlannedFile& file, Ids owner, const base::Digest& digest) {
        x.record.add(file.path, digest);
        // Recorded as well: should we be interrupted before they are started again.
        const bool of_a_daemon = !file.path.ends_with(".new") && !is_of_the_lease(file.path) &&
                                 !file.path.starts_with("/etc/sysusers.d/") &&
                                 !file.path.starts_with("/etc/logrotate.d/");
        x.record.restart_due = x.record.restart_due || of_a_daemon;
        SF_CHECK(x.save());
        SF_CHECK(x.host.write_file(file.path, file.content, file.mode, owner));
        x.changed(fmt::format("file {} ({:04o} {}:{})", file.path, file.mode, file.owner.user,
                              file.owner.group));
        return {};
    }

    // An administrator's file stays; ours is put beside it, once. logrotate reads whatever lies in
    // its folder but for a few endings, of which ".new" is one since 3.22 only.
    Status put_beside(const PlannedFile& file, Ids owner) {
        const bool of_logrotate = file.path.starts_with("/etc/logrotate.d/");
        PlannedFile beside = file;
        beside.path += of_logrotate ? ".dpkg-dist" : ".new";
        if (of_logrotate) SF_CHECK(take_back(file.path + ".new"));
        const auto present = x.host.read(beside.path);
        if (present && *present == file.content) {
            x.reporter.notice("{} was changed here and is kept; ours is {}", file.path,
                              beside.path);
            return {};
        }
        SF_TRY(const PathInfo info, x.host.look(beside.path));
        if (info.type != Type::absent && info.type != Type::file) {
            return fail(Code::refused, "{} is in the way: it is no file", beside.path);
        }
        if (info.type == Type::file && !present) return tl::unexpected(present.error());
        if (present && !x.record.wrote(beside.path, base::sha256(*present))) {
            x.reporter.notice("{} and {} were changed here and are kept: move {} away to see ours",
                              file.path, beside.path, beside.path);
            return {};
        }
        x.reporter.notice("{} was changed here and is kept", file.path);
        return put(beside, owner, base::sha256(file.content));
    }

    // What an older installer has put there, unless somebody has changed it since.
    Status take_back(const std::string& path) {
        const auto present = x.host.read(path);
        if (!present || !x.record.wrote(path, base::sha256(*present))) return {};
        SF_CHECK(x.host.remove(path));
        x.record.files.erase(path);
        ++x.changes;
        x.reporter.info("removed {}, which logrotate may read", path);
        return {};
    }

    Status switch_current() {
        const fs::path link = fs::path(x_plan.tree) / "current";
        const std::string target = "views/" + x_plan.version;
        SF_TRY(const PathInfo info, x.host.look(link));
        if (info.type != Type::absent && info.type != Type::symlink) {
            return fail(Code::refused, "{} is in the way: it is no symlink", link.native());
        }
        x.record.prefix = x_plan.tree;
        x.record.version = x_plan.version;
        if (info.type == Type::symlink) {
            SF_TRY(const std::string present, x.host.read_link(link));
            if (present == target) return {};
            x.record.previous_version = present.substr(present.find('/') + 1);
        }
        x.record.restart_due = true;
        SF_CHECK(x.save());
        SF_CHECK(x.host.switch_link(link, target));
        x.changed(fmt::format("link {} -> {}", link.native(), target));
        return {};
    }

    const Plan& x_plan;
    Context& x;
    const std::string& x_password;
};

}  // namespace

void Context::changed(const std::string& what) {
    ++changes;
    reporter.info("made {}", what);
}

Status Context::save() const {
    SF_TRY(const std::string text, to_json(record));
    const auto present = host.read(std::string(record_path));
    if (present && *present == text) return {};
    if (!present && present.error().code != Code::absent) return tl::unexpected(present.error());
    return host.write_file(std::string(record_path), text, 0644, {0, 0});
}

Result<Ids> Context::ids_of(const Owner& owner) const {
    const User* user = accounts.user(owner.user);
    if (user == nullptr) return fail(Code::failed, "there is no user {}", owner.user);
    if (const Group* group = accounts.group(owner.group)) return Ids{user->uid, group->gid};
    if (owner.group == owner.user) return Ids{user->uid, user->gid};
    return fail(Code::failed, "there is no group {}", owner.group);
}

Result<Record> load_record(Host& host) {
    const auto text = host.read(std::string(record_path));
    if (!text && text.error().code == Code::absent) return Record{};
    if (!text) return tl::unexpected(text.error());
    auto record = record_from_json(*text);
    if (!record && record.error().hint.empty())
        record.error().hint =
            "mend it; or move it away, and say all answers again: files it named then count as "
            "changed by you";
    return base::during(std::move(record), "reading " + std::string(record_path));
}

Status set_up(const Plan& plan, Context& context, const std::string& db_password) {
    return Engine(plan, context, db_password).run();
}

Result<std::string> make_password(Host& host) {
    SF_TRY(const std::string bytes, host.random(20));
    // 160 bits, 5 a letter.
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz234567";
    std::string password;
    unsigned bits = 0;
    unsigned count = 0;
    for (const char byte : bytes) {
        bits = (bits << 8U) | static_cast<unsigned char>(byte);
        for (count += 8; count >= 5; count -= 5) password += letters[(bits >> (count - 5U)) & 31U];
    }
    return password;
}

}  // namespace sf::deploy
