// SPDX-License-Identifier: Apache-2.0
// What every fuzz target needs: a way to say that a property is broken, bytes as a file, and a
// folder that is thrown away. One thread.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unistd.h>

#include "base/fd.hpp"
#include "base/files.hpp"

// libFuzzer's name for a target.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace sf::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

// A broken property is a crash, so that libFuzzer keeps the input.
inline void require(bool holds, const char* property) {
    if (holds) return;
    static_cast<void>(std::fprintf(stderr, "property broken: %s\n", property));
    std::abort();
}

// The effort a target needs itself must not fail: then nothing is proven.
template <class T>
T need(base::Result<T> result) {
    if (!result) {
        static_cast<void>(
            std::fprintf(stderr, "the target itself: %s\n", result.error().text().c_str()));
        std::abort();
    }
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

inline base::Fd file_in_memory(std::string_view bytes) {
    base::Fd fd(::memfd_create("input", MFD_CLOEXEC));
    need(base::write_all(fd.get(), base::as_bytes(bytes), "memory"));
    return fd;
}

inline base::TempDir scratch_folder() {
    return need(base::TempDir::create("/dev/shm", "sf-fuzz-"));
}

// Takes the input apart, front to back; an input that has ended gives zeros.
class Bytes {
public:
    explicit Bytes(std::string_view input) : x_left(input) {}
    [[nodiscard]] bool empty() const { return x_left.empty(); }
    std::uint8_t byte() {
        if (x_left.empty()) return 0;
        const auto value = static_cast<std::uint8_t>(x_left.front());
        x_left.remove_prefix(1);
        return value;
    }
    std::string_view take(std::size_t size) {
        const std::string_view part = x_left.substr(0, size);
        x_left.remove_prefix(part.size());
        return part;
    }
    // Up to the next line feed, which is dropped.
    std::string_view line() {
        const std::string_view part = x_left.substr(0, x_left.find('\n'));
        x_left.remove_prefix(std::min(part.size() + 1, x_left.size()));
        return part;
    }
    std::string_view rest() { return take(x_left.size()); }

private:
    std::string_view x_left;
};

}  // namespace sf::fuzz
