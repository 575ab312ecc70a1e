// SPDX-License-Identifier: Apache-2.0
// Z11: addresses. What is accepted reads itself, shows no secret, and cannot bring a line into a
// request. Lines: an address, something below it.
#include "net/url.hpp"

#include "fuzz/fuzz.hpp"

using namespace sf;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input(fuzz::text_of(data, size));
    const std::string_view text = input.line();
    const std::string below = net::percent_encode(input.line());
    const auto url = net::Url::parse(text);
    const auto marked = net::Url::parse("http://SECRET:SECRET@" + std::string(text));
    fuzz::require(marked || marked.error().text().find("SECRET") == std::string::npos,
                  "an error does not quote what might be a secret");
    if (!url) return 0;
    const std::string whole = url->with_secrets();
    for (const char c : whole)
        fuzz::require(c > ' ' && c < 127, "nothing but visible ASCII goes on the wire");
    const auto again = net::Url::parse(whole);
    fuzz::require(again && again->with_secrets() == whole, "an address reads itself");
    fuzz::require(again->same_origin(*url) && url->same_origin(*again), "… and is the same place");
    fuzz::require(url->port() >= 0 && url->port() < 65536, "a port is one");
    const std::string shown = url->redacted();
    if (url->has_user()) {
        fuzz::require(shown.starts_with(url->scheme() + "://***@" + url->host()),
                      "user and password are not shown");
        fuzz::require(!url->without_user().has_user() && url->without_user().same_origin(*url),
                      "without its user it is the same place");
    }
    const std::size_t query = whole.find('?');
    fuzz::require(query == std::string::npos || shown.ends_with("?***"), "no query is shown");
    fuzz::require(url->file_name().size() <= url->path().size(), "decoding does not grow");
    static_cast<void>(url->file_path());
    if (const auto inner = net::Url::parse(url->below(below).with_secrets()))
        fuzz::require(inner->same_origin(*url), "what is below is at the same place");
    fuzz::require(net::percent_decode(net::percent_encode(text)) == text,
                  "encoding can be taken back");
    return 0;
}
