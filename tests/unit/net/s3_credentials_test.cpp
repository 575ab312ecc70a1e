// SPDX-License-Identifier: Apache-2.0
// Where keys for S3 come from, with an environment, files and servers that the tests bring.
#include "net/s3_credentials.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/files.hpp"
#include "unit/net/raw_server.hpp"

namespace sf::net {
namespace {

using base::Code;
using std::chrono::milliseconds;
using test::answer;
using test::RawServer;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Connection = RawServer::Connection;

class Listener : public base::Reporter {
public:
    void message(base::Level, const std::string& text) override { said += text + "\n"; }
    std::string said;
};

std::string role(const std::string& id, const std::string& expires) {
    return R"({"Code":"Success","AccessKeyId":")" + id +
           R"(","SecretAccessKey":"secret-of-a-role","Token":"tok","Expiration":")" + expires +
           "\"}";
}

std::string of_sts(const std::string& id, const std::string& expires) {
    return "<AssumeRoleWithWebIdentityResponse "
           "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"
           "<AssumeRoleWithWebIdentityResult><Audience>a</Audience><Credentials><AccessKeyId>" +
           id +
           "</AccessKeyId><SecretAccessKey>secret/of+a=</SecretAccessKey><SessionToken>tok/+=="
           "</SessionToken><Expiration>" +
           expires +
           "</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
           "</AssumeRoleWithWebIdentityResponse>";
}

class S3Keys : public testing::Test {
protected:
    S3Keys() {
        x_from.environment = {{"HOME", "/home/me"}, {"AWS_EC2_METADATA_DISABLED", "true"}};
        x_from.reporter = &x_listener;
        x_from.read =
            [this](const std::string& path) -> base::Result<std::optional<AwsSurroundings::File>> {
            const auto found = x_files.find(path);
            if (found == x_files.end()) return std::optional<AwsSurroundings::File>();
            return found->second;
        };
        x_places.patience = x_places.sts_patience = milliseconds(2000);
    }
    void SetUp() override { ::setenv("no_proxy", "*", 1); }

