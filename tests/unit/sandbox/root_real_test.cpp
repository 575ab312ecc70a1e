// SPDX-License-Identifier: Apache-2.0
// Makes a whole Debian (or, with SF_TEST_FAMILY=ubuntu, Ubuntu) root from the archive, and builds
// and runs a program in it. Minutes and a network: only where SF_TEST_ROOTS names a folder for it,
// and SF_TEST_MIRROR and SF_TEST_SECURITY_MIRROR the archive.
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

#include "sandbox/rootfs.hpp"
#include "unit/sandbox/harness.hpp"

namespace sf::sandbox {
namespace {

class Printer : public base::Reporter {
public:
    void message(base::Level, const std::string& text) override {
        std::fprintf(stderr, "  %s\n", text.c_str());
    }
};

const char* setting(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

TEST(RealRoot, IsMadeFrozenUnpackedAgainAndBuildsAProgram) {
    const std::string folder = setting("SF_TEST_ROOTS");
    if (folder.empty())
        GTEST_SKIP()
            << "NOT RUN: makes a root from the network; set SF_TEST_ROOTS, SF_TEST_MIRROR, "
               "SF_TEST_SECURITY_MIRROR";
    Printer printer;
    RootStore store(folder, printer);
    RootRequest request;
    const bool ubuntu = std::string(setting("SF_TEST_FAMILY")) == "ubuntu";
    const std::string suite = ubuntu ? "noble" : "bookworm";
    request.toolchain.name = suite;
    request.toolchain.title = suite;
    request.toolchain.family = ubuntu ? "ubuntu" : "debian";
    request.toolchain.suites = {suite, suite + "-updates", suite + "-security"};
    request.toolchain.components = {"main"};
    request.toolchain.packages = {"build-essential"};
    if (ubuntu)
        request.toolchain.keyring = {"ubuntu-keyring",
                                     "/usr/share/keyrings/ubuntu-archive-keyring.gpg"};
    else
        request.toolchain.keyring = {"debian-archive-keyring",
                                     "/usr/share/keyrings/debian-archive-keyring.gpg"};
    request.mirrors = {setting("SF_TEST_MIRROR")};
    if (const std::string security = setting("SF_TEST_SECURITY_MIRROR"); !security.empty())
        request.security_mirrors = {security};

    const auto made = store.prepare(request, false);
    ASSERT_TRUE(made) << made.error().text();
    std::fprintf(stderr, "  digest %s, %llu bytes packed, %llu unpacked, %zu packages, %s, %s\n",
                 made->record.digest.hex().c_str(),
                 static_cast<unsigned long long>(made->archive_bytes),
                 static_cast<unsigned long long>(made->tree_bytes), made->record.packages.size(),
                 made->record.compiler.c_str(), made->record.libc.c_str());
    EXPECT_THAT(made->record.compiler, testing::StartsWith(ubuntu ? "gcc 13." : "gcc 12.2.0-"));
    EXPECT_THAT(made->record.libc, testing::StartsWith(ubuntu ? "glibc 2.39-" : "glibc 2.36-"));
    EXPECT_GT(made->record.packages.size(), 100U);

    // Frozen: the next time it is the same, without a network.
    request.mirrors = {"http://127.0.0.1:1/"};
    EXPECT_EQ(store.prepare(request, false).value().record.digest, made->record.digest);
    ASSERT_TRUE(base::remove_tree(made->tree));
    EXPECT_EQ(store.current(suite).value()->record.digest, made->record.digest);
    ASSERT_TRUE(base::is_dir(made->tree));

    const auto work = base::TempDir::create("/var/tmp", "sf-real-").value();
    ASSERT_TRUE(base::write_file(
        work.path() / "a.c", "#include <stdio.h>\nint main(void){puts(\"hello\");return 0;}\n"));
    BwrapRunner runner;
    const auto lease = runner.lease().value();
    if (const auto who = lease->identity())
        ASSERT_EQ(::chown(work.path().c_str(), who->uid, who->gid), 0);
    SandboxPlan plan;
    plan.root = made->tree;
    plan.binds = {{work.path(), "/build", true}};
    plan.directory = "/build";
    plan.environment = {{"PATH", "/usr/bin"}, {"HOME", "/build"}};
    plan.argv = {
        "/bin/sh", "-c",
        "id -un && hostname && gcc -dumpversion && gcc -o a a.c && ./a && dpkg -s libc6 >&2"};
    const auto log = base::open_file(work.path() / "log", O_RDWR | O_CREAT).value();
    const auto result = runner.run(*lease, plan, log.get());
    ASSERT_TRUE(result) << result.error().text();
    const auto text = base::read_file(work.path() / "log").value();
    EXPECT_EQ(result->outcome, Outcome::ok) << text;
    EXPECT_THAT(text, testing::StartsWith(std::string("builder\nbuilder\n") +
                                          (ubuntu ? "13" : "12") + "\nhello\nPackage: libc6\n"));
}

}  // namespace
}  // namespace sf::sandbox
