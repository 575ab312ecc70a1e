// SPDX-License-Identifier: Apache-2.0
// A part of a cache in one file: what is read is written again byte for byte, so nothing in it
// counts for nothing. What such a file says of itself beside it.
#include "cache/object_tar.hpp"

#include <sys/mman.h>

#include <unistd.h>

#include "base/fd.hpp"
#include "cache/backend.hpp"
#include "cache/offline_file.hpp"
#include "fuzz/fuzz.hpp"

using namespace sf;

namespace {

class TextSink : public base::Sink {
public:
    base::Status write(base::Bytes bytes) override {
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
    }
    std::string text;
};

std::string written_again(const cache::TarredObjects& objects, std::string_view bytes) {
    TextSink sink;
    cache::ObjectTarWriter writer(sink);
    const auto add = [&](const std::string& key, const cache::TarredObject& object) {
        fuzz::require(writer.add(key, bytes.substr(object.offset, object.size)).has_value(),
                      "what is read can be written");
    };
    const std::string first(cache::object_tar_first);
    add(first, objects.at(first));
    for (const auto& [key, object] : objects)
        if (key != first) add(key, object);
    fuzz::require(writer.finish().has_value(), "what is read can be ended");
    return sink.text;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::text_of(data, size);
    if (const auto record = cache::offline_record_from_json(text))
        fuzz::require(fuzz::need(cache::to_json(*record)) == text, "one text form");
    const base::Fd file(::memfd_create("fuzz", MFD_CLOEXEC));
    fuzz::require(::write(file.get(), data, size) == static_cast<ssize_t>(size), "memory");
    static_cast<void>(cache::is_object_tar(file.get()));
    const auto objects = cache::read_object_tar(file.get(), "fuzz");
    if (!objects) return 0;
    for (const auto& [key, object] : *objects)
        fuzz::require(cache::check_key(key).has_value(), "names of objects alone");
    fuzz::require(written_again(*objects, text) == text, "every byte counts");
    return 0;
}
