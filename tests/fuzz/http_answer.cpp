// SPDX-License-Identifier: Apache-2.0
// Z11: what a hostile server may answer, as far as it can be played without a network: status and
// fields, then bodies, over the attempts of one request. The receiver never gets more than was
// allowed, and never a hole. Lines: "H status", "name: value"…, "B body".
#include "base/text.hpp"
#include "fuzz/fuzz.hpp"
#include "net/body_taker.hpp"

using namespace sf;

namespace {

constexpr std::uint64_t most = 4096;

// Holds what came, as a file would.
class Shelf : public net::Receiver {
public:
    base::Status begin(std::uint64_t offset) override {
        fuzz::require(offset <= x_bytes.size(), "a part begins where something is");
        x_bytes.resize(offset);
        return {};
    }
    base::Status write(base::Bytes bytes) override {
        x_bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        fuzz::require(x_bytes.size() <= most, "no more than allowed is taken");
        return {};
    }
    [[nodiscard]] std::size_t size() const { return x_bytes.size(); }

private:
    std::string x_bytes;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input(fuzz::text_of(data, size));
    const std::uint8_t how = input.byte();
    net::Request request{fuzz::need(net::Url::parse("http://127.0.0.1/x"))};
    request.max_length = most;
    if ((how & 1U) != 0) request.length = how;
    net::Progress progress;
    Shelf shelf;
    for (int attempt = 0; attempt < 8 && !input.empty(); ++attempt) {
        const bool ranged = progress.received > 0 && progress.may_resume;
        net::BodyTaker taker(shelf, progress, request, ranged);
        net::ExchangeHead head;
        head.status = static_cast<int>(net::parse_number(input.line()).value_or(200) % 600);
        for (std::string_view line = input.line(); !line.empty(); line = input.line()) {
            const std::size_t colon = line.find(':');
            if (colon == std::string_view::npos) break;
            std::string& field = head.fields[std::string(line.substr(0, colon))];
            if (!field.empty()) field += ", ";
            field += base::trim(line.substr(colon + 1));
        }
        const auto wanted = taker.head(head);
        if (!wanted) break;
        if (*wanted) {
            const std::size_t length = input.byte() * 32U;
            if (!taker.body(base::as_bytes(input.take(length)))) break;
        }
        if (taker.start_over()) progress.may_resume = false;
        fuzz::require(progress.received == shelf.size(), "what was received is what is there");
    }
    if (const auto range = net::parse_content_range(fuzz::text_of(data, size)))
        fuzz::require(!range->total || range->first < *range->total, "a range lies in the whole");
    return 0;
}
