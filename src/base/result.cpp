// SPDX-License-Identifier: Apache-2.0
#include "base/result.hpp"

#include <cerrno>
#include <system_error>

namespace sf::base {

std::string Error::text() const {
    std::string text;
    for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) text += *frame + ": ";
    return text + message;
}

tl::unexpected<Error> fail_hint(Code code, std::string message, std::string hint) {
    return tl::unexpected<Error>(Error{code, std::move(message), {}, std::move(hint)});
}

namespace {

Code code_of(int error) {
    switch (error) {
        case ENOENT: return Code::absent;
        case ENOSPC:
        case EDQUOT:
        case EMFILE:
        case ENFILE:
        case ENOMEM:
        case EAGAIN:
        case EFBIG: return Code::exhausted;
        case EINTR: return Code::interrupted;
        default: return Code::failed;
    }
}

std::string hint_of(int error, std::string_view what) {
    if (error == ENOSPC) return fmt::format("free space on the file system of {}", what);
    if (error == EDQUOT) return "free space within your disk quota";
    return {};
}

}  // namespace

tl::unexpected<Error> fail_errno(int error, std::string_view what) {
    return fail_hint(code_of(error),
                     fmt::format("cannot {}: {}", what, std::generic_category().message(error)),
                     hint_of(error, "the file named"));
}

}  // namespace sf::base
