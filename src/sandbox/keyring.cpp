// SPDX-License-Identifier: Apache-2.0
#include "sandbox/keyring.hpp"

#include <algorithm>
#include <unistd.h>

#include "base/text.hpp"
#include "sandbox/root_making.hpp"

namespace sf::sandbox {

namespace {

using base::Code;
using base::Result;
using base::Status;
using Words = std::vector<std::string>;

// Debian's own keyring, on every Debian machine: its archive carries the keyrings of others.
constexpr const char* debian_keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

bool plain_name(std::string_view name) {
    return !name.empty() && name.front() != '-' && name.front() != '.' &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.+-") ==
               std::string_view::npos;
}

bool readable(const base::fs::path& path) { return ::access(path.c_str(), R_OK) == 0; }

Result<base::Finished> apt(Words words, const base::fs::path& directory) {
    base::Command command;
    command.argv = std::move(words);
    command.directory = directory;
    command.environment = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"LC_ALL", "C.UTF-8"}};
    for (const auto& [name, value] : base::current_environment())
        for (const char* proxy : {"http_proxy", "https_proxy", "no_proxy"})
            if (name == proxy) command.environment[name] = value;
    command.deadline = std::chrono::minutes(5);
    return base::run(command);
}

Status succeeded(const base::Finished& done) {
    if (done.exit.ok() && !done.timed_out) return {};
    return base::fail(Code::failed, "{}:\n{}",
                      done.timed_out ? "no answer in time" : done.exit.text(),
                      last_lines(done.err, 4));
}

// Downloads the package into `work`; `options` say from where.
Status download(const std::string& package, const Words& options, const base::fs::path& work) {
    Words words{"apt-get"};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"-q", "download", package});
    SF_TRY(const auto done, apt(words, work));
    return succeeded(done);
}

// The first package that a package file names as its dependency; empty if there is none.
std::string first_dependency(const std::string& deb, const base::fs::path& work) {
    const auto done = apt({"dpkg-deb", "-f", deb, "Depends"}, work);
    if (!done || !done->exit.ok()) return {};
    const auto text = base::trim(done->out);
    return std::string(text.substr(0, text.find_first_of(" ,|(:")));
}

// Downloads the keyring's package with `options`, which apt verifies, and copies its file to `to`.
// An old name may have become an empty package that depends on the new one.
Status take(const model::Keyring& keyring, const Words& options, const base::fs::path& work,
            const base::fs::path& to) {
    auto package = keyring.package;
    for (int hop = 0; hop < 2 && plain_name(package); ++hop) {
        const auto here = work / ("hop" + std::to_string(hop));
        SF_CHECK(base::make_dirs(here));
        SF_CHECK(download(package, options, here));
        SF_TRY(const auto names, base::list_dir(here));
        const auto deb = std::find_if(names.begin(), names.end(),
                                      [](const auto& name) { return name.ends_with(".deb"); });
        if (deb == names.end()) return base::fail(Code::failed, "apt downloaded nothing");
        SF_TRY(const auto done, apt({"dpkg-deb", "-x", *deb, "unpacked"}, here));
        SF_CHECK(succeeded(done));
        const auto file = here / "unpacked" / base::fs::path(keyring.file).relative_path();
        if (base::exists(file)) {
            SF_TRY(const auto content, base::read_file(file, std::uint64_t{16} << 20));
            SF_CHECK(base::make_dirs(to.parent_path()));
            return base::write_file(to, content, 0644);
        }
        package = first_dependency(*deb, here);
    }
    return base::fail(Code::failed, "the package {} has no {}", keyring.package, keyring.file);
}

// The addresses that this machine's apt is configured with.
Words own_archives() {
    Words found;
    const auto done = apt({"apt-get", "indextargets", "--format", "$(REPO_URI)"}, "/");
    if (!done || !done->exit.ok()) return found;
    for (const auto& line : base::split(done->out, '\n'))
        if (!line.empty() && line.find(' ') == std::string::npos &&
            std::find(found.begin(), found.end(), line) == found.end())
            found.push_back(line);
    return found;
}

