// SPDX-License-Identifier: Apache-2.0
// Nothing that a shell, sed, SQL, systemd or slurm.conf gives a meaning to passes a rule.
#include "deploy/names.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "deploy/options.hpp"

namespace sf::deploy {
namespace {

const std::vector<std::string>& hostile() {
    static const std::vector<std::string> words{"",
                                                "x|e id|",
                                                "$(id)",
                                                "`id`",
                                                "a;id",
                                                "a b",
                                                "a\nb",
                                                "a'b",
                                                "a\"b",
                                                "a\\b",
                                                "'; DROP TABLE mysql.user; --",
                                                "x/../y",
                                                "%n",
                                                "a#b",
                                                "a=b",
                                                "-rf",
                                                "--option",
                                                "..",
                                                "a&b",
                                                "{a,b}",
                                                "a*",
                                                "a\x1b[31m",
                                                "a\xc3\xa4",
                                                std::string("a\0b", 3)};
    return words;
}

TEST(Names, RefuseWhatHasAMeaningElsewhere) {
    for (const std::string& word : hostile()) {
        EXPECT_FALSE(check_cluster_name(word)) << word;
        EXPECT_FALSE(check_host_name(word, "name")) << word;
        EXPECT_FALSE(check_address(word)) << word;
        EXPECT_FALSE(check_node_list(word)) << word;
        EXPECT_FALSE(check_database_user(word)) << word;
        // A parameter is a name, '=' and a value.
        if (!word.empty() && word != "a=b") {
            EXPECT_FALSE(check_node_parameters(word)) << word;
        }
    }
}

TEST(Names, AcceptWhatSitesUse) {
    EXPECT_TRUE(check_cluster_name("alpha-1_x"));
    EXPECT_FALSE(check_cluster_name("Alpha"));
    EXPECT_FALSE(check_cluster_name(std::string(41, 'a')));
    EXPECT_TRUE(check_host_name("head1.example.org", "name"));
    EXPECT_FALSE(check_host_name("head1.", "name"));
    EXPECT_TRUE(check_address("192.0.2.1"));
    EXPECT_TRUE(check_address("2001:db8::1"));
    for (const char* good : {"node1", "node[01-16]", "gpu[1,3-5],login1", "a-[1-2]-x"})
        EXPECT_TRUE(check_node_list(good)) << good;
    for (const char* bad : {"node[", "node]", "node[1-2", "[1-2]", "node[a]", "node[1-]", "a,,b",
                            "node[[1]]", "a,", "node[]"})
        EXPECT_FALSE(check_node_list(bad)) << bad;
    EXPECT_TRUE(check_node_parameters("CPUs=64 RealMemory=256000 Gres=gpu:a100:4"));
    EXPECT_FALSE(check_node_parameters("CPUs=64  RealMemory=1"));
    EXPECT_FALSE(check_node_parameters("NodeName=other"));
    EXPECT_TRUE(check_database_user("slurm"));
    EXPECT_TRUE(check_plain_path("/opt/slurm-25.11"));
    for (const char* bad : {"opt", "/opt/my slurm", "/opt/$x", "/opt/%h", "/a'b", "/a;b", "/a\nb",
                            "/opt/\xff", "/opt/\xe2\x80\xae"})
        EXPECT_FALSE(check_plain_path(bad)) << bad;
}

TEST(Names, APasswordIsNeverInAMessage) {
    EXPECT_TRUE(check_password("abc!$%&/()"));
    for (const char* bad : {"", "with blank", "quote'", "back\\slash", "hash#", "semi;", "a\nb"}) {
        const auto status = check_password(bad);
        ASSERT_FALSE(status) << bad;
        if (*bad != '\0') EXPECT_EQ(status.error().text().find(bad), std::string::npos);
    }
}

TEST(Options, EveryWordIsUsage) {
    for (const std::string& name :
         {"--cluster-name", "--controller", "--nodes", "--db-user", "--db-host", "--address"}) {
        for (const std::string& word : hostile()) {
            const auto options = parse_options({"--full-init", name + "=" + word});
            ASSERT_FALSE(options) << name << word;
            EXPECT_EQ(options.error().code, base::Code::usage);
            // It is printed escaped.
            EXPECT_EQ(options.error().text().find('\x1b'), std::string::npos);
        }
    }
}

TEST(Options, SayWhatIsWrong) {
    const auto slip = parse_options({"--full-inti"});
    ASSERT_FALSE(slip);
    EXPECT_NE(slip.error().hint.find("--full-init"), std::string::npos);
    EXPECT_FALSE(parse_options({"--full-init", "--init-only"}));
    EXPECT_FALSE(parse_options({"--full-init", "--role", "boss"}));
    EXPECT_FALSE(parse_options({"--full-init", "--prefix"}));
    EXPECT_FALSE(parse_options({"--full-init=yes"}));
    EXPECT_FALSE(parse_options({"--dry-run"}));
    EXPECT_FALSE(parse_options({"--full-init", "--key-file", "key.asc"}));
    EXPECT_FALSE(parse_options({"--full-init", "--db-port", "70000"}));
    EXPECT_FALSE(parse_options({"--full-init", "--slurm-uid", "0"}));
    EXPECT_FALSE(parse_options({"--full-init", "--slurm-uid", "4294967295"}));
    const auto secret = parse_options({"--full-init", "--db-password=SECRET"});
    ASSERT_FALSE(secret);
    EXPECT_EQ(secret.error().text().find("SECRET"), std::string::npos);
    EXPECT_NE(secret.error().hint.find("--db-password-file"), std::string::npos);
    // Not by a slip of the keys either.
    for (const char* slip_of_secret : {"--db-passwort=SECRET", "--dbpw=SECRET"}) {
        const auto told = parse_options({"--full-init", slip_of_secret});
        ASSERT_FALSE(told);
        EXPECT_EQ((told.error().text() + told.error().hint).find("SECRET"), std::string::npos);
    }
}

TEST(Options, RolesAddUp) {
    EXPECT_EQ(parse_roles("all").value().size(), 4U);
    EXPECT_EQ(parse_roles("controller,dbd").value(), (std::set{Role::controller, Role::dbd}));
    EXPECT_EQ(parse_roles("all,rest").value().size(), 5U);
    EXPECT_FALSE(parse_roles(""));
}

}  // namespace
}  // namespace sf::deploy
