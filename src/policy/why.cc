// The published names of the reasons. They never change.
#include "policy/why.h"

namespace seawall::policy {

std::string_view to_string(Why why) {
  switch (why) {
    case Why::kNone: return "none";
    case Why::kFresh: return "fresh";
    case Why::kStaleWhileRevalidate: return "stale-while-revalidate";
    case Why::kStaleIfError: return "stale-if-error";
    case Why::kMaxStale: return "max-stale";
    case Why::kStaleBackOff: return "stale-back-off";
    case Why::kStaleBreaker: return "stale-breaker";
    case Why::kStaleAsync: return "stale-async";
    case Why::kStaleOnly: return "stale-only";
    case Why::kUriMiss: return "uri-miss";
    case Why::kVaryMiss: return "vary-miss";
    case Why::kPartialMiss: return "partial-miss";
    case Why::kExpired: return "expired";
    case Why::kNoCacheResponse: return "no-cache-response";
    case Why::kMustRevalidate: return "must-revalidate";
    case Why::kRequestNoCache: return "request-no-cache";
    case Why::kRequestMaxAge: return "request-max-age";
    case Why::kRequestMinFresh: return "request-min-fresh";
    case Why::kHitForMiss: return "hit-for-miss";
    case Why::kMethod: return "method";
    case Why::kRequestNoStore: return "request-no-store";
    case Why::kUpgrade: return "upgrade";
    case Why::kRequestBody: return "request-body";
    case Why::kPassRoute: return "pass-route";
    case Why::kResponseNoStore: return "response-no-store";
    case Why::kResponsePrivate: return "response-private";
    case Why::kResponseAuthorization: return "response-authorization";
    case Why::kResponseVaryStar: return "response-vary-star";
    case Why::kResponseNotFresh: return "response-not-fresh";
    case Why::kResponseStatus: return "response-status";
    case Why::kResponseSetCookie: return "response-set-cookie";
    case Why::kResponseTooLarge: return "response-too-large";
    case Why::kResponseContradictory: return "response-contradictory";
    case Why::kStoreFull: return "store-full";
    case Why::kOnlyIfCached: return "only-if-cached";
    case Why::kAsync: return "async";
    case Why::kStorm: return "storm";
    case Why::kPush: return "push";
    case Why::kNotStored: return "not-stored";
    case Why::kOriginError: return "origin-error";
    case Why::kWaitTimeout: return "wait-timeout";
    case Why::kOverloaded: return "overloaded";
  }
  return "none";
}

}  // namespace seawall::policy
