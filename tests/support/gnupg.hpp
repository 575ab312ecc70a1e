// SPDX-License-Identifier: Apache-2.0
// Real GnuPG for tests: a home in a short temporary folder where keys of every kind, good and bad,
// are made and used. Failures of GnuPG end the test. One thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "base/process.hpp"

namespace sf::test {

class Gnupg {
public:
    Gnupg();
    Gnupg(const Gnupg&) = delete;
    Gnupg& operator=(const Gnupg&) = delete;
    ~Gnupg();

    [[nodiscard]] const std::filesystem::path& home() const { return x_home.path(); }

    // stdout; the test fails if gpg does.
    std::string run(std::vector<std::string> arguments, std::string_view input = {});

    // `algorithm` as --quick-gen-key takes it: "ed25519", "rsa1024", "rsa4096". Returns the primary
    // fingerprint. `when` as --faked-system-time takes it: "20200102T000000", "" for now.
    std::string make_key(std::string_view user_id, std::string_view algorithm = "ed25519",
                         std::string_view expires = "never", std::string_view when = {});
    // Returns the subkey's fingerprint.
    std::string add_subkey(const std::string& key, std::string_view algorithm = "ed25519",
                           std::string_view usage = "sign");
    void revoke_key(const std::string& key);
    void revoke_subkey(const std::string& key, int number);

    [[nodiscard]] std::string export_key(const std::string& key);
    // An armoured detached signature of `bytes` by each of `keys`.
    [[nodiscard]] std::string sign(std::string_view bytes, const std::vector<std::string>& keys,
                                   const std::vector<std::string>& extra = {});

private:
    base::TempDir x_home;
};

}  // namespace sf::test
