// SPDX-License-Identifier: Apache-2.0
// How S3Client writes an object: whole or in parts, and what happened where an answer got lost.
// Every upload has a name of its own in the object's metadata: where a second attempt is told that
// something is there already, the name says whether it is the first attempt's. Thread-safe.
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <unistd.h>
#include <vector>

#include "base/stop.hpp"
#include "base/task_pool.hpp"
#include "base/text.hpp"
#include "net/exchange_body.hpp"
#include "net/s3_checksum.hpp"
#include "net/s3_client.hpp"

namespace sf::net {

using base::Code;
using base::fail;

namespace {

constexpr const char* name_field = "x-amz-meta-sf-upload";
constexpr std::uint64_t max_parts = 10'000;
constexpr std::uint64_t mebi = std::uint64_t{1} << 20;

std::string random_name() {
    std::random_device device;
    std::string name;
    for (int i = 0; i < 4; ++i) name += fmt::format("{:08x}", device());
    return name;
}

// The digests of the whole and of each part, read once: what is sent is signed by the parts', so
// that the server takes nothing else.
struct FileDigests {
    base::Digest whole;
    std::vector<base::Digest> parts;
};
base::Result<FileDigests> digests_of(int descriptor, std::uint64_t size, std::uint64_t part_size) {
    struct stat info {};
    if (::fstat(descriptor, &info) != 0) return base::fail_errno(errno, "look at the file to send");
    if (!S_ISREG(info.st_mode) || static_cast<std::uint64_t>(info.st_size) != size) {
        return fail(Code::corrupt, "the file to send is not a regular one of {} bytes", size);
    }
    FileDigests digests;
    base::Sha256 whole;
    std::vector<std::byte> room(mebi);
    for (std::uint64_t begin = 0; begin < size; begin += part_size) {
        FileBody part(descriptor, begin, std::min(part_size, size - begin));
        base::Sha256 hash;
        for (std::uint64_t offset = 0; offset < part.size();) {
            SF_CHECK(base::check_stop());
            SF_TRY(const std::size_t count, part.read(offset, room));
            const base::Bytes bytes(room.data(), count);
            SF_CHECK(hash.write(bytes));
            SF_CHECK(whole.write(bytes));
            offset += count;
        }
        digests.parts.push_back(hash.finish());
    }
    digests.whole = whole.finish();
    return digests;
}

std::string bare(const std::string& etag) {
    const bool quoted = etag.size() > 1 && etag.front() == '"' && etag.back() == '"';
    return quoted ? etag.substr(1, etag.size() - 2) : etag;
}

}  // namespace

struct S3Client::Upload {
    const S3Put& put;
    std::string name;  // of this upload
    std::uint64_t part_size;
    std::vector<base::Digest> parts;

