// The one decision: what to do with a request, given what is stored. Pure.
#pragma once

#include "base/clock.h"
#include "http/message.h"
#include "policy/cache_control.h"
#include "policy/freshness.h"
#include "policy/rules.h"
#include "policy/why.h"

namespace seawall::policy {

enum class Verdict : std::uint8_t {
  kServeFresh,
  kServeStaleAndRefresh,  // answer now, validate in the background
  kRevalidate,            // ask the origin first; may_serve_stale_on_error() when that fails
  kFetchAndStore,
  kPass,  // to the origin, not shared, not stored
  kFail,  // 504 for only-if-cached
};

struct Plan {
  Verdict verdict = Verdict::kFetchAndStore;
  Why why = Why::kUriMiss;

  friend bool operator==(const Plan&, const Plan&) = default;
};

// What the store found for the key.
enum class Found : std::uint8_t { kNothing, kOtherVariants, kObject };

struct RequestFacts {
  http::Method method = http::Method::kGet;
  RequestDirectives directives;
  bool has_authorization = false;
  bool has_body = false;
  bool wants_upgrade = false;
};
RequestFacts facts_of(const http::RequestHead& request);

// Before any look-up: whether this request has business with the cache at all: kPass if not. GET and HEAD have, unless
// they carry a body or upgrade. Else kFetchAndStore, to be decided by plan().
// Authorization does not prevent a look-up: what is stored is allowed to be shared (RFC 9111 section 3.5).
Plan plan_lookup(const RequestFacts& request);

// `stored` is null unless found == kObject. Never asks the origin when the stored response answers; never serves stale
// against must-revalidate, proxy-revalidate, s-maxage or no-cache, whatever the client's max-stale says. kPass for
// no-store of the request, which depends on the rules.
Plan plan(const RequestFacts& request, Found found, const Freshness* stored, const Rules& rules, WallTime now);

// After the origin failed (RFC 5861 section 4, RFC 9111 section 4.2.4): whether the stored response may be served
// instead. A client that insists on validation gets it too, for lack of anything better, unless it sent
// stale-if-error=0.
bool may_serve_stale_on_error(const RequestFacts& request, const Freshness& stored, const Rules& rules, WallTime now);
// Whether it may be served without asking the origin at all, by the operator's will: a fresh one always, a stale one
// within Rules::stale_max unless the response forbids stale use.
bool may_serve_without_asking(const Freshness& stored, const Rules& rules, WallTime now);
// 500, 502, 503 and 504 of the origin count as failures then (RFC 5861 section 4), and so does 429: it asks for less.
bool is_error_status(std::uint16_t status);

}  // namespace seawall::policy