    S3KeyChain chain() {
        return S3KeyChain(x_from, x_places, [this] { return x_now; });
    }
    base::Result<S3Credentials> keys() { return chain().keys(); }
    void set_web_identity(const RawServer& sts) {
        x_from.environment["AWS_ENDPOINT_URL_STS"] = sts.url("");
        x_from.environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/run/jwt";
        x_from.environment["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/ci";
        x_files["/run/jwt"] = {"hidden.jwt_1\n"};
    }
    void expect_refused(const std::string& words) {
        const auto got = keys();
        ASSERT_FALSE(got) << words;
        EXPECT_EQ(got.error().code, Code::refused);
        EXPECT_THAT(got.error().text(), HasSubstr(words));
        EXPECT_THAT(got.error().text() + got.error().hint, Not(HasSubstr("hidden")));
    }

    AwsSurroundings x_from;
    std::map<std::string, AwsSurroundings::File> x_files;
    Listener x_listener;
    RolePlaces x_places;
    std::int64_t x_now = parse_utc("2026-11-25T12:00:00Z").value();
};

constexpr const char* credentials_path = "/home/me/.aws/credentials";

TEST_F(S3Keys, OfTheEnvironmentComeFirst) {
    x_files[credentials_path] = {
        "[default]\naws_access_key_id=other\naws_secret_access_key=hidden\n"};
    x_from.environment["AWS_ACCESS_KEY_ID"] = "id";
    x_from.environment["AWS_SECRET_ACCESS_KEY"] = "hidden/+=";
    x_from.environment["AWS_SESSION_TOKEN"] = "token";
    const auto got = keys();
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->access_key, "id");
    EXPECT_EQ(got->secret_key, "hidden/+=");
    EXPECT_EQ(got->session_token, "token");
}

TEST_F(S3Keys, HalvesAndOddOnesAreRefused) {
    x_from.environment["AWS_SECRET_ACCESS_KEY"] = "hidden";
    expect_refused("AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not");
    x_from.environment["AWS_ACCESS_KEY_ID"] = "id\r\nX-Evil: 1";
    expect_refused("from the environment are empty, too long");
    x_from.environment.erase("AWS_SECRET_ACCESS_KEY");
    expect_refused("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not");
}

TEST_F(S3Keys, OfAProfile) {
    x_files[credentials_path] = {
        "# mine\n[default]\naws_access_key_id = one\naws_secret_access_key = s/1\n"
        "[ other ]\r\naws_access_key_id=two\r\naws_secret_access_key=s2\r\n"
        "aws_session_token = t2 # of today\r\n"};
    EXPECT_EQ(keys()->access_key, "one");
    EXPECT_EQ(keys()->secret_key, "s/1");
    x_from.environment["AWS_PROFILE"] = "other";
    EXPECT_EQ(keys()->access_key, "two");
    EXPECT_EQ(keys()->session_token, "t2");
    x_from.environment["AWS_PROFILE"] = "third";
    expect_refused("AWS_PROFILE names the profile 'third', which is not in " +
                   std::string(credentials_path));
    EXPECT_THAT(x_listener.said, IsEmpty());
}

TEST_F(S3Keys, OfFilesElsewhere) {
    x_files["/etc/a"] = {"[default]\naws_access_key_id=a\naws_secret_access_key=s\n"};
    x_files["/home/me/b"] = {
        "[profile p]\naws_access_key_id=b\naws_secret_access_key=s\nregion=eu-north-1\n"};
    x_from.environment["AWS_SHARED_CREDENTIALS_FILE"] = "/etc/a";
    x_from.environment["AWS_CONFIG_FILE"] = "~/b";
    EXPECT_EQ(keys()->access_key, "a");
    x_from.environment["AWS_PROFILE"] = "p";
    EXPECT_EQ(keys()->access_key, "b");
}

TEST_F(S3Keys, AFileThatOthersCanReadIsUsedAndTold) {
    x_files[credentials_path] = {"[default]\naws_access_key_id=one\naws_secret_access_key=hidden\n",
                                 true};
    EXPECT_TRUE(keys());
    EXPECT_THAT(x_listener.said, HasSubstr("chmod 600 /home/me/.aws/credentials"));
    EXPECT_THAT(x_listener.said, Not(HasSubstr("hidden")));
}

TEST_F(S3Keys, TheProcessesOwnFilesAreLookedAt) {
    const auto folder = base::TempDir::create("/tmp", "sft-").value();
    const std::string path = (folder.path() / "credentials").string();
    const AwsSurroundings own = AwsSurroundings::of_process();
    EXPECT_EQ(own.get("PATH"), std::getenv("PATH"));
    EXPECT_FALSE(own.read(path).value());
    ASSERT_TRUE(base::write_file(path, "[default]\n", 0600));
    EXPECT_FALSE(own.read(path).value()->open_to_others);
    ASSERT_TRUE(base::write_file(path, "[default]\n", 0644));
    EXPECT_TRUE(own.read(path).value()->open_to_others);
}

// Going on would take the keys of somebody else.
TEST_F(S3Keys, WhatIsNotSupportedIsSaid) {
    for (const char* way : {"role_arn", "sso_session", "credential_process"}) {
        x_files["/home/me/.aws/config"] = {"[default]\n" + std::string(way) + " = x\n"};
        expect_refused("gets its keys by " + std::string(way));
    }
}

TEST_F(S3Keys, OfAWebIdentityAreRenewedByANewToken) {
    RawServer server([&](const RawServer::Request& request, Connection& to) {
        to.send(answer(
            "200 OK", "",
            of_sts("id" + std::to_string(request.number),
                   request.number == 1 ? "2026-11-25T13:00:00Z" : "2026-11-25T14:00:00.123Z")));
    });
    set_web_identity(server);
    S3KeyChain chain = this->chain();
    const auto got = chain.keys();
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->access_key, "id1");
    EXPECT_EQ(got->secret_key, "secret/of+a=");
    EXPECT_EQ(got->session_token, "tok/+==");
    const RawServer::Request asked = server.seen()[0];
    EXPECT_EQ(asked.method(), "POST");
    EXPECT_EQ(asked.path, "/") << "the token is in the address";
    EXPECT_EQ(asked.field("Content-Type"), "application/x-www-form-urlencoded");
    EXPECT_EQ(asked.body,
              "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fci&"
              "RoleSessionName=slurm-factory&Version=2011-06-15&WebIdentityToken=hidden.jwt_1");
    EXPECT_EQ(chain.keys()->access_key, "id1");
    EXPECT_EQ(server.requests(), 1);
    x_files["/run/jwt"] = {"hidden.jwt_2"};
    x_now += 56 * 60;
    EXPECT_EQ(chain.keys()->access_key, "id2");
    EXPECT_THAT(server.seen()[1].body, EndsWith("WebIdentityToken=hidden.jwt_2"));
    x_from.environment["AWS_ROLE_SESSION_NAME"] = "job-7@ci";
    EXPECT_TRUE(keys());
    EXPECT_THAT(server.seen()[2].body, HasSubstr("&RoleSessionName=job-7%40ci&"));
}