// What makes apt use folders of its own, in `work`, and one suite of one archive.
Result<Words> other_release(const std::string& archive, const std::string& suite,
                            const base::fs::path& work) {
    for (const char* folder : {"lists/partial", "cache/archives/partial", "etc"})
        SF_CHECK(base::make_dirs(work / folder));
    SF_CHECK(base::write_file(work / "status", ""));
    SF_CHECK(base::write_file(work / "sources.list", fmt::format("deb [signed-by={}] {} {} main\n",
                                                                 debian_keyring, archive, suite)));
    const auto dir = [&](const char* name, const char* path) {
        return fmt::format("-oDir::{}={}", name, (work / path).string());
    };
    Words options{dir("State::lists", "lists"),   dir("State::status", "status"),
                  dir("Cache", "cache"),          dir("Etc::sourcelist", "sources.list"),
                  dir("Etc::sourceparts", "etc"), "-oAcquire::Languages=none",
                  "-oAPT::Sandbox::User=root"};
    Words update{"apt-get"};
    update.insert(update.end(), options.begin(), options.end());
    // Without it a failed download of the lists is only a warning.
    update.insert(update.end(), {"-q", "-oAPT::Update::Error-Mode=any", "update"});
    SF_TRY(const auto done, apt(update, work));
    SF_CHECK(succeeded(done));
    return options;
}

// This machine's release has newer packages in its backports, a small list; else the newest release
// has what is missing here, else the one that is being made.
Words suites() {
    Words found;
    if (const auto text = base::read_file_if_exists("/etc/os-release"); text && *text)
        for (const auto& line : base::split(**text, '\n'))
            if (const std::string key = "VERSION_CODENAME=";
                line.starts_with(key) && plain_name(line.substr(key.size())))
                found.push_back(line.substr(key.size()) + "-backports");
    found.insert(found.end(), {"stable", "sid"});
    return found;
}

Status fetch(const model::Keyring& keyring, const base::fs::path& to) {
    SF_TRY(const auto outer, base::TempDir::create(base::fs::temp_directory_path(), "sf-keyring-"));
    std::string tried;
    const auto attempt = [&](const std::string& from, const auto& how) -> Result<bool> {
        const Status status = how();
        if (status) return true;
        if (status.error().code == Code::interrupted) return tl::unexpected(status.error());
        tried += fmt::format("\nfrom {}: {}", from, status.error().text());
        return false;
    };
    SF_TRY(bool done, attempt("this machine's release", [&]() -> Status {
               return take(keyring, {}, outer.path() / "own", to);
           }));
    if (done) return {};
    int number = 0;
    if (readable(debian_keyring))
        for (const auto& archive : own_archives())
            for (const auto& suite : suites()) {
                const auto work = outer.path() / std::to_string(number++);
                SF_TRY(done, attempt(suite, [&]() -> Status {
                           SF_TRY(const auto options, other_release(archive, suite, work));
                           return take(keyring, options, work, to);
                       }));
                if (done) return {};
            }
    return base::fail(Code::failed, "{}", base::trim(tried));
}

}  // namespace

Result<base::fs::path> find_keyring(const model::Keyring& keyring, const base::fs::path& folder,
                                    base::Reporter& reporter) {
    base::fs::path file(keyring.file);
    if (readable(file)) return file;
    if (!file.is_absolute() || !plain_name(keyring.package) ||
        !plain_name(file.filename().string()))
        return base::fail(Code::usage, "'{}' of '{}' is no keyring of a package",
                          base::escape_untrusted(keyring.file),
                          base::escape_untrusted(keyring.package));
    auto copy = folder / file.filename();
    if (readable(copy)) return copy;
    reporter.info("fetching {}, which has the keys of the archive", keyring.package);
    const auto status = fetch(keyring, copy);
    if (status) return copy;
    if (status.error().code == Code::interrupted) return tl::unexpected(status.error());
    return base::fail_hint(
        Code::absent,
        fmt::format("the keyring {} is not here and could not be fetched\n{}", keyring.file,
                    status.error().text()),
        fmt::format(
            "as root: apt-get install {} (where this release has no such package, that of its "
            "backports or of the next release serves as well)",
            keyring.package));
}

}  // namespace sf::sandbox
