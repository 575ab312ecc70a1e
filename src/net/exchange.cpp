// SPDX-License-Identifier: Apache-2.0
#include "net/exchange.hpp"

#include <curl/curl.h>

#include <algorithm>

#include "base/stop.hpp"
#include "base/synced.hpp"
#include "base/text.hpp"

namespace sf::net {

namespace {

constexpr std::size_t max_head_bytes = std::size_t{64} << 10;
// Read to the end, so that the connection lives.
constexpr std::size_t max_unwanted_bytes = std::size_t{64} << 10;

struct FreeHandle {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Handle = std::unique_ptr<CURL, FreeHandle>;

struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, FreeList>;

// What the callbacks of one transfer share.
struct Transfer {
    CURL* handle;
    ExchangeReceiver& receiver;
    ExchangeResult& result;
    ExchangeBody* sending = nullptr;
    std::uint64_t sent = 0;
    bool though_stopped = false;
    std::size_t head_bytes = 0;
    std::size_t unwanted_bytes = 0;
    bool head_told = false;
    bool wanted = true;
    bool enough = false;  // we ended it, and that is no trouble

    // False: end the transfer.
    bool tell_head() {
        if (head_told) return true;
        head_told = true;
        // libcurl's own parser decided where the head ends: ask it, not the lines.
        long status = 0;
        curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
        result.head.status = static_cast<int>(status);
        auto answer = receiver.head(result.head);
        if (!answer) {
            result.failure = std::move(answer).error();
            return false;
        }
        wanted = *answer;
        return true;
    }
};

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    transfer.head_bytes += size;
    if (transfer.head_bytes > max_head_bytes) {
        transfer.result.message = "the head of the answer is too long";
        return 0;
    }
    const std::string_view line = base::trim(std::string_view(data, size));
    if (line.starts_with("HTTP/")) {
        transfer.result.head = {};  // 100 Continue and the like came before
        return size;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return size;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    std::string& value = transfer.result.head.fields[name];
    if (!value.empty()) value += ", ";
    value += base::trim(line.substr(colon + 1));
    return size;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return base::stop_requested() && !static_cast<Transfer*>(user)->though_stopped ? 1 : 0;
}

std::size_t on_read(char* room, std::size_t, std::size_t size, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    if (transfer.sending == nullptr) return 0;
    const std::uint64_t left = transfer.sending->size() - transfer.sent;
    const std::size_t wanted = std::min<std::uint64_t>(size, left);
    if (wanted == 0) return 0;
    auto count = transfer.sending->read(transfer.sent,
                                        std::as_writable_bytes(std::span<char>(room, wanted)));
    if (count) {
        transfer.sent += *count;
        return *count;
    }
    transfer.result.failure = std::move(count).error();
    return CURL_READFUNC_ABORT;
}

int on_seek(void* user, curl_off_t offset, int origin) {
    auto& transfer = *static_cast<Transfer*>(user);
    if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_CANTSEEK;
    transfer.sent = static_cast<std::uint64_t>(offset);
    return CURL_SEEKFUNC_OK;
}

Trouble trouble_of(CURLcode code, bool connected) {
    switch (code) {
        case CURLE_OK: return Trouble::none;
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_CONNECT: return Trouble::connect;
        case CURLE_OPERATION_TIMEDOUT: return connected ? Trouble::too_slow : Trouble::connect;
        case CURLE_PARTIAL_FILE: return Trouble::cut_short;
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_INVALIDCERTSTATUS: return Trouble::tls;
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_URL_MALFORMAT:
        case CURLE_BAD_CONTENT_ENCODING: return Trouble::protocol;
        case CURLE_ABORTED_BY_CALLBACK: return Trouble::interrupted;
        default: return Trouble::cut_off;
    }
}

const char* words_of(CURLcode code, const char* told) {
    // What libcurl says of a line of the head that is longer than it takes, as well.
    if (code == CURLE_OUT_OF_MEMORY)
        return "a line of the answer's head is too long, or there is no memory left";
    return told[0] != '\0' ? told : curl_easy_strerror(code);
}

}  // namespace

std::string ExchangeHead::field(const char* name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : found->second;
}

struct ExchangePool::Impl {
    base::Synced<std::vector<Handle>> idle;

