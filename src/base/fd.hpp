// SPDX-License-Identifier: Apache-2.0
// An owned file descriptor. Movable, not copyable; not for use by two threads at once.
#pragma once

#include <utility>

namespace sf::base {

class Fd {
public:
    Fd() = default;
    explicit Fd(int descriptor) : x_descriptor(descriptor) {}
    Fd(Fd&& other) noexcept : x_descriptor(std::exchange(other.x_descriptor, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset();
            x_descriptor = std::exchange(other.x_descriptor, -1);
        }
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }

    [[nodiscard]] int get() const { return x_descriptor; }
    [[nodiscard]] bool valid() const { return x_descriptor >= 0; }
    [[nodiscard]] int release() { return std::exchange(x_descriptor, -1); }
    void reset();  // close errors are ignored: whoever needs durability calls fsync before

private:
    int x_descriptor = -1;
};

}  // namespace sf::base
