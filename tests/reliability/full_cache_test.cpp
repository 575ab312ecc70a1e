// SPDX-License-Identifier: Apache-2.0
// E2 of the threat model, for who publishes: the disk that a cache lies on is full, or has no
// inodes left, at one moment of a publication or another. It fails and says so, and leaves nothing
// unfinished; what the cache had is there, for a client that knows nothing; with room enough the
// same publisher completes it. The publisher is this program (main.cpp), the client and who looks
// the cache over are the real one.
#include <stdexcept>

#include "reliability/small_disk.hpp"
#include "reliability/soundness.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* old_version = "25.11.1";
constexpr const char* new_version = "25.11.2";
constexpr auto as_it_is = fs::copy_options::recursive | fs::copy_options::copy_symlinks;

// What a tmpfs needs for a folder's content.
struct Need {
    std::uint64_t bytes = 0;
    std::uint64_t inodes = 1;  // its root
};
Need need_of(const fs::path& folder) {
    constexpr std::uint64_t page = 4096;
    Need need;
    for (const auto& each : fs::recursive_directory_iterator(folder)) {
        ++need.inodes;
        if (each.is_regular_file()) need.bytes += (each.file_size() + page - 1) / page * page;
    }
    return need;
}

class FullCache : public ::testing::Test {
protected:
    FullCache()
        : x_site({old_version}, room_in_memory()), x_client(x_site.new_client("knows nothing")) {
        fs::copy(x_site.cache(), before(), as_it_is);
        fs::copy(x_client, x_site.at("pristine"), as_it_is);
        x_old = need_of(before());
        const Said said = publish(0);
        if (said.code != 0) throw std::runtime_error(said.text());
        x_new = need_of(x_site.cache());
        for (const auto& [path, what] : tree_of(before()))
            if (is_named_by_digest(path)) x_kept.emplace(path, what);
    }
    [[nodiscard]] fs::path before() const { return x_site.at("before"); }

    // A percentage of what the publication takes beside what is there.
    [[nodiscard]] std::string little_room(std::uint64_t percent) const {
        return fmt::format("size={},nr_inodes=10000",
                           x_old.bytes + (x_new.bytes - x_old.bytes) * percent / 100);
    }
    [[nodiscard]] std::string few_inodes(std::uint64_t percent) const {
        return fmt::format("size=64m,nr_inodes={}",
                           x_old.inodes + (x_new.inodes - x_old.inodes) * percent / 100);
    }

    void publish_into(const std::string& options) {
        SCOPED_TRACE(options);
        SmallDisk disk(x_site.cache());
        disk.mount_tmpfs(options);
        fs::copy(before(), x_site.cache(), as_it_is);
        ++x_machine;
        const Said said = publish(x_machine);
        SCOPED_TRACE(said.text());
        ASSERT_TRUE(said.code == 0 || said.code == 1);
        if (said.code == 1) {
            EXPECT_NE(said.out.find("No space left on device"), std::string::npos);
            ++x_full;
        } else {
            ++x_published;
        }
        old_state_is_there(said.code == 0);
        // Whoever had no room goes on once there is some.
        disk.grow("size=64m,nr_inodes=10000");
        const Said again = publish(x_machine);
        ASSERT_EQ(again.code, 0) << again.text();
        forget();
        check_published(x_site, {}, x_client);
        EXPECT_EQ(installed(new_version), new_version);
    }

    std::uint64_t x_full = 0, x_published = 0;

private:
    // They never change, whatever is published.
    static bool is_named_by_digest(const std::string& path) {
        return path.find("blobs/sha256/") != std::string::npos ||
               path.find("_sf/index/") != std::string::npos ||
               path.find("v3/manifests/spec/") != std::string::npos;
    }

    // Each time another machine of the publisher's, which has seen no newer state than there is.
    Said publish(std::uint64_t machine) {
        const fs::path folder = x_site.at("machines") / std::to_string(machine);
        if (!base::exists(folder)) {
            const base::Status made = x_site.small().copy_keys(folder);
            if (!made) throw std::runtime_error(made.error().text());
        }
        return x_site
            .start_program({own_program(), "--publish", x_site.small().folder().native(),
                            folder.native(), new_version},
                           base::current_environment())
            .wait();
    }

    // The client has seen nothing.
    void forget() const {
        fs::remove_all(x_client);
        fs::copy(x_site.at("pristine"), x_client, as_it_is);
    }
    // What a client that has seen nothing gets when it asks for that.
    std::string installed(const std::string& version) {
        forget();
        const fs::path prefix = x_site.at("prefix");
        const Said said = x_site.run(x_site.install(version, prefix), x_client);
        EXPECT_EQ(said.code, 0) << said.text();
        const std::string current = Soundness::current(prefix);
        fs::remove_all(prefix);
        return current;
    }

    void old_state_is_there(bool published) {
        const Tree found = tree_of(x_site.cache());
        for (const auto& [path, what] : x_kept) {
            const auto there = found.find(path);
            ASSERT_TRUE(there != found.end()) << path << " is gone";
            ASSERT_EQ(there->second, what) << path;
        }
        for (const auto& [path, what] : found)
            EXPECT_EQ(path.find(".sf-new-"), std::string::npos) << path << " is left";
        EXPECT_EQ(installed(old_version), old_version);
        // The newest there is: the snapshot names the new one, or it does not.
        const std::string newest = installed("25.11");
        EXPECT_TRUE(newest == new_version || (!published && newest == old_version)) << newest;
    }

    Site x_site;
    fs::path x_client;
    Need x_old, x_new;
    Tree x_kept;
    std::uint64_t x_machine = 0;
};

TEST_F(FullCache, E2Publications) {
    if (const auto why = no_small_disks()) SF_NOT_RUN(*why);
    const std::uint64_t sizes = rounds(3, 40);
    static_cast<void>(begin_suite("E2 publications",
                                  fmt::format("{} sizes, and as many numbers of inodes", sizes),
                                  before().parent_path()));
    for (std::uint64_t i = 0; i < sizes && !HasFailure(); ++i) {
        // What is replaced is there twice for a moment: 100 % are not enough.
        const std::uint64_t percent = 10 + 150 * i / (sizes - 1);
        publish_into(little_room(percent));
        if (!HasFailure()) publish_into(few_inodes(percent));
    }
    EXPECT_GT(x_full, 0U);
    EXPECT_GT(x_published, 0U);
    say("E2 publications",
        fmt::format("{} found no room and left the cache as it was, {} published; all completed "
                    "with room enough",
                    x_full, x_published));
}

}  // namespace
}  // namespace sf::test
