// SPDX-License-Identifier: Apache-2.0
// The tests' program is also the signer that they start from it, and a program that has one.
#include <gmock/gmock.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <string_view>
#include <unistd.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "publish/signing_rules.hpp"
#include "support/pinentry.hpp"
#include "trust/keyring.hpp"
#include "trust/revocation_list.hpp"
#include "trust/signer_process.hpp"
#include "trust/signer_service.hpp"

namespace {

namespace trust = sf::trust;
using sf::base::Status;

int serve() {
    sf::base::install_stop_handlers();
    if (!trust::lock_signer_down()) return 1;
    sf::publish::RunRules rules;
    return trust::serve_signer(trust::signer_socket, rules) ? 0 : 1;
}

// Makes a key with the passphrase in `file`, starts its signer, tells its pid, and has it sign
// without end, until it is killed itself. `way`: "file", or "agent", where a pinentry gives it.
Status hold_signer(const char* home, const char* file, std::string_view way) {
    trust::KeyRequest request;
    request.name = "Held key";
    request.email = "h@example.org";
    request.kind = trust::KeyKind::ed25519;
    request.passphrase = {trust::Passphrase::From::file, -1, file};
    SF_TRY(const trust::Key key, trust::Keyring(home).create(request));
    trust::SignerStart start;
    start.home = home;
    start.keys = {{key.primary.fingerprint.text(), trust::Passphrase::From::file, file}};
    if (way == "agent") {
        start.keys = {{key.primary.fingerprint.text(), trust::Passphrase::From::agent, {}}};
        SF_TRY(const std::string passphrase, sf::base::read_file(file));
        sf::test::Pinentry(home, std::filesystem::path(file).parent_path())
            .answer(sf::base::trim(passphrase));
    }
    SF_TRY(const auto signer, trust::SignerProcess::start(start));
    sf::publish::SigningPlan plan;
    plan.papers = {trust::Paper::revocations};
    SF_TRY(const std::string said, sf::publish::to_json(plan));
    SF_CHECK(signer->admit(trust::Evidence::plan, said));
    trust::RevocationList list;
    list.serial = 1;
    list.issued = std::time(nullptr);
    list.expires = list.issued + 1000;
    SF_TRY(const std::string text, trust::to_text(list));
    std::printf("%d\n", signer->pid());
    std::fflush(stdout);
    for (;;) SF_CHECK(signer->sign(trust::Paper::revocations, text).map([](const std::string&) {}));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == trust::signer_verb) return serve();
    if (argc == 2 && std::string_view(argv[1]) == sf::publish::look_verb)
        return sf::publish::look_and_tell();
    if (argc == 5 && std::string_view(argv[1]) == "--hold-signer") {
        const Status held = hold_signer(argv[2], argv[3], argv[4]);
        std::fprintf(stderr, "%s\n", held ? "" : held.error().text().c_str());
        return 1;
    }
    testing::InitGoogleMock(&argc, argv);
    return RUN_ALL_TESTS();
}
