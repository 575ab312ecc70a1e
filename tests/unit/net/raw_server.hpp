// SPDX-License-Identifier: Apache-2.0
// A server on the loopback that answers with exactly the bytes a test wants, lies included. Knows
// just enough HTTP to find the end of a request. One thread for each connection; those that have
// ended are joined when the next comes, all at the end.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <mutex>
#include <poll.h>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

namespace sf::test {

class RawServer {
public:
    class Connection {
    public:
        Connection(int socket, const std::atomic<bool>& stopping)
            : x_socket(socket), x_stopping(stopping) {}
        // False: the client has gone.
        bool send(std::string_view text) {
            while (!text.empty()) {
                const ssize_t sent = ::send(x_socket, text.data(), text.size(), MSG_NOSIGNAL);
                if (sent <= 0) return false;
                text.remove_prefix(static_cast<std::size_t>(sent));
                x_sent += static_cast<std::size_t>(sent);
            }
            return true;
        }
        // Ends the connection with a TCP reset instead of an orderly end.
        void reset() {
            const linger now{1, 0};
            ::setsockopt(x_socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        // Says nothing until the client goes, the server is stopped or the time is over.
        void stall(std::chrono::milliseconds at_most) {
            const auto end = std::chrono::steady_clock::now() + at_most;
            while (!x_stopping && std::chrono::steady_clock::now() < end) {
                pollfd waiting{x_socket, POLLIN | POLLRDHUP, 0};
                if (::poll(&waiting, 1, 20) > 0) return;
            }
        }
        [[nodiscard]] std::size_t sent() const { return x_sent; }

    private:
        int x_socket;
        const std::atomic<bool>& x_stopping;
        std::size_t x_sent = 0;
    };

    struct Request {
        std::string text;  // the whole head
        std::string body;
        std::string path;  // "/x?y"
        int number = 0;    // of all requests, from 1
        [[nodiscard]] std::string method() const { return text.substr(0, text.find(' ')); }
        [[nodiscard]] bool is_head() const { return text.starts_with("HEAD "); }
        // The value of a field, "" if absent; names as the client writes them.
        [[nodiscard]] std::string field(const std::string& name) const {
            const std::size_t at = text.find("\r\n" + name + ": ");
            if (at == std::string::npos) return {};
            const std::size_t begin = at + name.size() + 4;
            return text.substr(begin, text.find("\r\n", begin) - begin);
        }
        // The number in "Range: bytes=N-", or 0.
        [[nodiscard]] std::size_t range() const {
            const std::string value = field("Range");
            return value.empty() ? 0 : std::stoul(value.substr(6));
        }
    };

    using Handler = std::function<void(const Request&, Connection&)>;

    explicit RawServer(Handler handler) : x_handler(std::move(handler)) {
        x_listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        if (::bind(x_listener, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
            ::listen(x_listener, 64) != 0 ||
            ::getsockname(x_listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
            std::abort();
        }
        x_port = ntohs(address.sin_port);
        x_acceptor = std::thread([this] { accept_all(); });
    }
    RawServer(const RawServer&) = delete;
    RawServer& operator=(const RawServer&) = delete;
    ~RawServer() {
        x_stopping = true;
        x_acceptor.join();
        for (Served& each : x_served) each.thread.join();
        ::close(x_listener);
    }

    [[nodiscard]] std::string url(std::string_view path = "/file") const {
        return "http://127.0.0.1:" + std::to_string(x_port) + std::string(path);
    }
    [[nodiscard]] int port() const { return x_port; }
    [[nodiscard]] int requests() const { return x_count; }
    [[nodiscard]] std::vector<Request> seen() {
        const std::lock_guard lock(x_mutex);
        return x_seen;
    }

private:
    struct Served {
        std::thread thread;
        std::atomic<bool> over = false;
    };

    void accept_all() {
        while (!x_stopping) {
            pollfd waiting{x_listener, POLLIN, 0};
            if (::poll(&waiting, 1, 20) <= 0) continue;
            const int socket = ::accept4(x_listener, nullptr, nullptr, SOCK_CLOEXEC);
            if (socket < 0) continue;
            join_who_has_ended();
            Served& served = x_served.emplace_back();
            served.thread = std::thread([this, socket, &served] {
                serve(socket);
                ::close(socket);
                served.over = true;
            });
        }
    }

    // Tens of thousands of threads that nobody has joined are more than a process may have.
    void join_who_has_ended() {
        x_served.remove_if([](Served& each) {
            if (!each.over) return false;
            each.thread.join();
            return true;
        });
    }

    void serve(int socket) {
        Request request;
        while (request.text.find("\r\n\r\n") == std::string::npos) {
            if (!receive(socket, request.text)) return;
        }
        const std::size_t end = request.text.find("\r\n\r\n") + 4;
        request.body = request.text.substr(end);
        request.text.resize(end);
        Connection connection(socket, x_stopping);
        if (!request.field("Expect").empty()) connection.send("HTTP/1.1 100 Continue\r\n\r\n");
        const std::string length = request.field("Content-Length");
        while (!length.empty() && request.body.size() < std::stoul(length)) {
            if (!receive(socket, request.body)) return;
        }
        const std::size_t begin = request.text.find(' ') + 1;
        request.path = request.text.substr(begin, request.text.find(' ', begin) - begin);
        request.number = ++x_count;
        {
            const std::lock_guard lock(x_mutex);
            x_seen.push_back(request);
        }
        x_handler(request, connection);
    }

    // Appends what comes; false at the end.
    bool receive(int socket, std::string& to) {
        while (!x_stopping) {
            pollfd waiting{socket, POLLIN, 0};
            if (::poll(&waiting, 1, 20) <= 0) continue;
            char buffer[65536];
            const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
            if (got <= 0) return false;
            to.append(buffer, static_cast<std::size_t>(got));
            return true;
        }
        return false;
    }

    Handler x_handler;
    int x_listener = -1;
    int x_port = 0;
    std::atomic<bool> x_stopping = false;
    std::atomic<int> x_count = 0;
    std::mutex x_mutex;
    std::vector<Request> x_seen;
    std::list<Served> x_served;
    std::thread x_acceptor;
};

// "HTTP/1.1 200 OK" with the length, fields and body, for one request; the connection ends after
// it.
inline std::string answer(std::string_view status, std::string_view fields, std::string_view body) {
    return "HTTP/1.1 " + std::string(status) +
           "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           std::string(fields) + "\r\n" + std::string(body);
}

}  // namespace sf::test
