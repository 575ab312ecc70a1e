// SPDX-License-Identifier: Apache-2.0
#include "recipe/fetch.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/task_pool.hpp"
#include "base/text.hpp"
#include "recipe/part_file.hpp"

namespace sf::recipe {

namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Error;
using base::escape_untrusted;
using base::fail;

// The file's name becomes a path: whatever the recipe's reader checked, it is checked here.
base::Status check_file(const model::SourceFile& source) {
    const std::string& name = source.file;
    if (name.empty() || name.front() == '.' || name.find('/') != std::string::npos ||
        escape_untrusted(name) != name) {
        return fail(Code::usage, "\"{}\" is no name of a source file", escape_untrusted(name));
    }
    return {};
}

// Errors after which no other place is tried.
bool ends_everything(Code code) { return code == Code::interrupted || code == Code::exhausted; }

net::Request request_for(const net::Url& url, const model::SourceFile& source) {
    net::Request request;
    request.url = url;
    if (source.size != 0) request.length = source.size;
    return request;
}

Attempt attempt_of(const net::Url& url, const Error& error) {
    return {url.redacted(), error.code, error.message};
}

base::Result<net::Url> mirror_url(const std::string& mirror) {
    if (mirror.find("://") != std::string::npos) {
        return base::during(net::Url::parse(mirror), "reading the address of a source mirror");
    }
    std::error_code error;
    const fs::path path = fs::absolute(mirror, error);
    if (error || mirror.empty()) return fail(Code::usage, "a source mirror without a name");
    return net::Url::parse("file://" + net::percent_encode(path.string()));
}

std::string mismatch(const base::Digest& got, const base::Digest& expected) {
    return fmt::format("sha256 is {}, expected {}", got.hex(), expected.hex());
}

}  // namespace

SourceStore::SourceStore(fs::path directory, Downloader& downloader, ArchiveResolver archives,
                         base::Reporter& reporter)
    : x_directory(std::move(directory)),
      x_downloader(downloader),
      x_archives(std::move(archives)),
      x_reporter(reporter) {}

fs::path SourceStore::path_of(const model::SourceFile& source) const {
    return x_directory / "sha256" / source.sha256.hex() / source.file;
}

base::Result<std::optional<fs::path>> SourceStore::find(const model::SourceFile& source) const {
    SF_CHECK(check_file(source));
    fs::path path = path_of(source);
    const auto digest = base::sha256_file(path);
    if (!digest) {
        if (digest.error().code == Code::absent) return std::nullopt;
        return tl::unexpected(digest.error());
    }
    if (*digest != source.sha256) {
        return fail(Code::corrupt, "{} is damaged: {}", escape_untrusted(path.string()),
                    mismatch(*digest, source.sha256));
    }
    return path;
}

base::Result<std::vector<SourceStore::Candidate>> SourceStore::candidates(
    const model::SourceFile& source, const FetchOptions& options) const {
    std::vector<Candidate> list;
    const auto add = [&](net::Url url) {
        if (options.offline && !url.is_file()) {
            list.push_back({{}, {url.redacted(), Code::unreachable, "not asked: offline"}});
        } else {
            list.push_back({std::move(url), {}});
        }
    };
    const std::string file = net::percent_encode(source.file);
    for (const std::string& mirror : options.mirrors) {
        SF_TRY(const net::Url url, mirror_url(mirror));
        add(url.below("sha256/" + source.sha256.hex() + "/" + file));
        add(url.below(file));
    }
    for (const model::Place& place : source.places) {
        if (place.archive.empty()) {
            SF_TRY(net::Url url, net::Url::parse(place.url));
            add(std::move(url));
            continue;
        }
        const auto archives = x_archives ? x_archives(place.archive) : std::vector<std::string>();
        for (const std::string& archive : archives) {
            // Debian's archive of security updates keeps its pool one level deeper.
            const char* const pool = archive.ends_with("-security") ? "pool/updates/" : "pool/";
            SF_TRY(const net::Url url, net::Url::parse(archive));
            add(url.below(pool + net::percent_encode(place.pool)));
        }
        if (archives.empty()) {
            list.push_back({{},
                            {fmt::format("{} archive, pool/{}", place.archive, place.pool),
                             Code::unreachable, "this machine knows no address of that archive"}});
        }
    }
    return list;
}

base::Result<Availability> SourceStore::probe(const model::SourceFile& source,
                                              const FetchOptions& options) {
    SF_CHECK(check_file(source));
    Availability answer;
    // Not read: whoever uses it checks it, and fetches it again if it is damaged.
    const fs::path stored = path_of(source);
    struct stat its {};
    if (source.size != 0 && ::stat(stored.c_str(), &its) == 0 && S_ISREG(its.st_mode) &&
        static_cast<std::uint64_t>(its.st_size) == source.size) {
        answer.available = true;
        answer.where = stored.string();
        return answer;
    }
    SF_TRY(const auto list, candidates(source, options));
    for (const Candidate& candidate : list) {
        if (!candidate.url) {
            answer.tried.push_back(candidate.otherwise);
            continue;
        }
        SF_CHECK(base::check_stop());
        const auto status = x_downloader.probe(request_for(*candidate.url, source));
        if (status) {
            answer.available = true;
            answer.where = candidate.url->redacted();
            return answer;
        }
        if (ends_everything(status.error().code)) return tl::unexpected(status.error());
        answer.tried.push_back(attempt_of(*candidate.url, status.error()));
    }
    return answer;
}

