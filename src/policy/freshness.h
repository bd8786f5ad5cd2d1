// Age and freshness (RFC 9111 section 4.2) as plain numbers, computed once when a response arrives.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "http/message.h"
#include "policy/cache_control.h"
#include "policy/rules.h"

namespace seawall::policy {

// What plan() needs to know of a stored response. Immutable with its object.
struct Freshness {
  WallTime response_time;            // when the head arrived
  Seconds corrected_initial_age{0};  // RFC 9111 section 4.2.3
  Seconds lifetime{0};               // RFC 9111 section 4.2.1; 0 when there is none
  bool is_explicit = false;          // s-maxage, max-age or Expires, not the heuristic
  bool must_revalidate = false;      // must-revalidate, proxy-revalidate or s-maxage: never stale (section 4.2.4)
  bool no_cache = false;             // unqualified no-cache: validate before each use
  bool immutable = false;            // RFC 8246: a reload is no reason to ask
  Seconds stale_while_revalidate{
      0};  // window after the lifetime, defaults and bound applied; 0 when stale is forbidden
  Seconds stale_if_error{0};
};

// `request_time` is when the request was sent, `response_time` when the head arrived. Several Age lines, or one that is
// not delta-seconds, tell an unknown age: the response is then older than any lifetime. Of a list on one line the first
// member counts (section 5.1). Several Expires lines: the first; an invalid one is in the past (section 5.3). Dates in
// the future of `response_time` are taken as they are: apparent age is 0 then. The windows of the rules do not apply to
// 5xx responses: an old failure is no better than a new one.
Freshness compute_freshness(const http::ResponseHead& response, const ResponseDirectives& directives,
                            const Rules& rules, WallTime request_time, WallTime response_time);

// RFC 9110 section 15.1, or made so by `public` (RFC 9111 section 4.2.2).
bool is_heuristically_cacheable(std::uint16_t status, const ResponseDirectives& directives);

// RFC 9111 section 4.2.3, in whole seconds, never below 0 even when the clock steps back.
Seconds current_age(const Freshness& f, WallTime now);
// lifetime - current age; negative when stale.
Seconds remaining_lifetime(const Freshness& f, WallTime now);

}  // namespace seawall::policy
