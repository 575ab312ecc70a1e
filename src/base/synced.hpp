// SPDX-License-Identifier: Apache-2.0
// Shared data inside its lock: the only way to the value is through a guard that holds the mutex.
#pragma once

#include <condition_variable>
#include <mutex>

namespace sf::base {

template <class T>
class Synced {
public:
    Synced() = default;
    explicit Synced(T value) : x_value(std::move(value)) {}

    class Guard {
    public:
        explicit Guard(Synced& owner) : x_lock(owner.x_mutex), x_owner(owner) {}
        T* operator->() { return &x_owner.x_value; }
        T& operator*() { return x_owner.x_value; }
        // Waits until `ready(value)`; the lock is released meanwhile.
        template <class Ready>
        void wait(Ready ready) {
            x_owner.x_changed.wait(x_lock, [&] { return ready(x_owner.x_value); });
        }
        template <class Duration, class Ready>
        bool wait_for(Duration patience, Ready ready) {
            return x_owner.x_changed.wait_for(x_lock, patience,
                                              [&] { return ready(x_owner.x_value); });
        }

    private:
        std::unique_lock<std::mutex> x_lock;
        Synced& x_owner;
    };

    [[nodiscard]] Guard lock() { return Guard(*this); }
    void notify() { x_changed.notify_all(); }

private:
    T x_value{};
    std::mutex x_mutex;
    std::condition_variable x_changed;
};

}  // namespace sf::base