TEST_F(S3Keys, OfAWebIdentityComeBetweenEnvironmentAndProfile) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send(answer("200 OK", "", of_sts("by-sts", "2026-11-25T13:00:00Z")));
    });
    set_web_identity(server);
    x_files[credentials_path] = {
        "[default]\naws_access_key_id=of-profile\naws_secret_access_key=s\n"};
    EXPECT_EQ(keys()->access_key, "by-sts");
    x_from.environment["AWS_ACCESS_KEY_ID"] = "of-environment";
    x_from.environment["AWS_SECRET_ACCESS_KEY"] = "s";
    EXPECT_EQ(keys()->access_key, "of-environment");
    EXPECT_EQ(server.requests(), 1);
    // The role alone says nothing.
    for (const char* each :
         {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE"})
        x_from.environment.erase(each);
    EXPECT_EQ(keys()->access_key, "of-profile");
    EXPECT_EQ(server.requests(), 1);
}

TEST_F(S3Keys, AHalfWebIdentityIsNotSent) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send(answer("200 OK", "", of_sts("id", "2026-11-25T13:00:00Z")));
    });
    set_web_identity(server);
    x_from.environment["AWS_ROLE_SESSION_NAME"] = "no blanks";
    expect_refused("AWS_ROLE_SESSION_NAME is too long or too short");
    x_from.environment["AWS_ROLE_SESSION_NAME"] = "x";
    expect_refused("AWS_ROLE_SESSION_NAME is too long or too short");
    x_from.environment.erase("AWS_ROLE_SESSION_NAME");
    for (const char* odd : {"", "\n", "hidden two", "hidden\ntwo"}) {
        x_files["/run/jwt"] = {odd};
        expect_refused("AWS_WEB_IDENTITY_TOKEN_FILE: /run/jwt holds no token");
    }
    x_files["/run/jwt"] = {std::string(20'000, 'x')};
    expect_refused("holds no token");
    x_files.erase("/run/jwt");
    expect_refused("AWS_WEB_IDENTITY_TOKEN_FILE: there is no /run/jwt");
    x_from.environment.erase("AWS_ROLE_ARN");
    expect_refused("AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not");
    EXPECT_EQ(server.requests(), 0);
}

TEST_F(S3Keys, AStrangersAddressIsNotSentAToken) {
    const RawServer unused([](const RawServer::Request&, Connection&) {});
    set_web_identity(unused);
    for (const char* address : {"http://192.0.2.1/x", "http://127.evil.example/",
                                "http://sts.us-east-1.amazonaws.com/", "file:///run/x"}) {
        x_from.environment["AWS_ENDPOINT_URL_STS"] = address;
        expect_refused("no token is sent there");
    }
}

TEST_F(S3Keys, RefusalsOfStsAreToldByTheirCode) {
    std::string status = "403 Forbidden";
    std::string text =
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender"
        "</Type><Code>AccessDenied</Code><Message>hidden</Message></Error></ErrorResponse>";
    RawServer server(
        [&](const RawServer::Request&, Connection& to) { to.send(answer(status, "", text)); });
    set_web_identity(server);
    expect_refused("for the keys of AWS_ROLE_ARN: 403 Forbidden: AccessDenied");
    EXPECT_THAT(keys().error().hint, HasSubstr("trust policy"));
    status = "400 Bad Request";
    text = "<ErrorResponse><Error><Code>hidden.jwt_1</Code></Error></ErrorResponse>";
    expect_refused("400 Bad Request");
    text = "hidden";
    expect_refused("400 Bad Request");
    // Nothing is sent on.
    status = "307 Temporary Redirect";
    expect_refused("HTTP status 307");
}

TEST_F(S3Keys, WrongAnswersOfStsAreNotQuoted) {
    std::string text;
    RawServer server(
        [&](const RawServer::Request&, Connection& to) { to.send(answer("200 OK", "", text)); });
    set_web_identity(server);
    for (const std::string& wrong :
         {std::string("hidden"), std::string("<hidden/>"),
          std::string("<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult/>"
                      "</AssumeRoleWithWebIdentityResponse>"),
          of_sts("hidden", "2026-13-25T13:00:00Z"), of_sts("", "2026-11-25T13:00:00Z"),
          of_sts("hid den", "2026-11-25T13:00:00Z"), std::string(100'000, 'x')}) {
        text = wrong;
        const auto got = keys();
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, Code::corrupt);
        EXPECT_THAT(got.error().text(), Not(HasSubstr("hid")));
    }
}

TEST_F(S3Keys, WithoutAnyItIsSaidWhatWasTried) {
    const auto got = keys();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::refused);
    EXPECT_THAT(got.error().text(),
                HasSubstr("not in the profile 'default' of " + std::string(credentials_path)));
    EXPECT_THAT(got.error().hint, HasSubstr("AWS_ACCESS_KEY_ID"));
}

TEST_F(S3Keys, OfAContainerAreRenewedInTime) {
    std::atomic<bool> fails = false;
    RawServer server([&](const RawServer::Request& request, Connection& to) {
        if (fails) return void(to.send(answer("403 Forbidden", "", "")));
        to.send(
            answer("200 OK", "",
                   role("id" + std::to_string(request.number),
                        request.number == 1 ? "2026-11-25T13:00:00Z" : "2026-11-25T14:00:00.5Z")));
    });
    x_from.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.url("/v2?id=hidden");
    x_from.environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "wrong";
    x_from.environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = "/run/token";
    x_files["/run/token"] = {"Bearer of the file\n"};
    S3KeyChain chain = this->chain();
    EXPECT_EQ(chain.keys()->access_key, "id1");
    EXPECT_EQ(chain.keys()->session_token, "tok");
    EXPECT_EQ(server.requests(), 1);
    EXPECT_EQ(server.seen()[0].field("Authorization"), "Bearer of the file");
    EXPECT_EQ(server.seen()[0].path, "/v2?id=hidden");
    x_now += 56 * 60;
    EXPECT_EQ(chain.keys()->access_key, "id2") << "not renewed four minutes before the end";
    // A renewal that fails leaves what is there, to its end.
    x_now += 60 * 60;
    fails = true;
    EXPECT_EQ(chain.keys()->access_key, "id2");
    EXPECT_EQ(chain.keys()->access_key, "id2");
    EXPECT_EQ(server.requests(), 3) << "asked at each use";
    x_now += 10 * 60;
    const auto got = chain.keys();
    ASSERT_FALSE(got);
    EXPECT_THAT(got.error().text(), HasSubstr("403 Forbidden"));
    EXPECT_THAT(got.error().text(), Not(HasSubstr("hidden")));
    fails = false;
    EXPECT_TRUE(chain.keys());
    chain.forget();
    EXPECT_TRUE(chain.keys());
    EXPECT_EQ(server.requests(), 6);
}

TEST_F(S3Keys, OfAContainerByARelativeAddress) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send(answer("200 OK", "", role("id", "2026-11-25T13:00:00Z")));
    });
    x_places.container = server.url("");
    x_from.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/creds/1";
    EXPECT_EQ(keys()->access_key, "id");
    EXPECT_EQ(server.seen()[0].path, "/creds/1");
    x_from.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "@evil.example/";
    expect_refused("does not begin with '/'");
}

