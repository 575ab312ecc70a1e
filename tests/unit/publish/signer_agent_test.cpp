// SPDX-License-Identifier: Apache-2.0
// Whole publications by the signer's process, with a key whose passphrase gpg's agent asks for or
// was told before. Real GnuPG, real processes.
#include <gmock/gmock.h>

#include "cache/trusted_snapshot.hpp"
#include "signer_maker.hpp"
#include "support/pinentry.hpp"
#include "trust/keyring.hpp"

namespace sf::publish {
namespace {

using ::testing::HasSubstr;

constexpr const char* passphrase = "correct horse";

class SignerByAgent : public SignerApart {
protected:
    // All that PlaceMaker makes is signed with another key: one that has a passphrase.
    SignerByAgent() {
        const fs::path file = at("passphrase");
        EXPECT_TRUE(base::write_file(file, std::string(passphrase), 0600));
        trust::KeyRequest request;
        request.name = "Release Key";
        request.email = "p@example.org";
        request.kind = trust::KeyKind::ed25519;
        request.passphrase = {trust::Passphrase::From::file, -1, file};
        const trust::Keyring keyring(home());
        x_key.emplace(keyring.create(request).value().primary.fingerprint);
        x_public = keyring.export_public(*x_key).value();
        x_verifier.emplace(verifier());
    }
    [[nodiscard]] fs::path home() const { return at("keys"); }
    [[nodiscard]] std::unique_ptr<trust::SignerProcess> begun_by_agent(const std::string& version) {
        trust::SignerStart start;
        start.home = home();
        start.keys = {{x_key->text(), trust::Passphrase::From::agent, {}}};
        auto signer = trust::SignerProcess::start(start).value();
        const auto built = packages(version);
        EXPECT_TRUE(say(*signer, plan_of(built)));
        for (const auto& each : built) {
            const base::Status handed = hand_over(*signer, each);
            EXPECT_TRUE(handed) << handed.error().text();
        }
        return signer;
    }
    // Packages, a bundle and its papers, two snapshots; then they are read again.
    void publish_all() {
        cache::FileBackend place(at("cache"));
        {
            const auto signer = begun_by_agent("25.11.2");
            x_other_signer = signer.get();
            const base::Status done = publish(build("25.11.2"), place);
            EXPECT_TRUE(done) << done.error().text();
            x_other_signer = nullptr;
        }
        cache::SubBackend main(place, "bookworm/slurm/25.11");
        const auto snapshot =
            cache::read_snapshot(main, {&*x_verifier, "bookworm/slurm/25.11", at("memory"), now});
        ASSERT_TRUE(snapshot) << snapshot.error().text();
        ASSERT_TRUE(*snapshot);
        EXPECT_EQ((*snapshot)->snapshot.serial, 1U);
    }

    test::Pinentry x_pinentry{home(), x_folder.path()};
};

TEST_F(SignerByAgent, APersonIsAskedOnceForAWholePublication) {
    x_pinentry.answer(passphrase);
    publish_all();
    EXPECT_EQ(x_pinentry.asked(), 1U);
}

TEST_F(SignerByAgent, NobodyIsAskedWhereAnAgentWasToldBefore) {
    const test::PersonsAgent agent(home());
    agent.tell(passphrase);
    publish_all();
    EXPECT_EQ(x_pinentry.asked(), 0U);
    EXPECT_TRUE(agent.runs());
}

TEST_F(SignerByAgent, WhereNobodyCanBeAskedItIsSaidWhatToDo) {
    x_pinentry.refuse(test::Pinentry::no_terminal);
    const auto signer = begun_by_agent("25.11.2");
    const auto built = packages("25.11.2");
    const auto refused =
        signer->sign(trust::Paper::package, model::to_json(built[0].package).value());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::refused);
    EXPECT_THAT(refused.error().text(), HasSubstr(x_key->text()));
    EXPECT_THAT(refused.error().text(), HasSubstr("Inappropriate ioctl for device"));
    for (const char* way :
         {"--passphrase-file", "--passphrase-fd", "at a terminal", "gpg-preset-passphrase"})
        EXPECT_THAT(refused.error().hint, HasSubstr(way));
    // A person comes, and the run goes on.
    x_pinentry.answer(passphrase);
    EXPECT_TRUE(signer->sign(trust::Paper::package, model::to_json(built[0].package).value()));
}

}  // namespace
}  // namespace sf::publish