    [[nodiscard]] bool conditional() const { return put.if_none_match || !put.if_match.empty(); }
    // What describes the object.
    [[nodiscard]] Fields description() const {
        Fields fields{{"Content-Type", put.content_type}, {name_field, name}};
        if (!put.cache_control.empty()) fields.emplace_back("Cache-Control", put.cache_control);
        return fields;
    }
    void add_condition(Fields& to, bool bare_etag) const {
        if (put.if_none_match) to.emplace_back("If-None-Match", "*");
        if (!put.if_match.empty())
            to.emplace_back("If-Match", bare_etag ? bare(put.if_match) : put.if_match);
    }
};

struct S3Client::Begun {
    std::string id;
    bool checked = false;  // with a checksum of each part
};

base::Result<S3Outcome> S3Client::put(const S3Put& put) {
    const S3Options& options = x_caller.options();
    const bool conditional = put.if_none_match || !put.if_match.empty();
    const bool in_parts =
        put.size > (conditional ? options.conditional_multipart_above : options.multipart_above);
    std::uint64_t part_size = std::max<std::uint64_t>(put.size, 1);
    if (in_parts) {
        const std::uint64_t needed = (put.size + max_parts - 1) / max_parts;
        part_size = options.part_size;
        if (needed > part_size) part_size = (needed + mebi - 1) / mebi * mebi;
    }
    const std::string doing = "putting " + base::escape_untrusted(put.key);
    SF_TRY(FileDigests digests,
           base::during(digests_of(put.descriptor, put.size, part_size), doing));
    if (digests.whole != put.sha256) {
        return base::during<S3Outcome>(
            fail(Code::corrupt, "the file to send has the sha256 {}, not {}",
                 digests.whole.short_hex(), put.sha256.short_hex()),
            doing);
    }
    const Upload upload{put, random_name(), part_size, std::move(digests.parts)};
    return base::during(in_parts ? put_in_parts(upload) : put_whole(upload), doing);
}

base::Result<S3Outcome> S3Client::put_whole(const Upload& upload) {
    FileBody body(upload.put.descriptor, 0, upload.put.size);
    const auto send = [&](bool checked) -> base::Result<S3Answer> {
        S3Call call{.method = "PUT",
                    .key = upload.put.key,
                    .query = {},
                    .headers = upload.description(),
                    .body = &body,
                    .payload = upload.put.sha256.hex()};
        if (checked) call.headers.emplace_back(checksum_field, checksum_of(upload.put.sha256));
        upload.add_condition(call.headers, x_bare_etags);
        return x_caller.call(call);
    };
    const auto attempt = [&] { return with_checksums(send); };
    SF_TRY(const S3Answer answer, attempt());
    return outcome_of(upload, answer, attempt);
}

// Nothing is lost without: what is signed is the same digest, and the server compares it.
template <class Send>
base::Result<S3Answer> S3Client::with_checksums(Send send) {
    const bool checked = x_checksums;
    SF_TRY(S3Answer answer, send(checked));
    if (!checked || !refuses_checksums(answer.error)) return answer;
    x_checksums = false;
    return send(false);
}

template <class Again>
base::Result<S3Outcome> S3Client::outcome_of(const Upload& upload, const S3Answer& answer,
                                             Again again) {
    if (answer.status >= 200 && answer.status < 300) return S3Outcome::written;
    const bool failed_condition = answer.status == 412 && upload.conditional();
    const bool gone = answer.status == 404 && answer.error.code != "NoSuchBucket";
    if (answer.unsure && (failed_condition || gone)) {
        SF_TRY(const bool ours, is_ours(upload));
        if (ours) return S3Outcome::written;
    }
    if (failed_condition && upload.put.if_none_match) return S3Outcome::there;
    if (failed_condition) {
        if (x_bare_etags) return S3Outcome::changed;
        SF_TRY(const auto there, head(upload.put.key));
        if (!there || there->etag != upload.put.if_match) return S3Outcome::changed;
        // It is still there: the server cannot compare it as it was written.
        x_bare_etags = true;
        SF_TRY(const S3Answer second, again());
        return outcome_of(upload, second, again);
    }
    if (gone && !upload.put.if_match.empty() && answer.error.code != "NoSuchUpload")
        return S3Outcome::changed;
    return tl::unexpected(x_caller.error_of(answer));
}

base::Result<bool> S3Client::is_ours(const Upload& upload) {
    const S3Call call{
        .method = "HEAD", .key = upload.put.key, .query = {}, .headers = {}, .payload = {}};
    SF_TRY(const S3Answer answer, x_caller.call(call));
    return answer.status == 200 && answer.head.field(name_field) == upload.name;
}

// Before much is sent: a condition that does not hold already.
base::Result<std::optional<S3Outcome>> S3Client::forestalled(const Upload& upload) {
    const std::optional<S3Outcome> no;
    if (!upload.conditional()) return no;
    SF_TRY(const auto there, head(upload.put.key));
    if (upload.put.if_none_match) return there ? S3Outcome::there : no;
    return there && there->etag == upload.put.if_match ? no : S3Outcome::changed;
}

base::Result<S3Outcome> S3Client::put_in_parts(const Upload& upload) {
    SF_TRY(const auto before, forestalled(upload));
    if (before) return *before;
    SF_TRY(const Begun begun, start(upload));
    auto result = [&]() -> base::Result<S3Outcome> {
        SF_TRY(const auto parts, send_parts(upload, begun));
        return complete(upload, begun.id, parts);
    }();
    if (result && *result == S3Outcome::written) return result;
    const std::string left = abort(upload, begun.id);
    if (!result && !left.empty()) {
        std::string& hint = result.error().hint;
        hint += (hint.empty() ? "" : "; ") + left;
    }
    return result;
}

// The kind of checksum is said here: AWS takes it of the parts only then, and of all of them.
base::Result<S3Client::Begun> S3Client::start(const Upload& upload) {
    Begun begun;
    const auto send = [&](bool checked) -> base::Result<S3Answer> {
        begun.checked = checked;
        S3Call call{.method = "POST",
                    .key = upload.put.key,
                    .query = {{"uploads", ""}},
                    .headers = upload.description(),
                    .payload = {},
                    .when_stopped = WhenStopped::finish};
        if (checked) call.headers.emplace_back(checksum_kind_field, "SHA256");
        return x_caller.call(call);
    };
    SF_TRY(const S3Answer answer, with_checksums(send));
    if (answer.status != 200) return tl::unexpected(x_caller.error_of(answer));
    SF_TRY(begun.id, parse_upload_id(answer.text));
    return begun;
}

base::Result<S3Part> S3Client::send_part(const Upload& upload, const Begun& begun,
                                         std::size_t index) {
    const std::uint64_t begin = index * upload.part_size;
    FileBody body(upload.put.descriptor, begin,
                  std::min(upload.part_size, upload.put.size - begin));
    S3Call call{.method = "PUT",
                .key = upload.put.key,
                .query = {{"partNumber", std::to_string(index + 1)}, {"uploadId", begun.id}},
                .headers = {},
                .body = &body,
                .payload = upload.parts[index].hex()};
    const std::string checksum = checksum_of(upload.parts[index]);
    if (begun.checked) call.headers.emplace_back(checksum_field, checksum);
    SF_TRY(const S3Answer answer, x_caller.call(call));
    if (answer.status != 200) return tl::unexpected(x_caller.error_of(answer));
    S3Part part{answer.head.field("etag"), {}};
    if (part.etag.empty()) return fail(Code::corrupt, "the answer has no etag");
    // What the server tells is what it wants to be told again when the upload is completed; one
    // that tells nothing may not read what it does not know (s3proxy).
    if (begun.checked) part.checksum = answer.head.field(checksum_field);
    if (!part.checksum.empty() && part.checksum != checksum)
        return fail(Code::corrupt, "the server has another checksum of it than was sent");
    return part;
}

base::Result<std::vector<S3Part>> S3Client::send_parts(const Upload& upload, const Begun& begun) {
    std::vector<S3Part> parts(upload.parts.size());  // each task writes its own
    std::atomic<bool> failed = false;
    std::vector<base::Task> tasks;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        tasks.emplace_back([&, i]() -> base::Status {
            if (failed) return {};
            auto part = base::during(send_part(upload, begun, i),
                                     fmt::format("sending part {} of {}", i + 1, parts.size()));
            if (!part) {
                failed = true;
                return tl::unexpected(std::move(part).error());
            }
            parts[i] = std::move(*part);
            return {};
        });
    }
    SF_CHECK(base::run_batch(tasks, x_caller.options().parallel_parts));
    return parts;
}