TEST_F(S3Keys, AStrangersAddressIsNotAskedForCredentials) {
    for (const char* address : {"http://192.0.2.1/x", "http://127.evil.example/",
                                "http://127.0.0.1.example.org/", "http://169.254.170.3/"}) {
        x_from.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = address;
        expect_refused("not asked for credentials");
    }
}

TEST_F(S3Keys, WrongAnswersOfAContainerAreNotQuoted) {
    std::string text;
    RawServer server(
        [&](const RawServer::Request&, Connection& to) { to.send(answer("200 OK", "", text)); });
    x_from.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.url("/");
    for (const std::string& wrong :
         {std::string("hidden"), std::string("[]"), std::string("{}"),
          role("hidden", "2026-13-25T13:00:00Z"), role("hid\\nden", "2026-11-25T13:00:00Z"),
          std::string(100'000, 'x')}) {
        text = wrong;
        const auto got = keys();
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, Code::corrupt);
        EXPECT_THAT(got.error().text(), Not(HasSubstr("hid")));
    }
}

TEST_F(S3Keys, OfAVirtualMachineBySession) {
    RawServer server([](const RawServer::Request& request, Connection& to) {
        if (request.method() == "PUT" && request.path == "/latest/api/token")
            return void(to.send(answer("200 OK", "", "the-token\n")));
        if (request.field("X-aws-ec2-metadata-token") != "the-token")
            return void(to.send(answer("401 Unauthorized", "", "")));
        if (request.path == "/latest/meta-data/iam/security-credentials/")
            return void(to.send(answer("200 OK", "", "my-role\nother\n")));
        to.send(answer("200 OK", "", role("id", "2026-11-25T13:00:00Z")));
    });
    x_from.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = server.url("");
    EXPECT_FALSE(keys()) << "asked though it is switched off";
    EXPECT_EQ(server.requests(), 0);
    x_from.environment.erase("AWS_EC2_METADATA_DISABLED");
    const auto got = keys();
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->access_key, "id");
    EXPECT_EQ(server.seen()[0].field("X-aws-ec2-metadata-token-ttl-seconds"), "21600");
    EXPECT_EQ(server.seen()[2].path, "/latest/meta-data/iam/security-credentials/my-role");
}

