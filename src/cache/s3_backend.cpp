// SPDX-License-Identifier: Apache-2.0
#include "cache/s3_backend.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <random>

#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::cache {

using base::Code;
using base::fail;

namespace {

base::Result<base::Fd> file_in_memory(std::string_view bytes) {
    base::Fd file(::memfd_create("probe", MFD_CLOEXEC));
    if (!file.valid()) return base::fail_errno(errno, "make a file in memory");
    SF_CHECK(base::write_all(file.get(), base::as_bytes(bytes), "a file in memory"));
    return file;
}

}  // namespace

base::Result<std::unique_ptr<S3Backend>> S3Backend::create(const net::S3Location& location,
                                                           net::S3Options options,
                                                           std::shared_ptr<net::S3KeySource> keys) {
    options.bucket = location.bucket;
    SF_TRY(auto client, net::S3Client::create(std::move(options), std::move(keys)));
    return std::unique_ptr<S3Backend>(new S3Backend(location, std::move(client)));
}

base::Result<std::unique_ptr<S3Backend>> S3Backend::open(std::string_view place,
                                                         const net::AwsSurroundings& from) {
    SF_TRY(const net::S3Location location, net::S3Location::parse(place));
    SF_TRY(const net::AwsProfile profile, net::read_aws_profile(from));
    const net::S3Settings settings = net::s3_settings(from, profile);
    net::S3Options options;
    options.endpoint = settings.endpoint;
    if (!settings.region.empty()) options.region = settings.region;
    options.checksums = settings.checksums;
    return create(location, std::move(options), std::make_shared<net::S3KeyChain>(from));
}

std::string S3Backend::in_bucket() const {
    return x_location.prefix.empty() ? "" : x_location.prefix + "/";
}

base::Result<std::string> S3Backend::full(const std::string& key) const {
    SF_CHECK(check_key(key));
    std::string result = in_bucket() + key;
    if (result.size() > 1024) {
        return fail(Code::refused, "'{}' is longer than the 1024 bytes that S3 allows", result);
    }
    return result;
}

template <class T>
base::Result<T> S3Backend::here(base::Result<T> result) const {
    return base::during(std::move(result), "working with " + place());
}

base::Result<Got> S3Backend::get(const std::string& key, const GetOptions& options,
                                 net::Receiver& to) {
    SF_TRY(const std::string name, full(key));
    const net::S3Get how{options.offset, options.length, options.max_length, options.if_changed};
    SF_TRY(const net::S3Got got, here(x_client->get(name, how, to)));
    return Got{got.unchanged, {key, got.object.size, got.object.etag}};
}

base::Result<std::optional<ObjectInfo>> S3Backend::look(const std::string& key) {
    SF_TRY(const std::string name, full(key));
    SF_TRY(const auto found, here(x_client->head(name)));
    if (!found) return std::optional<ObjectInfo>();
    return ObjectInfo{key, found->size, found->etag, found->modified};
}

base::Status S3Backend::list(const std::string& prefix, const Visitor& visit) {
    const std::string top = in_bucket();
    return here(x_client->list(top + prefix, [&](const net::S3Object& object) -> base::Status {
        const std::string key = object.key.substr(top.size());
        if (!check_key(key)) return {};
        return visit({key, object.size, object.etag, object.modified});
    }));
}

base::Result<PutOutcome> S3Backend::put(const PutRequest& request) {
    SF_TRY(const std::string name, full(request.key));
    const PutCondition& condition = request.condition;
    net::S3Put put{name,
                   request.descriptor,
                   request.size,
                   request.sha256,
                   request.content_type,
                   request.cache_control,
                   condition.kind == PutCondition::Kind::if_absent,
                   {}};
    if (condition.kind == PutCondition::Kind::if_etag) {
        // Without one everything would be replaced.
        if (condition.etag.empty())
            return fail(Code::refused, "putting {}: a condition without an etag", request.key);
        put.if_match = condition.etag;
    }
    SF_TRY(const net::S3Outcome outcome, here(x_client->put(put)));
    switch (outcome) {
        case net::S3Outcome::there: return PutOutcome::there;
        case net::S3Outcome::changed: return PutOutcome::changed;
        case net::S3Outcome::written: break;
    }
    return PutOutcome::written;
}

base::Status S3Backend::remove(const std::string& key) {
    SF_TRY(const std::string name, full(key));
    return here(x_client->remove(name));
}

base::Result<bool> S3Backend::keeps_conditions() {
    auto keeps = x_keeps.lock();
    if (*keeps) return **keeps;
    std::random_device device;
    const std::string key = fmt::format("_sf/probe/{:08x}{:08x}", device(), device());
    auto found = base::during(probe(key), "finding out whether conditions are kept");
    const base::Status removed = remove(key);
    if (!found) return tl::unexpected(std::move(found).error());
    SF_CHECK(removed);
    *keeps = *found;
    return *found;
}

base::Result<bool> S3Backend::probe(const std::string& key) {
    const auto write = [&](const std::string& text,
                           PutCondition condition) -> base::Result<PutOutcome> {
        SF_TRY(const base::Fd file, file_in_memory(text));
        PutRequest request;
        request.key = key;
        request.descriptor = file.get();
        request.size = text.size();
        request.sha256 = base::sha256(text);
        request.content_type = "text/plain";
        request.condition = std::move(condition);
        auto outcome = put(request);
        // A server that knows no conditions, and says so.
        if (!outcome && outcome.error().message.find("NotImplemented") != std::string::npos)
            return request.condition.kind == PutCondition::Kind::if_absent ? PutOutcome::changed
                                                                           : PutOutcome::there;
        return outcome;
    };
    using Kind = PutCondition::Kind;
    SF_TRY(const PutOutcome first, write("first", {Kind::if_absent, {}}));
    if (first != PutOutcome::written) return false;
    SF_TRY(const PutOutcome second, write("second", {Kind::if_absent, {}}));
    if (second != PutOutcome::there) return false;
    SF_TRY(const auto there, look(key));
    if (!there || there->etag.empty()) return false;
    // Of the right form, and of something else.
    std::string other = there->etag;
    const auto digit = std::ranges::find_if(other, [](char c) { return c >= '0' && c <= '9'; });
    if (digit == other.end()) return false;
    *digit = *digit == '9' ? '0' : static_cast<char>(*digit + 1);
    SF_TRY(const PutOutcome third, write("third", {Kind::if_etag, other}));
    if (third != PutOutcome::changed) return false;
    SF_TRY(const PutOutcome fourth, write("fourth", {Kind::if_etag, there->etag}));
    return fourth == PutOutcome::written;
}

}  // namespace sf::cache
