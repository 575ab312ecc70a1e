// SPDX-License-Identifier: Apache-2.0
#include "unit/sandbox/probe.hpp"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <netdb.h>
#include <set>
#include <signal.h>
#include <unistd.h>
#include <vector>

namespace sf::sandbox {

namespace {

namespace fs = std::filesystem;

void say(const std::string& text) {
    std::fputs((text + "\n").c_str(), stdout);
    std::fflush(stdout);
}

// Takes /w/lock and keeps it until the last process that inherited it is dead.
int take_lock() {
    const int fd = ::open("/w/lock", O_RDWR | O_CREAT, 0644);
    if (fd < 0 || ::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        say("no lock");
        std::exit(9);
    }
    return fd;
}

[[noreturn]] void sleep_for_ever() {
    for (;;) ::pause();
}

int hold() {
    take_lock();
    say("held");
    sleep_for_ever();
}

// Leaves a process behind that has gone out of its way to survive.
int leave_daemon() {
    take_lock();
    for (int signal = 1; signal < 32; ++signal) ::signal(signal, SIG_IGN);
    if (::fork() == 0) {
        ::setsid();
        if (::fork() == 0) sleep_for_ever();
        ::_exit(0);
    }
    ::wait(nullptr);
    say("left");
    return 0;
}

// As many processes as it may; says how many and leaves them.
[[noreturn]] void count_forks() {
    take_lock();
    int count = 0;
    for (; count < 100000; ++count) {
        const pid_t pid = ::fork();
        if (pid == 0) sleep_for_ever();
        if (pid < 0) break;
    }
    say(std::to_string(count) + " then " + strerrorname_np(errno));
    ::_exit(0);  // a sanitizer's last check would want a process of its own
}

int fork_bomb() {
    take_lock();
    for (;;) ::fork();
}

int fill(const char* path, const char* megabytes, bool stay) {
    const int fd = ::open(path, O_WRONLY | O_CREAT, 0644);
    const std::vector<char> block(std::size_t{1} << 20, 'x');
    for (int i = 0; i < std::atoi(megabytes); ++i) {
        if (::write(fd, block.data(), block.size()) != static_cast<ssize_t>(block.size())) {
            // A short write is followed by the one that says why.
            const auto rest = ::write(fd, block.data(), block.size());
            say(rest < 0 ? strerrorname_np(errno) : "short");
            return 5;
        }
    }
    say("filled");
    if (stay) sleep_for_ever();
    return 0;
}

std::string slurp(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// Every process's environment, command line and descriptors, for a word that must not be there.
int search_proc(const std::string& word) {
    int processes = 0;
    int hits = 0;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const auto name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        ++processes;
        std::string text = slurp(entry.path() / "environ");
        // Our own arguments hold the word that we look for.
        if (std::to_string(::getpid()) != name) text += slurp(entry.path() / "comm");
        std::error_code error;
        for (const auto& fd : fs::directory_iterator(entry.path() / "fd", error)) {
            const auto target = fs::read_symlink(fd.path(), error).string();
            text += "\nfd " + target;
            if (target.starts_with("/") && fs::is_regular_file(fd.path(), error))
                text += slurp(fd.path());
        }
        if (text.find(word) != std::string::npos) {
            ++hits;
            say("found in process " + name);
        }
    }
    say(std::to_string(processes) + " processes, " + std::to_string(hits) + " hits");
    return 0;
}

int list_descriptors() {
    std::set<int> open;
    for (int fd = 0; fd < 1024; ++fd)
        if (::fcntl(fd, F_GETFD) >= 0) open.insert(fd);
    std::string text = "descriptors";
    for (const int fd : open) text += " " + std::to_string(fd);
    say(text);
    return 0;
}

int list_environment(char** environment) {
    std::set<std::string> sorted;
    for (; *environment != nullptr; ++environment) sorted.insert(*environment);
    for (const auto& each : sorted) say(each);
    return 0;
}

int echo_descriptors(int from, int to) {
    char byte = 0;
    if (::read(from, &byte, 1) != 1 || ::write(to, &byte, 1) != 1) return 6;
    return 0;
}

int allocate(const char* megabytes) {
    const auto size = static_cast<std::size_t>(std::atoll(megabytes)) << 20;
    void* room = std::malloc(size);
    say(room == nullptr ? strerrorname_np(errno) : "allocated");
    if (room != nullptr) std::memset(room, 1, size);
    std::free(room);
    return 0;
}

}  // namespace

int run_probe(std::span<char*> words) {
    const std::string name = words[0];
    const auto word = [&](std::size_t i) { return i < words.size() ? words[i] : words[0]; };
    if (name == "actions") {
        std::fputs(try_all_actions().c_str(), stdout);
        return 0;
    }
    if (name == "exit") return std::atoi(word(1));
    if (name == "crash") {
        ::signal(SIGSEGV, SIG_DFL);  // sanitizers have a handler of their own
        return ::raise(SIGSEGV);
    }
    if (name == "hold") return hold();
    if (name == "daemon") return leave_daemon();
    if (name == "forks") count_forks();
    if (name == "bomb") return fork_bomb();
    if (name == "fill") return fill(word(1), word(2), false);
    if (name == "fill-and-stay") return fill(word(1), word(2), true);
    if (name == "search") return search_proc(word(1));
    if (name == "descriptors") return list_descriptors();
    if (name == "environment") return list_environment(environ);
    if (name == "echo") return echo_descriptors(std::atoi(word(1)), std::atoi(word(2)));
    if (name == "allocate") return allocate(word(1));
    say("no such probe: " + name);
    return 99;
}

}  // namespace sf::sandbox