TEST_F(S3Keys, AMachineWithoutARoleHasNone) {
    std::string status = "404 Not Found";
    RawServer server([&](const RawServer::Request& request, Connection& to) {
        if (request.method() == "PUT") return void(to.send(answer("200 OK", "", "t")));
        to.send(answer(status, "", ""));
    });
    x_from.environment.erase("AWS_EC2_METADATA_DISABLED");
    x_from.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = server.url("");
    expect_refused("no keys for S3");
    status = "403 Forbidden";
    expect_refused("does not name this machine's role: 403 Forbidden");
    // Nobody there at all.
    x_from.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:1";
    expect_refused("no keys for S3");
}

TEST(AwsConfig, KnowsRegionAndEndpoint) {
    AwsSurroundings from;
    from.environment["HOME"] = "/h";
    std::string config;
    from.read = [&](const std::string& path) -> base::Result<std::optional<AwsSurroundings::File>> {
        if (path != "/h/.aws/config") return std::optional<AwsSurroundings::File>();
        return AwsSurroundings::File{config};
    };
    const auto settings = [&] { return s3_settings(from, read_aws_profile(from).value()); };
    EXPECT_EQ(settings().region, "");
    EXPECT_EQ(settings().endpoint, "");
    config =
        "[default]\nregion = eu-west-1\nendpoint_url = https://all.example\n"
        "[profile lab]\nservices = mine\nendpoint_url = https://all.example\n"
        "[services mine]\ns3 =\n  endpoint_url = https://s3.example\n"
        "dynamodb =\n  endpoint_url = https://other.example\n";
    EXPECT_EQ(settings().region, "eu-west-1");
    EXPECT_EQ(settings().endpoint, "https://all.example");
    from.environment["AWS_PROFILE"] = "lab";
    EXPECT_EQ(settings().endpoint, "https://s3.example");
    EXPECT_EQ(settings().sts, "https://all.example");
    from.environment["AWS_ENDPOINT_URL"] = "https://env.example";
    EXPECT_EQ(settings().endpoint, "https://env.example");
    EXPECT_EQ(settings().sts, "https://env.example");
    from.environment["AWS_ENDPOINT_URL_STS"] = "https://env-sts.example";
    EXPECT_EQ(settings().sts, "https://env-sts.example");
    from.environment["AWS_ENDPOINT_URL_S3"] = "https://env-s3.example";
    EXPECT_EQ(settings().endpoint, "https://env-s3.example");
    from.environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "True";
    EXPECT_EQ(settings().endpoint, "");
    EXPECT_EQ(settings().sts, "");
    from.environment["AWS_DEFAULT_REGION"] = "us-west-2";
    EXPECT_EQ(settings().region, "us-west-2");
    from.environment["AWS_REGION"] = "us-east-2";
    EXPECT_EQ(settings().region, "us-east-2");
}

