// SPDX-License-Identifier: Apache-2.0
#include "build/taken.hpp"

#include "base/json.hpp"
#include "base/json_reader.hpp"
#include "base/text.hpp"

namespace sf::build {

using base::Result;

namespace {

constexpr int schema = 1;

}  // namespace

Result<std::string> to_json(const Taken& taken) {
    return base::canonical_json({{"schema", schema},
                                 {"place", taken.place},
                                 {"mirror", taken.mirror},
                                 {"repository", taken.repository},
                                 {"serial", taken.serial},
                                 {"signer", taken.signer},
                                 {"time", static_cast<std::uint64_t>(taken.time)}});
}

Result<Taken> taken_from_json(std::string_view text) {
    SF_TRY(const base::Json json, base::parse_json(text));
    base::JsonReader reader(json, "the record of where a package was taken from");
    Taken taken;
    int version = 0;
    reader.number("schema", version);
    reader.text("place", taken.place);
    reader.text("mirror", taken.mirror);
    reader.text("repository", taken.repository);
    reader.number("serial", taken.serial);
    reader.text("signer", taken.signer);
    reader.number("time", taken.time);
    SF_CHECK(reader.status());
    if (version != schema)
        return base::fail(base::Code::corrupt, "it has schema {}, not {}", version, schema);
    SF_TRY(const std::string again, to_json(taken));
    if (again != text) return base::fail(base::Code::corrupt, "it is not in its one form");
    return taken;
}

std::string taken_text(const Taken& taken) {
    return fmt::format("taken from {}, signed by {}", base::escape_untrusted(taken.place),
                       base::escape_untrusted(taken.signer));
}

}  // namespace sf::build