    Handle take() {
        auto handles = idle.lock();
        if (handles->empty()) return Handle(curl_easy_init());
        Handle handle = std::move(handles->back());
        handles->pop_back();
        return handle;
    }
    void give_back(Handle handle) {
        curl_easy_reset(handle.get());  // keeps the connections
        idle.lock()->push_back(std::move(handle));
    }
};

ExchangePool::ExchangePool() : x_impl(std::make_unique<Impl>()) {
    [[maybe_unused]] static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
}
ExchangePool::~ExchangePool() = default;

namespace {

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    if (!transfer.tell_head()) return 0;
    if (!transfer.wanted) {
        transfer.unwanted_bytes += size;
        transfer.enough = transfer.unwanted_bytes > max_unwanted_bytes;
        return transfer.enough ? 0 : size;
    }
    auto status = transfer.receiver.body(std::as_bytes(std::span<const char>(data, size)));
    if (status) return size;
    transfer.result.failure = std::move(status).error();
    return 0;
}

struct FreeUrl {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

// `location` as seen from `base`; as it is where that makes no address. CURLINFO_REDIRECT_URL would
// carry the user along.
std::string resolve(const std::string& base, const std::string& location) {
    const std::unique_ptr<CURLU, FreeUrl> url(curl_url());
    constexpr unsigned flags = CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS;
    char* text = nullptr;
    if (!url || curl_url_set(url.get(), CURLUPART_URL, base.c_str(), flags) != CURLUE_OK ||
        curl_url_set(url.get(), CURLUPART_URL, location.c_str(), flags) != CURLUE_OK ||
        curl_url_get(url.get(), CURLUPART_URL, &text, flags) != CURLUE_OK) {
        return location;
    }
    std::string result(text);
    curl_free(text);
    return result;
}

void set_limits(CURL* handle, const ExchangeRequest& request) {
    const long connect = request.connect_timeout.count();
    const long deadline = std::max<long>(1, request.deadline.count());
    const long speed_time = request.low_speed_time.count();
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, connect);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, deadline);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(request.low_speed_bytes));
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, speed_time);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(handle, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS,
                     static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    if (!request.ca_file.empty()) {
        curl_easy_setopt(handle, CURLOPT_CAINFO, request.ca_file.c_str());
    }
}

// Anything but GET and HEAD.
void set_method(CURL* handle, const ExchangeRequest& request, Transfer& transfer) {
    const auto size = static_cast<curl_off_t>(request.body == nullptr ? 0 : request.body->size());
    transfer.sending = request.body;
    if (request.method == "PUT") {
        curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, size);
    } else if (request.method == "POST") {
        curl_easy_setopt(handle, CURLOPT_POST, 1L);
        curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, size);
    } else {
        curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(handle, CURLOPT_READDATA, &transfer);
    curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(handle, CURLOPT_SEEKDATA, &transfer);
}

void set_credentials(CURL* handle, const std::string& user) {
    const std::size_t colon = user.find(':');
    const std::string name = percent_decode(user.substr(0, colon));
    const std::string password =
        colon == std::string::npos ? std::string() : percent_decode(user.substr(colon + 1));
    curl_easy_setopt(handle, CURLOPT_USERNAME, name.c_str());
    curl_easy_setopt(handle, CURLOPT_PASSWORD, password.c_str());
}

}  // namespace

ExchangeResult ExchangePool::run(const ExchangeRequest& request, ExchangeReceiver& receiver) {
    ExchangeResult result;
    result.ca_file = request.ca_file;
    Handle handle = x_impl->take();
    if (!handle) {
        result.trouble = Trouble::connect;
        result.message = "no memory for a connection";
        return result;
    }
    CURL* const curl = handle.get();
    Transfer transfer{.handle = curl, .receiver = receiver, .result = result};
    char message[CURL_ERROR_SIZE] = "";
    List headers;
    for (const std::string& header : request.headers) {
        headers.reset(curl_slist_append(headers.release(), header.c_str()));
    }
    const std::string address = request.url.without_user().with_secrets();
    curl_easy_setopt(curl, CURLOPT_URL, address.c_str());
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl, CURLOPT_USERAGENT, request.user_agent.c_str());
    if (request.head) curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (!request.method.empty()) set_method(curl, request, transfer);
    if (request.direct) curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    transfer.though_stopped = request.though_stopped;
    if (!request.range.empty()) curl_easy_setopt(curl, CURLOPT_RANGE, request.range.c_str());
    if (!request.user.empty()) set_credentials(curl, request.user);
    set_limits(curl, request);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);

    const CURLcode code = curl_easy_perform(curl);

    long status = 0;
    long connections = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_off_t connect_time = 0;
    curl_easy_getinfo(curl, CURLINFO_APPCONNECT_TIME_T, &connect_time);
    if (connect_time == 0) curl_easy_getinfo(curl, CURLINFO_CONNECT_TIME_T, &connect_time);
    curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connections);
    result.head.status = static_cast<int>(status);
    // Where the message is set already, a callback of ours gave the reason.
    const bool head_too_long = !result.message.empty();
    if (result.failure) {
        result.trouble = Trouble::receiver;
    } else if (head_too_long) {
        result.trouble = Trouble::protocol;
    } else if (!transfer.enough) {
        // A reused connection needs no connecting: its time is 0, and so is the count of new ones.
        const bool connected = connect_time > 0 || (connections == 0 && status != 0);
        result.trouble = trouble_of(code, connected);
        if (code != CURLE_OK) {
            result.message = base::escape_untrusted(words_of(code, message));
        }
    }
    if (result.trouble == Trouble::none && !transfer.tell_head())
        result.trouble = Trouble::receiver;
    if (const std::string location = result.head.field("location"); !location.empty()) {
        result.redirect = resolve(address, location);
    }
    if (curl_off_t seconds = 0;
        curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0) {
        constexpr curl_off_t longest = 86'400;  // as milliseconds it has to fit as well
        result.retry_after = std::chrono::seconds(std::min(seconds, longest));
    }
    x_impl->give_back(std::move(handle));
    return result;
}

}  // namespace sf::net
