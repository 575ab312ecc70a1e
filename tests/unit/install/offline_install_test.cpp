// SPDX-License-Identifier: Apache-2.0
// From a cache through one file into a prefix: the same tree, without the cache.
#include <gmock/gmock.h>

#include "cache/closure.hpp"
#include "cache/tar_backend.hpp"
#include "publish/offline_file.hpp"
#include "unit/install/cache_maker.hpp"

namespace sf::install {
namespace {

using ::testing::HasSubstr;

class OfflineInstall : public CacheTest {
protected:
    fs::path make(const std::string& version) {
        const Client publisher = client({x_signer}, "");
        const auto found = resolve("cache", publisher, version);
        EXPECT_TRUE(found) << found.error().text();
        const trust::Verifier verifier = trust::Verifier::create(publisher.trusted).value();
        cache::FileBackend whole(place("cache"));
        const auto closure =
            cache::walk_closure(whole, {"slurm", version, "bookworm", found->build.hash},
                                {&verifier, {}, std::time(nullptr)});
        EXPECT_TRUE(closure) << closure.error().text();
        publish::OfflineContents contents;
        contents.closure = &*closure;
        contents.work = x_folder.path();
        const fs::path file = x_folder.path() / "offline.tar";
        auto out = base::AtomicFile::create(file).value();
        const auto report = publish::write_offline(whole, contents, out);
        EXPECT_TRUE(report) << report.error().text();
        EXPECT_TRUE(out.commit());
        return file;
    }
    base::Result<Resolved> look_for(cache::Backend& file, const std::string& version,
                                    const std::string& cpu = "x86_64_v3") {
        const Client here = client({x_signer});
        cache::SubBackend main(file, main_folder);
        const trust::Verifier verifier = trust::Verifier::create(here.trusted).value();
        SF_TRY(const MirrorReader reader,
               MirrorReader::open(main, verifier, here.options, x_heard));
        return reader.resolve({"slurm", version, "bookworm", cpu});
    }

    std::string x_signer = x_gpg.make_key("Packages <p@example.org>");
};

TEST_F(OfflineInstall, IsTheSameTree) {
    ASSERT_TRUE(publish("cache", "25.11.2", {x_signer}));
    const fs::path file = make("25.11.2");
    ASSERT_TRUE(install_into("from the cache", "cache", client({x_signer})));
    ASSERT_TRUE(base::remove_tree(place("cache")));
    const auto opened = cache::TarBackend::open(file).value();
    const auto found = look_for(*opened, "25.11");
    ASSERT_TRUE(found) << found.error().text();
    cache::SubBackend main(*opened, main_folder);
    cache::SubBackend deps(*opened, "bookworm/slurm/deps");
    FetchReport fetched;
    const auto report =
        install_from_cache(*found, {&main, &deps}, x_folder.path() / "from the file", {}, fetched);
    ASSERT_TRUE(report) << report.error().text();
    EXPECT_EQ(report->installed.size(), 3U);
    EXPECT_EQ(fetched.archives, 4U);
    const auto all = [&](const std::string& prefix) {
        std::map<std::string, std::string> files;
        for (const auto& each : fs::recursive_directory_iterator(x_folder.path() / prefix))
            if (each.is_regular_file() && !each.is_symlink())
                files[each.path().lexically_relative(x_folder.path() / prefix).native()] =
                    read(each.path());
        return files;
    };
    EXPECT_EQ(all("from the cache"), all("from the file"));
}

// The snapshot names what the file was not made for: that is passed over, with a word.
TEST_F(OfflineInstall, TakesWhatIsThere) {
    ASSERT_TRUE(publish("cache", "25.11.2", {x_signer}));
    ASSERT_TRUE(publish("cache", "25.11.3", {x_signer}));
    const fs::path file = make("25.11.2");
    const auto opened = cache::TarBackend::open(file).value();
    const auto found = look_for(*opened, "25.11");
    ASSERT_TRUE(found) << found.error().text();
    EXPECT_EQ(found->bundle.version, "25.11.2");
    EXPECT_THAT(x_heard.others + x_heard.warnings,
                HasSubstr("does not hold slurm 25.11.3, which the cache has"));
    EXPECT_EQ(look_for(*opened, "25.11.3").error().code, base::Code::absent);
    EXPECT_EQ(look_for(*opened, "25.11", "x86_64").error().code, base::Code::absent);
}

}  // namespace
}  // namespace sf::install
