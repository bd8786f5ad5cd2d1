// What holds for messages of every version of HTTP, for this folder's parsers. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "http/chars.h"
#include "http/list_syntax.h"

namespace seawall::http {

// Longer than any method there is.
inline constexpr std::size_t kLongestMethod = 64;
// Of a trailer section, dropped fields included.
inline constexpr std::size_t kMostTrailerBytes = 8192;
inline constexpr std::size_t kMostTrailerFields = 64;

// RFC 9110 section 8.6: digits only, and no more than a signed length can hold.
inline std::optional<std::uint64_t> parse_content_length(std::string_view value) {
  constexpr auto kLongest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const std::optional<std::uint64_t> length = parse_uint(value);
  return length && *length <= kLongest ? length : std::nullopt;
}

// Bytes that a request target may be made of; their order is checked by those who take it apart.
inline bool is_target_text(std::string_view target) {
  for (const char c : target) {
    if (!is_class(c, kTargetChar)) return false;
  }
  return !target.empty();
}

// What an entry of an HTTP/2 field list counts beyond its bytes (RFC 9113 section 6.5.2).
inline constexpr std::size_t kListEntryOverhead = 32;
// RFC 9113 section 8.2.1, and RFC 9110's token where that would let more pass.
bool is_h2_field_name(std::string_view name);
bool is_h2_field_value(std::string_view value);

// Without case, and with '_' as '-', as CGI reads names. `prefix` is in lower case.
bool begins_like(std::string_view name, std::string_view prefix);

// RFC 9110 section 6.5.1: not what could change framing, routing, authentication or caching.
bool may_trail(std::string_view name);

}  // namespace seawall::http
