// SPDX-License-Identifier: Apache-2.0
// A cache in a bucket, at AWS or at another server that speaks S3. Knows keys and prefixes; how S3
// is spoken is net's. Objects there that are not named like a cache's are passed over: people leave
// such things in buckets. Thread-safe.
#pragma once

#include <memory>
#include <optional>

#include "base/synced.hpp"
#include "cache/backend.hpp"
#include "net/s3_client.hpp"
#include "net/s3_location.hpp"

namespace sf::cache {

class S3Backend : public Backend {
public:
    // `options`: region, endpoint and limits; the bucket is the location's.
    [[nodiscard]] static base::Result<std::unique_ptr<S3Backend>> create(
        const net::S3Location& location, net::S3Options options,
        std::shared_ptr<net::S3KeySource> keys);
    // By "s3://bucket/prefix", with region, endpoint and keys as AWS's own tools find them.
    [[nodiscard]] static base::Result<std::unique_ptr<S3Backend>> open(
        std::string_view place, const net::AwsSurroundings& from);

    [[nodiscard]] std::string place() const override { return x_location.text(); }
    [[nodiscard]] bool writable() const override { return true; }
    [[nodiscard]] base::Result<Got> get(const std::string& key, const GetOptions& options,
                                        net::Receiver& to) override;
    [[nodiscard]] base::Result<std::optional<ObjectInfo>> look(const std::string& key) override;
    [[nodiscard]] base::Status list(const std::string& prefix, const Visitor& visit) override;
    [[nodiscard]] base::Result<PutOutcome> put(const PutRequest& request) override;
    [[nodiscard]] base::Status remove(const std::string& key) override;
    [[nodiscard]] base::Result<bool> keeps_conditions() override;

private:
    S3Backend(net::S3Location location, std::unique_ptr<net::S3Client> client)
        : x_location(std::move(location)), x_client(std::move(client)) {}
    [[nodiscard]] base::Result<std::string> full(const std::string& key) const;
    [[nodiscard]] std::string in_bucket() const;  // "prefix/", or ""
    template <class T>
    base::Result<T> here(base::Result<T> result) const;
    base::Result<bool> probe(const std::string& key);

    net::S3Location x_location;
    std::unique_ptr<net::S3Client> x_client;
    base::Synced<std::optional<bool>> x_keeps;
};

}  // namespace sf::cache
