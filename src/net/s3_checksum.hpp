// SPDX-License-Identifier: Apache-2.0
// The checksum that S3 compares with what arrives, and keeps with the object: of several kinds the
// SHA-256, which is known here anyway. A bucket with an object lock and a default retention takes
// nothing without one; the digest in the signature does not count there. Not all that speak S3 know
// it: most pass over it, some refuse it. Pure, any thread.
#pragma once

#include <string>

#include "base/digest.hpp"
#include "net/s3_xml.hpp"

namespace sf::net {

inline constexpr const char* checksum_field = "x-amz-checksum-sha256";
// Of an upload in parts, when it is begun: "SHA256".
inline constexpr const char* checksum_kind_field = "x-amz-checksum-algorithm";

// As the field has it, base64 of the digest's bytes: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
[[nodiscard]] std::string checksum_of(const base::Digest& digest);

// The server says that it does not know such fields; not that the checksum is wrong, or missing.
[[nodiscard]] bool refuses_checksums(const S3Error& error);

}  // namespace sf::net