TEST(AwsConfig, KnowsWhetherChecksumsAreSent) {
    AwsSurroundings from;
    AwsProfile profile;
    EXPECT_TRUE(s3_settings(from, profile).checksums);
    profile.config["request_checksum_calculation"] = "WHEN_REQUIRED";
    EXPECT_FALSE(s3_settings(from, profile).checksums);
    from.environment["AWS_REQUEST_CHECKSUM_CALCULATION"] = "when_supported";
    EXPECT_TRUE(s3_settings(from, profile).checksums);
    from.environment["AWS_REQUEST_CHECKSUM_CALCULATION"] = "when_required";
    from.environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";
    EXPECT_FALSE(s3_settings(from, profile).checksums);
}

TEST(AwsConfig, KnowsWhereStsIs) {
    const auto of = [](const std::string& region, const std::string& endpoint) {
        S3Settings settings;
        settings.region = region;
        settings.sts = endpoint;
        const auto url = sts_address(settings);
        return url ? url->with_secrets() : url.error().text();
    };
    EXPECT_EQ(of("", ""), "https://sts.us-east-1.amazonaws.com/");
    EXPECT_EQ(of("eu-west-1", ""), "https://sts.eu-west-1.amazonaws.com/");
    EXPECT_EQ(of("cn-north-1", ""), "https://sts.cn-north-1.amazonaws.com.cn/");
    EXPECT_THAT(of("evil.example/", ""), HasSubstr("no name of a region"));
    EXPECT_EQ(of("eu-west-1", "https://sts.example:8443/x"), "https://sts.example:8443/x");
    EXPECT_EQ(of("", "http://localhost:9000"), "http://localhost:9000/");
    EXPECT_THAT(of("", "http://sts.example/?hidden"),
                testing::AllOf(HasSubstr("no token is sent there"), Not(HasSubstr("hidden"))));
}

TEST(AwsConfig, ReadsAnything) {
    EXPECT_TRUE(parse_aws_file("[\n]\n=\n[a\nx=1\n \n\t=\n[]\n=y\n", true).contains(""));
    EXPECT_EQ(parse_aws_file("[profile a]\nb = c=d\n", true).at("a").at("b"), "c=d");
    EXPECT_TRUE(parse_aws_file("[profile a]\nb = c\n", false).contains("profile a"));
}

TEST(AwsConfig, KnowsTimes) {
    EXPECT_EQ(parse_utc("1970-01-01T00:00:00Z"), 0);
    EXPECT_EQ(parse_utc("2013-05-24T00:00:00Z"), 1369353600);
    EXPECT_EQ(parse_utc("2026-11-25T12:00:00.123456Z"), 1795608000);
    for (const char* bad :
         {"", "2026-11-25", "2026-02-30T00:00:00Z", "2026-11-25T24:00:00Z", "2026-11-25T12:00:00",
          "2026-11-25T12:00:00+01:00", "2026-11-25T12:00:00.Z", "+026-11-25T12:00:00Z"})
        EXPECT_FALSE(parse_utc(bad)) << bad;
}

}  // namespace
}  // namespace sf::net
