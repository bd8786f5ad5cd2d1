// Whether a response may be stored (RFC 9111 section 3), and what of it.
#pragma once

#include "http/message.h"
#include "policy/cache_control.h"
#include "policy/freshness.h"
#include "policy/rules.h"
#include "policy/why.h"

namespace seawall::policy {

struct StoreDecision {
  bool may_store = false;
  // Whether requests that joined this fetch may be answered from it. Not when they would need a validation first
  // (no-cache, stale on arrival), when it sets cookies, and when it is partial.
  bool may_share_with_waiters = false;
  Why why = Why::kNone;  // when it may not be stored
  ResponseDirectives directives;
  Freshness freshness;
};

// `request` is the one that was sent. Any final status with explicit freshness may be stored, unknown ones too; a
// heuristic lifetime only for the statuses of RFC 9110 section 15.1, or with `public`. A response that is stale on
// arrival or no-cache is stored only when it can be validated, or where it says itself that stale use is welcome. 206
// needs a single valid Content-Range that agrees with Content-Length; 304 is never stored as such. POST and PATCH only
// with status 200, explicit freshness and a Content-Location equal to the target (RFC 9110 section 9.3.3, RFC 5789
// section 2); other methods never, HEAD neither.
StoreDecision decide_storing(const http::RequestHead& request, const http::ResponseHead& response, const Rules& rules,
                             WallTime request_time, WallTime response_time);

// RFC 9111 section 3.1: without hop-by-hop fields, those that Connection names, those of proxy authentication, Trailer,
// and those named by qualified no-cache and private.
http::HeaderMap storable_fields(const http::ResponseHead& response, const ResponseDirectives& directives);
// The same for forwarding only: hop-by-hop fields and those that Connection names go, all else stays. What frames,
// routes or governs caching cannot be named away by Connection (RFC 9110 section 7.6.1): Host, Via, Cache-Control,
// Vary and the like.
http::HeaderMap end_to_end_fields(const http::HeaderMap& headers);

}  // namespace seawall::policy
