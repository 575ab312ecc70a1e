// SPDX-License-Identifier: Apache-2.0
// Preloaded into a program (E3 of the threat model): of its allocations the SF_FAIL_AT-th fails,
// with SF_FAIL_ALL=1 each one after it as well; 0: none. They are counted from when libraries begin
// to set themselves up, and how many there were is written to the file SF_ALLOCATIONS when the
// program ends by itself. Blocks of an alignment of their own never fail. glibc. Any thread.
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
}

namespace {

// Set by begin(): nothing here may need an allocation, or be made before it is asked for.
std::atomic<bool> counting{false};
std::atomic<bool> fail_all{false};
std::atomic<std::uint64_t> fail_at{0};
std::atomic<std::uint64_t> allocations{0};

bool fails() {
    if (!counting.load()) return false;
    const std::uint64_t number = ++allocations;
    const std::uint64_t at = fail_at.load();
    if (at == 0 || number < at || (number > at && !fail_all.load())) return false;
    errno = ENOMEM;
    return true;
}

__attribute__((constructor)) void begin() {
    const char* const at = std::getenv("SF_FAIL_AT");
    const char* const all = std::getenv("SF_FAIL_ALL");
    fail_at = at == nullptr ? 0 : std::strtoull(at, nullptr, 10);
    fail_all = all != nullptr && all[0] == '1';
    counting = true;
}

__attribute__((destructor)) void end() {
    counting = false;
    const char* const file = std::getenv("SF_ALLOCATIONS");
    if (file == nullptr) return;
    const int descriptor = ::open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (descriptor < 0) return;
    std::array<char, 20> digits{};
    std::size_t first = digits.size();
    std::uint64_t left = allocations;
    do {
        digits[--first] = static_cast<char>('0' + left % 10);
        left /= 10;
    } while (left != 0);
    [[maybe_unused]] const ssize_t put =
        ::write(descriptor, digits.data() + first, digits.size() - first);
    ::close(descriptor);
}

}  // namespace

extern "C" void* malloc(std::size_t size) noexcept {
    return fails() ? nullptr : __libc_malloc(size);
}
extern "C" void* calloc(std::size_t count, std::size_t size) noexcept {
    return fails() ? nullptr : __libc_calloc(count, size);
}
extern "C" void* realloc(void* block, std::size_t size) noexcept {
    return fails() ? nullptr : __libc_realloc(block, size);
}
