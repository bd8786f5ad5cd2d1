// The decision itself: RFC 9111 sections 4 and 5.2.1, RFC 5861, RFC 8246. Pure.
#include "policy/plan.h"

#include <algorithm>

namespace seawall::policy {
namespace {

constexpr Plan kServe{Verdict::kServeFresh, Why::kFresh};

Plan revalidate(Why why) {
  return {Verdict::kRevalidate, why};
}

// What the client asks for beyond the response's own freshness; kNone when it is content.
Why client_objection(const RequestDirectives& d, const Freshness& stored, Seconds age, Seconds remaining) {
  // RFC 8246 section 2: a reload sends max-age=0, and what is immutable and fresh need not be asked for again.
  const bool is_idle_reload = stored.immutable && remaining > Seconds{0} && d.max_age == Seconds{0};
  if (d.max_age && age > *d.max_age && !is_idle_reload) return Why::kRequestMaxAge;
  if (d.min_fresh && remaining < *d.min_fresh) return Why::kRequestMinFresh;
  return Why::kNone;
}

Plan plan_stale(const RequestDirectives& d, const Freshness& stored, const Rules& rules, Seconds staleness,
                bool client_is_content) {
  if (stored.must_revalidate) return revalidate(Why::kMustRevalidate);
  if (!client_is_content) return revalidate(Why::kExpired);
  if (staleness < stored.stale_while_revalidate) {
    return {Verdict::kServeStaleAndRefresh, Why::kStaleWhileRevalidate};
  }
  const Seconds bound =
      d.any_max_stale ? rules.stale_max : std::min(d.max_stale.value_or(Seconds{-1}), rules.stale_max);
  if (staleness <= bound) return {Verdict::kServeFresh, Why::kMaxStale};
  return revalidate(Why::kExpired);
}

Plan plan_stored(const RequestDirectives& d, const Freshness& stored, const Rules& rules, WallTime now) {
  if (stored.no_cache) return revalidate(Why::kNoCacheResponse);
  const Seconds age = current_age(stored, now);
  const Seconds remaining = stored.lifetime - age;
  Why objection = Why::kNone;
  if (rules.honour_request_directives) {
    objection = d.no_cache ? Why::kRequestNoCache : client_objection(d, stored, age, remaining);
  }
  if (remaining <= Seconds{0}) return plan_stale(d, stored, rules, -remaining, objection == Why::kNone);
  return objection == Why::kNone ? kServe : revalidate(objection);
}

Plan plan_any(const RequestFacts& request, Found found, const Freshness* stored, const Rules& rules, WallTime now) {
  if (rules.honour_request_directives && request.directives.no_store) return {Verdict::kPass, Why::kRequestNoStore};
  switch (found) {
    case Found::kNothing: return {Verdict::kFetchAndStore, Why::kUriMiss};
    case Found::kOtherVariants: return {Verdict::kFetchAndStore, Why::kVaryMiss};
    case Found::kObject: break;
  }
  return plan_stored(request.directives, *stored, rules, now);
}

}  // namespace

RequestFacts facts_of(const http::RequestHead& request) {
  RequestFacts facts;
  facts.method = request.method;
  facts.directives = parse_request_directives(request.headers);
  facts.has_authorization = request.headers.contains(http::Field::kAuthorization);
  facts.has_body = request.framing == http::BodyFraming::kChunked || request.content_length > 0;
  facts.wants_upgrade = request.wants_upgrade;
  return facts;
}

Plan plan_lookup(const RequestFacts& request) {
  if (request.wants_upgrade) return {Verdict::kPass, Why::kUpgrade};
  if (request.method != http::Method::kGet && request.method != http::Method::kHead) {
    return {Verdict::kPass, Why::kMethod};
  }
  if (request.has_body) return {Verdict::kPass, Why::kRequestBody};
  return {Verdict::kFetchAndStore, Why::kNone};
}

Plan plan(const RequestFacts& request, Found found, const Freshness* stored, const Rules& rules, WallTime now) {
  const Plan p = plan_any(request, found, stored, rules, now);
  const bool answers = p.verdict == Verdict::kServeFresh || p.verdict == Verdict::kServeStaleAndRefresh;
  if (request.directives.only_if_cached && !answers) return {Verdict::kFail, Why::kOnlyIfCached};
  return p;
}

bool may_serve_stale_on_error(const RequestFacts& request, const Freshness& stored, const Rules& rules, WallTime now) {
  if (stored.no_cache) return false;
  const Seconds remaining = remaining_lifetime(stored, now);
  if (remaining > Seconds{0}) return true;
  if (stored.must_revalidate) return false;
  const auto& asked = request.directives.stale_if_error;
  const Seconds window = std::min({stored.stale_if_error, rules.stale_max, asked.value_or(stored.stale_if_error)});
  return -remaining < window;
}

bool may_serve_without_asking(const Freshness& stored, const Rules& rules, WallTime now) {
  if (stored.no_cache) return false;
  const Seconds remaining = remaining_lifetime(stored, now);
  return remaining > Seconds{0} || (!stored.must_revalidate && -remaining < rules.stale_max);
}

bool is_error_status(std::uint16_t status) {
  return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

}  // namespace seawall::policy
