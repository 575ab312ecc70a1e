// SPDX-License-Identifier: Apache-2.0
// A machine in memory for tests of the room deploy: files with modes and owners, programs that
// answer as told; every effect is recorded, one line each. Header only, because only tests of that
// room can link it.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/text.hpp"
#include "deploy/host.hpp"

namespace sf::test {

class RecordingHost : public deploy::Host {
public:
    struct Node {
        deploy::PathInfo info;
        std::string content;  // or the target of a symlink
    };
    std::map<std::string, Node> nodes;
    std::vector<std::string> done;   // effects, in order
    std::vector<std::string> calls;  // command lines, with what went to standard input
    std::function<base::Result<base::Finished>(const base::Command&, std::string_view)> answer;
    std::string name = "node1";
    std::vector<std::string> addresses = {"10.9.9.1"};
    bool root = true;
    bool lzcnt = true;
    std::string fail_at;  // the effect on this path fails, once
    unsigned char seed = 0;

    void put(const std::string& path, std::string content, unsigned mode = 0644,
             deploy::Ids owner = {}) {
        nodes[path] = {{deploy::PathInfo::Type::file, mode, owner}, std::move(content)};
    }
    void put_folder(const std::string& path, unsigned mode = 0755, deploy::Ids owner = {}) {
        nodes[path] = {{deploy::PathInfo::Type::folder, mode, owner}, {}};
    }
    void put_link(const std::string& path, std::string target) {
        nodes[path] = {{deploy::PathInfo::Type::symlink, 0777, {}}, std::move(target)};
    }
    [[nodiscard]] std::string text(const std::string& path) const {
        const auto found = nodes.find(path);
        return found == nodes.end() ? "<absent>" : found->second.content;
    }

    base::Result<deploy::PathInfo> look(const deploy::fs::path& path) override {
        const auto found = nodes.find(path.native());
        return found == nodes.end() ? deploy::PathInfo{} : found->second.info;
    }
    base::Result<std::string> read(const deploy::fs::path& path) override {
        const auto found = nodes.find(path.native());
        if (found == nodes.end()) return base::fail(base::Code::absent, "no {}", path.native());
        if (found->second.info.type != deploy::PathInfo::Type::file)
            return base::fail(base::Code::failed, "{} is no file", path.native());
        return found->second.content;
    }
    base::Result<std::vector<std::string>> list(const deploy::fs::path& folder) override {
        std::vector<std::string> names;
        const std::string top = folder.native() + '/';
        for (const auto& [path, node] : nodes) {
            if (path.starts_with(top) && path.find('/', top.size()) == std::string::npos)
                names.push_back(path.substr(top.size()));
        }
        return names;
    }
    base::Result<std::string> read_link(const deploy::fs::path& path) override {
        const auto found = nodes.find(path.native());
        if (found == nodes.end() || found->second.info.type != deploy::PathInfo::Type::symlink)
            return base::fail(base::Code::absent, "no link {}", path.native());
        return found->second.content;
    }
    base::Status make_folder(const deploy::fs::path& path, unsigned mode,
                             deploy::Ids owner) override {
        SF_CHECK(effect("folder", path, mode, owner));
        put_folder(path.native(), mode, owner);
        return {};
    }
    base::Status write_file(const deploy::fs::path& path, std::string_view content, unsigned mode,
                            deploy::Ids owner) override {
        SF_CHECK(effect("file", path, mode, owner));
        put(path.native(), std::string(content), mode, owner);
        return {};
    }
    base::Status write_new(const deploy::fs::path& path, std::string_view content, unsigned mode,
                           deploy::Ids owner) override {
        if (nodes.contains(path.native()))
            return base::fail(base::Code::refused, "{} exists", path.native());
        SF_CHECK(effect("new", path, mode, owner));
        put(path.native(), std::string(content), mode, owner);
        return {};
    }
    base::Status set_mode(const deploy::fs::path& path, unsigned mode, deploy::Ids owner) override {
        SF_CHECK(effect("mode", path, mode, owner));
        nodes[path.native()].info.mode = mode;
        nodes[path.native()].info.owner = owner;
        return {};
    }
    base::Status switch_link(const deploy::fs::path& link,
                             const deploy::fs::path& target) override {
        SF_CHECK(effect("link", link, 0777, {}));
        put_link(link.native(), target.native());
        return {};
    }
    base::Status remove(const deploy::fs::path& path) override {
        SF_CHECK(effect("remove", path, 0, {}));
        nodes.erase(path.native());
        return {};
    }
    base::Result<std::string> random(std::size_t size) override {
        return std::string(size, static_cast<char>(++seed));
    }
    base::Result<base::Finished> run(const base::Command& command,
                                     std::string_view input) override {
        calls.push_back(base::shell_join(command.argv) +
                        (input.empty() ? "" : " <<< " + std::string(input)));
        // What adds users changes the files that name them.
        if (command.argv[0] == "useradd")
            nodes["/etc/passwd"].content +=
                fmt::format("{}:x:{}:{}::/:/n\n", command.argv.back(), x_next_id, x_next_id);
        if (command.argv[0] == "groupadd")
            nodes["/etc/group"].content +=
                fmt::format("{}:x:{}:\n", command.argv.back(), x_next_id);
        if (command.argv[0] == "useradd") ++x_next_id;
        if (!answer) return base::Finished{};
        return answer(command, input);
    }
    std::string host_name() override { return name; }
    std::vector<std::string> interface_addresses() override { return addresses; }
    bool is_root() override { return root; }
    bool lzcnt_works() override { return lzcnt; }
    bool on_file_system(const deploy::fs::path&, std::uint64_t) override { return cgroups; }
    bool mounted_noexec(const deploy::fs::path&) override { return false; }
    bool alive(pid_t) override { return false; }
    base::Status signal(pid_t, int) override { return {}; }
    std::chrono::steady_clock::time_point now() override { return clock; }
    void sleep(std::chrono::milliseconds time) override { clock += time; }
    bool cgroups = false;
    std::chrono::steady_clock::time_point clock;  // goes on by sleeping alone; tests may set it

private:
    base::Status effect(std::string_view what, const deploy::fs::path& path, unsigned mode,
                        deploy::Ids owner) {
        if (path.native() == fail_at) {
            fail_at.clear();
            return base::fail(base::Code::exhausted, "no space left for {}", path.native());
        }
        done.push_back(
            fmt::format("{} {} {:04o} {}:{}", what, path.native(), mode, owner.uid, owner.gid));
        return {};
    }
    unsigned x_next_id = 990;
};

// Keeps what was said.
class Listener : public base::Reporter {
public:
    std::string heard;
    void message(base::Level, const std::string& text) override { heard += text + '\n'; }
};

}  // namespace sf::test
