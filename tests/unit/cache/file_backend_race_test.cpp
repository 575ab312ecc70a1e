// SPDX-License-Identifier: Apache-2.0
// A cache in a folder that many processes use at once: nothing is lost, nothing is seen in part,
// and a writer that is killed leaves nothing but litter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <thread>
#include <unistd.h>

#include "cache/file_backend.hpp"
#include "unit/cache/backend_probe.hpp"

namespace sf::cache {
namespace {

namespace fs = std::filesystem;
using Kind = PutCondition::Kind;

constexpr int failed = 99;

class FileBackendRace : public ::testing::Test {
protected:
    // Runs `work(number)` in processes of their own that start together; their exit codes.
    static std::vector<int> together(int count, const std::function<int(int)>& work) {
        int gate[2];
        if (::pipe(gate) != 0) throw std::runtime_error("no pipe");
        std::vector<pid_t> children;
        for (int number = 0; number < count; ++number) {
            const pid_t child = ::fork();
            if (child == 0) {
                ::close(gate[1]);
                char byte = 0;
                [[maybe_unused]] const auto end = ::read(gate[0], &byte, 1);  // until it is closed
                ::_exit(work(number));
            }
            children.push_back(child);
        }
        ::close(gate[0]);
        ::close(gate[1]);
        std::vector<int> codes;
        for (const pid_t child : children) codes.push_back(code_of(child));
        return codes;
    }
    static int code_of(pid_t child) {
        int status = 0;
        if (::waitpid(child, &status, 0) != child) return failed;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    [[nodiscard]] int put(const std::string& key, const std::string& bytes,
                          PutCondition condition) const {
        FileBackend backend(x_root);
        const auto outcome = test::put(backend, key, bytes, std::move(condition));
        return outcome ? static_cast<int>(*outcome) : failed;
    }
    static constexpr int written = static_cast<int>(PutOutcome::written);
    static constexpr int there = static_cast<int>(PutOutcome::there);
    static constexpr int changed = static_cast<int>(PutOutcome::changed);

    [[nodiscard]] std::size_t unfinished() const {
        std::size_t count = 0;
        for (const auto& entry : fs::recursive_directory_iterator(x_root))
            if (entry.path().filename().native().starts_with(unfinished_prefix)) ++count;
        return count;
    }

    base::TempDir x_folder = base::TempDir::create("/tmp", "sft-").value();
    fs::path x_root = x_folder.path() / "cache";
};

constexpr int writers = 8;

TEST_F(FileBackendRace, OfWritersOfOneNewNameExactlyOneHasWritten) {
    for (int round = 0; round < 20; ++round) {
        const std::string key = "r" + std::to_string(round) + "/a/b/object";
        const auto bytes = [](int number) {
            return std::string(200'000, static_cast<char>('a' + number));
        };
        const std::vector<int> codes = together(writers, [&](int number) {
            return put(key, bytes(number), {Kind::if_absent, ""});
        });
        EXPECT_EQ(std::ranges::count(codes, written), 1);
        EXPECT_EQ(std::ranges::count(codes, there), writers - 1);
        const auto winner = std::ranges::find(codes, written) - codes.begin();
        FileBackend backend(x_root);
        EXPECT_EQ(*test::get(backend, key), bytes(static_cast<int>(winner)));
    }
    EXPECT_EQ(unfinished(), 0U);
}

TEST_F(FileBackendRace, WritersOfDifferentNamesAllHaveWritten) {
    constexpr int each = 40;
    const auto key = [](int number, int object) {
        return "d" + std::to_string(object % 7) + "/w" + std::to_string(number) + "-" +
               std::to_string(object);
    };
    const std::vector<int> codes = together(writers, [&](int number) {
        for (int object = 0; object < each; ++object) {
            const int code = put(key(number, object), key(number, object), {Kind::if_absent, ""});
            if (code != written) return failed;
        }
        return 0;
    });
    EXPECT_EQ(std::ranges::count(codes, 0), writers);
    FileBackend backend(x_root);
    int listed = 0;
    ASSERT_TRUE(backend.list("", [&](const ObjectInfo& object) {
        EXPECT_EQ(*test::get(backend, object.key), object.key);
        ++listed;
        return base::Status();
    }));
    EXPECT_EQ(listed, writers * each);
    EXPECT_EQ(unfinished(), 0U);
}

TEST_F(FileBackendRace, ReadersAlwaysSeeWholeObjects) {
    constexpr int each = 60;
    // 300 kB of one letter, by a length of its own: a torn object could not hide.
    const auto bytes = [](int letter) {
        return std::string(300'000U + static_cast<unsigned>(letter) * 1000U,
                           static_cast<char>('a' + letter));
    };
    ASSERT_EQ(put("snapshot", bytes(0), {}), written);
    const std::vector<int> codes = together(writers, [&](int number) {
        FileBackend backend(x_root);
        if (number < 4) {
            for (int round = 0; round < each; ++round)
                if (put("snapshot", bytes((number + round) % 20), {}) != written) return failed;
            return 0;
        }
        for (int round = 0; round < each * 5; ++round) {
            const auto text = test::get(backend, "snapshot");
            if (!text || text->empty()) return failed;
            if (*text != bytes(text->front() - 'a')) return 1;
        }
        return 0;
    });
    EXPECT_EQ(std::ranges::count(codes, 0), writers) << testing::PrintToString(codes);
    EXPECT_EQ(unfinished(), 0U);
}

// Each adds one to a number, again and again, only if it is still what was read.
TEST_F(FileBackendRace, ConditionalWritersLoseNoUpdate) {
    constexpr int each = 15;
    ASSERT_EQ(put("count", "0", {}), written);
    const std::vector<int> codes = together(writers, [&](int) {
        FileBackend backend(x_root);
        for (int done = 0; done < each;) {
            test::Kept kept;
            const auto got = backend.get("count", {0, {}, 100, {}}, kept);
            if (!got) return failed;
            const int code = put("count", std::to_string(std::stoi(kept.text) + 1),
                                 {Kind::if_etag, got->object.etag});
            if (code != written && code != changed) return failed;
            if (code == written) ++done;
        }
        return 0;
    });
    EXPECT_EQ(std::ranges::count(codes, 0), writers) << testing::PrintToString(codes);
    FileBackend backend(x_root);
    EXPECT_EQ(*test::get(backend, "count"), std::to_string(writers * each));
}

TEST_F(FileBackendRace, ThreadsShareOneBackend) {
    FileBackend backend(x_root);
    std::atomic<int> written_once = 0;
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int number = 0; number < writers; ++number) {
        threads.emplace_back([&, number] {
            for (int object = 0; object < 20; ++object) {
                const std::string key =
                    "t" + std::to_string(object % 3) + "/" + std::to_string(object);
                const auto outcome = test::put(backend, key, key, {Kind::if_absent, ""});
                if (outcome && *outcome == PutOutcome::written) ++written_once;
                const auto text = test::get(backend, key);
                if (!outcome || !text || *text != key) ++wrong;
                if (!test::put(backend, "shared", std::to_string(number))) ++wrong;
                if (!backend.list("t", [](const ObjectInfo&) { return base::Status(); })) ++wrong;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(written_once, 20);
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(unfinished(), 0U);
}

TEST_F(FileBackendRace, AWriterKilledInTheMiddleLeavesOnlyLitter) {
    ASSERT_EQ(put("a/other", "old", {}), written);
    // Zeros without end: no writer is quicker than the signal.
    const base::Fd zeros = test::memory_file("");
    constexpr std::uint64_t size = std::uint64_t{1} << 40;
    ASSERT_EQ(::ftruncate(zeros.get(), static_cast<off_t>(size)), 0);
    for (const Kind kind : {Kind::if_absent, Kind::always}) {
        const std::size_t before = unfinished();
        FileBackend backend(x_root);
        const pid_t child = ::fork();
        if (child == 0) {
            static_cast<void>(backend.put({"a/object", zeros.get(), size, {}, "", "", {kind, ""}}));
            ::_exit(failed);
        }
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (unfinished() == before && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(std::chrono::microseconds(200));
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        ASSERT_EQ(code_of(child), 128 + SIGKILL);
        EXPECT_EQ(unfinished(), before + 1);
        EXPECT_FALSE(*backend.look("a/object"));
        std::vector<std::string> keys;
        ASSERT_TRUE(backend.list("", [&](const ObjectInfo& object) {
            keys.push_back(object.key);
            return base::Status();
        }));
        EXPECT_THAT(keys, testing::ElementsAre("a/other"));
    }
    EXPECT_EQ(put("a/object", "new", {Kind::if_absent, ""}), written);
    FileBackend backend(x_root);
    EXPECT_EQ(*test::get(backend, "a/object"), "new");
}

// Whenever the signal comes, the object is there whole or not at all, and the next writer succeeds.
TEST_F(FileBackendRace, AWriterKilledAtAnyTimeLeavesAWholeObjectOrNone) {
    const std::string bytes(2'000'000, 'y');
    int whole = 0;
    int none = 0;
    for (int round = 0; round < 40; ++round) {
        const std::string key = "k" + std::to_string(round);
        const pid_t child = ::fork();
        if (child == 0) ::_exit(put(key, bytes, {Kind::if_absent, ""}));
        std::this_thread::sleep_for(std::chrono::microseconds(300 * round));
        ::kill(child, SIGKILL);
        code_of(child);
        FileBackend backend(x_root);
        const auto text = test::get(backend, key);
        if (text) {
            EXPECT_EQ(*text, bytes);
            ++whole;
        } else {
            EXPECT_EQ(text.error().code, base::Code::absent);
            ++none;
            EXPECT_EQ(put(key, bytes, {Kind::if_absent, ""}), written);
        }
    }
    EXPECT_GT(none, 0);
    RecordProperty("whole", whole);
    RecordProperty("none", none);
}

}  // namespace
}  // namespace sf::cache
