// SPDX-License-Identifier: Apache-2.0
// A cache behind a web server, for reading: object "a/b" is <address>/a/b. What the server says of
// its objects is passed on, not believed. Knows no listing of folders and writes nothing: that is
// done where the server has its files. Thread-safe.
#pragma once

#include <string>

#include "cache/backend.hpp"
#include "net/http.hpp"

namespace sf::cache {

class HttpBackend : public Backend {
public:
    // `address`: http or https; user info is sent to its own origin only.
    explicit HttpBackend(net::Url address, net::HttpOptions options = {})
        : x_address(std::move(address)), x_client(std::move(options)) {}

    [[nodiscard]] std::string place() const override { return x_address.redacted(); }
    [[nodiscard]] bool writable() const override { return false; }
    [[nodiscard]] base::Result<Got> get(const std::string& key, const GetOptions& options,
                                        net::Receiver& to) override;
    [[nodiscard]] base::Result<std::optional<ObjectInfo>> look(const std::string& key) override;
    [[nodiscard]] base::Status list(const std::string& prefix, const Visitor& visit) override;
    [[nodiscard]] base::Result<PutOutcome> put(const PutRequest& request) override;
    [[nodiscard]] base::Status remove(const std::string& key) override;
    [[nodiscard]] base::Result<bool> keeps_conditions() override { return false; }

private:
    [[nodiscard]] tl::unexpected<base::Error> reads_only(std::string_view what) const;

    net::Url x_address;
    net::HttpClient x_client;
};

}  // namespace sf::cache
