// SPDX-License-Identifier: Apache-2.0
// What is said to do next where TLS refuses a server, and which CA certificates are believed.
#include "net/retry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>

#include "net/http.hpp"

namespace sf::net {
namespace {

using base::Code;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Failure failure(Trouble trouble, const std::string& message, const std::string& ca_file = "/ca") {
    ExchangeResult result;
    result.trouble = trouble;
    result.message = message;
    result.ca_file = ca_file;
    return failure_of_trouble(result);
}

std::string hint(const std::string& message, const std::string& ca_file = "/ca") {
    return failure(Trouble::tls, message, ca_file).error.hint;
}

TEST(TlsHints, AnUnknownCaNamesTheFileThatWasAsked) {
    const Failure refused = failure(
        Trouble::tls, "SSL certificate problem: unable to get local issuer certificate", "/a\nb");
    EXPECT_EQ(refused.error.code, Code::refused);
    EXPECT_FALSE(refused.again);
    EXPECT_THAT(refused.error.hint, HasSubstr("CA certificates in /a\\x0ab have"));
    EXPECT_THAT(refused.error.hint, HasSubstr("SSL_CERT_FILE=FILE"));
    EXPECT_THAT(refused.error.hint, Not(HasSubstr("clock")));
}

TEST(TlsHints, AMachineWithoutCaCertificatesIsToldHowToGetThem) {
    const std::string said =
        hint("error setting certificate file: /etc/ssl/certs/ca-certificates.crt", "");
    EXPECT_THAT(said, HasSubstr("install ca-certificates"));
    EXPECT_THAT(said, HasSubstr("SSL_CERT_FILE=FILE"));
}

TEST(TlsHints, AnotherNameIsAboutTheAddress) {
    for (const char* message :
         {"SSL: no alternative certificate subject name matches target host name "
          "'certificate-has-expired.example'",
          "SSL: certificate subject name 'a certificate has expired' does not match target host "
          "name 'b'"}) {
        EXPECT_THAT(hint(message), HasSubstr("the name that the server's certificate is for"));
        EXPECT_THAT(hint(message), Not(HasSubstr("SSL_CERT_FILE")));
    }
}

TEST(TlsHints, TheWrongTimeIsAboutTheClock) {
    for (const char* message : {"SSL certificate problem: certificate has expired",
                                "SSL certificate problem: certificate is not yet valid"})
        EXPECT_THAT(hint(message), HasSubstr("clock"));
}

TEST(TlsHints, AHandshakeThatCannotSucceedSaysWhy) {
    const auto cut_off = [](const std::string& message) {
        const Failure found = failure(Trouble::cut_off, message);
        EXPECT_EQ(found.error.code, Code::unreachable);
        EXPECT_TRUE(found.again);
        return found.error.hint;
    };
    EXPECT_THAT(cut_off("error:0A00042E:SSL routines::tlsv1 alert protocol version"),
                HasSubstr("TLS 1.2"));
    EXPECT_THAT(cut_off("error:0A000102:SSL routines::unsupported protocol"), HasSubstr("TLS 1.2"));
    EXPECT_THAT(cut_off("error:0A00010B:SSL routines::wrong version number"), HasSubstr("port"));
    EXPECT_THAT(cut_off("Recv failure: Connection reset by peer"), IsEmpty());
}

// The environment is as it was afterwards.
class CaFile : public testing::Test {
protected:
    void SetUp() override {
        for (auto& [name, value] : x_before) {
            if (const char* said = std::getenv(name.c_str()); said != nullptr) value = said;
            ::unsetenv(name.c_str());
        }
    }
    void TearDown() override {
        for (const auto& [name, value] : x_before) {
            if (value) {
                ::setenv(name.c_str(), value->c_str(), 1);
            } else {
                ::unsetenv(name.c_str());
            }
        }
    }

private:
    std::map<std::string, std::optional<std::string>> x_before{{"SSL_CERT_FILE", std::nullopt},
                                                               {"CURL_CA_BUNDLE", std::nullopt}};
};

TEST_F(CaFile, TheEnvironmentNamesItAndAnEmptyWordDoesNot) {
    const std::string of_the_system = find_ca_file();
    ::setenv("CURL_CA_BUNDLE", "/bundle", 1);
    EXPECT_EQ(find_ca_file(), "/bundle");
    ::setenv("SSL_CERT_FILE", "", 1);
    EXPECT_EQ(find_ca_file(), "/bundle");
    // Whether it is there is for whoever opens it to say: to go on with others would believe more
    // than was meant.
    ::setenv("SSL_CERT_FILE", "/no such file", 1);
    EXPECT_EQ(find_ca_file(), "/no such file");
    ::unsetenv("SSL_CERT_FILE");
    ::unsetenv("CURL_CA_BUNDLE");
    EXPECT_EQ(find_ca_file(), of_the_system);
}

}  // namespace
}  // namespace sf::net