// Without a checksum of the whole, which would be one of its parts' checksums: the server makes
// that by itself. A field for it here would not be the digest of this request's own body.
base::Result<S3Outcome> S3Client::complete(const Upload& upload, const std::string& id,
                                           const std::vector<S3Part>& parts) {
    const std::string text = completion(parts);
    TextBody body(text);
    const auto send = [&]() -> base::Result<S3Answer> {
        S3Call call{.method = "POST",
                    .key = upload.put.key,
                    .query = {{"uploadId", id}},
                    .headers = {{"Content-Type", "application/xml"}},
                    .body = &body,
                    .payload = base::sha256(text).hex(),
                    .error_in_success = true};
        upload.add_condition(call.headers, x_bare_etags);
        return x_caller.call(call);
    };
    SF_TRY(const S3Answer answer, send());
    if (answer.status == 200) {
        SF_TRY([[maybe_unused]] const std::string etag, parse_completed(answer.text));
    }
    return outcome_of(upload, answer, send);
}

// What is left behind, "" if nothing is. Also after a stop was requested: the parts cost money.
std::string S3Client::abort(const Upload& upload, const std::string& id) {
    const S3Call call{.method = "DELETE",
                      .key = upload.put.key,
                      .query = {{"uploadId", id}},
                      .headers = {},
                      .payload = {},
                      .when_stopped = WhenStopped::go_on};
    const auto answer = x_caller.call(call);
    if (answer && (answer->status == 200 || answer->status == 204 || answer->status == 404))
        return {};
    return "parts that were sent are left in the bucket; a lifecycle rule with "
           "AbortIncompleteMultipartUpload removes them";
}

}  // namespace sf::net
