// SPDX-License-Identifier: Apache-2.0
// TLS: a certificate that fits is taken, every other is refused. The servers are openssl's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>
#include <fcntl.h>
#include <thread>

#include "base/files.hpp"
#include "base/process.hpp"
#include "net/http.hpp"

namespace sf::net {
namespace {

namespace fs = std::filesystem;
using base::Code;
using testing::AnyOf;
using testing::Eq;

class Tls : public testing::Test {
protected:
    static void SetUpTestSuite() {
        ::setenv("no_proxy", "*", 1);
        s_folder =
            new base::TempDir(base::TempDir::create(fs::temp_directory_path(), "tls").value());
        // One authority, and three certificates of it: good, expired, of another host.
        run({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", "ca.key", "-out", "ca.crt", "-days", "30", "-subj", "/CN=test authority",
             "-addext", "basicConstraints=critical,CA:TRUE"});
        make_certificate("good", "IP:127.0.0.1", "20200101000000Z", "20991231000000Z");
        make_certificate("expired", "IP:127.0.0.1", "20200101000000Z", "20200201000000Z");
        make_certificate("other", "DNS:other.example", "20200101000000Z", "20991231000000Z");
        run({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", "self.key", "-out", "self.crt", "-days", "30", "-subj", "/CN=self",
             "-addext", "subjectAltName=IP:127.0.0.1"});
        ASSERT_TRUE(base::write_file(folder() / "file", "the content"));
    }
    static void TearDownTestSuite() {
        delete s_folder;
        s_folder = nullptr;
    }
    static fs::path folder() { return s_folder->path(); }

    static void run(std::vector<std::string> arguments) {
        base::Command command;
        command.argv = {"openssl"};
        command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
        command.directory = folder();
        const auto finished = base::run(command);
        ASSERT_TRUE(finished) << finished.error().text();
        ASSERT_TRUE(finished->exit.ok()) << finished->err;
    }

    static void make_certificate(const std::string& name, const std::string& host,
                                 const std::string& from, const std::string& until) {
        ASSERT_TRUE(base::make_dirs(folder() / name));
        ASSERT_TRUE(base::write_file(folder() / name / "index.txt", ""));
        ASSERT_TRUE(base::write_file(folder() / name / "serial", "01\n"));
        ASSERT_TRUE(
            base::write_file(folder() / (name + ".conf"),
                             "[ca]\ndefault_ca=d\n[d]\ndatabase=" + name +
                                 "/index.txt\nserial=" + name + "/serial\nnew_certs_dir=" + name +
                                 "\ndefault_md=sha256\npolicy=p\nx509_extensions=x\n" +
                                 "[p]\ncommonName=supplied\n[x]\nsubjectAltName=" + host + "\n"));
        run({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
             name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name});
        run({"ca", "-batch", "-config", name + ".conf", "-cert", "ca.crt", "-keyfile", "ca.key",
             "-in", name + ".csr", "-out", name + ".crt", "-startdate", from, "-enddate", until});
    }

    // A port nobody listens on at the moment.
    static int free_port() {
        const base::Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
        EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
        return ntohs(address.sin_port);
    }

    base::Result<std::string> get(const std::string& certificate, const std::string& ca,
                                  std::vector<std::string> more = {}) {
        const int port = free_port();
        base::Command command;
        command.argv = {"openssl", "s_server",
                        "-accept", "127.0.0.1:" + std::to_string(port),
                        "-cert",   certificate + ".crt",
                        "-key",    certificate + ".key",
                        "-WWW",    "-quiet"};
        command.argv.insert(command.argv.end(), more.begin(), more.end());
        command.directory = folder();
        auto log = base::open_file(folder() / "log", O_WRONLY | O_CREAT | O_APPEND);
        EXPECT_TRUE(log);
        command.stdout_fd = log->get();
        command.stderr_fd = log->get();
        auto server = base::Child::spawn(command);
        EXPECT_TRUE(server);
        HttpOptions options;
        options.ca_file = (folder() / ca).string();
        options.first_pause = std::chrono::milliseconds(20);
        options.attempts = 1;
        const Url url = Url::parse(fmt::format("https://127.0.0.1:{}/file", port)).value();
        // Until the server listens nobody is there; each try is a new client, without memory.
        for (int tries = 0; tries < 200; ++tries) {
            HttpClient client(options);
            auto text = client.get_text(url, 1000);
            if (text || text.error().text().find("onnect to") == std::string::npos) return text;
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        return base::fail(Code::failed, "the server never listened");
    }

    static base::TempDir* s_folder;
};
base::TempDir* Tls::s_folder = nullptr;

TEST_F(Tls, ACertificateThatFitsIsTaken) {
    const auto text = get("good", "ca.crt");
    ASSERT_TRUE(text) << text.error().text();
    EXPECT_EQ(*text, "the content");
}

TEST_F(Tls, AnExpiredOneIsRefused) {
    const auto text = get("expired", "ca.crt");
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, Code::refused) << text.error().text();
    EXPECT_THAT(text.error().hint, testing::HasSubstr("clock"));
}

TEST_F(Tls, OneOfAnotherHostIsRefused) {
    const auto text = get("other", "ca.crt");
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, Code::refused) << text.error().text();
    EXPECT_THAT(text.error().hint, testing::HasSubstr("the name that")) << text.error().text();
}

TEST_F(Tls, AnUnknownAuthorityIsRefused) {
    for (const char* certificate : {"good", "self"}) {
        const auto text =
            get(certificate, certificate == std::string("good") ? "self.crt" : "ca.crt");
        ASSERT_FALSE(text);
        EXPECT_EQ(text.error().code, Code::refused) << text.error().text();
        EXPECT_THAT(text.error().hint,
                    testing::HasSubstr("CA certificates in " + folder().string() + '/'));
    }
}

TEST_F(Tls, AFileOfCaCertificatesThatIsNotThereIsRefusedByItsName) {
    const auto text = get("good", "none.crt");
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, Code::refused) << text.error().text();
    EXPECT_THAT(text.error().text(), testing::HasSubstr("none.crt"));
    EXPECT_THAT(text.error().hint, testing::HasSubstr("none.crt"));
}

TEST_F(Tls, OldProtocolsAreRefused) {
    const auto text = get("good", "ca.crt", {"-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"});
    ASSERT_FALSE(text);
    EXPECT_THAT(text.error().code, AnyOf(Eq(Code::unreachable), Eq(Code::refused)))
        << text.error().text();
    EXPECT_THAT(text.error().hint, testing::HasSubstr("TLS 1.2")) << text.error().text();
}

}  // namespace
}  // namespace sf::net
