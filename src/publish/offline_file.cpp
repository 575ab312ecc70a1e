// SPDX-License-Identifier: Apache-2.0
#include "publish/offline_file.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/regular_file.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "base/unnamed_file.hpp"
#include "cache/object_tar.hpp"
#include "cache/objects.hpp"

namespace sf::publish {

using base::Code;
using base::Result;
using base::Status;

namespace {

class Writer {
public:
    Writer(cache::Backend& place, const OfflineContents& contents, base::Sink& sink)
        : x_place(place), x_contents(contents), x_tar(sink) {}

    Result<OfflineReport> run() {
        const cache::Closure& closure = *x_contents.closure;
        SF_CHECK(take_tool());
        describe(closure);
        SF_TRY(const std::string record, cache::to_json(x_report.record));
        for (const auto* texts : {&closure.texts, &x_contents.texts})
            for (const auto& [key, text] : *texts) x_texts.emplace(key, text);
        SF_CHECK(add(std::string(cache::object_tar_first), record));
        // Two sorted maps, in one order.
        auto object = closure.objects.begin();
        for (const auto& [key, text] : x_texts) {
            for (; object != closure.objects.end() && object->first < key; ++object)
                SF_CHECK(copy(object->first, object->second));
            if (key == x_tool_key) {
                SF_CHECK(x_tar.add(key, x_report.record.tool->archive.size, x_tool.get()));
                count(x_report.record.tool->archive.size);
                continue;
            }
            SF_CHECK(add(key, text));
        }
        for (; object != closure.objects.end(); ++object)
            SF_CHECK(copy(object->first, object->second));
        SF_CHECK(x_tar.finish());
        return std::move(x_report);
    }

private:
    void describe(const cache::Closure& closure) {
        const cache::SpecManifest& manifest = closure.package.manifest;
        cache::OfflineRecord& record = x_report.record;
        record.name = manifest.name;
        record.version = manifest.version;
        record.toolchain = manifest.toolchain;
        record.target = manifest.target;
        record.hash = closure.package.build.hash;
        for (const cache::ClosureMirror& mirror : closure.mirrors)
            record.mirrors.push_back({mirror.folder, mirror.snapshot.repository,
                                      mirror.snapshot.serial, mirror.snapshot.issued,
                                      mirror.snapshot.expires});
    }

    Status take_tool() {
        if (x_contents.tool.empty()) return {};
        const std::string shown = base::escape_untrusted(x_contents.tool.native());
        SF_TRY(x_tool, base::open_file(x_contents.tool, O_RDONLY | O_NONBLOCK));
        struct stat status {};
        if (::fstat(x_tool.get(), &status) != 0) return base::fail_errno(errno, "look at " + shown);
        if (!S_ISREG(status.st_mode) || !x_contents.tool.native().ends_with(".tar.gz"))
            return base::fail_hint(Code::usage, shown + " is no archive of the program",
                                   "tools/portable.sh makes one: slurm-factory-VERSION-linux-"
                                   "ARCH.tar.gz");
        cache::OfflineTool tool;
        tool.name = x_contents.tool.filename().native();
        tool.archive.size = static_cast<std::uint64_t>(status.st_size);
        SF_TRY(tool.archive.sha256,
               base::during(base::sha256_fd(x_tool.get()), "reading " + shown));
        if (::lseek(x_tool.get(), 0, SEEK_SET) != 0)
            return base::fail_errno(errno, "rewind " + shown);
        SF_TRY(x_tool_key, cache::tool_key(tool.name));
        x_texts.emplace(x_tool_key, "");
        constexpr std::uint64_t max_signature = 64U << 10U;
        SF_TRY(const auto signature,
               base::read_regular_file(x_contents.tool.native() + ".asc", max_signature));
        if (signature) x_texts.emplace(x_tool_key + ".asc", *signature);
        x_report.record.tool = std::move(tool);
        return {};
    }

    void count(std::uint64_t bytes) {
        x_report.objects += 1;
        x_report.bytes += bytes;
    }

    Status add(const std::string& key, std::string_view text) {
        count(text.size());
        return x_tar.add(key, text);
    }

    // Through a file without a name: what is not what was signed never gets into ours.
    Status copy(const std::string& key, const cache::Ref& ref) {
        SF_CHECK(base::check_stop());
        SF_TRY(const base::Fd file, base::unnamed_file(x_contents.work));
        SF_CHECK(cache::fetch_ref(x_place, key, ref, file.get()));
        count(ref.size);
        return x_tar.add(key, ref.size, file.get());
    }

    cache::Backend& x_place;
    const OfflineContents& x_contents;
    cache::ObjectTarWriter x_tar;
    std::map<std::string, std::string> x_texts;
    std::string x_tool_key;
    base::Fd x_tool;
    OfflineReport x_report;
};

}  // namespace

Result<OfflineReport> write_offline(cache::Backend& place, const OfflineContents& contents,
                                    base::Sink& sink) {
    return base::during(Writer(place, contents, sink).run(), "making an offline file");
}

}  // namespace sf::publish