base::Result<fs::path> SourceStore::fetch_one(const model::SourceFile& source,
                                              const FetchOptions& options) {
    const auto have = [&]() -> base::Result<std::optional<fs::path>> {
        auto stored = find(source);
        if (stored || stored.error().code != Code::corrupt) return stored;
        x_reporter.warning("{}: fetching it again", stored.error().message);
        SF_CHECK(base::remove_file(path_of(source)));
        return std::nullopt;
    };
    SF_TRY(const auto stored, have());
    if (stored) return *stored;
    const fs::path partial = x_directory / "partial";
    SF_CHECK(base::make_dirs(partial));
    const fs::path lock_path = partial / (source.sha256.hex() + ".lock");
    SF_TRY(const auto lock, base::FileLock::acquire(lock_path, [&] {
               x_reporter.info("waiting for another process that fetches {}", source.file);
           }));
    SF_TRY(const auto meanwhile, have());
    fs::path path = path_of(source);
    if (!meanwhile) {
        SF_TRY(path, base::during(download(source, options), "fetching " + source.file));
    }
    // Whoever waits for this lock, or makes a new one, looks for the file first: it is there.
    SF_CHECK(base::remove_file(lock_path));
    return path;
}

base::Result<fs::path> SourceStore::download(const model::SourceFile& source,
                                             const FetchOptions& options) {
    SF_TRY(const auto list, candidates(source, options));
    SF_TRY(PartFile part,
           PartFile::open(x_directory / "partial" / (source.sha256.hex() + ".part"), source.size));
    if (const auto free = base::free_space(x_directory);
        free && source.size != 0 && *free < source.size - part.size()) {
        SF_CHECK(part.remove());
        return fail(Code::exhausted, "not enough space: {} needs {}, and {} has {} left",
                    source.file, base::human_bytes(source.size),
                    escape_untrusted(x_directory.string()), base::human_bytes(*free));
    }
    if (options.progress) {
        part.on_progress(
            [&](std::uint64_t done) { options.progress(source.file, done, source.size); });
    }
    const fs::path path = path_of(source);
    Availability failed;
    for (const Candidate& candidate : list) {
        if (!candidate.url) {
            failed.tried.push_back(candidate.otherwise);
            continue;
        }
        // A second time only if the first went on from a part that turned out to be other bytes.
        for (bool resumed = true; resumed;) {
            SF_CHECK(base::check_stop());
            net::Request request = request_for(*candidate.url, source);
            request.offset = part.size();
            resumed = request.offset > 0;
            base::Status status;
            // All of it may have arrived before a crash.
            if (source.size == 0 || part.size() < source.size) {
                x_reporter.info("fetching {} from {}", source.file, candidate.url->redacted());
                status = x_downloader.download(request, part);
            }
            if (!status && ends_everything(status.error().code)) {
                if (status.error().code == Code::exhausted) SF_CHECK(part.remove());
                return tl::unexpected(std::move(status).error());
            }
            if (!status) {
                failed.tried.push_back(attempt_of(*candidate.url, status.error()));
                break;
            }
            const base::Digest digest = part.digest();
            if (digest == source.sha256) {
                SF_CHECK(part.commit(path));
                return path;
            }
            SF_CHECK(part.clear());
            if (resumed) continue;
            const std::string reason = mismatch(digest, source.sha256);
            x_reporter.warning("{} from {}: {}; not kept", source.file, candidate.url->redacted(),
                               reason);
            failed.tried.push_back({candidate.url->redacted(), Code::corrupt, reason});
        }
    }
    if (part.size() == 0) SF_CHECK(part.remove());
    return base::fail_hint(failed.code(),
                           fmt::format("no place has {} with sha256 {}:{}", source.file,
                                       source.sha256.hex(), list_attempts(failed.tried)),
                           options.offline
                               ? "go on without --offline, or bring the file to a folder named by "
                                 "--source-mirror"
                               : "bring the file to a folder and name that by --source-mirror");
}

base::Result<std::vector<fs::path>> SourceStore::fetch(std::span<const model::SourceFile> sources,
                                                       const FetchOptions& options) {
    std::vector<fs::path> paths(sources.size());
    std::vector<base::Task> tasks;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        paths[i] = path_of(sources[i]);
        // Named twice, fetched once.
        if (std::find(paths.begin(), paths.begin() + static_cast<std::ptrdiff_t>(i), paths[i]) !=
            paths.begin() + static_cast<std::ptrdiff_t>(i)) {
            continue;
        }
        tasks.emplace_back([this, &options, &source = sources[i]]() -> base::Status {
            SF_CHECK(fetch_one(source, options));
            return {};
        });
    }
    SF_CHECK(base::run_batch(tasks, std::max(1U, options.jobs)));
    return paths;
}

}  // namespace sf::recipe
