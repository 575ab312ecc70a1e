// SPDX-License-Identifier: Apache-2.0
// The seam between the store of sources and the network.
#pragma once

#include "net/http.hpp"

namespace sf::recipe {

// The network as the store sees it. Implementations are thread-safe, and do their own retries at
// the one place; the store goes from place to place.
class Downloader {
public:
    virtual ~Downloader() = default;
    virtual base::Status download(const net::Request& request, net::Receiver& to) = 0;
    // Success if the place says that it has the file (of that length, where both are known).
    virtual base::Status probe(const net::Request& request) = 0;
};

// http(s) by an HttpClient, file: by the file system.
class NetDownloader : public Downloader {
public:
    explicit NetDownloader(net::HttpClient& client) : x_client(client) {}
    base::Status download(const net::Request& request, net::Receiver& to) override;
    base::Status probe(const net::Request& request) override;

private:
    net::HttpClient& x_client;
};

}  // namespace sf::recipe
