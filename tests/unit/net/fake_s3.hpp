// SPDX-License-Identifier: Apache-2.0
// An S3 server in memory, on the loopback: enough of it for one client, with the flaws that real
// ones have, to be switched on, and a hook that may answer instead. Signatures are compared with
// those of what arrived. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "base/digest.hpp"
#include "base/hmac.hpp"
#include "base/text.hpp"
#include "net/s3_auth.hpp"
#include "net/s3_checksum.hpp"
#include "net/s3_credentials.hpp"
#include "net/url.hpp"
#include "net/xml.hpp"
#include "unit/net/raw_server.hpp"

namespace sf::test {

// Keys that never change.
class FixedKeys : public net::S3KeySource {
public:
    explicit FixedKeys(net::S3Credentials keys) : x_keys(std::move(keys)) {}
    base::Result<net::S3Credentials> keys() override { return x_keys; }
    void forget() override { ++forgotten; }
    std::atomic<int> forgotten = 0;

private:
    net::S3Credentials x_keys;
};

struct FakeS3Flaws {
    bool no_conditions = false;  // taken, and written all the same
    bool bare_etags = false;     // If-Match works without quotes only
    std::size_t page = 1000;
    bool no_if_match = false;       // of conditions this one alone is not kept
    bool no_if_none_match = false;  // likewise
    // An object lock with a default retention: nothing is taken without a checksum, as AWS does it.
    bool locked = false;
    bool refuses_checksums = false;  // B2 did, and R2
    bool ignores_checksums = false;  // neither compared nor told of, as by RGW before 20
};

class FakeS3 {
public:
    using Flaws = FakeS3Flaws;
    struct Object {
        std::string bytes;
        std::string upload;  // the name in its metadata
        std::string etag() const { return "\"" + base::sha256(bytes).hex().substr(0, 32) + "\""; }
    };
    // Not nullopt: sent instead of an answer; "": the connection ends. Called before anything else.
    using Hook = std::function<std::optional<std::string>(const RawServer::Request&)>;

    explicit FakeS3(Flaws flaws = {}, Hook hook = {})
        : x_flaws(flaws),
          x_hook(std::move(hook)),
          x_server([this](const RawServer::Request& request, RawServer::Connection& to) {
              if (const auto instead = x_hook ? x_hook(request) : std::nullopt) {
                  to.send(*instead);
                  return;
              }
              to.send(answer_to(request));
          }) {}

    static net::S3Credentials keys() { return {"fake-id", "fake-secret", "fake-token"}; }
    [[nodiscard]] std::string endpoint() const { return x_server.url(""); }
    [[nodiscard]] RawServer& server() { return x_server; }
    std::map<std::string, Object> objects() {
        const std::lock_guard lock(x_mutex);
        return x_objects;
    }
    std::size_t uploads() {  // that are neither completed nor aborted
        const std::lock_guard lock(x_mutex);
        return x_uploads.size();
    }
    void put(const std::string& key, const std::string& bytes) {
        const std::lock_guard lock(x_mutex);
        x_objects[key] = {bytes, {}};
    }
    // As if the request had arrived, for hooks that lose the answer.
    std::string answer_to(const RawServer::Request& request) {
        const std::size_t mark = request.path.find('?');
        const std::string path = request.path.substr(0, mark);
        net::Fields query;
        std::map<std::string, std::string> asked;
        if (mark != std::string::npos) {
            for (const std::string& part : base::split(request.path.substr(mark + 1), '&')) {
                const std::size_t equals = part.find('=');
                query.emplace_back(net::percent_decode(part.substr(0, equals)),
                                   net::percent_decode(part.substr(equals + 1)));
                asked.insert(query.back());
            }
        }
        if (!is_signed(request, path, query))
            return error("403 Forbidden", "SignatureDoesNotMatch");
        if (base::sha256(request.body).hex() != request.field("x-amz-content-sha256"))
            return error("400 Bad Request", "XAmzContentSHA256Mismatch");
        if (!path.starts_with("/bucket")) return error("404 Not Found", "NoSuchBucket");
        const std::string key = net::percent_decode(path.size() > 8 ? path.substr(8) : "");
        const std::lock_guard lock(x_mutex);
        if (asked.contains("list-type")) return list(asked);
        if (asked.contains("uploads") || asked.contains("uploadId"))
            return upload(request, key, asked);
        return object(request, key);
    }
    static std::string error(const std::string& status, const std::string& code,
                             const std::string& more = {}) {
        return answer(status, "", "<Error><Code>" + code + "</Code>" + more + "</Error>");
    }

private:
    struct Parts {
        std::string name;
        bool checked = false;  // of the kind SHA256
        std::map<int, std::string> bytes;
    };

