// SPDX-License-Identifier: Apache-2.0
#include "net/s3_checksum.hpp"

#include <charconv>

#include "base/base64.hpp"

namespace sf::net {

std::string checksum_of(const base::Digest& digest) {
    const std::string hex = digest.hex();
    std::string bytes;
    for (std::size_t at = 0; at < hex.size(); at += 2) {
        unsigned value = 0;
        const char* const begin = hex.data() + at;
        std::from_chars(begin, begin + 2, value, 16);
        bytes.push_back(static_cast<char>(value));
    }
    return base::base64(bytes);
}

// In words that were seen: "Unsupported header 'x-amz-checksum-sha256' received for this API call."
// (InvalidArgument, Backblaze B2 in 2024), "Header 'x-amz-checksum-algorithm' with value 'SHA256'
// not implemented" (NotImplemented, Cloudflare R2 in 2022). AWS uses neither code for a checksum.
bool refuses_checksums(const S3Error& error) {
    return (error.code == "InvalidArgument" || error.code == "NotImplemented") &&
           error.message.find("x-amz-checksum") != std::string::npos;
}

}  // namespace sf::net
