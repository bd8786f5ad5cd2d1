// The primary cache key (RFC 9111 section 2): scheme, host and normalised path with query, which are also what the
// origin is sent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace seawall::policy {

// "http://host/path?query", appended to `out` (which a connection reuses).
void append_key(std::string& out, std::string_view scheme, std::string_view authority, std::string_view path);

// Seeded once per process, so that nobody outside can choose colliding keys; equal hashes are told apart by the key's
// text.
std::uint64_t hash_key(std::string_view key);

}  // namespace seawall::policy
