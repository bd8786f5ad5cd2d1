// The reason for every decision. The same value goes to Cache-Status, the access log, metrics and explain.
#pragma once

#include <cstdint>
#include <string_view>

namespace seawall::policy {

enum class Why : std::uint8_t {
  kNone,
  // served from the store
  kFresh,
  kStaleWhileRevalidate,
  kStaleIfError,
  kMaxStale,      // the client's max-stale
  kStaleBackOff,  // the origin failed for it lately, and is not asked again yet
  kStaleBreaker,  // the origin is not asked: its breaker is open, it asked for a pause, or no server can be used
  kStaleAsync,    // miss = "async": it is being fetched in the background
  kStaleOnly,     // miss = "stale-only" or "push": the origin is not asked
  // forwarded, a usable answer was not stored
  kUriMiss,
  kVaryMiss,
  kPartialMiss,  // stored ranges do not cover the request
  kExpired,
  kNoCacheResponse,  // stored with no-cache
  kMustRevalidate,   // expired, and stale use is forbidden
  kRequestNoCache,
  kRequestMaxAge,
  kRequestMinFresh,
  kHitForMiss,
  // forwarded without looking
  kMethod,
  kRequestNoStore,
  kUpgrade,
  kRequestBody,  // a GET or HEAD with a body
  kPassRoute,
  // not stored because
  kResponseNoStore,
  kResponsePrivate,
  kResponseAuthorization,
  kResponseVaryStar,
  kResponseNotFresh,   // neither explicit nor heuristic freshness, and no validator
  kResponseStatus,     // not final, not understood with must-understand, or 206 / 304 that cannot be combined
  kResponseSetCookie,  // heuristic freshness is not enough for a response that sets cookies
  kResponseTooLarge,
  kResponseContradictory,
  kStoreFull,
  // refused
  kOnlyIfCached,
  kAsync,      // being fetched in the background
  kStorm,      // the same, because the route is spared
  kPush,       // the origin has been told by an event
  kNotStored,  // miss = "stale-only"
  kOriginError,
  kWaitTimeout,
  kOverloaded,
};

// "stale-while-revalidate": stable, lower case.
std::string_view to_string(Why why);

}  // namespace seawall::policy
