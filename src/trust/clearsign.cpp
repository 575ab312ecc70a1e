// SPDX-License-Identifier: Apache-2.0
#include "trust/clearsign.hpp"

#include <array>

namespace sf::trust {

namespace {

constexpr std::string_view begin_message = "-----BEGIN PGP SIGNED MESSAGE-----\n";
constexpr std::string_view begin_signature = "-----BEGIN PGP SIGNATURE-----\n";
constexpr std::array<std::string_view, 3> hashes = {"SHA512", "SHA256", "SHA384"};

auto damaged(std::string_view why) {
    return base::fail(base::Code::refused, "this is not one clearsigned text and nothing else: {}",
                      why);
}

// What GnuPG writes "- " before: what might be taken for armour, or by mail programs.
bool is_escaped(std::string_view line) {
    return line.starts_with('-') || line.starts_with("From ");
}

// Takes the next line, with its line feed; "" if there is no whole one.
std::string_view take_line(std::string_view& bytes) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) return {};
    const std::string_view line = bytes.substr(0, end + 1);
    bytes.remove_prefix(end + 1);
    return line;
}

}  // namespace

base::Status check_clearsign_text(std::string_view text) {
    if (text.empty()) return damaged("the text is empty");
    if (text.size() > max_clearsign_text) return damaged("the text is too large");
    if (!text.ends_with('\n')) return damaged("the last line of the text does not end");
    for (std::size_t number = 1; !text.empty(); ++number) {
        std::string_view line = take_line(text);
        line.remove_suffix(1);
        const auto refuse = [&](std::string_view why) {
            return damaged(fmt::format("line {} of the text {}", number, why));
        };
        if (line.size() > max_clearsign_line)
            return refuse(fmt::format("is longer than {} bytes", max_clearsign_line));
        if (line.ends_with(' ') || line.ends_with('\t')) return refuse("ends with a blank");
        for (const char c : line) {
            if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f)
                return refuse("holds a control character");
        }
    }
    return {};
}

std::string clearsigned_text(std::string_view text, std::string_view hash,
                             std::string_view signatures) {
    std::string bytes(begin_message);
    bytes += fmt::format("Hash: {}\n\n", hash);
    while (!text.empty()) {
        const std::string_view line = take_line(text);
        if (line.empty()) break;
        if (is_escaped(line)) bytes += "- ";
        bytes += line;
    }
    bytes += signatures;
    return bytes;
}

base::Result<std::string> frame_of_clearsigned(std::string_view bytes) {
    if (bytes.empty()) return damaged("it is empty");
    if (bytes.size() > max_clearsigned_bytes) return damaged("it is too large");
    std::string_view rest = bytes;
    if (take_line(rest) != begin_message)
        return damaged("it does not begin with -----BEGIN PGP SIGNED MESSAGE-----");
    const std::string_view header = take_line(rest);
    std::string_view hash;
    for (const std::string_view each : hashes)
        if (header == fmt::format("Hash: {}\n", each)) hash = each;
    if (hash.empty()) return damaged("its first header is not the one of a strong hash");
    if (take_line(rest) != "\n") return damaged("headers other than Hash are not accepted");
    std::string text;
    while (!rest.starts_with(begin_signature)) {
        std::string_view line = take_line(rest);
        if (line.empty()) return damaged("it has no signature");
        if (line.starts_with("- ")) line.remove_prefix(2);
        text += line;
    }
    SF_CHECK(check_clearsign_text(text));
    SF_CHECK(dearmor_signature(rest).map([](const std::string&) {}));
    // One comparison covers what is escaped without need or not escaped though it must be.
    if (clearsigned_text(text, hash, rest) != bytes) return damaged("its form is wrong");
    return text;
}

}  // namespace sf::trust