    static bool is_signed(const RawServer::Request& request, const std::string& path,
                          const net::Fields& query) {
        const std::string authorization = request.field("Authorization");
        const std::string mark = "SignedHeaders=";
        const std::size_t begin = authorization.find(mark);
        if (begin == std::string::npos) return false;
        const std::string names = authorization.substr(
            begin + mark.size(), authorization.find(',', begin) - begin - mark.size());
        net::SigningRequest seen{request.method(),
                                 request.field("Host"),
                                 path,
                                 query,
                                 {},
                                 request.field("x-amz-content-sha256")};
        for (std::string line : base::split(request.text, '\n')) {
            line = std::string(base::trim(line));
            const std::size_t colon = line.find(": ");
            if (colon == std::string::npos) continue;
            std::string name = line.substr(0, colon);
            for (char& c : name) c = static_cast<char>(std::tolower(c));
            const bool named = (";" + names + ";").find(";" + name + ";") != std::string::npos;
            // AWS takes no field of its own unsigned.
            if (!named && name.starts_with("x-amz-")) return false;
            // What sign() adds by itself.
            if (name == "host" || name == "x-amz-date" || name == "x-amz-content-sha256" ||
                name == "x-amz-security-token" || !named)
                continue;
            seen.headers.emplace_back(name, line.substr(colon + 2));
        }
        const auto lines =
            net::sign(seen, keys(), {request.field("x-amz-date"), "us-east-1", "s3"});
        return lines.back() == "Authorization: " + authorization;
    }

    // "": the condition of a request that writes holds.
    std::string condition(const RawServer::Request& request, const std::string& key) {
        if (x_flaws.no_conditions) return {};
        const auto found = x_objects.find(key);
        if (!x_flaws.no_if_none_match && !request.field("If-None-Match").empty() &&
            found != x_objects.end())
            return error("412 Precondition Failed", "PreconditionFailed");
        const std::string wanted = request.field("If-Match");
        if (wanted.empty() || x_flaws.no_if_match) return {};
        if (found == x_objects.end()) return error("404 Not Found", "NoSuchKey");
        std::string etag = found->second.etag();
        if (x_flaws.bare_etags) etag = etag.substr(1, etag.size() - 2);
        return wanted == etag ? "" : error("412 Precondition Failed", "PreconditionFailed");
    }

    static std::string refusal(const std::string& status, const std::string& code,
                               const std::string& words) {
        return error(status, code, "<Message>" + words + "</Message>");
    }
    // "": the checksum of a body holds, or none is needed.
    std::string checksum(const RawServer::Request& request) const {
        if (x_flaws.ignores_checksums) return {};
        const std::string said = request.field("x-amz-checksum-sha256");
        if (said.empty() && x_flaws.locked)
            return refusal("400 Bad Request", "InvalidRequest",
                           "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object "
                           "requests with Object Lock parameters");
        if (!said.empty() && x_flaws.refuses_checksums)
            return refusal("400 Bad Request", "InvalidArgument",
                           "Unsupported header 'x-amz-checksum-sha256' received for this API "
                           "call.");
        if (!said.empty() && said != net::checksum_of(base::sha256(request.body)))
            return error("400 Bad Request", "BadDigest");
        return {};
    }

