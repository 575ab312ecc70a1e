// SPDX-License-Identifier: Apache-2.0
// Messages between a program and its signer: one text form, bounded, and what comes beside them.
#include "trust/signer_wire.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"

namespace sf::trust {
namespace {

constexpr const char* fingerprint = "574494EF6A190E6152BEB38F0FE94D114381EE04";

TEST(SignerWire, RequestsHaveOneText) {
    SignerRequest request;
    request.home = "/home/x/gnupg";
    request.keys = {{fingerprint, Passphrase::From::descriptor, {}},
                    {fingerprint, Passphrase::From::file, "/run/pass phrase"}};
    const std::string begin = to_json(request).value();
    const auto read = signer_request_from_json(begin);
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->home, request.home);
    EXPECT_EQ(read->keys, request.keys);
    for (const std::string& text : {begin, std::string(R"({"do":"admit","what":"blob"})"),
                                    std::string(R"({"do":"admit","what":"plan"})"),
                                    std::string(R"({"do":"sign","what":"snapshot"})")})
        EXPECT_EQ(to_json(signer_request_from_json(text).value()).value(), text);
}

TEST(SignerWire, NothingElseIsARequest) {
    const std::string home = R"("home":"/h",)";
    const std::string key =
        std::string(R"({"fingerprint":")") + fingerprint + R"(","passphrase":"agent"})";
    std::string many;
    for (int i = 0; i < 17; ++i) many += (i == 0 ? "" : ",") + key;
    const std::vector<std::string> bad{
        "",
        "null",
        "[]",
        "{}",
        "\0",
        R"({"do":"admit"})",
        R"({"do":"admit","what":"everything"})",
        R"({"do":"sign","what":"blob"})",
        R"({"do":"sign","what":7})",
        R"({"do":"Sign","what":"snapshot"})",
        R"({"do":"sign","what":"snapshot"} )",
        R"({"what":"snapshot","do":"sign"})",
        R"({"do":"sign","do":"sign","what":"snapshot"})",
        R"({"do":"sign","what":"snapshot","more":1})",
        R"({"do":"begin",)" + home + R"("keys":[]})",
        R"({"do":"begin",)" + home + R"("keys":[)" + many + "]}",
        R"({"do":"begin","home":"h","keys":[)" + key + "]}",
        R"({"do":"begin","home":"/h\u0000x","keys":[)" + key + "]}",
        R"({"do":"begin",)" + home + R"("keys":[{"fingerprint":"57449","passphrase":"agent"}]})",
        R"({"do":"begin",)" + home + R"("keys":[{"fingerprint":")" + fingerprint +
            R"(","passphrase":"swordfish"}]})",
        R"({"do":"begin",)" + home + R"("keys":[{"file":"x","fingerprint":")" + fingerprint +
            R"(","passphrase":"file"}]})",
        R"({"do":"begin",)" + home + R"("keys":[[[[[[1]]]]]]})",
        std::string(max_signer_message + 1, ' '),
    };
    for (const std::string& text : bad) EXPECT_FALSE(signer_request_from_json(text)) << text;
}

TEST(SignerWire, RepliesBringErrorsWhole) {
    SignerReply reply;
    reply.error = base::Error{base::Code::refused, "no\x1b[31m \xff", {"signing"}, "do that"};
    const std::string text = to_json(reply).value();
    const auto read = signer_reply_from_json(text);
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->error->code, base::Code::refused);
    EXPECT_EQ(read->error->message, "no\\x1b[31m \\xff");
    EXPECT_EQ(read->error->frames, std::vector<std::string>{"signing"});
    EXPECT_EQ(read->error->hint, "do that");
    reply.error->message = std::string(100'000, '\xff');
    reply.error->frames = std::vector<std::string>(100, std::string(10'000, 'x'));
    EXPECT_LE(to_json(reply).value().size(), max_signer_message);
    for (const char* bad : {"", "{}", R"({"code":"fine","error":"","frames":[],"hint":""})",
                            R"({"code":"failed"})", R"({"fingerprint":1,"primaries":[]})"})
        EXPECT_FALSE(signer_reply_from_json(bad)) << bad;
}

class SignerSocket : public ::testing::Test {
protected:
    SignerSocket() {
        int ends[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        x_one = base::Fd(ends[0]);
        x_other = base::Fd(ends[1]);
    }
    // Anything, with any descriptors beside it.
    void send(std::string bytes, const std::vector<int>& descriptors = {}) const {
        iovec part{bytes.data(), bytes.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        std::vector<char> control(CMSG_SPACE(descriptors.size() * sizeof(int)));
        if (!descriptors.empty()) {
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            cmsghdr* const header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
            std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
        }
        ASSERT_EQ(::sendmsg(x_one.get(), &message, MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
    }
    static std::size_t open_descriptors() { return base::list_dir("/proc/self/fd").value().size(); }
    base::Fd x_one, x_other;
};

TEST_F(SignerSocket, ATextAndADescriptor) {
    const base::Fd memory = text_in_memory("inside").value();
    ASSERT_TRUE(send_message(x_one.get(), "hello", memory.get()));
    const auto got = receive_message(x_other.get());
    ASSERT_TRUE(got && *got);
    EXPECT_EQ((*got)->text, "hello");
    EXPECT_EQ(text_of_descriptor((*got)->descriptor.get(), 6).value(), "inside");
    EXPECT_FALSE(text_of_descriptor((*got)->descriptor.get(), 5)) << "longer than it may be";
    EXPECT_LT(::write((*got)->descriptor.get(), "x", 1), 0) << "nobody changes it any more";
    EXPECT_LT(::write(memory.get(), "x", 1), 0);
    EXPECT_NE(::fcntl((*got)->descriptor.get(), F_GETFD) & FD_CLOEXEC, 0);
    x_one.reset();
    const auto end = receive_message(x_other.get());
    ASSERT_TRUE(end);
    EXPECT_FALSE(*end);
    EXPECT_EQ(send_message(x_other.get(), "x").error().code, base::Code::unreachable);
}

TEST_F(SignerSocket, TooMuchIsRefusedAndClosed) {
    const std::size_t before = open_descriptors();
    const auto refused = [&] {
        const auto got = receive_message(x_other.get());
        EXPECT_FALSE(got);
        EXPECT_EQ(open_descriptors(), before);
    };
    send(std::string(max_signer_message + 1, 'x'));
    refused();
    send("x", {0, 1});
    refused();
    send("x", std::vector<int>(200, 0));
    refused();
    send(std::string(max_signer_message, 'x'), {0});
    EXPECT_TRUE(receive_message(x_other.get())) << "as long as it may be";
    EXPECT_FALSE(send_message(x_one.get(), std::string(max_signer_message + 1, 'x')));
}

TEST_F(SignerSocket, OnlyFilesHoldTexts) {
    int pipe[2];
    ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    const base::Fd from(pipe[0]), to(pipe[1]);
    EXPECT_FALSE(text_of_descriptor(from.get(), 10)) << "nobody waits for a writer";
    EXPECT_FALSE(text_of_descriptor(x_one.get(), 10));
    EXPECT_FALSE(text_of_descriptor(-1, 10));
}

}  // namespace
}  // namespace sf::trust
