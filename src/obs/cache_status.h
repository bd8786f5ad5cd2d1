// The Cache-Status field of an answer (RFC 9211): how the cache handled the request, and why.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace seawall::obs {

struct CacheStatus {
  bool is_hit = false;
  std::optional<Seconds> ttl;        // remaining freshness; negative when stale
  std::string_view forward;          // fwd=: "uri-miss", "vary-miss", "stale", "request", "method", "partial", "bypass"
  std::uint16_t forward_status = 0;  // 0: no answer from the origin
  bool is_stored = false;
  bool is_collapsed = false;
  std::string_view detail;  // a token
};

// "seawall; hit; ttl=42", without name and line end.
void append_cache_status(std::string& out, const CacheStatus& status);

}  // namespace seawall::obs