    std::string object(const RawServer::Request& request, const std::string& key) {
        const auto found = x_objects.find(key);
        if (request.method() == "PUT") {
            if (const std::string refused = checksum(request); !refused.empty()) return refused;
            if (const std::string refused = condition(request, key); !refused.empty())
                return refused;
            x_objects[key] = {request.body, request.field("x-amz-meta-sf-upload")};
            return answer("200 OK", "ETag: " + x_objects[key].etag() + "\r\n", "");
        }
        if (request.method() == "DELETE") {
            if (found != x_objects.end()) x_objects.erase(found);
            return "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        }
        if (found == x_objects.end()) {
            if (request.is_head()) return answer("404 Not Found", "", "");
            return error("404 Not Found", "NoSuchKey");
        }
        const Object& object = found->second;
        const std::string fields =
            "ETag: " + object.etag() + "\r\nx-amz-meta-sf-upload: " + object.upload + "\r\n";
        if (request.field("If-None-Match") == object.etag())
            return "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n" + fields + "\r\n";
        if (request.is_head()) {
            const std::string whole = answer("200 OK", fields, object.bytes);
            return whole.substr(0, whole.find("\r\n\r\n") + 4);
        }
        const std::size_t from = request.range();
        if (from == 0) return answer("200 OK", fields, object.bytes);
        return answer("206 Partial Content",
                      fields + "Content-Range: bytes " + std::to_string(from) + "-" +
                          std::to_string(object.bytes.size() - 1) + "/" +
                          std::to_string(object.bytes.size()) + "\r\n",
                      object.bytes.substr(from));
    }

    std::string list(std::map<std::string, std::string>& asked) {
        std::string text;
        std::size_t count = 0;
        std::string last;
        bool more = false;
        for (const auto& [key, object] : x_objects) {
            if (!key.starts_with(asked["prefix"]) || key <= asked["continuation-token"]) continue;
            if (count == x_flaws.page) {
                more = true;
                break;
            }
            text += "<Contents><Key>" + net::xml_escape(key) + "</Key><Size>" +
                    std::to_string(object.bytes.size()) + "</Size><ETag>" +
                    net::xml_escape(object.etag()) + "</ETag></Contents>";
            last = key;
            ++count;
        }
        if (more) text += "<NextContinuationToken>" + last + "</NextContinuationToken>";
        return answer("200 OK", "",
                      "<ListBucketResult><IsTruncated>" + std::string(more ? "true" : "false") +
                          "</IsTruncated>" + text + "</ListBucketResult>");
    }

    std::string put_part(const RawServer::Request& request, Parts& parts, int number) {
        if (const std::string refused = checksum(request); !refused.empty()) return refused;
        const std::string said = request.field("x-amz-checksum-sha256");
        if (!x_flaws.ignores_checksums && parts.checked == said.empty())
            return refusal("400 Bad Request", "InvalidRequest",
                           "Checksum Type mismatch occurred, expected checksum Type: null, actual "
                           "checksum Type: sha256");
        parts.bytes[number] = request.body;
        std::string fields = "ETag: \"" + base::sha256(request.body).hex() + "\"\r\n";
        if (!said.empty() && !x_flaws.ignores_checksums)
            fields += "x-amz-checksum-sha256: " + said + "\r\n";
        return answer("200 OK", fields, "");
    }
    // "": what completes an upload says of this part what belongs there.
    std::string completed(const net::XmlElement& part, const std::string& bytes,
                          bool checked) const {
        if (part.child_text("ETag") != "\"" + base::sha256(bytes).hex() + "\"")
            return error("400 Bad Request", "InvalidPart");
        const bool needed = checked && !x_flaws.ignores_checksums;
        // What is not known there is not read over, either.
        if (!needed && part.child("ChecksumSHA256") != nullptr)
            return error("400 Bad Request", "MalformedXML");
        if (needed && part.child_text("ChecksumSHA256") != net::checksum_of(base::sha256(bytes)))
            return refusal("400 Bad Request", "InvalidRequest",
                           "The upload was created using a sha256 checksum. The complete request "
                           "must include the checksum for each part.");
        return {};
    }

    std::string upload(const RawServer::Request& request, const std::string& key,
                       std::map<std::string, std::string>& asked) {
        if (asked.contains("uploads")) {
            const std::string kind = request.field("x-amz-checksum-algorithm");
            if (!kind.empty() && x_flaws.refuses_checksums)
                return refusal("501 Not Implemented", "NotImplemented",
                               "Header 'x-amz-checksum-algorithm' with value 'SHA256' not "
                               "implemented");
            const std::string id = "2~" + std::to_string(++x_ids) + "/+";
            x_uploads[id].name = request.field("x-amz-meta-sf-upload");
            x_uploads[id].checked = kind == "SHA256";
            return answer("200 OK", "",
                          "<InitiateMultipartUploadResult><UploadId>" + id +
                              "</UploadId></InitiateMultipartUploadResult>");
        }
        const auto found = x_uploads.find(asked["uploadId"]);
        if (found == x_uploads.end()) return error("404 Not Found", "NoSuchUpload");
        if (request.method() == "PUT")
            return put_part(request, found->second, std::stoi(asked["partNumber"]));
        if (request.method() == "DELETE") {
            x_uploads.erase(found);
            return "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        }
        if (const std::string refused = condition(request, key); !refused.empty()) return refused;
        Object object{{}, found->second.name};
        const auto wanted = net::parse_xml(request.body).value();
        for (const auto& part : wanted.children) {
            const std::string& bytes =
                found->second.bytes[std::stoi(part.child_text("PartNumber"))];
            if (const std::string refused = completed(part, bytes, found->second.checked);
                !refused.empty())
                return refused;
            object.bytes += bytes;
        }
        x_uploads.erase(found);
        x_objects[key] = object;
        return answer("200 OK", "",
                      "<CompleteMultipartUploadResult><ETag>" + object.etag() +
                          "</ETag></CompleteMultipartUploadResult>");
    }

    Flaws x_flaws;
    Hook x_hook;
    std::mutex x_mutex;
    std::map<std::string, Object> x_objects;
    std::map<std::string, Parts> x_uploads;
    int x_ids = 0;
    RawServer x_server;  // last: it uses the others until it has ended
};

}  // namespace sf::test
