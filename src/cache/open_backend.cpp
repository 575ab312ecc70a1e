// SPDX-License-Identifier: Apache-2.0
#include "cache/open_backend.hpp"

#include <algorithm>
#include <filesystem>

#include "base/text.hpp"
#include "cache/file_backend.hpp"
#include "cache/http_backend.hpp"
#include "cache/s3_backend.hpp"
#include "cache/tar_backend.hpp"
#include "net/url.hpp"

namespace sf::cache {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Result;

namespace {

using Opened = Result<std::unique_ptr<Backend>>;

constexpr const char* kinds = "a folder, file:///path, http://, https:// or s3://";

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return result;
}

// RFC 3986; what is no such word may be a piece of a secret and is not shown.
bool is_scheme(std::string_view text) {
    constexpr std::size_t longest = 20;
    return !text.empty() && text.size() <= longest && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
    });
}

Opened open_folder(const fs::path& path) {
    if (path.native().find('\0') != std::string::npos)
        return fail(Code::usage, "a path of a cache that holds a NUL byte");
    std::error_code error;
    // Made absolute and no more: what ".." means behind a symlink is for the kernel to say.
    fs::path absolute = fs::absolute(path, error);
    if (error) return base::fail_errno(error.value(), "find the current folder");
    std::string text = absolute.native();
    while (text.size() > 1 && text.ends_with('/')) text.pop_back();
    if (fs::is_regular_file(text, error)) {
        SF_TRY(auto file, TarBackend::open(text));
        return std::unique_ptr<Backend>(std::move(file));
    }
    return std::make_unique<FileBackend>(text);
}

Opened open_http(const net::Url& url, std::string_view address, const net::HttpOptions& options) {
    if (address.substr(0, address.find('#')).find('?') != std::string_view::npos) {
        return fail(Code::usage, "the address of a cache has no query: {}", url.redacted());
    }
    return std::make_unique<HttpBackend>(url, options);
}

}  // namespace

Opened open_backend(std::string_view address, const net::HttpOptions& options) {
    if (address.empty()) return fail(Code::usage, "an empty address of a cache: write {}", kinds);
    const std::size_t colon = address.find(':');
    const std::string scheme = lower(address.substr(0, colon));
    const bool is_ours =
        scheme == "file" || scheme == "http" || scheme == "https" || scheme == "s3";
    if (colon == std::string_view::npos || !address.substr(colon).starts_with("://")) {
        // "https:/host" is a slip of the keys, not a folder called "https:".
        if (colon != std::string_view::npos && is_ours)
            return fail(Code::usage,
                        "an address of a cache that begins with \"{}:\" goes on with "
                        "\"//\"",
                        scheme);
        return open_folder(fs::path(address));
    }
    if (scheme == "s3") {
        SF_TRY(auto bucket, S3Backend::open(address, net::AwsSurroundings::of_process()));
        return std::unique_ptr<Backend>(std::move(bucket));
    }
    if (!is_ours) {
        return fail(Code::usage, "the address of a cache is {}, not {}", kinds,
                    is_scheme(scheme) ? scheme + "://" : "what stands there");
    }
    SF_TRY(const net::Url url, base::during(net::Url::parse(address), "reading a cache's address"));
    if (!url.is_file()) return open_http(url, address, options);
    const Result<std::string> path = url.file_path();
    if (!path) return fail(Code::usage, "the address of a cache holds {}", path.error().message);
    return open_folder(*path);
}

}  // namespace sf::cache
